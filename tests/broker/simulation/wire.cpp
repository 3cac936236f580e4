#include "tests/broker/simulation/wire.hpp"

#include "broker/store/crc32c.hpp"
#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/amqp/properties.hpp"
#include "tests/broker/simulation/catalog.hpp"
#include "tests/broker/simulation/dice.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace lovage::broker::simulation {
namespace {

constexpr std::size_t frame_max = 4096;
constexpr std::array<octets, 27> verb_names{
    "plumbing",
    "open_channel",
    "close_channel",
    "confirm_closed",
    "close_connection",
    "declare",
    "look_at_queue",
    "delete_queue",
    "purge",
    "declare_exchange",
    "look_at_exch",
    "delete_exchange",
    "bind",
    "unbind",
    "select_confirms",
    "select_tx",
    "commit",
    "roll_back",
    "publish",
    "qos",
    "consume",
    "cancel",
    "get",
    "ack",
    "nack",
    "reject",
    "recover"};
constexpr std::array<octets, 17> sight_names{
    "reply",
    "delivery",
    "got",
    "got_nothing",
    "confirmed",
    "refused",
    "returned",
    "declared",
    "deleted",
    "purged",
    "committed",
    "cancelled",
    "ch_closed",
    "closed",
    "blocked",
    "damaged",
    ""};

template <class Method>
std::string as_frame(std::uint16_t channel, const Method& what) {
    byte_buffer out;
    amqp::write_method(out, channel, what);
    return std::string(out.view());
}

amqp::queue::declare declaration(const action& what) {
    const queue_kind& kind = kind_of(what.queue);
    amqp::queue::declare method;
    method.queue = kind.name;
    method.durable = kind.durable;
    method.passive = what.what == verb::look_at_queue;
    if (kind.priorities != 0) {
        method.arguments.add("x-max-priority", std::int64_t{kind.priorities});
    }
    if (kind.ttl_ms != 0) {
        method.arguments.add("x-message-ttl", std::int64_t{kind.ttl_ms});
    }
    if (kind.length_max != 0) {
        method.arguments.add("x-max-length", std::int64_t{kind.length_max});
    }
    if (kind.refuses) {
        method.arguments.add("x-overflow", std::string("reject-publish"));
    }
    if (kind.dead_letters) {
        method.arguments.add("x-dead-letter-exchange", std::string());
        method.arguments.add("x-dead-letter-routing-key", std::string(dead_queue));
    }
    if (kind.single_active) {
        method.arguments.add("x-single-active-consumer", true);
    }
    return method;
}

amqp::exchange::declare exchange_declaration(const action& what) {
    const exchange_kind& kind = exchange_of(what.exchange);
    amqp::exchange::declare method;
    method.exchange = kind.name;
    method.type = kind.delayed ? octets{"x-delayed-message"} : kind.type;
    method.durable = true;
    method.passive = what.what == verb::look_at_exchange;
    if (kind.delayed) {
        method.arguments.add("x-delayed-type", std::string(kind.type));
    }
    return method;
}

std::string publish_frames(const action& what) {
    amqp::basic::publish method;
    method.exchange = what.exchange;
    method.routing_key = what.key;
    method.mandatory = what.mandatory;
    amqp::basic_properties properties;
    properties.delivery_mode = static_cast<std::uint8_t>(what.persistent ? 2 : 1);
    properties.message_id = std::to_string(what.message);
    if (what.priority != 0) {
        properties.priority = what.priority;
    }
    if (what.expiration_ms != 0) {
        properties.expiration = std::to_string(what.expiration_ms);
    }
    if (what.delay_ms != 0) {
        properties.headers = amqp::table{{"x-delay", std::int64_t{what.delay_ms}}};
    }
    const std::string body = body_of(what.message, what.size);
    byte_buffer out;
    amqp::write_method(out, what.channel, method);
    byte_buffer encoded_properties;
    amqp::write_properties(encoded_properties, properties);
    amqp::write_content_header(out, what.channel, body.size(), encoded_properties.view());
    amqp::write_body(out, what.channel, body, frame_max);
    return std::string(out.view());
}

std::string bind_frames(const action& what) {
    if (what.what == verb::bind) {
        amqp::queue::bind method;
        method.queue = what.queue;
        method.exchange = what.exchange;
        method.routing_key = what.key;
        return as_frame(what.channel, method);
    }
    amqp::queue::unbind method;
    method.queue = what.queue;
    method.exchange = what.exchange;
    method.routing_key = what.key;
    return as_frame(what.channel, method);
}

std::string consume_frames(const action& what) {
    amqp::basic::consume method;
    method.queue = what.queue;
    method.consumer_tag = what.tag;
    method.no_ack = what.no_ack;
    return as_frame(what.channel, method);
}

void append_number(std::string& to, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        to += static_cast<char>(number >> static_cast<unsigned>(shift) & 0xFFU);
    }
}

}  // namespace

