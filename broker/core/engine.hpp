// The broker as one state machine: events in (octets from connections, what the disk has reached,
// time), effects out (octets in the connections' buffers, connections to close or to go on with,
// records in the journal, lines for the log). One thread, no clock, no socket, no file.
// The driver (server/) calls one event after another and carries out take_effects() after each.
#pragma once

#include "broker/core/access.hpp"
#include "broker/core/blobs.hpp"
#include "broker/core/connection.hpp"
#include "broker/core/engine_options.hpp"
#include "broker/core/ids.hpp"
#include "broker/core/journal.hpp"
#include "broker/core/pager.hpp"
#include "broker/core/queue.hpp"
#include "broker/core/settings_store.hpp"
#include "broker/core/vhost.hpp"
#include "framework/amqp/spec.hpp"
#include "framework/base/bytes.hpp"
#include "framework/base/log.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lovage::broker {

/// Does the password fit? To be answered by password_checked(), at once or later; many may wait.
struct password_check {
    connection_id who{};
    std::string peer;      ///< its address, e.g. 127.0.0.1:41234
    std::string user;      ///< as he says
    std::string verifier;  ///< empty for a user that is not there: no password fits
    std::string password;
};

/// A verifier is to be made; to be answered by password_hashed(), which is in no hurry: until then
/// the password is to fit `verifier`.
struct password_to_hash {
    std::string verifier;
    std::string password;
};

struct log_line {
    log_level level = log_level::info;
    std::string text;
};

struct effects {
    /// Connections to whose buffer octets were added; send them.
    std::vector<connection_id> output;
    /// Connections to end once their output is sent.
    std::vector<connection_id> close;
    /// Connections that left input unread and can go on: offer it again.
    std::vector<connection_id> resume;
    /// Connections with so much output that they get no more: call drained() once it is sent.
    std::vector<connection_id> congested;
    std::vector<password_check> password_checks;
    std::vector<password_to_hash> password_hashes;
    std::vector<log_line> log;

    void clear();
};

/// What `lovage status` and the management API show of a queue.
struct queue_status {
    std::string vhost;
    std::string name;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    std::size_t ready = 0;
    std::size_t unacked = 0;
    std::size_t consumers = 0;
    std::uint64_t ready_octets = 0;
    std::size_t dedup_keys = 0;  ///< of what it has taken lately
    bool quorum = false;
    bool paused = false;
    amqp::table arguments;
    std::string policy;           ///< its name; empty: none
    std::string operator_policy;  ///< likewise
    amqp::table effective_policy;
};

/// What the management API shows of an exchange.
struct exchange_status {
    std::string vhost;
    std::string name;
    std::string type;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    std::optional<std::size_t> delayed;  ///< messages that wait in it, if it is of that type
    std::size_t dedup_keys = 0;          ///< of what it has taken lately
    amqp::table arguments;
    std::string policy;  ///< its name; empty: none
};

/// What the management API shows of a connection that is open.
struct connection_status {
    connection_id id{};
    std::string name;  ///< the peer's address, e.g. 127.0.0.1:41234
    std::string user;
    std::string vhost;
    std::size_t channels = 0;
};

struct policy_status {
    std::string vhost;
    policy_settings settings;
};

/// What is left of a queue: the count for its deleter, the consumers that must hear of it.
struct deleted_queue {
    std::size_t ready = 0;
    std::vector<std::pair<channel*, std::string>> consumers;  ///< with their tags
};

class engine {
public:
    /// `random` gives 16 octets that no client can guess, for generated names.
    using random_source = std::function<std::array<unsigned char, 16>()>;

    engine(engine_options options, journal& log, random_source random);
    ~engine();
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;

    // Events. `clock` must not go back between calls.

