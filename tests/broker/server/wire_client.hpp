// A client that does only what it is told: reads when asked to, publishes while it is blocked. For
// what lovage::connection is too well-behaved for. One thread; throws std::runtime_error when the
// broker does not answer in time or closes.
#pragma once

#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/base/bytes.hpp"
#include "tests/broker/server/support.hpp"

#include <string>
#include <variant>

namespace lovage::broker::test {

class wire_client {
public:
    /// Logs in as guest and opens channel 1; says that it understands connection.blocked.
    explicit wire_client(std::uint16_t port, int receive_octets = 0);

    template <class Method>
    void send(const Method& method, std::uint16_t channel = 1) {
        byte_buffer out;
        amqp::write_method(out, channel, method);
        send_octets(out.view());
    }
    /// Reads until such a method comes and drops what comes before it. Texts in it are views until
    /// more is read.
    template <class Method>
    Method await() {
        return std::get<Method>(await_id(Method::id));
    }
    template <class Reply, class Method>
    void call(const Method& method) {
        send(method);
        await<Reply>();
    }
    /// To the default exchange, transient.
    void publish(octets queue, octets body);
    static void write_publish(byte_buffer& out, octets queue, octets body);
    void send_octets(octets what);
    /// Reads until `count` message bodies of `body_size` octets have come.
    void await_bodies(std::size_t count, std::size_t body_size);

private:
    amqp::frame next();
    amqp::method await_id(amqp::method_id id);

    raw_socket socket_;
    std::string input_;
    std::size_t used_ = 0;
};

}  // namespace lovage::broker::test
