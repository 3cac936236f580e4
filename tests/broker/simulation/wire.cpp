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
constexpr std::size_t body_head = 8;  // number and checksum
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

std::uint32_t number_at(octets body, std::size_t offset) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        number = number << 8U | static_cast<unsigned char>(body[offset + i]);
    }
    return number;
}

void append_number(std::string& to, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        to += static_cast<char>(number >> static_cast<unsigned>(shift) & 0xFFU);
    }
}

void take_headers(sighting& into, const amqp::table& headers) {
    if (const auto* count = headers.find("x-delivery-count"); count != nullptr) {
        into.delivery_count = static_cast<std::uint32_t>(count->integer().value_or(0));
    }
    if (const auto* queue = headers.find("x-first-death-queue"); queue != nullptr) {
        into.died_in = queue->text().value_or("");
    }
}

sighting closed(sight what, std::uint16_t channel, std::uint16_t code, octets text) {
    sighting seen;
    seen.what = what;
    seen.channel = channel;
    seen.text = std::to_string(code) + " " + std::string(text);
    return seen;
}

/// What has no content.
sighting seen_in(std::uint16_t channel, const amqp::method& method) {
    sighting seen;
    seen.channel = channel;
    if (const auto* ack = std::get_if<amqp::basic::ack>(&method)) {
        seen.what = sight::confirmed;
        seen.tag = ack->delivery_tag;
        seen.multiple = ack->multiple;
    } else if (const auto* nack = std::get_if<amqp::basic::nack>(&method)) {
        seen.what = sight::refused;
        seen.tag = nack->delivery_tag;
        seen.multiple = nack->multiple;
    } else if (const auto* declared = std::get_if<amqp::queue::declare_ok>(&method)) {
        seen.what = sight::declared;
        seen.count = declared->message_count;
    } else if (const auto* deleted = std::get_if<amqp::queue::delete_ok>(&method)) {
        seen.what = sight::deleted;
        seen.count = deleted->message_count;
    } else if (const auto* purged = std::get_if<amqp::queue::purge_ok>(&method)) {
        seen.what = sight::purged;
        seen.count = purged->message_count;
    } else if (const auto* cancel = std::get_if<amqp::basic::cancel>(&method)) {
        seen.what = sight::cancelled;
        seen.consumer = cancel->consumer_tag;
    } else if (const auto* close = std::get_if<amqp::channel::close>(&method)) {
        return closed(sight::channel_closed, channel, close->reply_code, close->reply_text);
    } else if (const auto* end = std::get_if<amqp::connection::close>(&method)) {
        return closed(sight::connection_closed, channel, end->reply_code, end->reply_text);
    } else if (std::holds_alternative<amqp::basic::get_empty>(method)) {
        seen.what = sight::got_nothing;
    } else if (std::holds_alternative<amqp::tx::commit_ok>(method)) {
        seen.what = sight::committed;
    } else if (
        std::holds_alternative<amqp::connection::blocked>(method) ||
        std::holds_alternative<amqp::connection::unblocked>(method)) {
        seen.what = sight::blocked;
    }
    return seen;
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

// output_reader

void output_reader::read(
    octets output,
    octets held_back,
    std::vector<sighting>& into,
    std::vector<std::uint64_t>& sent) {
    std::string fresh{output.substr(seen_)};
    fresh += held_back;
    if (!fresh.starts_with(peeked_)) {
        // The end of the connection has come before it could be sent.
        peeked_.clear();
        promises_.clear();
    }
    const std::uint64_t begin = taken_ + seen_;
    const std::uint64_t sent_up_to = taken_ + output.size();
    while (!promises_.empty() && promises_.front().end <= sent_up_to) {
        sent.push_back(promises_.front().number);
        promises_.pop_front();
    }
    octets rest = octets{fresh}.substr(peeked_.size());
    for (;;) {
        const std::size_t before = into.size();
        amqp::frame in;
        std::uint32_t size = 0;
        const auto status = amqp::next_frame(rest, in, std::size_t{1} << 30, size);
        if (status != amqp::frame_status::complete) {
            break;
        }
        if (in.type == 1) {
            on_method(in.channel, in.payload, into);
        } else {
            on_content(in.type, in.payload, into);
        }
        const std::uint64_t end = begin + fresh.size() - rest.size();
        for (std::size_t i = before; i < into.size() && end > sent_up_to; ++i) {
            into[i].promise = ++last_promise_;
            promises_.push_back({end, last_promise_});
        }
    }
    if (!rest.empty()) {
        into.push_back({.what = sight::damaged, .text = "half a frame"});
    }
    seen_ = output.size();
    peeked_ = held_back;
}

void output_reader::on_method(std::uint16_t channel, octets payload, std::vector<sighting>& into) {
    amqp::method_id id;
    amqp::method method;
    if (open_ || amqp::read_method(payload, id, method) != amqp::method_error::none) {
        into.push_back({.what = sight::damaged, .channel = channel, .text = "a method"});
        return;
    }
    sighting seen;
    seen.channel = channel;
    if (const auto* delivery = std::get_if<amqp::basic::deliver>(&method)) {
        seen.what = sight::delivery;
        seen.tag = delivery->delivery_tag;
        seen.consumer = delivery->consumer_tag;
        seen.redelivered = delivery->redelivered;
    } else if (const auto* got = std::get_if<amqp::basic::get_ok>(&method)) {
        seen.what = sight::got;
        seen.tag = got->delivery_tag;
        seen.redelivered = got->redelivered;
        seen.count = got->message_count;
    } else if (std::holds_alternative<amqp::basic::return_>(method)) {
        seen.what = sight::returned;
    } else {
        into.push_back(seen_in(channel, method));
        return;
    }
    open_ = std::move(seen);
    has_header_ = false;
    body_.clear();
}

void output_reader::on_content(std::uint8_t type, octets payload, std::vector<sighting>& into) {
    amqp::content_header header;
    if (!open_ || has_header_ != (type == 3)) {
        into.push_back({.what = sight::damaged, .text = "content of nothing"});
        return;
    }
    if (type == 3) {
        body_ += payload;
    } else if (amqp::read_content_header(payload, header)) {
        has_header_ = true;
        body_size_ = header.body_size;
        const auto properties = amqp::read_properties(header.properties);
        message_id_ = properties ? properties->message_id.value_or("") : "";
        if (properties && properties->headers) {
            take_headers(*open_, *properties->headers);
        }
    } else {
        into.push_back({.what = sight::damaged, .text = "a content header"});
    }
    if (has_header_ && body_.size() >= body_size_) {
        finish_content(into);
    }
}

void output_reader::finish_content(std::vector<sighting>& into) {
    sighting seen = std::move(*open_);
    open_.reset();
    seen.size = body_.size();
    if (body_.size() >= body_head) {
        seen.message = number_at(body_, 0);
    }
    if (seen.message == 0 || body_.size() != body_size_ ||
        body_ != body_of(seen.message, body_.size()) ||
        message_id_ != std::to_string(seen.message)) {
        into.push_back({.what = sight::damaged, .text = "the body of " + to_string(seen)});
        return;
    }
    into.push_back(std::move(seen));
}

}  // namespace lovage::broker::simulation