    /// A peer has connected. `output` must stay where it is until disconnected().
    connection_id connected(peer_address peer, byte_buffer& output, clock_reading clock);
    /// Octets have come; returns how many were used. The rest is to be offered again together with
    /// what comes next, or when the connection is named in effects::resume.
    std::size_t received(connection_id from, octets input, clock_reading clock);
    /// The socket is gone; the id is not known any more afterwards.
    void disconnected(connection_id gone, clock_reading clock);
    /// `pending` octets of output are still to be sent.
    void drained(connection_id whose, std::size_t pending, clock_reading clock);
    /// The answer to a password_check; an id that is not known any more is no error.
    void password_checked(connection_id whose, bool fits, clock_reading clock);
    /// The answer to a password_to_hash with that verifier.
    void password_hashed(octets before, std::string verifier, clock_reading clock);
    /// Every record up to there is on disk.
    void durable(lsn reached, clock_reading clock);
    /// The segment that was sealed is on disk; or not, for want of space: then what is in it stays
    /// in memory and is tried again later.
    void segment_written(std::uint64_t number, bool there, clock_reading clock);
    /// The disk has no room, or has again: publishers wait meanwhile.
    void disk_alarm(bool on, clock_reading clock);
    /// What the buffers of all connections take, as the driver has counted lately. No event: it is
    /// looked at in the next one.
    void buffers_take(std::uint64_t octets) { buffer_octets_ = octets; }
    /// To be called at next_expiry_ms().
    void wake(clock_reading clock);
    /// To be called every 100 ms or so.
    void tick(clock_reading clock);
    /// Somebody with the right to do so changes or asks what he likes; definitions that he makes
    /// are on disk when durable() says so.
    void administer(const std::function<void(engine&)>& what, clock_reading clock);
    /// Tells all clients that the broker stops (320).
    void shut_down(clock_reading clock);

    /// Valid until the next event.
    effects& take_effects();
    /// False while octets offered to received() would be left: read nothing from the socket until
    /// the connection is named in effects::resume.
    [[nodiscard]] bool wants_input(connection_id whose) const;
    /// Deliveries, and what comes after them on their connection, that go to its output when the
    /// log is on disk; empty for an unknown connection.
    [[nodiscard]] octets held_output(connection_id whose) const;
    /// When the next message expires or is due, Unix milliseconds; at once while dead letters wait.
    [[nodiscard]] std::optional<std::uint64_t> next_expiry_ms() const;

    // Recovery, before the first event.

    struct found_message {
        message_id id = 0;
        message::parts parts;
        std::uint64_t published_at_ms = 0;
        std::uint64_t due_ms = 0;  ///< of one that waits in a delayed exchange
        journal_location location;
        message_id blob = 0;  ///< see message::blob; also one that only others refer to yet
        std::vector<holding> holdings;
    };
    /// Long queues may go there; before anything is restored.
    void use(page_store& pages) {
        pages_.use(pages);
        blobs_.use(pages, options_.blob_octets_min);
    }
    vhost& restore_vhost(octets name);
    void queue_restored(queue& what) { restored_queues_[what.id()] = &what; }
    void delay_line_restored(delay_line& what);
    [[nodiscard]] queue* find_restored_queue(queue_id id) const;
    /// After its queue or line, before messages; `stored` messages lie in its place. False if the
    /// queue is not there.
    bool restore_page(page_facts found, std::uint32_t stored, journal_location where);
    /// Ids must grow from call to call; the queues must be there.
    void restore_message(const found_message& found);
    /// False if that version's value means nothing to this one.
    bool restore_setting(octets key, octets value, journal_location where) {
        return settings_.restore(key, value, where);
    }
    /// After queues and settings, before messages. What is wrong with a setting; empty: nothing.
    [[nodiscard]] std::string settings_restored();
    void restore_next_ids(std::uint64_t next_queue, message_id next_message);

    /// Writes what lies in that file of the log again, so that the file can go.
    void rewrite(std::uint64_t file, clock_reading clock);

    /// True if the user is there, has still the verifier that his password was checked with, and
    /// may come from there.
    [[nodiscard]] bool may_log_in(octets name, octets verifier, bool from_loopback) const;
    [[nodiscard]] std::vector<queue_status> queue_statuses() const;
    [[nodiscard]] std::vector<exchange_status> exchange_statuses() const;
    [[nodiscard]] std::vector<policy_status> policy_statuses(policy_kind kind) const;
    /// Of those that are open; the longest there first.
    [[nodiscard]] std::vector<connection_status> connection_statuses() const;
    /// With those that are not open yet, or closing.
    [[nodiscard]] std::size_t connection_count() const;
    /// Messages, what queues and channels note of them, unfinished contents, deduplication,
    /// definitions, buffers.
    [[nodiscard]] std::uint64_t memory_octets() const {
        return memory_octets_ + dedup_octets_ + definition_octets_ + buffer_octets_;
    }
    /// Of these, what queues, exchanges and bindings take by being there.
    [[nodiscard]] std::uint64_t definition_octets() const { return definition_octets_; }
    /// The most that it was at the end of an event since this was asked last.
    [[nodiscard]] std::uint64_t take_memory_peak() {
        return std::exchange(memory_peak_, memory_octets());
    }
    void check_invariants() const;
    /// definition_octets() once more, counted one by one; for tests.
    [[nodiscard]] std::uint64_t count_definitions() const;

