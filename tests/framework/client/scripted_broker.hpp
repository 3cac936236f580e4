// A broker for tests of the client's state machines: octets in, octets out, made with our codec.
// Knows queues, the default exchange, confirms, returns, consumers and acks, one connection at a
// time; what a test wants to go wrong is set in its members. No time, no sockets.
#pragma once

#include "framework/amqp/content.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lovage::client::test {

struct stored_message {
    std::string properties;
    std::string body;
};

class scripted_broker {
public:
    // What a test may want.
    bool confirms = true;  ///< false: publishes are kept, unanswered
    bool nacks = false;    ///< answers publishes with basic.nack
    std::optional<std::uint16_t> refuse_login;
    std::set<std::string> refused_queues;  ///< declaring them is answered with 406
    std::string poison_body;               ///< a publish of it closes the channel with 406
    std::string fatal_queue;               ///< declaring it closes the connection with 540
    std::string capability;                ///< told in the handshake
    bool answers = true;                   ///< false: requests stay without an answer
    std::uint16_t channel_max = 2047;
    std::uint32_t frame_max = 131072;
    std::uint16_t heartbeat = 60;

    // What it saw.
    std::vector<std::string> log;  ///< "queue.declare orders", "basic.publish orders hello", ...
    std::map<std::string, std::deque<stored_message>> queues;
    std::vector<std::string> stored_bodies;  ///< of every message that was stored, in order

    /// What the client sent; answers are appended to `out`.
    void feed(octets input, byte_buffer& out);
    /// The connection is gone: unacknowledged messages go back, exclusive queues away.
    void disconnect();

    // What it does by itself.
    void confirm(byte_buffer& out, std::uint64_t tag, bool multiple);
    void cancel_consumers(byte_buffer& out, const std::string& queue);
    void block(byte_buffer& out, bool on);
    void close_connection(
        byte_buffer& out,
        std::uint16_t code,
        const std::string& text,
        amqp::method_id refused = {});
    void put(byte_buffer& out, const std::string& queue, const std::string& body);

    [[nodiscard]] std::size_t unacked() const;
    [[nodiscard]] std::size_t consumers() const;
    [[nodiscard]] std::uint64_t last_publish_tag() const { return publish_tag_; }

private:
    struct unacked_message {
        std::string queue;
        stored_message message;
    };
    struct channel_state {
        bool confirm = false;
        std::string consumed_queue;
        std::string consumer_tag;
        std::uint16_t prefetch = 0;
        bool no_ack = false;
        std::uint64_t delivery_tag = 0;
        std::map<std::uint64_t, unacked_message> unacked;
        amqp::content_assembler content;
        std::string publish_queue;
        bool mandatory = false;
    };

    void on_method(std::uint16_t channel, const amqp::method& method, byte_buffer& out);
    void on_queue_method(std::uint16_t channel, const amqp::method& method, byte_buffer& out);
    void on_basic_method(std::uint16_t channel, const amqp::method& method, byte_buffer& out);
    void published(std::uint16_t channel, octets properties, octets body, byte_buffer& out);
    void settle(std::uint16_t channel, std::uint64_t tag, bool multiple, bool requeue);
    void deliver_all(byte_buffer& out);
    void close_channel(
        std::uint16_t channel,
        std::uint16_t code,
        const std::string& text,
        amqp::method_id refused,
        byte_buffer& out);
    void content(std::uint16_t channel, const stored_message& message, byte_buffer& out);

    std::string input_;
    bool header_seen_ = false;
    std::map<std::uint16_t, channel_state> channels_;
    std::set<std::uint16_t> closing_;
    std::set<std::string> exclusive_;
    std::uint64_t publish_tag_ = 0;
};

}  // namespace lovage::client::test
