// output_reader: what a connection sends, as a client sees it.
#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/amqp/properties.hpp"
#include "tests/broker/simulation/wire.hpp"

#include <variant>

namespace lovage::broker::simulation {
namespace {

std::uint32_t number_at(octets body, std::size_t offset) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        number = number << 8U | static_cast<unsigned char>(body[offset + i]);
    }
    return number;
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

bool is_method(octets frame, std::uint16_t class_id, std::uint16_t method) {
    constexpr std::size_t payload_at = 7;
    const char id[]{
        static_cast<char>(class_id >> 8U),
        static_cast<char>(class_id),
        static_cast<char>(method >> 8U),
        static_cast<char>(method)};
    return frame.starts_with(octets{"\1\0\0", 3}) &&
           frame.substr(payload_at, sizeof id) == octets{id, sizeof id};
}

bool begins_with_the_end(octets frames) {
    return is_method(frames, 10, 50) || is_method(frames, 10, 51);
}

/// The frames without connection.blocked and unblocked, which do not wait behind others.
std::string without_flow(octets frames, std::vector<sighting>& into) {
    std::string others;
    while (!frames.empty()) {
        amqp::frame in;
        std::uint32_t size = 0;
        const octets all = frames;
        if (amqp::next_frame(frames, in, std::size_t{1} << 30, size) !=
            amqp::frame_status::complete) {
            others += all;
            break;
        }
        if (is_method(all, 10, 60) || is_method(all, 10, 61)) {
            into.push_back({.what = sight::blocked});
        } else {
            others += all.substr(0, all.size() - frames.size());
        }
    }
    return others;
}

}  // namespace

void output_reader::read(
    octets output,
    octets held_back,
    std::vector<sighting>& into,
    std::vector<std::uint64_t>& sent) {
    std::string fresh = without_flow(output.substr(seen_), into);
    const std::uint64_t begin = sent_;
    sent_ += fresh.size();
    fresh += held_back;
    if (!fresh.starts_with(peeked_)) {
        // Only the end of the connection may come before it is sent.
        if (!fresh.empty() && !begins_with_the_end(fresh)) {
            into.push_back({.what = sight::damaged, .text = "what was held back is gone"});
        }
        peeked_.clear();
        promises_.clear();
    }
    while (!promises_.empty() && promises_.front().end <= sent_) {
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
        for (std::size_t i = before; i < into.size() && end > sent_; ++i) {
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
