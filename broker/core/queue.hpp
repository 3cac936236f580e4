// A queue: messages that are ready, in order of their priorities and ids, and the consumers that
// take them in turn. Outstanding deliveries live in their channels; the queue only counts them.
// Called by channels and the vhost on the engine's thread. Does not delete itself: the vhost does.
//
// Invariants:
//  1. ready_'s own.
//  2. Every consumer in takers_ is in consumers_, once, and its `waiting` is set; no other's is.
//     takers_ is sorted by priority, the highest first. With a single active consumer it is the
//     only one there.
//  3. ready_octets_ is the sum of the ready messages' body octets, on disk or not.
//  4. A deleted queue has no ready messages and no consumers; it lives until unacked_ is 0.
#pragma once

#include "broker/core/delivery_mark.hpp"
#include "broker/core/ids.hpp"
#include "broker/core/message.hpp"
#include "broker/core/page.hpp"
#include "broker/core/queue_rules.hpp"
#include "broker/core/ready_messages.hpp"
#include "broker/core/route_target.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/ring.hpp"

#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

class channel;
class queue;
class vhost;

/// A consumer as its queue sees it. Owned by its channel.
struct consumer {
    channel* owner = nullptr;
    queue* source = nullptr;
    std::string tag;
    bool no_ack = false;
    bool exclusive = false;
    bool counts_requeues = true;    ///< what it gives back itself counts as a delivery
    std::uint32_t prefetch = 0;     ///< 0 is no limit
    std::uint32_t outstanding = 0;  ///< deliveries that wait for their ack
    std::uint32_t late = 0;         ///< of these, the ones that were taken back
    bool waiting = false;           ///< stands in the queue's line of takers
    bool ended = false;             ///< about to be taken out of its queue and destroyed
    std::int64_t priority = 0;      ///< argument x-priority: who has more comes first
};

/// As it was declared; what is compared on redeclaration and kept in the log.
struct queue_settings {
    std::string name;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    amqp::table arguments;
    queue_rules declared;           ///< by the arguments; see queue::rules() for what is in force
    std::uint8_t priority_max = 0;  ///< 0: without priorities
    bool single_active_consumer = false;
    bool quorum = false;  ///< declared as x-queue-type quorum
    /// Argument x-message-deduplication: what it has taken lately is dropped.
    std::optional<dedup_limits> deduplication;
};

class queue : public route_target {
public:
    queue(queue_id id, vhost& home, queue_settings settings, connection_id owner);

    [[nodiscard]] queue_id id() const { return id_; }
    [[nodiscard]] const std::string& name() const { return settings_.name; }
    [[nodiscard]] const queue_settings& settings() const { return settings_; }
    /// In force now: the declared ones and policies in one.
    [[nodiscard]] const queue_rules& rules() const { return rules_; }
    /// Other rules for what it holds, too: what is too much goes, times to live begin to count from
    /// when messages came, the time after which it goes unused begins now.
    void set_rules(queue_rules rules);
    /// A paused queue takes and keeps messages and gives none out.
    [[nodiscard]] bool paused() const { return paused_; }
    void set_paused(bool paused);
    [[nodiscard]] vhost& home() const { return home_; }
    /// The connection that an exclusive queue belongs to.
    [[nodiscard]] connection_id owner() const { return owner_; }
    [[nodiscard]] bool deleted() const { return deleted_; }

    [[nodiscard]] std::size_t ready_count() const { return ready_.size(); }
    [[nodiscard]] std::uint64_t ready_octets() const { return ready_octets_; }
    [[nodiscard]] std::size_t unacked_count() const { return unacked_; }
    [[nodiscard]] const std::vector<consumer*>& consumers() const { return consumers_; }
    [[nodiscard]] bool has_exclusive_consumer() const { return exclusive_consumer_; }
    [[nodiscard]] const ready_messages& ready() const { return ready_; }
    /// May a consumer ask to be the only one?
    [[nodiscard]] bool exclusive_refused() const {
        return !consumers_.empty() || settings_.single_active_consumer;
    }
    /// Too full for a body of that size, where that is not for the head to suffer.
    [[nodiscard]] bool refuses(std::size_t body_octets) const {
        return limited_ && !drops_head() &&
               over_limit(ready_.size() + 1, ready_octets_ + body_octets);
    }

    /// A new message at the tail; goes to a consumer at once when one waits.
    void publish(message_ptr body);
    /// As found in the log; ids must grow from call to call.
    void restore(queued_message found);
    /// Before the messages.
    void restore(page& found);
    /// Sends ready messages to the consumers that have room, each in turn.
    void dispatch();
    struct taken_message {
        queued_message item;
        lsn wait_for = 0;  ///< it may not be sent before the log is on disk up to there
    };
    /// For basic.get: the head, if there is one and the queue is not paused. Counted as unacked
    /// unless no_ack.
    std::optional<taken_message> take(bool no_ack);
    /// Drops all ready messages; returns how many.
    std::size_t purge();

    void add_consumer(consumer& added);
    /// All that are marked as ended.
    void remove_ended_consumers();
    /// The consumer has room again; dispatch() is the caller's affair.
    void consumer_ready(consumer& taker);

