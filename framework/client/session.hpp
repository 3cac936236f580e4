// A client that does not mind losing its connection: keeps what was asked for (topology, consumers,
// unconfirmed messages, open requests) across any number of client::connection objects, and says
// when the next one is to be made. A state machine: requests and octets in, events and octets out.
// Pure: the driver (app/amqp_client) brings sockets, time and random numbers. One thread.
//
// Rules: 1. Requests go out in order and are answered in order; those without an answer are asked
//           again on the next connection (a basic.get without ack is not: it may have taken one).
//        2. Messages go out in order, after all requests made before them are answered; unconfirmed
//           ones go out again, in order, unchanged. So: at least once, duplicates are possible.
//        3. After a reconnect: topology, then consumers and messages.
//        4. Names are the client's: a queue name made by the broker would be lost with it.
//        5. A delivery can be acknowledged only on the channel that it came by
//        (delivery_ref.epoch).
#pragma once

#include "framework/base/bytes.hpp"
#include "framework/base/ring.hpp"
#include "framework/base/time.hpp"
#include "framework/client/backoff.hpp"
#include "framework/client/connection.hpp"
#include "framework/client/publish_window.hpp"
#include "framework/client/topology.hpp"
#include "framework/client/types.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lovage::client {

struct session_settings {
    connection_settings connection;
    window_limits window;
    milliseconds handshake_timeout = std::chrono::seconds(30);
};

enum class event_kind {
    up,          ///< connected and logged in
    down,        ///< the connection is over (or was never made): `error`, `retry_at`
    blocked,     ///< the broker asks publishers to wait: error.text is its reason
    unblocked,   ///<
    published,   ///< of `token`: `failed` and `error`, or confirmed
    answered,    ///< of `token`: `failed` and `error`, or `reply`
    delivered,   ///< `message`
    subscribed,  ///< `consumer` is active
    lost,        ///< `consumer`: earlier deliveries are void; `error`; `final`: it is removed
    cancelled,   ///< the broker has answered the cancel of `token`
    closed,      ///< after close(): the last event
};

/// Views are valid until the next call of next().
struct event {
    event_kind kind = event_kind::up;
    std::uint64_t token = 0;
    consumer_id consumer = 0;
    bool failed = false;
    bool final = false;
    time_point retry_at{};
    problem error;
    answer reply;
    delivery message;
    std::unique_ptr<publication> returned;  ///< published: the message, if it was unroutable
};

class session {
public:
    explicit session(session_settings settings);

    // What the program asks for; at any time, connected or not. Tokens come back in events.
    void publish(publication message, std::uint64_t token, time_point deadline);
    void ask(request what, std::uint64_t token, time_point deadline);
    /// A consumer that was not accepted once until `deadline` is lost for good.
    consumer_id consume(subscription what, time_point deadline = time_point::max());
    void cancel(consumer_id consumer, std::uint64_t token);
    void forget(consumer_id consumer);
    void ack(const delivery_ref& ref, bool multiple);
    void nack(const delivery_ref& ref, bool requeue, bool multiple);
    /// Fails everything outstanding, consumers too, says goodbye if connected; ends in event
    /// `closed`.
    void close();

    // The life of connections. The driver makes one when connect_at() has come.
    [[nodiscard]] time_point connect_at() const { return connect_at_; }
    [[nodiscard]] bool wants_connection() const { return stage_ == stage::down; }
    void connecting() { stage_ = stage::connecting; }
    /// The stream stands; begins the handshake.
    void connected(time_point now);
    /// The stream could not be made, or is gone. An event `down` follows.
    void disconnected(const problem& why, time_point now, std::uint64_t random);

    /// The next event, taking frames off `input`. False when all of `input` that can be used is.
    /// After `down` the rest of `input` is of no use.
    bool next(octets& input, event& into, time_point now, std::uint64_t random);
    /// Timeouts and heartbeats; call when next_time() has come, then next().
    void tick(time_point now, std::uint64_t random);
    [[nodiscard]] time_point next_time() const;