std::string body_of(std::uint32_t message, std::size_t size) {
    std::string filler;
    dice octets_of{message};
    while (filler.size() + body_head < size) {
        append_number(filler, static_cast<std::uint32_t>(octets_of.next()));
    }
    std::string body;
    append_number(body, message);
    append_number(body, store::crc32c(filler, message));
    return body + filler;
}

std::string to_string(const action& what) {
    std::string text(verb_names[static_cast<std::size_t>(what.what)]);
    text += " ch" + std::to_string(what.channel);
    for (const std::string* each : {&what.queue, &what.exchange, &what.key, &what.tag}) {
        text += each->empty() ? "" : " " + *each;
    }
    if (what.message != 0) {
        text += " #" + std::to_string(what.message) + " " + std::to_string(what.size) +
                (what.persistent ? " persistent" : " transient");
    }
    if (what.expiration_ms + what.delay_ms != 0) {
        text += " expires " + std::to_string(what.expiration_ms) + " delay " +
                std::to_string(what.delay_ms);
    }
    if (what.delivery != 0) {
        text += " tag " + std::to_string(what.delivery) + (what.multiple ? " multiple" : "") +
                (what.requeue ? " requeue" : "");
    }
    return text;
}

std::string to_string(const sighting& what) {
    std::string text(sight_names[static_cast<std::size_t>(what.what)]);
    text += " ch" + std::to_string(what.channel);
    if (what.message != 0) {
        text += " #" + std::to_string(what.message) + (what.redelivered ? " redelivered" : "") +
                " count " + std::to_string(what.delivery_count);
    }
    if (what.tag != 0) {
        text += " tag " + std::to_string(what.tag) + (what.multiple ? " multiple" : "");
    }
    for (const std::string* each : {&what.consumer, &what.died_in, &what.text}) {
        text += each->empty() ? "" : " " + *each;
    }
    return text;
}

std::string encoded(const action& what) {
    const std::uint16_t channel = what.channel;
    switch (what.what) {
        case verb::plumbing: return {};
        case verb::open_channel: return as_frame(channel, amqp::channel::open{});
        case verb::close_channel: {
            amqp::channel::close method;
            method.reply_code = 200;
            return as_frame(channel, method);
        }
        case verb::confirm_closed: return as_frame(channel, amqp::channel::close_ok{});
        case verb::close_connection: {
            amqp::connection::close method;
            method.reply_code = 200;
            return as_frame(0, method);
        }
        case verb::declare_queue:
        case verb::look_at_queue: return as_frame(channel, declaration(what));
        case verb::delete_queue: {
            amqp::queue::delete_ method;
            method.queue = what.queue;
            return as_frame(channel, method);
        }
        case verb::purge: {
            amqp::queue::purge method;
            method.queue = what.queue;
            return as_frame(channel, method);
        }
        case verb::declare_exchange:
        case verb::look_at_exchange: return as_frame(channel, exchange_declaration(what));
        case verb::delete_exchange: {
            amqp::exchange::delete_ method;
            method.exchange = what.exchange;
            return as_frame(channel, method);
        }
        case verb::bind:
        case verb::unbind: return bind_frames(what);
        case verb::select_confirms: return as_frame(channel, amqp::confirm::select{});
        case verb::select_tx: return as_frame(channel, amqp::tx::select{});
        case verb::commit: return as_frame(channel, amqp::tx::commit{});
        case verb::roll_back: return as_frame(channel, amqp::tx::rollback{});
        case verb::publish: return publish_frames(what);
        case verb::qos: return as_frame(channel, amqp::basic::qos{0, what.prefetch, false});
        case verb::consume: return consume_frames(what);
        case verb::cancel: return as_frame(channel, amqp::basic::cancel{what.tag, false});
        case verb::get: return as_frame(channel, amqp::basic::get{0, what.queue, what.no_ack});
        case verb::ack: return as_frame(channel, amqp::basic::ack{what.delivery, what.multiple});
        case verb::nack:
            return as_frame(channel, amqp::basic::nack{what.delivery, what.multiple, what.requeue});
        case verb::reject:
            return as_frame(channel, amqp::basic::reject{what.delivery, what.requeue});
        case verb::recover: return as_frame(channel, amqp::basic::recover{true});
    }
    return {};
}

std::vector<std::string> login_octets() {
    amqp::connection::start_ok start;
    start.client_properties = {
        {"product", "simulated"},
        {"capabilities",
         amqp::table{{"consumer_cancel_notify", true}, {"connection.blocked", true}}}};
    start.mechanism = "PLAIN";
    start.response = {octets{"\0guest\0guest", 12}};
    start.locale = "en_US";
    amqp::connection::open open;
    open.virtual_host = "/";
    return {
        std::string(amqp::protocol_header),
        as_frame(0, start),
        as_frame(0, amqp::connection::tune_ok{2047, frame_max, 0}),
        as_frame(0, open)};
}

}  // namespace lovage::broker::simulation