    /// One outstanding delivery is done with, for good. `replaced`: as in forget().
    void settled(const queued_message& done, bool replaced = false);
    /// One outstanding delivery comes back to its place; `counted` raises its delivery count.
    void requeue(queued_message back, bool counted);
    /// One outstanding delivery is refused for good: dead-lettered where that is set.
    void rejected(const queued_message& refused);
    /// The journal need not hold it any more. `replaced`: what took its place has told it so.
    void forget(const queued_message& gone, bool replaced = false);
    /// The journal holds it here.
    [[nodiscard]] bool in_log(const queued_message& item) const;

    /// Lets go of everything. The queue object must live on until unacked_count() is 0.
    void mark_deleted();

    /// When the head expires, Unix milliseconds; nothing without a time to live or a head.
    /// When the next ready message expires, or earlier; nothing: none does.
    [[nodiscard]] std::optional<std::uint64_t> next_expires_at_ms() const;
    /// Removes or dead-letters expired messages at the head.
    void drop_expired();
    /// Renews the time after which an unused queue with x-expires goes.
    void used();
    [[nodiscard]] std::optional<time_point> unused_since() const;

    [[nodiscard]] message_id delivered_up_to() const { return mark_.marked(); }
    /// Nothing is delivered any more: the log need not call more delivered than was.
    void settle_mark();
    /// As it was when the broker started.
    [[nodiscard]] message_id recovered_up_to() const { return recovered_up_to_; }
    void set_recovered_up_to(message_id id);

    // For the pager.

    /// What ready messages take in memory, roughly.
    [[nodiscard]] std::uint64_t resident_octets() const;
    /// Copies what is not needed soon; about `keep` octets stay.
    void page_out(page_builder& into, std::uint64_t keep);
    /// A page is on disk: those of its messages that are still here, untouched, leave the memory.
    void paged_out(
        page& made,
        const std::vector<message_id>& ids,
        std::vector<queued_message>& gone);
    /// Bodies of so many octets in all cannot be read.
    void unreadable(std::uint64_t octets) { ready_octets_ -= octets; }

    void check_invariants() const;

    journal_location location;
    bool scheduled = false;  ///< is in the engine's list of queues to dispatch
    std::optional<std::uint64_t> expiry_scheduled_ms;  ///< its key in the engine's expiry order

private:
    /// Of a ready message that may expire before the head does.
    struct deadline {
        std::uint64_t at_ms = 0;
        message_id id = 0;
        std::uint8_t priority = 0;
    };
    static bool later(const deadline& a, const deadline& b) {
        return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.id > b.id;
    }

    /// As delivery_mark::note().
    [[nodiscard]] lsn note_delivery(const queued_message& item, bool ahead);
    void deliver(consumer& taker, queued_message item);
    /// True if the next message is in memory, where it is read to if need be.
    bool fetch() { return !ready_.empty() && (ready_.loaded() || fetch_from_disk(false)); }
    bool fetch_from_disk(bool lowest);
    queued_message pop_ready();
    void clear_ready(bool told);
    [[nodiscard]] bool head_expired() const;
    /// What is on disk is not read for somebody who has enough while memory is short.
    [[nodiscard]] bool waits_for_memory() const;
    /// When something in a page expires, or earlier; `head`: if the head is there.
    [[nodiscard]] std::uint64_t pages_due_ms(bool head) const;
    [[nodiscard]] std::uint64_t next_visit_ms(std::uint64_t due_ms) const;
    /// Takes what has expired out of a few pages.
    void visit_pages();
    /// Drops what is too much.
    void trim();
    [[nodiscard]] bool over_limit(std::size_t count, std::uint64_t body_octets) const {
        return count > rules_.length_max.value_or(count) ||
               body_octets > rules_.length_octets_max.value_or(body_octets);
    }
    [[nodiscard]] bool drops_head() const {
        return rules_.overflow.value_or(overflow_mode::drop_head) == overflow_mode::drop_head;
    }
    [[nodiscard]] std::optional<std::uint64_t> expires_at_ms(const message& body) const;
    /// Exactly, if the head is in memory; else no later than that.
    [[nodiscard]] std::optional<std::uint64_t> head_expires_at_ms() const;
    void note_expiry(const message& body);

    queue_id id_;
    vhost& home_;
    queue_settings settings_;
    connection_id owner_;
    queue_rules rules_;
    bool deleted_ = false;
    bool exclusive_consumer_ = false;
    bool limited_ = false;  // has a greatest length
    bool paused_ = false;
    ready_messages ready_;
    std::uint64_t ready_octets_ = 0;
    std::size_t unacked_ = 0;
    std::vector<consumer*> consumers_;
    ring<consumer*> takers_;
    consumer* active_ = nullptr;  // the one that gets messages, of a single active consumer
    delivery_mark mark_;
    message_id recovered_up_to_ = 0;
    /// A heap, the earliest first; some are of messages that are not ready any more.
    std::vector<deadline> deadlines_;
    std::size_t deadlines_swept_at_ = 0;  // how many there may be before they are swept
    bool has_pages_ = false;              // false: certainly none
    bool had_pages_ = false;
    bool trim_goes_on_ = false;  // in the next event: this one has done its share
    std::uint64_t pages_visited_ms_ = 0;
    time_point last_used_;
};

}  // namespace lovage::broker
