#include "framework/client/connection.hpp"

#include "framework/amqp/capabilities.hpp"

#include <algorithm>
#include <utility>

namespace lovage::client {
namespace {

/// Without a limit from tuning we still take no frame that would fill the memory.
constexpr std::size_t payload_max_unlimited = 16U << 20U;

amqp::method_id answer_to(amqp::method_id asked) {
    // basic.get is answered by get-ok or get-empty; all others by the next method id.
    return {asked.class_id, static_cast<std::uint16_t>(asked.method + 1)};
}

bool answers(amqp::method_id asked, amqp::method_id id) {
    return id == answer_to(asked) ||
           (asked == amqp::basic::get::id && id == amqp::basic::get_empty::id) ||
           (asked == amqp::exchange::unbind::id && id == amqp::exchange::unbind_ok::id);
}

}  // namespace

connection::channel_state& connection::at(std::uint16_t channel) {
    if (channels_.size() <= channel) {
        channels_.resize(std::size_t{channel} + 1);
    }
    auto& state = channels_[channel];
    if (state == nullptr) {
        state = std::make_unique<channel_state>();
    }
    return *state;
}

bool connection::closing(std::uint16_t channel) const {
    return channel < channels_.size() && channels_[channel] != nullptr &&
           channels_[channel]->closing;
}

bool connection::next(octets& input, wire_event& into, byte_buffer& out, time_point now) {
    if (!input.empty()) {
        last_received_ = now;
    }
    drop_delivered_content();
    while (stage_ != stage::closed && !input.empty()) {
        if (stage_ == stage::start && input.size() >= 4 && input.starts_with("AMQP")) {
            return fail(into, broker_errc::connect_failed, "the broker does not speak AMQP 0-9-1");
        }
        const std::size_t payload_max = limits_.frame_max == 0
                                            ? payload_max_unlimited
                                            : limits_.frame_max - amqp::frame_overhead;
        amqp::frame frame;
        std::uint32_t size = 0;
        switch (amqp::next_frame(input, frame, payload_max, size)) {
            case amqp::frame_status::incomplete: return false;
            case amqp::frame_status::complete: break;
            case amqp::frame_status::too_large:
            case amqp::frame_status::bad_end:
                if (stage_ == stage::start) {
                    return fail(
                        into,
                        broker_errc::connect_failed,
                        "what answers there is not an AMQP broker (or wants TLS: amqps://)");
                }
                return protocol_error(
                    into, out, amqp::reply_code::frame_error, "a frame that is no frame");
        }
        if (on_frame(frame, into, out)) {
            return true;
        }
    }
    return false;
}

/// The last event's content was looked at; a large one is not to stay until the next comes.
void connection::drop_delivered_content() {
    const std::uint16_t channel = std::exchange(content_channel_, std::uint16_t{0});
    if (channel < channels_.size() && channels_[channel] != nullptr &&
        !channels_[channel]->content.active()) {
        channels_[channel]->content.reset();
    }
}

bool connection::on_frame(const amqp::frame& frame, wire_event& into, byte_buffer& out) {
    if (frame.type == static_cast<std::uint8_t>(amqp::frame_type::heartbeat)) {
        return false;
    }
    if (stage_ == stage::closing && frame.channel != 0) {
        return false;  // whoever asked has been told that it is over
    }
    const bool known = frame.channel < channels_.size() && channels_[frame.channel] != nullptr;
    if (frame.type == static_cast<std::uint8_t>(amqp::frame_type::method)) {
        amqp::method method;
        amqp::method_id id;
        if (amqp::read_method(frame.payload, id, method) != amqp::method_error::none) {
            return protocol_error(
                into, out, amqp::reply_code::syntax_error, "a method that cannot be read");
        }
        if (frame.channel == 0) {
            return on_connection_method(method, into, out);
        }
        return known && on_channel_method(frame.channel, id, method, into, out);
    }
    if (!known || channels_[frame.channel]->closing) {
        return false;
    }
    auto& content = channels_[frame.channel]->content;
    if (frame.type == static_cast<std::uint8_t>(amqp::frame_type::header)) {
        return on_content(frame.channel, content.header(frame.payload), into, out);
    }
    if (frame.type == static_cast<std::uint8_t>(amqp::frame_type::body)) {
        return on_content(frame.channel, content.body(frame.payload), into, out);
    }
    return protocol_error(into, out, amqp::reply_code::frame_error, "a frame of an unknown type");
}

bool connection::on_connection_method(
    const amqp::method& method,
    wire_event& into,
    byte_buffer& out) {
    if (const auto* close = std::get_if<amqp::connection::close>(&method)) {
        return closed_by_broker(*close, into, out);
    }
    if (std::holds_alternative<amqp::connection::close_ok>(method)) {
        return fail(into, broker_errc::stopped, "closed");
    }
    if (stage_ == stage::closing) {
        return false;
    }
    if (stage_ != stage::open) {
        return on_handshake(method, into, out);
    }
    if (const auto* blocked = std::get_if<amqp::connection::blocked>(&method)) {
        into.kind = wire_event_kind::blocked;
        into.error.text = blocked->reason;
        return true;
    }
    if (std::holds_alternative<amqp::connection::unblocked>(method)) {
        into.kind = wire_event_kind::unblocked;
        return true;
    }
    return protocol_error(
        into, out, amqp::reply_code::command_invalid, "an unexpected method on channel 0");
}

bool connection::on_channel_method(
    std::uint16_t channel,
    amqp::method_id id,
    amqp::method& method,
    wire_event& into,
    byte_buffer& out) {
    channel_state& state = *channels_[channel];
    if (std::holds_alternative<amqp::channel::close_ok>(method)) {
        channels_[channel].reset();
        return false;
    }
    if (const auto* close = std::get_if<amqp::channel::close>(&method)) {
        return on_channel_close(channel, *close, into, out);
    }
    if (state.closing) {
        return false;
    }
    if (begins_content(method, state.owner)) {
        state.owner.id = id;
        state.content.start();
        return false;
    }
    return on_notice(channel, id, method, into, out);
}

bool connection::on_channel_close(
    std::uint16_t channel,
    const amqp::channel::close& close,
    wire_event& into,
    byte_buffer& out) {
    amqp::write_method(out, channel, amqp::channel::close_ok{});
    if (channels_[channel]->closing) {
        return false;  // both closed at once; the answer to ours is still to come
    }
    into.kind = wire_event_kind::channel_closed;
    into.channel = channel;
    into.error = {
        broker_errc::refused,
        close.reply_code,
        std::to_string(close.reply_code) + " " + std::string(close.reply_text)};
    into.refused = {close.failing_class, close.failing_method};
    channels_[channel].reset();
    return true;
}

/// Keeps what is needed of a method that content follows; false for other methods.
bool connection::begins_content(const amqp::method& method, content_owner& owner) {
    if (const auto* deliver = std::get_if<amqp::basic::deliver>(&method)) {
        owner.consumer_tag.assign(deliver->consumer_tag);
        owner.exchange.assign(deliver->exchange);
        owner.routing_key.assign(deliver->routing_key);
        owner.tag = deliver->delivery_tag;
        owner.redelivered = deliver->redelivered;
        return true;
    }
    if (const auto* got = std::get_if<amqp::basic::get_ok>(&method)) {
        owner.exchange.assign(got->exchange);
        owner.routing_key.assign(got->routing_key);
        owner.tag = got->delivery_tag;
        owner.redelivered = got->redelivered;
        owner.message_count = got->message_count;
        return true;
    }
    if (const auto* returned = std::get_if<amqp::basic::return_>(&method)) {
        owner.exchange.assign(returned->exchange);
        owner.routing_key.assign(returned->routing_key);
        owner.reply_code = returned->reply_code;
        owner.reply_text.assign(returned->reply_text);
        return true;
    }
    return false;
}

/// Confirms, what the broker does by itself, and answers.
bool connection::on_notice(
    std::uint16_t channel,
    amqp::method_id id,
    amqp::method& method,
    wire_event& into,
    byte_buffer& out) {
    into.channel = channel;
    if (const auto* ack = std::get_if<amqp::basic::ack>(&method)) {
        into.kind = wire_event_kind::confirmed;
        into.tag = ack->delivery_tag;
        into.multiple = ack->multiple;
        into.accepted = true;
        return true;
    }
    if (const auto* nack = std::get_if<amqp::basic::nack>(&method)) {
        into.kind = wire_event_kind::confirmed;
        into.tag = nack->delivery_tag;
        into.multiple = nack->multiple;
        into.accepted = false;
        return true;
    }
    if (const auto* cancel = std::get_if<amqp::basic::cancel>(&method)) {
        into.kind = wire_event_kind::cancelled;
        into.consumer_tag = cancel->consumer_tag;
        return true;
    }
    if (const auto* flow = std::get_if<amqp::channel::flow>(&method)) {
        amqp::write_method(out, channel, amqp::channel::flow_ok{flow->active});
        return false;
    }
    auto& calls = channels_[channel]->calls;
    if (calls.empty() || !answers(calls.front().asked, id)) {
        return protocol_error(
            into, out, amqp::reply_code::command_invalid, "an answer that was not asked for");
    }
    into.kind = wire_event_kind::answered;
    into.token = calls.pop_front().token;
    into.method = std::move(method);
    return true;
}

bool connection::on_content(
    std::uint16_t channel,
    amqp::content_status status,
    wire_event& into,
    byte_buffer& out) {
    if (status == amqp::content_status::incomplete) {
        return false;
    }
    if (status != amqp::content_status::complete) {
        return protocol_error(
            into, out, amqp::reply_code::unexpected_frame, "content that does not fit");
    }
    return content_event(channel, into);
}

bool connection::content_event(std::uint16_t channel, wire_event& into) {
    channel_state& state = *channels_[channel];
    const content_owner& owner = state.owner;
    content_channel_ = channel;
    into.channel = channel;
    into.exchange = owner.exchange;
    into.routing_key = owner.routing_key;
    into.properties = state.content.properties();
    into.body = state.content.body();
    into.tag = owner.tag;
    into.redelivered = owner.redelivered;
    if (owner.id == amqp::basic::deliver::id) {
        into.kind = wire_event_kind::delivered;
        into.consumer_tag = owner.consumer_tag;
        return true;
    }
    if (owner.id == amqp::basic::return_::id) {
        into.kind = wire_event_kind::returned;
        const bool duplicate = owner.reply_code == amqp::duplicate_reply_code;
        into.error = {
            duplicate ? broker_errc::duplicate : broker_errc::unroutable,
            owner.reply_code,
            owner.reply_text};
        return true;
    }
    if (state.calls.empty() || state.calls.front().asked != amqp::basic::get::id) {
        return false;
    }
    into.kind = wire_event_kind::answered;
    into.token = state.calls.pop_front().token;
    amqp::basic::get_ok answer;
    answer.delivery_tag = owner.tag;
    answer.redelivered = owner.redelivered;
    answer.message_count = owner.message_count;
    into.method = answer;
    return true;
}

bool connection::fits(const publication& message) const {
    return limits_.frame_max == 0 ||
           message.properties.size() + amqp::content_header_octets + amqp::frame_overhead <=
               limits_.frame_max;
}

void connection::publish(byte_buffer& out, std::uint16_t channel, const publication& message) {
    amqp::basic::publish method;
    method.exchange = message.exchange;
    method.routing_key = message.routing_key;
    method.mandatory = message.mandatory;
    amqp::write_method(out, channel, method);
    amqp::write_content_header(out, channel, message.body.size(), message.properties);
    const std::size_t frame_max =
        limits_.frame_max == 0 ? amqp::frame_size_default : limits_.frame_max;
    amqp::write_body(out, channel, message.body, frame_max);
}

void connection::close_channel(byte_buffer& out, std::uint16_t channel) {
    channel_state& state = at(channel);
    if (state.closing) {
        return;
    }
    state.closing = true;
    state.calls.clear();
    state.content.reset();
    amqp::channel::close close;
    close.reply_code = static_cast<std::uint16_t>(amqp::reply_code::reply_success);
    close.reply_text = "bye";
    amqp::write_method(out, channel, close);
}

void connection::close(byte_buffer& out) {
    if (stage_ == stage::closing || stage_ == stage::closed) {
        return;
    }
    stage_ = stage::closing;
    amqp::connection::close close;
    close.reply_code = static_cast<std::uint16_t>(amqp::reply_code::reply_success);
    close.reply_text = "bye";
    amqp::write_method(out, 0, close);
}

bool connection::fail(
    wire_event& into,
    broker_errc code,
    std::string_view what,
    std::uint16_t reply_code) {
    stage_ = stage::closed;
    into.kind = wire_event_kind::closed;
    into.channel = 0;
    into.error.code = code;
    into.error.reply_code = reply_code;
    into.error.text =
        settings_.where.empty() ? std::string(what) : settings_.where + ": " + std::string(what);
    return true;
}

bool connection::protocol_error(
    wire_event& into,
    byte_buffer& out,
    amqp::reply_code code,
    std::string_view what) {
    amqp::connection::close close;
    close.reply_code = static_cast<std::uint16_t>(code);
    close.reply_text = what;
    amqp::write_method(out, 0, close);
    into.refused = {};
    return fail(
        into,
        broker_errc::connection_lost,
        "the broker sent " + std::string(what),
        close.reply_code);
}

// Heartbeats (specification 4.2.7): one is sent every half interval whatever else is sent, and a
// broker of which nothing was heard for two intervals is given up.

bool connection::tick(wire_event& into, byte_buffer& out, time_point now) {
    if (limits_.heartbeat_seconds == 0 || stage_ == stage::closed) {
        return false;
    }
    const milliseconds interval = std::chrono::seconds(limits_.heartbeat_seconds);
    if (now - last_received_ >= 2 * interval) {
        into.refused = {};
        return fail(
            into,
            broker_errc::connection_lost,
            "nothing was heard for " + std::to_string(2 * limits_.heartbeat_seconds) +
                " s (two heartbeat intervals)");
    }
    if (now - last_sent_ >= interval / 2) {
        amqp::write_heartbeat(out);
        last_sent_ = now;
    }
    return false;
}

time_point connection::next_tick() const {
    if (limits_.heartbeat_seconds == 0 || stage_ == stage::closed) {
        return time_point::max();
    }
    const milliseconds interval = std::chrono::seconds(limits_.heartbeat_seconds);
    return std::min<time_point>(last_sent_ + interval / 2, last_received_ + 2 * interval);
}

}  // namespace lovage::client