    // For administer().

    /// Sets or replaces a policy; queues and exchanges that are there follow at once. What is wrong
    /// with it, in words; empty: it is set.
    [[nodiscard]] std::string set_policy(policy_kind kind, octets vhost, policy_settings what);
    /// False if there is none of that name.
    [[nodiscard]] bool clear_policy(policy_kind kind, octets vhost, octets name);
    /// Stops deliveries from a queue, or lets them go on; of a durable queue over restarts. False
    /// if there is no such queue.
    [[nodiscard]] bool pause_queue(octets vhost, octets name, bool paused);

    // For the parts of the engine.

    [[nodiscard]] const engine_options& options() const { return options_; }
    [[nodiscard]] journal& log() { return log_; }
    [[nodiscard]] settings_store& settings() { return settings_; }
    [[nodiscard]] pager& pages() { return pages_; }
    [[nodiscard]] const pager& pages() const { return pages_; }
    [[nodiscard]] blobs& large_bodies() { return blobs_; }
    /// Before the journal is told of the message: a large body stays in the blob where it lies (0:
    /// in none), and else goes into one if so many octets wait before it that it will leave the
    /// memory.
    void place_body(const message_ptr& what, message_id blob, std::uint64_t waiting_octets) {
        if (blobs_.has(blob)) {
            blobs_.share(*what, blob);
        } else if (waiting_octets >= options_.window_octets_max / 4) {
            keep_blob(what);
        }
    }
    /// See blobs::keep().
    void keep_blob(const message_ptr& what) { blobs_.keep(what, log_); }
    /// The disk is for what frees space.
    [[nodiscard]] bool disk_alarmed() const { return disk_alarm_; }
    /// The journal's record of it keeps nothing alive any more.
    void unlogged(const message& gone) {
        if (gone.location.record_octets != 0) {
            log_.released(gone.location);
            blobs_.release(gone.blob);
        }
    }
    /// As it was published, but for what the caller knows better.
    [[nodiscard]] message_ptr message_from(
        message_id id,
        const message::parts& parts,
        std::uint64_t published_at_ms);
    [[nodiscard]] const access_control& access() const { return access_; }
    [[nodiscard]] const octets_map<std::unique_ptr<vhost>>& vhosts() const { return vhosts_; }
    /// Asks the driver; the answer comes to the connection.
    void check_password(const connection& whose, octets verifier, octets password);
    /// Connections that are open in that virtual host, or of that user.
    [[nodiscard]] std::size_t connections_in(const vhost& home) const;
    [[nodiscard]] std::size_t connections_of(octets user) const;
    [[nodiscard]] std::size_t channels_of(octets user) const;
    [[nodiscard]] time_point now() const { return clock_.now; }
    /// Tenths of a second since the start, from 1 on: now, rounded down, and in so many
    /// milliseconds, rounded up.
    [[nodiscard]] std::uint32_t coarse_now() const;
    [[nodiscard]] std::uint32_t coarse_after(std::uint64_t ms) const;
    [[nodiscard]] std::uint64_t wall_ms() const {
        return static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count());
    }
    /// A definition or a removal was written to the journal; its -ok waits for the disk.
    void definition_logged() { last_definition_ = log_.last(); }
    /// True when everything that an -ok may promise is on disk.
    [[nodiscard]] bool definitions_durable() const { return last_definition_ <= durable_; }
    [[nodiscard]] lsn last_definition() const { return last_definition_; }
    [[nodiscard]] vhost* find_vhost(octets name);
    queue_id next_queue_id() { return queue_id{next_queue_id_++}; }
    message_id next_message_id() { return next_message_id_++; }
    /// Recovery: that id is taken.
    void message_id_found(message_id id) { next_message_id_ = std::max(next_message_id_, id + 1); }
    /// `prefix` and 22 characters of base64url that no one can guess.
    [[nodiscard]] std::string generated_name(octets prefix);

    /// Ends its consumers and deletes it; the consumers are still to be told.
    deleted_queue delete_queue(queue& gone);
    /// Sends basic.cancel to the clients that understand it.
    void tell(const deleted_queue& what);
    /// To be dispatched at the end of the event.
    void schedule(queue& what);
    /// The queue's head or its time to live may have changed.
    void expiry_changed(queue& what);
    /// The first message of the line may be another.
    void due_changed(delay_line& what);
    void forget(delay_line& gone);
    /// A queue has been declared; what the engine watches it for ends with forget().
    void queue_added(queue& what);
    /// Its time to go unused has changed.
    void idle_watch_changed(queue& what, bool was_watched);
    void forget(queue& gone);
    /// A channel has confirms to send or to wait for, which is looked at when the event ends.
    void confirms_changed(channel& what);
    void forget(channel& gone);
    void output_added(connection& to);
    void congested(connection& what);
    void close(connection& what);
    void resume(connection& what);
    /// Waits for the disk with a reply.
    void wait_for_disk(connection& what);
    /// How far the log must be on disk for that message to be there; 0: it is.
    [[nodiscard]] lsn published_at(message_id id) const;
    /// What a delivery takes to know when it may be sent.
    [[nodiscard]] delivery_mark::occasion delivery_occasion() {
        return {log_, durable_, first_open_message_, now()};
    }
    void log(log_level level, std::string text);
    /// Octets of messages, of places in queues and channels and of unfinished contents; whoever
    /// holds them adds and takes off.
    [[nodiscard]] std::uint64_t& memory_account() { return memory_octets_; }
    /// The same of transactions alone, which are in that one too.
    [[nodiscard]] std::uint64_t& transactions_account() { return transaction_octets_; }
    /// What tables of deduplication take; not in the other.
    [[nodiscard]] std::uint64_t& dedup_account() { return dedup_octets_; }
    /// More would keep a memory alarm on that emptying the queues is to end.
    [[nodiscard]] bool too_many_marks() const {
        return dedup_octets_ > options_.memory_octets_max / 4;
    }
    /// What queues, exchanges and bindings take by being there; not in the others.
    [[nodiscard]] std::uint64_t& definitions_account() { return definition_octets_; }
    /// What all definitions may take before clients may make no further ones: as with marks, an
    /// alarm that emptying the queues is to end must not be kept on by them.
    [[nodiscard]] std::uint64_t definition_octets_max() const {
        return options_.memory_octets_max / 4;
    }
    /// Messages, places and contents alone: what paging can do something about.
    [[nodiscard]] std::uint64_t held_octets() const { return memory_octets_; }
    /// True while publishers are to wait and be told.
    [[nodiscard]] bool alarmed() const {
        return memory_alarm_ || disk_alarm_ || memory_octets() > options_.memory_octets_max;
    }
    /// Who loses deliveries now is not to blame.
    [[nodiscard]] bool shutting_down() const { return shutting_down_; }
    /// Whether an alarm stops a publish of this connection. One that holds deliveries may go on in
    /// a memory alarm until a reserve is used up: it answers for them with results and retries, and
    /// as long as those wait, the queues do not empty and the alarm does not end.
    [[nodiscard]] bool publishes_wait(const connection& from) const;
    /// Why, in RabbitMQ's words.
    [[nodiscard]] octets alarm_reason() const;
    /// Its end is announced to queues that wait for it.
    [[nodiscard]] bool memory_is_short() const { return memory_alarm_; }
    /// Expired and superfluous messages that queues may yet drop in this event.
    [[nodiscard]] std::size_t& expired_left() { return expired_left_; }
    /// A message has died too often; one line of the log an event.
    void note_dropped_dead_letter(const std::string& queue_name);
    /// True if one more dead letter may be sent on in this event.
    bool take_dead_letter();
    /// Octets waiting to be sent above which a connection gets no deliveries: few in an alarm, or
    /// slow readers would take what publishers must not.
    [[nodiscard]] std::size_t output_octets_high() const {
        return memory_alarm_ ? options_.output_octets_high / output_share_in_alarm
                             : options_.output_octets_high;
    }
    /// A connection has been stopped by the alarm; resumed when it is over.
    void block(connection& what);
    /// A connection that is stopped by the alarm has got a delivery.
    void note_blocked_holder() { holders_blocked_ = true; }
    /// Its exclusive queues go with it.
    void delete_exclusive_queues(const connection& owner);

