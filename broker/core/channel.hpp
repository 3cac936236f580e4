// A channel: the methods of the classes channel, exchange, queue, basic, confirm and tx, the
// content of publishes, the deliveries that wait for their acks and the publishes that wait for
// their confirm. Owned and called by its connection. Handlers return a fault; they send nothing on
// an error.
#pragma once

#include "broker/core/access.hpp"
#include "broker/core/fault.hpp"
#include "broker/core/ids.hpp"
#include "broker/core/octets_map.hpp"
#include "broker/core/queue.hpp"
#include "framework/amqp/content.hpp"
#include "framework/amqp/frame.hpp"
#include "framework/amqp/methods.hpp"
#include "framework/base/ring.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lovage::broker {

class connection;
class engine;
class exchange;
class vhost;
struct publication;
struct publish_outcome;
struct transaction;

/// What becomes of a delivery: what a client says of it, or `lost` with its channel.
enum class verdict : std::uint8_t { ack, requeue, lost, reject };

/// A delivery that waits for its ack.
struct unacked_delivery {
    std::uint64_t tag = 0;
    bool open = false;           ///< waits for its ack
    queue* source = nullptr;     ///< null once it was settled or taken back
    consumer* taker = nullptr;   ///< null for basic.get and cancelled consumers
    bool consumed = false;       ///< counts for the channel's prefetch, also after a cancel
    bool requeue_counts = true;  ///< consumer::counts_requeues when it was delivered
    bool held = false;           ///< settled by the transaction, once that is committed
    bool late = false;           ///< taken back: its queue has the message
    std::uint32_t late_at = 0;   ///< engine::coarse_now() at which it is taken back; 0: never
    queued_message item;
};

class channel {
public:
    channel(connection& owner, std::uint16_t number);
    ~channel();

    [[nodiscard]] std::uint16_t number() const { return number_; }
    [[nodiscard]] connection& owner() const { return owner_; }

    fault on_method(amqp::method_id id, const amqp::method& in);
    /// The two methods of the fast path; on_method leads to them as well.
    fault on(const amqp::basic::publish& in);
    fault on(const amqp::basic::ack& in);
    fault on_header(octets payload);
    fault on_body(octets payload);
    /// A publish has begun whose content is not complete.
    [[nodiscard]] bool expects_content() const { return content_.active() || refused_octets_ != 0; }
    [[nodiscard]] bool expects_content_header() const { return content_.expects_header(); }

    /// Nothing is delivered here any more.
    void end_consumers();
    /// Cancels consumers and gives back what is outstanding.
    void release();
    /// channel.close was sent; everything but close-ok is dropped until it comes.
    void mark_closing();
    [[nodiscard]] bool closing() const { return closing_; }

    // For queues.
    [[nodiscard]] bool can_take(const consumer& taker) const;
    void hold_output(lsn until);
    void deliver(consumer& taker, queued_message item);
    /// Destroys consumers of its own, which are marked as ended and not with their queues any more;
    /// what they have outstanding stays with the channel.
    void drop_ended_consumers(std::span<consumer* const> gone);
    /// A message to this channel's address for direct replies.
    void deliver_reply(const message::parts& what);
    /// The queue of the consumer that had this tag was deleted.
    void tell_cancelled(octets tag);

    /// Cancels the consumers of queues that the user may not read any more.
    void end_unreadable_consumers();
    /// Takes back what consumers have kept for too long.
    void tick();
    /// The connection has room for output again.
    void consumers_ready();
    /// Sends the confirms that are due; true while some still wait for the disk.
    bool flush_confirms(lsn reached);
    bool confirms_noted = false;  ///< is in the engine's list of those with confirms of this event
    bool waits_for_disk = false;  ///< is in the list of those with confirms that the disk holds up

    [[nodiscard]] const ring<unacked_delivery>& unacked() const { return unacked_; }
    [[nodiscard]] std::size_t consumer_count() const { return consumers_.size(); }

private:
    fault on(const amqp::channel::flow& in);
    fault on(const amqp::exchange::declare& in);
    fault on(const amqp::exchange::delete_& in);
    fault on(const amqp::exchange::bind& in);
    fault on(const amqp::exchange::unbind& in);
    fault on(const amqp::queue::declare& in);
    fault on(const amqp::queue::bind& in);
    fault on(const amqp::queue::unbind& in);
    fault on(const amqp::queue::purge& in);
    fault on(const amqp::queue::delete_& in);
    fault on(const amqp::basic::qos& in);
    fault on(const amqp::basic::consume& in);
    fault on(const amqp::basic::cancel& in);
    fault on(const amqp::basic::get& in);
    fault on(const amqp::basic::reject& in);
    fault on(const amqp::basic::nack& in);
    fault on(const amqp::basic::recover& in);
    fault on(const amqp::basic::recover_async& in);
    fault on(const amqp::confirm::select& in);
    fault on(const amqp::tx::select& in);
    fault on(const amqp::tx::commit& in);
    fault on(const amqp::tx::rollback& in);
    fault on(const amqp::access::request& in);
    /// Methods that only a broker sends.
    template <class Method>
    fault on(const Method& in);

