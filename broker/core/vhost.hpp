// A virtual host: its exchanges, queues and bindings by name, and the way of a message from an
// exchange to queues (routing.cpp). Writes definitions and persistent messages to the journal.
// Called by channels on the engine's thread, with rights already checked. Sends nothing itself.
#pragma once

#include "broker/core/exchange.hpp"
#include "broker/core/ids.hpp"
#include "broker/core/message.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/queue.hpp"

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lovage::broker {

class delay_line;
class engine;

/// Nothing is no limit.
struct vhost_limits {
    std::optional<std::uint64_t> connections;  ///< max-connections
    std::optional<std::uint64_t> queues;       ///< max-queues
};

/// What the publisher is to be told.
struct publish_outcome {
    bool routed = false;
    /// A record was written: confirm when the log has reached the disk up to the journal's end.
    bool logged = false;
    /// A full queue would not have it: the publisher gets basic.nack.
    bool refused = false;
    /// It repeats what its targets have taken lately and was dropped.
    bool duplicate = false;
    /// The record has settled publication::instead_of too.
    bool replaced = false;
    /// Where its body lies on disk, for those of the same publication that follow.
    message_id blob = 0;
};

/// A message on its way in.
struct publication {
    message::parts parts;
    /// Further routing keys on the same exchange.
    std::span<const std::string> copies;
    bool persistent = false;
    std::uint8_t priority = 0;
    std::uint64_t published_at_ms = 0;
    std::uint64_t expiration_ms = message::no_expiration;
    /// The properties with the hidden routing keys, for a message that has to wait; empty if there
    /// are none.
    octets complete_properties;
    /// A client's own publish, which may be a duplicate; what the broker moves never is one.
    bool deduplicate = false;
    std::uint32_t deaths_left = message::deaths_max;
    /// What the journal holds and this is moved from: where something lasting takes it, one record
    /// says both. Else it is still to be settled.
    std::optional<held_copy> instead_of;
    /// Where the body of what it is moved from lies, or lay; see message::blob.
    message_id blob = 0;
    /// Comes, by whatever ways, of one that the journal held; see message::moved.
    bool moves = false;
};

class vhost {
public:
    /// With the predeclared exchanges.
    vhost(engine& owner, std::string name);

    [[nodiscard]] engine& owner() const { return owner_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const octets_map<std::unique_ptr<queue>>& queues() const { return queues_; }
    [[nodiscard]] const octets_map<std::unique_ptr<exchange>>& exchanges() const {
        return exchanges_;
    }

    [[nodiscard]] exchange* find_exchange(octets name) const;
    [[nodiscard]] queue* find_queue(octets name) const;

    vhost_limits limits;
    std::string description;  ///< for people

    /// Names must be free. Durable things are written to the journal.
    exchange& declare_exchange(exchange_settings settings);
    queue& declare_queue(queue_settings settings, connection_id owner);
    /// With its bindings, those that lead to it too. `gone` is destroyed, and auto-delete exchanges
    /// that lose their last binding by it.
    void delete_exchange(exchange& gone);
    /// With its bindings; its consumers must have been told. Returns the number of ready messages.
    /// `gone` is destroyed at once, or when its last outstanding delivery is settled.
    std::size_t delete_queue(queue& gone);
    /// A deleted queue has no outstanding delivery any more; it is destroyed.
    void bury(queue& gone);

    /// What the definitions of queues, exchanges and bindings take, counted one by one.
    [[nodiscard]] std::uint64_t count_definitions() const;

    /// Binding again is no error and changes nothing.
    void bind(exchange& source, route_target& target, octets key, const amqp::table& arguments);
    /// Unbinding what is not bound is no error. An auto-delete exchange may be destroyed by it.
    void unbind(
        exchange& source,
        const route_target& target,
        octets key,
        const amqp::table& arguments);

    /// `through` is null for the default exchange.
    publish_outcome publish(exchange* through, const publication& what);
    /// Sends a message on to the dead letter exchange of the queue in which it died. `held`: the
    /// journal has it there. True if the journal has not any more, because the copy took its place.
    bool dead_letter(const queue& from, const message& dead, octets reason, bool held);
    /// Routes the message that is due first in the line.
    void release_due(delay_line& line);
    /// A message that the queue has taken out: dead-lettered where that is set, and forgotten.
    /// While another is being delivered it waits for the end of that: however long clients make a
    /// chain of full queues, there is no recursion. `reason` must be a literal.
    void died(queue& from, queued_message item, octets reason);
    /// Sends on what waits, as much as the event may.
    void dead_letter_waiting();
    /// Until release_deaths(), what dies waits: for many messages that go back to their queues, so
    /// that no dead letter comes before older messages which are about to be there again. True if
    /// this call began it; else somebody further up will end it.
    [[nodiscard]] bool hold_deaths() { return !std::exchange(delivering_, true); }
    void release_deaths() {
        delivering_ = false;
        dead_letter_waiting();
    }
    /// Calls `take` with each queue and message that died there, which the journal still holds.
    template <class Take>
    void for_each_dead(Take&& take) const {
        for (std::size_t i = 0; i < deaths_.size(); ++i) {
            if (deaths_[i].was_held) {
                take(*deaths_[i].from, deaths_[i].item);
            }
        }
    }

    [[nodiscard]] policy_set& policies(policy_kind kind) {
        return kind == policy_kind::user ? user_policies_ : operator_policies_;
    }
    [[nodiscard]] const policy_set& policies(policy_kind kind) const {
        return kind == policy_kind::user ? user_policies_ : operator_policies_;
    }
    /// Policies have come or gone: queues and exchanges that are there follow.
    void apply_policies();
    [[nodiscard]] policy_choice policies_of(const queue_settings& what) const;
    [[nodiscard]] policy_choice policies_of(const exchange_settings& what) const;
    /// What is in force for a queue that was declared so.
    [[nodiscard]] queue_rules rules_for(const queue_settings& what) const;

    /// Kept over restarts if the queue is.
    void pause(queue& what, bool paused);

    /// Addresses for direct replies, which the default exchange knows besides its queues.
    void add_reply_address(const std::string& address, channel& taker);
    void remove_reply_address(octets address);
    [[nodiscard]] bool has_reply_address(octets address) const;

    /// Recovery: things as the log had them, without writing them again.
    exchange& restore_exchange(exchange_settings settings, journal_location where);
    queue& restore_queue(
        queue_id id,
        queue_settings settings,
        journal_location where,
        message_id delivered_up_to);
    /// `owner` is a delayed exchange; found messages with this id wait there.
    void restore_delay_line(exchange& owner, queue_id id, journal_location where);
    /// In the order of their serials.
    void restore_mark(route_target& at, const dedup_mark& what, journal_location where);
    void restore_binding(
        exchange& source,
        route_target& target,
        octets key,
        octets arguments,
        journal_location where);

    /// Writes the definitions that lie in that file of the log again.
    void rewrite_definitions(std::uint64_t file);
    /// The same for messages that wait in delayed exchanges.
    void rewrite_waiting(std::uint64_t file);
    /// And for what queues and exchanges have taken lately.
    void rewrite_marks(std::uint64_t file);

private:
    void find_targets(exchange* through, const publication& what);
    void find_named(octets key, const publication& what);
    bool mark(route_target& reached) const;
    /// True if anything there wants it.
    bool match(exchange& here, octets key, message_headers& headers);
    void reach(route_target& target);
    void hold_back(const publication& what, publish_outcome& outcome);
    void drop_waiting(delay_line& line);
    bool is_duplicate(const route_target& at, const publication& what);
    bool remove_duplicates(const publication& what);
    /// `by` has taken what is being routed.
    void remember(route_target& by, const publication& what);
    void remember_all(const publication& what, const publish_outcome& outcome);
    void add_mark(route_target& at, dedup_table::entry entry, std::uint64_t now_ms);
    void forget_marks(route_target& at);
    [[nodiscard]] dedup_mark mark_of(const route_target& at, const dedup_table::entry& of) const;
    publish_outcome deliver_to_targets(const publication& what);
    bool remove_refusing(const publication& what);
    message_ptr create_message(const publication& what, publish_outcome& outcome);
    void forget_dead_of(queue& gone);
    void remove_binding(binding& gone);
    void unbind_all(route_target& gone, std::vector<exchange*>& unused);
    void delete_exchanges(std::vector<exchange*> doomed);
    [[nodiscard]] binding_definition definition_of(const binding& what) const;
    void apply_policy(exchange& to) const;
    void append(queue& what);
    void append(exchange& what);
    void append(binding& what);
    void append(delay_line& what);

    engine& owner_;
    std::string name_;
    policy_set user_policies_;
    policy_set operator_policies_;
    octets_map<std::unique_ptr<exchange>> exchanges_;
    octets_map<std::unique_ptr<queue>> queues_;
    std::vector<std::unique_ptr<queue>> deleted_queues_;  // with outstanding deliveries
    struct reply_address {
        channel* taker = nullptr;
        std::uint64_t route_mark = 0;
    };
    octets_map<reply_address> reply_addresses_;

    // Of the message being routed; kept for their memory.
    std::vector<queue*> targets_;
    std::vector<route_target*> matched_;
    std::vector<exchange*> to_visit_;
    struct waiting_place {
        exchange* where = nullptr;
        std::uint64_t due_ms = 0;
    };
    std::vector<waiting_place> held_back_;  // delayed exchanges where it waits first
    std::vector<route_target*> marking_;    // deduplicating exchanges that it came through
    std::optional<dedup_key> dedup_key_;
    bool dedup_key_read_ = false;
    bool duplicate_ = false;        // an exchange has dropped it
    std::vector<queue*> refusing_;  // that dead-letter what they refuse
    std::vector<holding> holdings_;
    struct dead_message {
        queue* from = nullptr;
        queued_message item;
        octets reason;
        bool was_held = false;  // by the queue, and in the journal
    };
    ring<dead_message> deaths_;
    bool delivering_ = false;
    std::uint64_t route_serial_ = 0;
};

/// A message that the journal holds there.
[[nodiscard]] held_copy copy_in(queue_id where, const message& what);

/// The encoded form of a table, with its length.
[[nodiscard]] std::string encode_table(const amqp::table& arguments);

}  // namespace lovage::broker
