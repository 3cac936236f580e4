// What must hold, said by what clients do and see: a token for each queue that a message was routed
// to, with all the places where it may be, and since when. An event of the simulation goes on as
// begin(), apply() of what the broker took in, observe() of what it said, end(). Whatever cannot be
// is thrown as a violation. After a crash, what a snapshot shows is compared and taken over.
//
// Places are sets of bits: a message that may have expired by now is at_home or at_dead until it is
// seen. `past` keeps them back to the last event that is known to be on disk; a crash leaves a
// token at one of these places, once. An event counts as durable when the node has synced it, or
// when a later one was answered that waits for the disk.
#pragma once

#include "tests/broker/simulation/catalog.hpp"
#include "tests/broker/simulation/wire.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace lovage::broker::simulation {

struct violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using client_number = std::uint32_t;
using event_number = std::uint64_t;

using places = std::uint8_t;
inline constexpr places nowhere = 1;
inline constexpr places at_home = 2;  ///< in the queue that it was routed to
inline constexpr places at_dead = 4;  ///< in the queue of dead letters, from there
inline constexpr places in_line = 8;  ///< waits in the delayed exchange

/// A message as inspect() found it in a queue.
struct found_copy {
    sighting seen;
    bool late = false;  ///< only after a long time: it waited in a delayed exchange
};

/// What a broker holds, by observation.
struct snapshot {
    /// That exist, or that something waits for in a delayed exchange.
    std::map<std::string, std::vector<found_copy>> queues;
    std::set<std::string> definitions;  ///< names as the model has them
    friend bool operator==(const snapshot& a, const snapshot& b);
};

[[nodiscard]] std::string queue_definition_name(octets queue);
[[nodiscard]] std::string exchange_definition_name(octets exchange);
[[nodiscard]] std::string binding_name(octets exchange, octets queue, octets key);

class model {
public:
    void begin(event_number event, std::uint64_t now_ms);
    /// The broker has taken this in; `refusal`: and has closed the channel for it, with that text.
    void apply(client_number who, const action& what, const std::string* refusal);
    void observe(client_number who, const sighting& what);
    /// A delivery of the event that ended its connection: it has come back, or not.
    void glimpse(const sighting& what);
    /// The connection is gone. Not counted: because the broker stops.
    void cut(client_number who, bool counted = true);
    void durable(event_number event) { durable_ = std::max(durable_, event); }
    void end();

    /// What a broker that was started again holds: compared, and taken over.
    void restarted(const snapshot& found);
    /// It was told to, and has written all that was open.
    void stopped() { consumed_.clear(); }
    /// What that client was seen to get goes out to it now; see sighting::promise.
    void sent(client_number who, std::uint64_t promise);
    /// At the end of all: nothing may be left.
    void check_drained() const;
    [[nodiscard]] bool is_drained(std::uint64_t now_ms) const;

    // For those who write scripts.
    [[nodiscard]] bool has_queue(octets queue) const;
    [[nodiscard]] bool is_bound(octets exchange, octets queue, octets key) const;
    /// Publishes that wait for their confirm.
    [[nodiscard]] std::size_t unconfirmed(client_number who) const;
    [[nodiscard]] std::size_t messages_seen() const { return messages_seen_; }

private:
    struct state {
        event_number since = 0;
        places where = nowhere;
    };
    /// What a consumer in one of the two queues was told.
    struct history {
        bool delivered = false;
        bool unsure = false;            ///< was delivered, or not, when a connection ended
        event_number delivered_at = 0;  ///< first time; 0: never
        bool sent = false;              ///< to somebody, and not held back for the disk
        std::vector<std::pair<event_number, std::uint32_t>> counts{{0, 0}};
    };
    /// In a queue that refuses what is too much.
    enum class room : std::uint8_t { there, doubtful, none };
    struct token {
        std::uint32_t message = 0;
        const queue_kind* home = nullptr;
        std::uint64_t order = 0;
        event_number created = 0;
        std::uint8_t priority = 0;
        bool lasting = false;
        room space = room::there;      ///< when it was published
        std::uint64_t expires_ms = 0;  ///< 0: never
        std::uint64_t due_ms = 0;      ///< 0: not delayed
        std::vector<state> past;
        history home_history;
        history dead_history;
        bool held = false;  ///< by a consumer