    /// What is to be sent.
    [[nodiscard]] byte_buffer& out() { return out_; }
    [[nodiscard]] bool is_up() const { return stage_ == stage::up; }
    [[nodiscard]] bool is_blocked() const { return blocked_; }
    [[nodiscard]] std::size_t unconfirmed() const { return window_.unsettled(); }
    [[nodiscard]] const amqp::table& server_properties() const { return server_properties_; }
    /// The broker keeps what this connection sends in its order, on its disk too: an
    /// acknowledgement survives a crash only together with the messages published before it.
    /// A capability of lovage-broker (amqp::ordered_store_capability); false while disconnected.
    [[nodiscard]] bool store_is_ordered() const { return stage_ == stage::up && ordered_store_; }
    /// What consumers give back is not counted if they ask for that (amqp/capabilities.hpp).
    [[nodiscard]] bool requeue_may_be_uncounted() const {
        return stage_ == stage::up && uncounted_requeue_;
    }
    /// publish() with a message of so many octets would put it on the wire at once.
    [[nodiscard]] bool publishes_at_once(std::size_t size) const {
        return stage_ == stage::up && publish_selected_ && !blocked_ && lanes_[0].queue.empty() &&
               window_.passes_at_once(size);
    }

private:
    enum class stage { down, connecting, handshake, up, closing, closed };
    enum class consumer_stage { waiting, opening, active, cancelling, cancelled };
    struct consumer_state {
        subscription what;
        std::uint16_t channel = 0;
        std::uint64_t epoch = 0;
        consumer_stage stage = consumer_stage::waiting;
        bool was_active = false;
        backoff pause;
        time_point retry_at{};
        time_point deadline = time_point::max();  ///< of the first subscription
        std::uint64_t cancel_token = 0;
    };
    struct pending_request {
        request what;
        std::uint64_t token = 0;
        time_point deadline = time_point::max();
        bool replay = false;       ///< ours, from the topology: nobody waits for the answer
        bool abandoned = false;    ///< timed out on the wire; its answer is still to come
        std::uint64_t serial = 0;  ///< order of ask(), in both lanes; a replay comes first
    };
    /// A channel for requests. Two of them, because a refused request closes its channel, and
    /// with it the acknowledgements of messages that were got. A broker may look at two channels
    /// in any order: a request goes out when the other lane has none that was made before it.
    struct lane {
        std::uint16_t channel = 0;
        std::uint64_t epoch = 0;  ///< 0: the channel is not open
        ring<pending_request> queue;
        std::size_t sent = 0;  ///< the first so many are on the wire
    };

    // session_events.cpp: what the connection says
    bool on_wire(const wire_event& from, event& into, time_point now, std::uint64_t random);
    void give_up_cause(const wire_event& closed);
    bool on_answer(const wire_event& from, event& into);
    bool on_delivery(const wire_event& from, event& into);
    void on_channel_closed(const wire_event& from, time_point now, std::uint64_t random);
    void on_up(time_point now);
    void lose_connection(const problem& why, time_point now, std::uint64_t random);
    event& push(event_kind kind);

    // session_publish.cpp
    void open_publish_channel();
    void send_publishes();
    void push_settled();
    [[nodiscard]] std::string publish_text(const settled& what) const;

    // session_requests.cpp
    void send_requests(lane& from);
    [[nodiscard]] static std::uint64_t oldest_request(const lane& of);
    bool answer_request(lane& from, const wire_event& answered, event& into);
    void give_back(const lane& from, const pending_request& abandoned, const wire_event& answered);
    void request_refused(lane& from, const wire_event& closed);
    void requests_lost(lane& from);
    void fail_request(pending_request& what, const problem& why);
    void expire_requests(lane& from, time_point now);
    void replay(const std::vector<request>& steps);

    // session_consumers.cpp
    void subscribe_waiting(time_point now);
    void subscribe(consumer_id id, consumer_state& state);
    void consumer_closed(
        consumer_id id,
        const problem& why,
        bool refused,
        time_point now,
        std::uint64_t random);
    void consumers_lost(const problem& why);
    void consumers_stopped(const problem& why);
    void expire_consumers(time_point now);
    [[nodiscard]] std::uint16_t free_channel();
    [[nodiscard]] consumer_id owner_of(std::uint16_t channel) const;
    [[nodiscard]] std::uint16_t channel_of(const delivery_ref& ref) const;

    /// Sends whatever can be sent now.
    void advance(time_point now);
    void fail_everything(const problem& why);
    [[nodiscard]] std::string not_in_time(std::string_view what) const;
    /// `what` does not fit into a frame. The broker would close the connection, and the next one.
    [[nodiscard]] problem too_large(std::string_view what) const;

    session_settings settings_;
    stage stage_ = stage::down;
    std::optional<connection> wire_;
    byte_buffer out_;
    ring<event> ready_;
    wire_event wire_event_;
    amqp::table server_properties_;
    bool ordered_store_ = false;
    bool uncounted_requeue_ = false;

    publish_window window_;
    bool publish_open_ = false;      ///< channel and confirm mode are asked for
    bool publish_selected_ = false;  ///< confirm mode is granted
    bool blocked_ = false;
    std::string blocked_reason_;
    std::vector<settled> settled_;

    std::array<lane, 2> lanes_;
    topology topology_;
    time_point earliest_request_ = time_point::max();
    std::uint64_t last_request_ = 0;

    std::map<consumer_id, consumer_state> consumers_;
    std::vector<consumer_id> channel_owners_;
    std::size_t waiting_consumers_ = 0;
    time_point earliest_consumer_ = time_point::max();
    consumer_id last_consumer_ = 0;

    backoff pause_;
    time_point connect_at_{};
    time_point up_since_{};
    time_point handshake_deadline_ = time_point::max();
    bool was_up_ = false;
    problem last_problem_;  ///< of the connection, for timeouts' texts
    std::uint64_t last_epoch_ = 0;
    time_point now_{};  ///< the newest time that was passed in
};

}  // namespace lovage::client