private:
    friend class administration;

    static constexpr std::size_t output_share_in_alarm = 16;

    connection* find(connection_id id) const;
    void recovered();
    void provide(const user& wanted);
    void begin(clock_reading clock);
    void finish();
    /// Sends what the disk has reached; those with more to wait for go on the list for that.
    void flush_confirms(std::vector<channel*>& of);
    void dispatch_scheduled();
    void update_memory_alarm();
    void schedule_paged();
    void unblock_all();
    void unblock_holders();
    [[nodiscard]] bool reserve_used_up() const;
    void expire_messages();
    void release_due();
    void expire_queues();
    void rewrite_messages(std::uint64_t file);

    engine_options options_;
    journal& log_;
    settings_store settings_;
    access_control access_{settings_};
    random_source random_;
    clock_reading clock_{};
    time_point started_{};  ///< the first time that was told
    effects effects_;

    blobs blobs_;
    pager pages_{*this};
    octets_map<std::unique_ptr<vhost>> vhosts_;
    struct provided_user {
        std::string name;
        std::string before;    ///< his verifier until the real one is known
        std::string verifier;  ///< the real one, when it is known
    };
    /// Written to the journal all at once, so that a data directory is new or complete.
    std::vector<provided_user> provided_;
    bool vhosts_kept_ = false;  ///< all of them are in the settings store
    std::unordered_map<connection_id, std::unique_ptr<connection>> connections_;
    std::uint64_t next_connection_id_ = 1;
    std::uint64_t next_queue_id_ = 1;
    message_id next_message_id_ = 1;

    lsn durable_ = 0;
    lsn taken_ = 0;                       // as the journal said when the event began
    message_id first_open_message_ = 0;   // no lower one is in the open batch
    message_id first_taken_message_ = 0;  // nor in the one at the disk
    lsn last_definition_ = 0;
    std::vector<queue*> scheduled_;
    std::vector<channel*> confirms_changed_;  // channels with confirms of this event
    std::vector<channel*> confirming_;        // channels that wait for the disk with some
    std::vector<connection_id> waiting_for_disk_;
    /// By the time, then by the id: the same order in every run.
    struct earlier_expiry {
        bool operator()(
            const std::pair<std::uint64_t, queue*>& left,
            const std::pair<std::uint64_t, queue*>& right) const;
    };
    std::set<std::pair<std::uint64_t, queue*>, earlier_expiry> expiries_;
    std::set<std::pair<std::uint64_t, delay_line*>> lines_due_;
    std::vector<queue*> idle_watched_;  // queues with x-expires
    std::unordered_map<connection_id, std::vector<queue*>> exclusive_;
    std::unordered_map<queue_id, queue*> restored_queues_;      // during recovery only
    std::unordered_map<queue_id, delay_line*> restored_lines_;  // likewise
    bool dead_letter_dropped_ = false;                          // in this event
    std::size_t dead_letters_left_ = 0;                         // that this event may send on
    bool dead_letters_wait_ = false;                            // more than an event may send on
    std::size_t expired_left_ = 0;                              // that this event may drop
    std::uint64_t memory_octets_ = 0;
    std::uint64_t dedup_octets_ = 0;
    std::uint64_t definition_octets_ = 0;
    std::uint64_t transaction_octets_ = 0;
    std::uint64_t buffer_octets_ = 0;
    std::uint64_t memory_peak_ = 0;
    bool memory_alarm_ = false;
    bool disk_alarm_ = false;
    bool shutting_down_ = false;
    bool holders_blocked_ = false;  ///< among blocked_ are some that hold deliveries
    std::vector<connection_id> blocked_;
};

}  // namespace lovage::broker