        [[nodiscard]] places now() const { return past.back().where; }
        history& at(places place) { return place == at_dead ? dead_history : home_history; }
    };
    using token_ptr = std::shared_ptr<token>;
    struct publication {
        event_number event = 0;
        std::size_t size = 0;
        std::vector<token_ptr> tokens;
    };
    struct expected_reply {
        action to;
        bool proves = false;  ///< that its event is durable
        event_number event = 0;
        std::size_t fewest = 0;
        std::size_t most = 0;
    };
    struct consumer {
        std::string queue;
        bool no_ack = false;
    };
    struct held_token {
        token_ptr what;
        bool in_transaction = false;
    };
    struct channel {
        bool confirming = false;
        bool transactional = false;
        bool closing = false;
        bool partly_committed = false;  ///< and will be closed for it
        std::uint64_t last_confirm = 0;
        std::map<std::uint64_t, std::uint32_t> unconfirmed;
        std::map<std::string, consumer> consumers;
        std::map<std::uint64_t, held_token> held;
        std::deque<expected_reply> replies;
        std::vector<action> transaction;
    };
    using client = std::map<std::uint16_t, channel>;
    struct taken {
        token_ptr what;
        places place = at_home;
    };

    // model.cpp: what clients do
    void apply_method(channel& on, const action& what, expected_reply& reply);
    void refused(channel& on, const action& what, const std::string& text);
    void define(const action& what, expected_reply& reply);
    void delete_queue(const std::string& queue);
    void set_definition(const std::string& name, bool exists);
    [[nodiscard]] bool exists(const std::string& definition) const;
    void publish(const action& what);
    void add_token(const action& what, publication& of, const queue_kind& home);
    [[nodiscard]] places place_of_new(token& made);
    void settle(channel& on, const action& what);
    void settle_one(channel& on, std::uint64_t delivery, const action& how);
    void give_back(token& back, bool counted);
    void commit(channel& on, expected_reply& reply);
    void release(channel& of, bool counted);
    void set(token& of, places where);
    void leave(const queue_kind& queue);
    void overflow(const queue_kind& queue, const token* newest);
    void time_passed();
    [[nodiscard]] places place_of_dead(const token& of) const;
    [[nodiscard]] places place_in(const token& of, octets queue) const;
    [[nodiscard]] std::pair<std::size_t, std::size_t> ready(octets queue, event_number before)
        const;
    // model_observe.cpp: what they see
    channel& channel_of(client_number who, const sighting& what);
    void take(client_number who, channel& on, const consumer& by, const sighting& what);
    void check_flags(const token& of, const history& told, const sighting& what) const;
    void confirmed(channel& on, const sighting& what);
    void confirm_one(std::uint32_t message, bool taken);
    void answered(client_number who, channel& on, const sighting& what);
    void check_order() const;
    [[nodiscard]] std::string tell(const token& of) const;
    [[nodiscard]] std::string tell(std::uint32_t message) const;
    // model_restart.cpp
    void prune(token& of) const;
    [[nodiscard]] places possible(const token& of) const;
    void compare_definitions(const snapshot& found);
    void compare_copy(const std::string& queue, const found_copy& copy);
    void compare_flags(
        const token& of,
        const history& told,
        const std::string& queue,
        const found_copy& copy) const;
    void compare_order(const std::string& queue, const std::vector<found_copy>& copies) const;
    void compare_missing(const snapshot& found) const;

    event_number event_ = 0;
    event_number durable_ = 0;
    std::uint64_t now_ms_ = 0;
    std::uint64_t next_order_ = 1;
    bool several_ = false;  ///< the event was a commit: its publishes and acks have no one order
    std::map<client_number, client> clients_;
    std::map<std::string, std::vector<std::pair<event_number, bool>>> definitions_;
    std::map<std::uint32_t, publication> publications_;
    std::vector<token_ptr> live_;  ///< that may be somewhere
    std::vector<taken> taken_;     ///< in this event
    std::multiset<std::uint32_t> returns_;
    std::map<std::pair<client_number, std::uint64_t>, taken> promised_;
    std::set<std::string> consumed_;  ///< queues with consumers since the broker's start
    std::vector<std::pair<token_ptr, places>> found_;  ///< during restarted()
    std::size_t messages_seen_ = 0;
};

}  // namespace lovage::broker::simulation
