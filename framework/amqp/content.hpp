// Content assembly (specification 4.2.6): after a method that carries content come one header
// frame and body frames until the announced size is there. One assembler a channel, for broker and
// client. Nothing is reserved by the announced size; a body that comes in one frame is not copied.
#pragma once

#include "framework/amqp/frame.hpp"

#include <cstdint>
#include <string>

namespace lovage::amqp {

enum class content_status {
    incomplete,
    complete,
    /// The header frame is too short to be one.
    malformed_header,
    /// A header frame that does not belong here: another class, weight, or order.
    wrong_class,
    wrong_weight,
    unexpected_header,
    unexpected_body,
    /// More body than announced.
    body_too_large
};

class content_assembler {
public:
    /// A method that carries content was read; its header must be next.
    void start() { state_ = state::header; }
    void reset();
    [[nodiscard]] bool active() const { return state_ != state::idle; }
    [[nodiscard]] bool expects_header() const { return state_ == state::header; }

    /// On complete, properties() and body() are valid until the next call of a member, body() also
    /// only as long as the payload of the frame that completed it.
    [[nodiscard]] content_status header(octets payload);
    [[nodiscard]] content_status body(octets payload);

    [[nodiscard]] octets properties() const { return properties_; }
    [[nodiscard]] octets body() const { return body_; }
    [[nodiscard]] std::uint64_t body_size() const { return size_; }
    /// The class of the header that gave wrong_class.
    [[nodiscard]] std::uint16_t header_class() const { return header_class_; }
    /// Octets of body held for a content that is not complete.
    [[nodiscard]] std::size_t held() const { return state_ == state::body ? collected_.size() : 0; }
    /// The same with its properties.
    [[nodiscard]] std::size_t footprint() const {
        return state_ == state::body ? collected_.size() + properties_.size() : 0;
    }

private:
    enum class state { idle, header, body };

    state state_ = state::idle;
    std::uint16_t header_class_ = 0;
    std::uint64_t size_ = 0;
    std::string properties_;
    std::string collected_;
    octets body_;  // into collected_ or the last payload; see header()
};

}  // namespace lovage::amqp
