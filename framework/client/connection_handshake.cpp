// The handshake: start, PLAIN, tune, open; and what a broker may say instead.
#include "framework/client/connection.hpp"

#include <algorithm>

namespace lovage::client {
namespace {

template <class Number>
Number lower_limit(Number ours, Number theirs) {
    return ours == 0 || theirs == 0 ? std::max(ours, theirs) : std::min(ours, theirs);
}

amqp::table client_properties(const connection_settings& settings) {
    return amqp::table{
        {"product", "lovage"},
        {"version", "0.1.0"},
        {"platform", "C++"},
        {"connection_name", std::string_view(settings.name)},
        {"capabilities",
         amqp::table{
             {"publisher_confirms", true},
             {"exchange_exchange_bindings", true},
             {"basic.nack", true},
             {"consumer_cancel_notify", true},
             {"connection.blocked", true},
             {"authentication_failure_close", true}}}};
}

/// True if `mechanism` is among the words of `offered`.
bool offers(std::string_view offered, std::string_view mechanism) {
    while (!offered.empty()) {
        const std::string_view word = offered.substr(0, offered.find(' '));
        if (word == mechanism) {
            return true;
        }
        offered.remove_prefix(std::min(offered.size(), word.size() + 1));
    }
    return false;
}

}  // namespace

void connection::start(byte_buffer& out, time_point now) {
    out.append(amqp::protocol_header);
    last_received_ = last_sent_ = now;
}

bool connection::on_handshake(const amqp::method& method, wire_event& into, byte_buffer& out) {
    if (const auto* start = std::get_if<amqp::connection::start>(&method)) {
        if (stage_ != stage::start) {
            return protocol_error(into, out, amqp::reply_code::command_invalid, "a second start");
        }
        if (!offers(start->mechanisms.value, "PLAIN")) {
            return fail(
                into,
                broker_errc::access_denied,
                "the broker does not offer the login mechanism PLAIN, only " +
                    std::string(start->mechanisms.value));
        }
        start_ok(*start, out);
        return false;
    }
    if (const auto* proposed = std::get_if<amqp::connection::tune>(&method)) {
        if (stage_ != stage::tune) {
            return protocol_error(
                into, out, amqp::reply_code::command_invalid, "tune out of order");
        }
        tune(*proposed, out);
        return false;
    }
    if (std::holds_alternative<amqp::connection::open_ok>(method) && stage_ == stage::open_ok) {
        stage_ = stage::open;
        into.kind = wire_event_kind::opened;
        return true;
    }
    return protocol_error(
        into, out, amqp::reply_code::command_invalid, "an unexpected method during the handshake");
}

void connection::start_ok(const amqp::connection::start& start, byte_buffer& out) {
    server_properties_ = start.server_properties;
    std::string response;
    response += '\0';
    response += settings_.user;
    response += '\0';
    response += settings_.password;
    amqp::connection::start_ok answer;
    answer.client_properties = client_properties(settings_);
    answer.mechanism = "PLAIN";
    answer.response.value = response;
    answer.locale = "en_US";
    amqp::write_method(out, 0, answer);
    stage_ = stage::tune;
}

void connection::tune(const amqp::connection::tune& proposed, byte_buffer& out) {
    limits_.channel_max = lower_limit(settings_.channel_max, proposed.channel_max);
    limits_.frame_max = lower_limit(settings_.frame_max, proposed.frame_max);
    if (limits_.frame_max != 0) {
        limits_.frame_max = std::max(limits_.frame_max, amqp::frame_size_min);
    }
    // Who wants no heartbeats gets none; a broker without an opinion gets ours.
    limits_.heartbeat_seconds = settings_.heartbeat_seconds == 0
                                    ? std::uint16_t{0}
                                    : lower_limit(settings_.heartbeat_seconds, proposed.heartbeat);
    amqp::connection::tune_ok answer;
    answer.channel_max = limits_.channel_max;
    answer.frame_max = limits_.frame_max;
    answer.heartbeat = limits_.heartbeat_seconds;
    amqp::write_method(out, 0, answer);
    amqp::connection::open open;
    open.virtual_host = settings_.vhost;
    amqp::write_method(out, 0, open);
    stage_ = stage::open_ok;
}

bool connection::closed_by_broker(
    const amqp::connection::close& close,
    wire_event& into,
    byte_buffer& out) {
    const bool refused = stage_ == stage::tune || stage_ == stage::open_ok;
    const bool denied = close.reply_code == static_cast<int>(amqp::reply_code::access_refused) ||
                        close.reply_code == static_cast<int>(amqp::reply_code::not_allowed) ||
                        close.reply_code == static_cast<int>(amqp::reply_code::invalid_path);
    amqp::write_method(out, 0, amqp::connection::close_ok{});
    into.refused = {close.failing_class, close.failing_method};
    std::string what = refused ? "the broker refused the login of user \"" + settings_.user +
                                     "\" to virtual host \"" + settings_.vhost + "\": "
                               : "the broker closed the connection: ";
    what += std::to_string(close.reply_code) + " " + std::string(close.reply_text);
    return fail(
        into,
        refused && denied ? broker_errc::access_denied : broker_errc::connection_lost,
        what,
        close.reply_code);
}

}  // namespace lovage::client
