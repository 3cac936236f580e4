// The engine with everything around it that a driver has, in memory: a journal, a clock that tests
// move, and clients that speak AMQP frame by frame. broker_under_test carries out the engine's
// effects as the server does, checks the engine's invariants and the journal after every event, and
// can cut all input into pieces. No socket, thread, clock or file.
#pragma once

#include "broker/core/administration.hpp"
#include "broker/core/engine.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/amqp/properties.hpp"
#include "tests/broker/core/fake_journal.hpp"
#include "tests/broker/core/fake_pages.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

namespace lovage::broker::test {

using where_t = std::source_location;

/// The engine's random source of all tests: never twice the same.
std::array<unsigned char, 16> counted_random();

/// A message as a client got it, by delivery, basic.get or basic.return.
struct received_message {
    std::string consumer_tag;
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    std::string exchange;
    std::string routing_key;
    std::uint32_t left = 0;  ///< of get_ok
    std::string reply;       ///< of return: "312 NO_ROUTE"
    std::string properties;  ///< encoded
    std::string body;

    [[nodiscard]] amqp::basic_properties read() const;
};

struct outgoing_message {
    std::string exchange;
    std::string routing_key;
    std::string body;
    amqp::basic_properties properties{};
    bool mandatory = false;
};

struct login_options {
    bool consumer_cancel_notify = true;
    bool connection_blocked = true;
    bool loopback = true;
    std::uint16_t channel_max = 2047;
    std::uint32_t frame_max = 131072;
    std::uint16_t heartbeat = 0;
    std::string product = "test";  ///< in the client-properties
    std::string user = "guest";
    std::string password = "guest";
    std::string vhost = "/";
};

class broker_under_test;

class client {
public:
    client(broker_under_test& home, bool loopback);

    // Sending.

    template <class Method>
    void send(std::uint16_t channel, const Method& what) {
        byte_buffer out;
        amqp::write_method(out, channel, what);
        send_octets(out.view());
    }
    void send_frame(std::uint8_t type, std::uint16_t channel, octets payload);
    void send_octets(octets input);
    void publish(std::uint16_t channel, const outgoing_message& what);
    void ack(std::uint16_t channel, std::uint64_t tag, bool multiple = false);
    void nack(std::uint16_t channel, std::uint64_t tag, bool requeue, bool multiple = false);
    /// From the protocol header to connection.open-ok; then channel 1 is opened.
    void log_in(const login_options& how = {}, where_t where = where_t::current());
    void open_channel(std::uint16_t channel, where_t where = where_t::current());
    /// The connection is lost.
    void vanish();

    // Receiving: the oldest frame on that channel that was not asked for yet.

    template <class Method>
    Method expect(std::uint16_t channel, where_t where = where_t::current()) {
        const auto* found = std::get_if<Method>(next_method(channel, Method::id, where));
        return found == nullptr ? Method{} : *found;
    }
    received_message expect_delivery(std::uint16_t channel, where_t where = where_t::current());
    received_message expect_get_ok(std::uint16_t channel, where_t where = where_t::current());
    received_message expect_return(std::uint16_t channel, where_t where = where_t::current());
    /// Bodies of as many deliveries, acknowledged or not as the consumer wants.
    std::vector<std::string> expect_bodies(
        std::uint16_t channel,
        std::size_t count,
        where_t where = where_t::current());
    void expect_heartbeat(where_t where = where_t::current());
    void expect_nothing(where_t where = where_t::current());
    void expect_nothing(std::uint16_t channel, where_t where = where_t::current());
    /// channel.close with code and text; answers it and opens the channel again.
    void expect_channel_error(
        std::uint16_t channel,
        amqp::method_id failing,
        octets text,
        where_t where = where_t::current());
    /// connection.close; answers it, whereupon the broker closes the socket.
    void expect_connection_error(
        amqp::method_id failing,
        octets text,
        where_t where = where_t::current());
    /// Nothing is said, and the socket goes after so many seconds and not before.
    void expect_silent_drop(std::chrono::seconds after, where_t where = where_t::current());

    /// Forgets the frames that wait; returns the channels that the broker has closed.
    std::vector<std::uint16_t> discard();

    /// The broker has closed the socket.
    [[nodiscard]] bool dropped() const { return dropped_; }
    [[nodiscard]] std::size_t frames_waiting() const;
    /// Octets that the broker has left unread.
    [[nodiscard]] std::size_t unread() const { return input_.size(); }
    /// Everything that the broker ever sent.
    [[nodiscard]] const std::string& transcript() const { return transcript_; }
    /// Octets that the client has not read yet, while it does not read.
    [[nodiscard]] std::size_t output_waiting() const { return output_->size(); }
    [[nodiscard]] connection_id id() const { return id_; }

    bool reads = true;  ///< false: a client that leaves the broker's output in its buffer

private:
    friend class broker_under_test;

    struct frame_in {
        std::uint8_t type = 0;
        std::string payload;
    };

    const amqp::method* next_method(
        std::uint16_t channel,
        amqp::method_id id,
        const where_t& where);
    void read_content(std::uint16_t channel, received_message& into, const where_t& where);
    std::optional<frame_in> pop(std::uint16_t channel);
    void take_output();