    fault redeclare(const exchange& there, const amqp::exchange::declare& in) const;
    fault redeclare(queue& there, const amqp::queue::declare& in) const;
    /// The queue's name, or that of the one last declared here for an empty name.
    fault resolve_queue(octets name, std::string& resolved) const;
    /// Takes a resolved name.
    fault find_accessible_queue(octets name, queue*& found) const;
    fault find_exchange_pair(
        octets source_name,
        octets target_name,
        octets key,
        exchange*& source,
        exchange*& target) const;
    fault find_bound(octets queue_name, octets exchange_name, queue*& target, exchange*& source);
    /// Destroys them; returns their queues, each once.
    std::vector<queue*> end_consumers(const std::vector<consumer*>& gone);
    void cancel_consumers(const std::vector<consumer*>& gone);

    fault check_access(access_right right, resource_kind kind, octets name) const;
    /// Passive declares: who has no right at all on a name is not told whether it is there.
    fault check_may_look(resource_kind kind, octets name) const;
    fault access_refused(resource_kind kind, octets resource) const;
    fault check_binding(resource_kind target, octets target_name, octets source_name, octets key)
        const;
    fault check_bound_topic(octets source_name, octets key) const;
    fault check_publish();
    fault check_published_topic(const exchange* through, octets key) const;
    fault topic_refused(octets exchange_name, octets key) const;
    /// Is there memory for another definition of so many octets? `what` for the text, e.g.
    /// "declare queue 'q'".
    fault check_room(std::uint64_t definition, const std::string& what) const;
    /// Arguments and room are looked at; what is bound already stays so.
    fault bind(exchange& source, route_target& target, octets key, const amqp::table& arguments);
    fault check_new_queue(octets name, const amqp::table& arguments) const;
    fault check_new_exchange(octets name, const amqp::table& arguments) const;
    void delete_if_unused(queue& left);

    fault check_new_tag(const std::string& tag) const;
    fault consume_replies(const amqp::basic::consume& in);
    void end_replies();
    fault declare_reply_queue(const std::string& name, bool no_wait);

    fault content_complete();
    /// Adds what has come of a content to the accounts; refuses too much of it.
    fault count_unfinished();
    fault find_publishable(exchange*& through);
    fault publish_content();
    /// Sends a mandatory message back that went nowhere.
    void answer_mandatory(const message::parts& what, const publish_outcome& outcome);
    void confirm(const publish_outcome& outcome);

    fault hold(const publication& what);
    void hold_settlements(std::uint64_t tag, bool multiple, verdict how);
    /// Ends the transaction's content, counted out of memory; the next begins empty.
    transaction take_held();
    fault check_again(const transaction& held);

    /// Calls `take` with the places of what is settled by that, in the order in which it is done.
    template <class Take>
    void for_each_settled(std::uint64_t tag, bool multiple, verdict how, Take&& take);
    fault settle(std::uint64_t tag, bool multiple, verdict how);
    void settle_one(std::size_t index, verdict how);
    /// Its place, or nowhere; of open ones only.
    [[nodiscard]] std::size_t find_unacked(std::uint64_t tag) const;
    /// The place of the first tag that is not below.
    [[nodiscard]] std::size_t place_of(std::uint64_t tag) const;
    void trim_unacked();
    void requeue_all(verdict how);
    [[nodiscard]] std::uint32_t late_at(const queue& source);
    void take_back(unacked_delivery& late);
    void add_unacked(unacked_delivery added);
    void write_delivery(const consumer& taker, std::uint64_t tag, const queued_message& item);
    void write_content(const queued_message& item);
    void write_content(const message::parts& what);

    template <class Method>
    void send(const Method& what);

    connection& owner_;
    engine& engine_;
    vhost& home_;
    std::uint16_t number_;
    bool closing_ = false;

    std::string last_queue_;
    octets_map<std::unique_ptr<consumer>> consumers_;
    std::uint32_t prefetch_new_ = 0;      // for consumers that start from now on
    std::uint32_t prefetch_channel_ = 0;  // for all of the channel
    std::uint32_t outstanding_ = 0;       // of consumers, for the channel's limit

    struct reply_consumer {
        std::string tag;
        std::string address;
    };
    std::unique_ptr<reply_consumer> replies_;  // null: takes no direct replies

    ring<unacked_delivery> unacked_;
    std::uint32_t earliest_late_ = 0;     // no unacked delivery is late before; 0: none ever is
    std::size_t settled_in_unacked_ = 0;  // entries that are settled, but not at the front
    std::uint64_t last_delivery_tag_ = 0;

    amqp::content_assembler content_;
    std::size_t content_octets_ = 0;    // of the unfinished content, as counted by the connection
    std::uint64_t refused_octets_ = 0;  // left of a content that is too large to be kept
    std::uint64_t refused_size_ = 0;
    std::string publish_exchange_;
    std::string publish_key_;
    bool publish_mandatory_ = false;

    /// The exchange that was published to last and may be published to, as long as nothing changes.
    struct {
        std::string exchange;
        std::uint64_t generation = 0;
        const topic_permission* topics = nullptr;  ///< null: all topics
    } gate_;

    struct pending_confirm {
        std::uint64_t tag = 0;
        lsn until = 0;
    };
    bool confirming_ = false;
    std::uint64_t last_publish_tag_ = 0;
    ring<pending_confirm> pending_confirms_;
    std::vector<std::uint64_t> ready_confirms_;
    std::unique_ptr<transaction> transaction_;  // null: not transactional
};

}  // namespace lovage::broker
