#include "tests/broker/server/wire_client.hpp"

#include "framework/amqp/properties.hpp"

#include <stdexcept>

namespace lovage::broker::test {
namespace {

constexpr std::size_t payload_max = amqp::frame_size_default - amqp::frame_overhead;

}  // namespace

wire_client::wire_client(std::uint16_t port, int receive_octets) : socket_(port, receive_octets) {
    send_octets(amqp::protocol_header);
    await<amqp::connection::start>();
    amqp::connection::start_ok login;
    login.client_properties.set(
        "capabilities",
        amqp::field_value(amqp::table{{"connection.blocked", amqp::field_value(true)}}));
    login.mechanism = "PLAIN";
    login.response.value = octets("\0guest\0guest", 12);
    login.locale = "en_US";
    send(login, 0);
    await<amqp::connection::tune>();
    amqp::connection::tune_ok tuned;
    tuned.channel_max = amqp::channel_max_default;
    tuned.frame_max = amqp::frame_size_default;
    send(tuned, 0);
    amqp::connection::open open;
    open.virtual_host = "/";
    send(open, 0);
    await<amqp::connection::open_ok>();
    call<amqp::channel::open_ok>(amqp::channel::open{});
}

void wire_client::send_octets(octets what) {
    if (!socket_.send(what)) {
        throw std::runtime_error("the broker closed the connection");
    }
}

amqp::frame wire_client::next() {
    for (;;) {
        octets rest = octets(input_).substr(used_);
        amqp::frame found;
        std::uint32_t size = 0;
        switch (amqp::next_frame(rest, found, payload_max, size)) {
            case amqp::frame_status::complete: used_ = input_.size() - rest.size(); return found;
            case amqp::frame_status::incomplete: break;
            case amqp::frame_status::too_large:
            case amqp::frame_status::bad_end: throw std::runtime_error("the broker sent no frame");
        }
        input_.erase(0, used_);
        used_ = 0;
        const std::string more = socket_.receive();
        if (more.empty()) {
            throw std::runtime_error("the broker closed the connection");
        }
        input_ += more;
    }
}

amqp::method wire_client::await_id(amqp::method_id id) {
    for (;;) {
        const amqp::frame found = next();
        if (found.type != static_cast<std::uint8_t>(amqp::frame_type::method)) {
            continue;
        }
        amqp::method_id got;
        amqp::method what;
        const amqp::method_error error = amqp::read_method(found.payload, got, what);
        if (got == id) {
            if (error != amqp::method_error::none) {
                throw std::runtime_error("the broker sent a method that cannot be read");
            }
            return what;
        }
    }
}

void wire_client::publish(octets queue, octets body) {
    byte_buffer out;
    write_publish(out, queue, body);
    send_octets(out.view());
}

void wire_client::write_publish(byte_buffer& out, octets queue, octets body) {
    amqp::basic::publish publish;
    publish.routing_key = queue;
    amqp::write_method(out, 1, publish);
    byte_buffer properties;
    amqp::write_properties(properties, amqp::basic_properties{});
    amqp::write_content_header(out, 1, body.size(), properties.view());
    amqp::write_body(out, 1, body, amqp::frame_size_default);
}

void wire_client::await_bodies(std::size_t count, std::size_t body_size) {
    for (std::size_t left = count * body_size; left != 0;) {
        const amqp::frame found = next();
        if (found.type == static_cast<std::uint8_t>(amqp::frame_type::body)) {
            if (found.payload.size() > left) {
                throw std::runtime_error("more came than was published");
            }
            left -= found.payload.size();
        }
    }
}

}  // namespace lovage::broker::test
