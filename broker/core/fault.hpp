// An error that a peer made, as a value: what is to be closed, with which code and text. Handlers
// return it; the connection turns it into channel.close or connection.close.
#pragma once

#include "framework/amqp/spec.hpp"
#include "framework/base/bytes.hpp"

#include <string>

namespace lovage::broker {

struct [[nodiscard]] fault {
    enum class scope : std::uint8_t {
        none,
        channel,     ///< channel.close
        connection,  ///< connection.close naming the method that failed
        /// connection.close naming no method
        frame,
        /// the socket is dropped after a while, nothing is sent: a login or handshake went wrong
        silent,
        /// the socket is dropped at once, nothing is sent
        drop
    };

    scope where = scope::none;
    amqp::reply_code code = amqp::reply_code::reply_success;
    std::string text;  ///< without the code's name

    explicit operator bool() const { return where != scope::none; }
};

inline const fault no_fault{};

inline fault channel_fault(amqp::reply_code code, std::string text) {
    return {fault::scope::channel, code, std::move(text)};
}
inline fault connection_fault(amqp::reply_code code, std::string text) {
    return {fault::scope::connection, code, std::move(text)};
}
inline fault frame_fault(amqp::reply_code code, std::string text) {
    return {fault::scope::frame, code, std::move(text)};
}

/// Reply text as it goes out: the code's name, " - ", the text; cut to 255 octets as RabbitMQ cuts
/// it, to 252 octets and an ellipsis.
[[nodiscard]] std::string reply_text(const fault& what);
/// Octets as RabbitMQ prints them in its texts: `<<"ab">>`, `<<0,20>>`, `<<>>`.
[[nodiscard]] std::string printed_octets(octets value);
/// "type 1, all octets = <<...>>", beyond 16 octets "first 16 octets = ...".
[[nodiscard]] std::string printed_frame(unsigned type, octets payload);

}  // namespace lovage::broker
