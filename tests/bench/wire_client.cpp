#include "tests/bench/wire_client.hpp"

#include "framework/amqp/properties.hpp"
#include "tests/bench/options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace lovage::bench {
namespace {

// Room for the rest of one frame and much behind it.
constexpr std::size_t input_octets = 4 * std::size_t{amqp::frame_size_default};
constexpr std::chrono::milliseconds brief_wait{50};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what);
}

std::string text_of(const amqp::table& properties, std::string_view name) {
    const amqp::field_value* value = properties.find(name);
    const auto text = value == nullptr ? std::nullopt : value->text();
    return std::string(text.value_or(""));
}

// The text of connection.close or channel.close: code, then text.
[[noreturn]] void fail_closed(octets arguments) {
    amqp::wire_reader in(arguments);
    const auto code = in.number<std::uint16_t>();
    fail("the broker closed: " + std::to_string(code) + ' ' + std::string(in.short_string()));
}

}  // namespace

wire_client::wire_client(std::uint16_t port) : in_(new char[input_octets]), unread_(in_.get(), 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        close(socket_);
        fail("cannot connect to port " + std::to_string(port) + ": " + std::strerror(errno));
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A broker that stops reading or answering must fail the run, not hang it.
    const timeval limit{stall_limit.count(), 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    try {
        handshake();
    } catch (...) {
        close(socket_);
        throw;
    }
}

wire_client::~wire_client() {
    close(socket_);
}

void wire_client::handshake() {
    send(amqp::protocol_header);
    amqp::connection::start start;
    if (amqp::read_arguments(await_reply(amqp::connection::start::id), start) !=
        amqp::method_error::none) {
        fail("the broker's connection.start is malformed");
    }
    product_ = text_of(start.server_properties, "product") + ' ' +
               text_of(start.server_properties, "version");

    amqp::connection::start_ok login;
    login.mechanism = "PLAIN";
    login.response.value = octets("\0guest\0guest", 12);
    login.locale = "en_US";
    amqp::write_method(out_, 0, login);
    flush();
    await_reply(amqp::connection::tune::id);
    amqp::connection::tune_ok tuned;
    tuned.channel_max = amqp::channel_max_default;
    tuned.frame_max = amqp::frame_size_default;
    amqp::write_method(out_, 0, tuned);
    amqp::connection::open open;
    open.virtual_host = "/";
    amqp::write_method(out_, 0, open);
    flush();
    await_reply(amqp::connection::open_ok::id);
    call<amqp::channel::open_ok>(amqp::channel::open{});
}

void wire_client::flush() {
    send(out_.view());
    out_.clear();
}

void wire_client::send(octets frames) {
    while (!frames.empty()) {
        const ssize_t sent = ::send(socket_, frames.data(), frames.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            fail(std::string("cannot send to the broker: ") + std::strerror(errno));
        }
        frames.remove_prefix(static_cast<std::size_t>(sent));
    }
}

bool wire_client::receive(wait how, std::string_view expected) {
    std::memmove(in_.get(), unread_.data(), unread_.size());
    char* into = in_.get() + unread_.size();
    const std::size_t room = input_octets - unread_.size();
    // The socket's own time limit is stall_limit: no poll on the way of a single message.
    ssize_t got = recv(socket_, into, room, how == wait::until_stalled ? 0 : MSG_DONTWAIT);
    const auto nothing = [&got] { return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK); };
    if (how == wait::until_stalled && nothing()) {
        fail("the broker stalls; expected " + std::string(expected));
    }
    if (how == wait::briefly && nothing()) {
        pollfd ready{socket_, POLLIN, 0};
        poll(&ready, 1, static_cast<int>(brief_wait.count()));
        got = recv(socket_, into, room, MSG_DONTWAIT);
    }
    if (got == 0) {
        fail("the broker closed the connection");
    }
    if (got < 0 && !nothing() && errno != EINTR) {
        fail(std::string("cannot receive from the broker: ") + std::strerror(errno));
    }
    unread_ = {in_.get(), unread_.size() + static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    return got > 0;
}

event wire_client::next() {
    amqp::frame frame;
    std::uint32_t size = 0;
    for (;;) {
        switch (amqp::next_frame(
            unread_, frame, amqp::frame_size_default - amqp::frame_overhead, size)) {
            case amqp::frame_status::incomplete: return {};
            case amqp::frame_status::too_large: fail("the broker sent too large a frame");
            case amqp::frame_status::bad_end: fail("the broker sent a bad frame");
            case amqp::frame_status::complete: break;
        }
        const event found = read_frame(frame);
        if (found.kind != event_kind::none) {
            return found;
        }
    }
}

event wire_client::read_frame(const amqp::frame& frame) {
    switch (static_cast<amqp::frame_type>(frame.type)) {
        case amqp::frame_type::method: return read_method(frame.payload);
        case amqp::frame_type::header: {
            amqp::content_header header;
            if (!amqp::read_content_header(frame.payload, header)) {
                fail("the broker sent a bad content header");
            }
            content_size_ = content_missing_ = header.body_size;
            content_properties_ = header.properties;
            content_number_ = 0;
            return content_missing_ == 0 ? finish_content() : event{};
        }
        case amqp::frame_type::body:
            if (frame.payload.size() > content_missing_) {
                fail("the broker sent more body than announced");
            }
            if (content_missing_ == content_size_ &&
                frame.payload.size() >= sizeof(content_number_)) {
                content_number_ = amqp::wire_reader(frame.payload).number<std::uint64_t>();
            }
            content_missing_ -= frame.payload.size();
            return content_missing_ == 0 ? finish_content() : event{};
        case amqp::frame_type::heartbeat: return {};
    }
    fail("the broker sent a frame of an unknown type");
}

event wire_client::finish_content() {
    event found;
    found.kind = event_kind::deliver;
    found.tag = content_tag_;
    found.payload = content_properties_;
    found.body_size = content_size_;
    found.number = content_number_;
    return found;
}

event wire_client::read_method(octets payload) {
    amqp::wire_reader in(payload);
    event found;
    found.method.class_id = in.number<std::uint16_t>();
    found.method.method = in.number<std::uint16_t>();
    if (found.method == amqp::basic::deliver::id) {
        in.short_string();
        content_tag_ = in.number<std::uint64_t>();
        return {};
    }
    if (found.method == amqp::basic::ack::id || found.method == amqp::basic::nack::id) {
        const bool good = found.method == amqp::basic::ack::id;
        found.kind = good ? event_kind::confirm : event_kind::refused;
        found.tag = in.number<std::uint64_t>();
        found.multiple = (in.number<std::uint8_t>() & 1U) != 0;
        return found;
    }
    if (found.method == amqp::connection::close::id || found.method == amqp::channel::close::id) {
        fail_closed(in.rest());
    }
    found.kind = event_kind::reply;
    found.payload = in.rest();
    return found;
}

octets wire_client::await_reply(amqp::method_id id) {
    for (;;) {
        for (event found = next(); found.kind != event_kind::none; found = next()) {
            if (found.kind == event_kind::reply && found.method == id) {
                return found.payload;
            }
        }
        receive(
            wait::until_stalled,
            "method " + std::to_string(id.class_id) + '.' + std::to_string(id.method));
    }
}

void wire_client::declare_queue(octets name) {
    amqp::queue::declare declare;
    declare.queue = name;
    declare.durable = true;
    call<amqp::queue::declare_ok>(declare);
}

void wire_client::delete_queue(octets name) {
    amqp::queue::delete_ remove;
    remove.queue = name;
    call<amqp::queue::delete_ok>(remove);
}

std::uint32_t wire_client::queue_length(octets name) {
    amqp::queue::declare declare;
    declare.queue = name;
    declare.passive = true;
    amqp::queue::declare_ok answer;
    if (amqp::read_arguments(call<amqp::queue::declare_ok>(declare), answer) !=
        amqp::method_error::none) {
        fail("the broker's queue.declare-ok is malformed");
    }
    return answer.message_count;
}

void wire_client::select_confirms() {
    call<amqp::confirm::select_ok>(amqp::confirm::select{});
}

void wire_client::consume(octets queue, std::uint16_t prefetch, bool no_ack) {
    amqp::basic::qos qos;
    qos.prefetch_count = prefetch;
    call<amqp::basic::qos_ok>(qos);
    amqp::basic::consume consume;
    consume.queue = queue;
    consume.no_ack = no_ack;
    call<amqp::basic::consume_ok>(consume);
}

void wire_client::add_ack(std::uint64_t tag, bool multiple) {
    amqp::basic::ack ack;
    ack.delivery_tag = tag;
    ack.multiple = multiple;
    add(ack);
}

void wire_client::barrier() {
    // Any synchronous method does; this one changes nothing that is in use.
    call<amqp::channel::flow_ok>(amqp::channel::flow{.active = true});
}

void encode_message(byte_buffer& out, const message_shape& shape) {
    amqp::basic::publish publish;
    publish.exchange = shape.exchange;
    publish.routing_key = shape.queue;
    amqp::write_method(out, bench_channel, publish);

    amqp::basic_properties properties;
    properties.delivery_mode = shape.delivery_mode;
    if (!shape.correlation_id.empty()) {
        properties.correlation_id = std::string(shape.correlation_id);
    }
    if (!shape.reply_to.empty()) {
        properties.reply_to = std::string(shape.reply_to);
    }
    byte_buffer encoded;
    amqp::write_properties(encoded, properties);
    amqp::write_content_header(out, bench_channel, shape.size, encoded.view());
    std::string body(shape.size, '\0');
    for (std::size_t i = 0; i < body.size(); ++i) {
        body[i] = static_cast<char>('a' + i % 26);
    }
    amqp::write_body(out, bench_channel, body, amqp::frame_size_default);
}

}  // namespace lovage::bench
