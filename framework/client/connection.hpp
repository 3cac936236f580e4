// One AMQP connection from protocol header to close-ok, as a state machine: octets in, events and
// octets out. Knows the handshake, tuning, heartbeats, channels, requests with one answer each, and
// content; knows nothing of sockets, of reconnecting, or of what was asked on an earlier
// connection: that is session's. Pure; one thread.
//
//   connection c(settings);
//   c.start(out, now);                                  // protocol header
//   while (c.next(input, event, out, now)) { ... }      // for all octets that arrive
//   c.call(out, 1, amqp::queue::declare{...}, token);   // answered by an event with that token
//
// Requests of a channel may be sent without waiting: answers come in the order of the requests, so
// they are matched by order. When the broker closes the channel, its requests are void.
#pragma once

#include "framework/amqp/content.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/base/bytes.hpp"
#include "framework/base/ring.hpp"
#include "framework/base/time.hpp"
#include "framework/client/types.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lovage::client {

struct connection_settings {
    std::string user = "guest";
    std::string password = "guest";
    std::string vhost = "/";
    std::string name;   ///< connection_name in the client properties
    std::string where;  ///< host:port for error texts
    std::uint16_t channel_max = amqp::channel_max_default;  ///< 0: no limit of ours
    std::uint32_t frame_max = amqp::frame_size_default;     ///< 0: no limit of ours
    std::uint16_t heartbeat_seconds = 30;                   ///< 0: none
};

/// What tuning ended in.
struct tuned {
    std::uint16_t channel_max = 0;
    std::uint32_t frame_max = 0;
    std::uint16_t heartbeat_seconds = 0;  ///< 0: none
};

enum class wire_event_kind {
    opened,          ///< the handshake is done; server_properties() is there
    closed,          ///< over: `error` says why; octets in `out` should still be sent
    blocked,         ///< text: the broker's reason
    unblocked,       ///<
    answered,        ///< method: the answer to the request `token`; content for basic.get-ok
    channel_closed,  ///< by the broker: `error`, and the class and method that it refused
    delivered,       ///< a message for a consumer of the channel
    returned,        ///< a mandatory message came back: `error`, exchange, routing key, content
    confirmed,       ///< tag, multiple, accepted
    cancelled,       ///< the broker cancelled the consumer `consumer_tag`
};

/// Views are valid until the next call of connection::next.
struct wire_event {
    wire_event_kind kind = wire_event_kind::opened;
    std::uint16_t channel = 0;
    std::uint64_t token = 0;
    amqp::method method;
    problem error;
    amqp::method_id refused;  ///< channel_closed, closed: zero if no method is to blame
    octets consumer_tag;
    std::uint64_t tag = 0;
    bool multiple = false;
    bool accepted = false;
    bool redelivered = false;
    octets exchange;
    octets routing_key;
    octets properties;
    octets body;
};

class connection {
public:
    explicit connection(connection_settings settings) : settings_(std::move(settings)) {}

    void start(byte_buffer& out, time_point now);

    /// Takes frames off `input` until there is an event or no whole frame. After `closed` it always
    /// returns false.
    bool next(octets& input, wire_event& into, byte_buffer& out, time_point now);

    /// Sends heartbeats when they are due and finds out that the broker is silent for too long:
    /// true, with a `closed` event in `into`.
    bool tick(wire_event& into, byte_buffer& out, time_point now);
    /// When tick() is to be called next; far away before the tuning and without heartbeats.
    [[nodiscard]] time_point next_tick() const;

    [[nodiscard]] bool is_open() const { return stage_ == stage::open; }
    [[nodiscard]] const amqp::table& server_properties() const { return server_properties_; }
    [[nodiscard]] const tuned& limits() const { return limits_; }

    /// A request of the channel; the answer comes as an event with `token`. False, and nothing is
    /// sent, if it does not fit into a frame.
    template <class Method>
    bool call(byte_buffer& out, std::uint16_t channel, const Method& method, std::uint64_t token) {
        const std::size_t before = out.size();
        amqp::write_method(out, channel, method);
        if (limits_.frame_max != 0 && out.size() - before > limits_.frame_max) {
            out.truncate(before);
            return false;
        }
        at(channel).calls.push_back({Method::id, token});
        return true;
    }
    /// A method without an answer: ack, nack.
    template <class Method>
    void tell(byte_buffer& out, std::uint16_t channel, const Method& method) {
        amqp::write_method(out, channel, method);
    }
    /// `message` must fit.
    void publish(byte_buffer& out, std::uint16_t channel, const publication& message);
    /// The message's properties fit into a frame; bodies are cut into frames.
    [[nodiscard]] bool fits(const publication& message) const;
    /// Closes a channel; events of it that are still on their way are dropped. No event follows.
    void close_channel(byte_buffer& out, std::uint16_t channel);
    /// True if the channel's number cannot be used yet: our close is not answered.
    [[nodiscard]] bool closing(std::uint16_t channel) const;
    /// Ends the connection; `closed` follows when the broker has answered.
    void close(byte_buffer& out);

private:
    enum class stage { start, tune, open_ok, open, closing, closed };
    struct outstanding {
        amqp::method_id asked;
        std::uint64_t token = 0;
    };
    /// The method whose content is being collected, with its text: the frame it came in is gone
    /// when the content is complete.
    struct content_owner {
        amqp::method_id id;
        std::string consumer_tag;
        std::string exchange;
        std::string routing_key;
        std::string reply_text;
        std::uint64_t tag = 0;
        std::uint32_t message_count = 0;
        std::uint16_t reply_code = 0;
        bool redelivered = false;
    };
    struct channel_state {
        ring<outstanding> calls;
        amqp::content_assembler content;
        content_owner owner;
        bool closing = false;
    };

    channel_state& at(std::uint16_t channel);
    bool on_frame(const amqp::frame& frame, wire_event& into, byte_buffer& out);
    bool on_handshake(const amqp::method& method, wire_event& into, byte_buffer& out);
    bool on_connection_method(const amqp::method& method, wire_event& into, byte_buffer& out);
    bool on_channel_method(
        std::uint16_t channel,
        amqp::method_id id,
        amqp::method& method,
        wire_event& into,
        byte_buffer& out);
    bool on_channel_close(
        std::uint16_t channel,
        const amqp::channel::close& close,
        wire_event& into,
        byte_buffer& out);
    static bool begins_content(const amqp::method& method, content_owner& owner);
    bool on_notice(
        std::uint16_t channel,
        amqp::method_id id,
        amqp::method& method,
        wire_event& into,
        byte_buffer& out);
    void drop_delivered_content();
    bool on_content(
        std::uint16_t channel,
        amqp::content_status status,
        wire_event& into,
        byte_buffer& out);
    bool content_event(std::uint16_t channel, wire_event& into);
    void start_ok(const amqp::connection::start& start, byte_buffer& out);
    void tune(const amqp::connection::tune& proposed, byte_buffer& out);
    bool fail(
        wire_event& into,
        broker_errc code,
        std::string_view what,
        std::uint16_t reply_code = 0);
    bool protocol_error(
        wire_event& into,
        byte_buffer& out,
        amqp::reply_code code,
        std::string_view what);
    bool closed_by_broker(const amqp::connection::close& close, wire_event& into, byte_buffer& out);

    connection_settings settings_;
    stage stage_ = stage::start;
    tuned limits_;
    amqp::table server_properties_;
    std::vector<std::unique_ptr<channel_state>> channels_;
    std::uint16_t content_channel_ = 0;  ///< of the last event with content
    time_point last_received_{};
    time_point last_sent_{};
};

}  // namespace lovage::client