    broker_under_test& home_;
    connection_id id_{};
    std::unique_ptr<byte_buffer> output_ = std::make_unique<byte_buffer>();
    std::string input_;
    std::string partial_;  // octets of a frame that is not complete
    std::map<std::uint16_t, std::deque<frame_in>> inbox_;
    std::deque<std::string> kept_;  // payloads that views of expected methods point into
    std::deque<amqp::method> methods_;
    std::string transcript_;
    bool dropped_ = false;
    bool known_ = true;  // the engine has not been told that the socket is gone
    bool took_output_ = false;
    bool behind_ = false;  // output of an earlier event is still in the buffer
    bool resume_ = false;
};

class broker_under_test {
public:
    explicit broker_under_test(engine_options options = {});
    ~broker_under_test();

    /// A client that is logged in and has channel 1 open.
    client& connect(const login_options& how = {}, where_t where = where_t::current());
    /// A client that has sent nothing.
    client& connect_raw(bool loopback = true);

    [[nodiscard]] engine& broker() { return *engine_; }
    [[nodiscard]] clock_reading now() const { return clock_; }
    /// Moves the clock and ticks.
    void advance(milliseconds by);
    /// Somebody sets the clock of the machine; no time passes.
    void set_wall_clock(milliseconds by);
    /// The disk has reached everything written so far, or `upto`.
    void sync() { sync(journal.last()); }
    void sync(lsn upto);
    void drained(client& whose, std::size_t pending);
    void shut_down();
    /// Something that an operator does.
    void administer(const std::function<void(administration&)>& what);
    /// The verifier of a password, as this driver makes them.
    [[nodiscard]] static std::string verifier_of(octets password);
    /// Answers what the engine has asked.
    void check_passwords();
    /// Makes the verifiers of the users in the options, which are written to the journal then.
    void hash_passwords();
    [[nodiscard]] std::size_t checks_waiting() const { return checks_.size(); }
    /// Another engine on the same journal, without what the first one knew; clients are lost.
    void restart(engine_options options = {});
    /// What an operator does, as one event.
    void as_event(const std::function<void(engine&)>& what);
    /// As restart(), and the queues of the journal with their messages and all settings are there
    /// again, as the server restores them. Exchanges are not.
    void recover(engine_options options = {});
    void rewrite(std::uint64_t file);
    /// The segment that the engine has sealed is on disk; `there`: false if there was no room.
    void write_segment(bool there = true);
    [[nodiscard]] queue_status status(octets queue) const;
    [[nodiscard]] bool has_queue(octets name) const;
    /// What the engine's memory holds besides definitions.
    [[nodiscard]] std::uint64_t held_octets() const {
        return engine_->memory_octets() - engine_->definition_octets();
    }

    fake_journal journal;
    fake_pages pages;
    bool write_segments_at_once = true;
    bool sync_at_once = true;  ///< the disk is as fast as memory
    /// Passwords are checked within the event that asks; false: by check_passwords().
    bool check_at_once = true;
    std::size_t chunk = 0;  ///< input comes in pieces of this size; 0: as it is sent
    std::vector<std::string> log;

private:
    friend class client;

    std::unique_ptr<engine> make_engine(engine_options options);
    void feed(client& from);
    void disconnect(client& gone);
    void after_event();
    void check_blobs();
    void follow_up();
    [[nodiscard]] client* find(connection_id id);

    clock_reading clock_;
    std::unique_ptr<engine> engine_;
    std::vector<std::unique_ptr<client>> clients_;
    lsn synced_ = 0;
    std::vector<password_check> checks_;
    std::vector<password_to_hash> hashes_;
    std::map<std::string, std::string> pending_;  ///< passwords, by verifiers that are no real ones
    bool following_up_ = false;
};

// Methods with the arguments that tests use; the views must outlive the call that sends them.

struct declare_flags {
    bool passive = false;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    bool internal = false;
    bool no_wait = false;
};
struct consume_flags {
    bool no_ack = false;
    bool exclusive = false;
    bool no_wait = false;
};

amqp::queue::declare declare_queue(octets name, declare_flags flags = {}, amqp::table args = {});
amqp::exchange::declare declare_exchange(octets name, octets type, declare_flags flags = {});
amqp::queue::bind bind_queue(octets queue, octets exchange, octets key, amqp::table args = {});
amqp::queue::unbind unbind_queue(octets queue, octets exchange, octets key, amqp::table args = {});
amqp::queue::delete_ delete_queue(octets name, bool if_unused = false, bool if_empty = false);
amqp::basic::consume consume(octets queue, octets tag, consume_flags flags = {});
amqp::basic::qos prefetch(std::uint16_t count, bool global = false);
amqp::basic::get get_from(octets queue, bool no_ack = false);
amqp::basic_properties persistent();
amqp::connection::start_ok plain_login(octets response, const login_options& how = {});

inline constexpr declare_flags durable{.durable = true};

/// Declares and takes the answer.
amqp::queue::declare_ok declare(
    client& by,
    octets name,
    declare_flags flags = {},
    amqp::table args = {},
    where_t where = where_t::current());
/// Starts a consumer and takes the answer.
void start_consumer(
    client& by,
    std::uint16_t channel,
    octets queue,
    octets tag,
    consume_flags flags = {},
    where_t where = where_t::current());

}  // namespace lovage::broker::test
