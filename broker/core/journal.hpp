// What the engine wants remembered, as the log's driver offers it: definitions, persistent messages
// on durable queues, what was settled, returned and delivered. The calls only add records to the
// batch that is open; engine::durable() tells later how far the log has reached the disk.
// Same thread as the engine. Implemented by server/log_journal.hpp, by fakes in tests.
#pragma once

#include "broker/core/ids.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace lovage::broker {

/// Where a record lies that keeps something alive; given back by released() when it no longer does.
struct journal_location {
    std::uint32_t file = 0;
    std::uint32_t record_octets = 0;  ///< 0: nothing was written
};

struct queue_definition {
    queue_id id{};
    octets vhost;
    octets name;
    bool auto_delete = false;
    octets arguments;  ///< encoded field table, length included
    /// As the last delivered() or mark_lowered() of this queue said.
    message_id delivered_up_to = 0;
};
struct exchange_definition {
    octets vhost;
    octets name;
    octets type;
    bool auto_delete = false;
    bool internal = false;
    octets arguments;
};
struct binding_definition {
    octets vhost;
    octets exchange;
    octets target;  ///< name of a queue, or of an exchange
    bool to_exchange = false;
    octets routing_key;
    octets arguments;
};
/// One durable queue that holds a message, with what happened to it there.
struct holding {
    queue_id queue{};
    std::uint32_t delivery_count = 0;
    bool redelivered = false;
};

/// A message as one queue, or the line of one delayed exchange, holds it.
struct held_copy {
    queue_id queue{};
    message_id message = 0;
    std::uint64_t page = 0;  ///< in which it lies, and where in it; 0: the log itself holds it
    std::uint32_t page_index = 0;
    std::uint64_t body_octets = 0;  ///< of one in a page
};

/// That a queue or an exchange has taken a message with that deduplication key.
struct dedup_mark {
    octets vhost;
    octets exchange;   ///< empty for a queue
    queue_id queue{};  ///< 0 for an exchange
    octets key;
    std::uint64_t until_ms = 0;  ///< Unix milliseconds; afterwards it means nothing
    message_id serial = 0;       ///< grows from mark to mark: the lowest make room first
};

class message;
struct page_facts;

class journal {
public:
    virtual ~journal() = default;

    virtual journal_location queue_declared(const queue_definition& what) = 0;
    virtual void queue_deleted(queue_id id, octets vhost, octets name) = 0;
    virtual journal_location exchange_declared(const exchange_definition& what) = 0;
    virtual void exchange_deleted(octets vhost, octets name) = 0;
    virtual journal_location bound(const binding_definition& what) = 0;
    virtual void unbound(const binding_definition& what) = 0;

    /// With `instead_of` the message takes that one's place, in one record: that one is settled by
    /// it, so that no crash leaves both or neither.
    virtual journal_location published(
        const message& what,
        std::span<const holding> in,
        std::optional<held_copy> instead_of) = 0;
    /// Keeps for a delayed exchange what waits there. The line's id is a queue's for delayed(),
    /// settled() and queue_deleted(), which takes an empty name.
    virtual journal_location delay_line_declared(queue_id id, octets vhost, octets exchange) = 0;
    /// A message that waits in that line until `due_ms`, Unix milliseconds.
    virtual journal_location delayed(
        const message& what,
        queue_id line,
        std::uint64_t due_ms,
        std::optional<held_copy> instead_of) = 0;
    /// Kept until it is written again, forgotten, or its location released.
    virtual journal_location remembered(const dedup_mark& what) = 0;
    virtual void forgotten(const dedup_mark& what) = 0;
    /// What an operator has set; kept until it is put again or erased. The key does not begin with
    /// "dedup" and an octet of zero, which marks are kept under.
    virtual journal_location setting_put(octets key, octets value) = 0;
    virtual void setting_erased(octets key) = 0;
    virtual void settled(queue_id queue, message_id id) = 0;
    virtual void returned(queue_id queue, message_id id, std::uint32_t delivery_count) = 0;
    /// Messages up to this id may have been sent to somebody; written before what is published in
    /// the same batch.
    virtual void delivered(queue_id queue, message_id id) = 0;
    /// None above this id has been: what delivered() said ran ahead.
    virtual void mark_lowered(queue_id queue, message_id id) = 0;

    /// The messages of a page, which is on disk, are kept there: the `moved` of its queue or line
    /// are settled by this record. Written again with none, it takes the place of the record
    /// before.
    virtual journal_location paged(const page_facts& what, std::span<const message_id> moved) = 0;
    /// Of that page `first` to `first + more` are settled; `body_octets` is the sum of their
    /// bodies.
    virtual void page_settled(
        std::uint64_t page,
        std::uint32_t first,
        std::uint32_t more,
        std::uint64_t body_octets) = 0;
    virtual void page_returned(
        std::uint64_t page,
        std::uint32_t index,
        std::uint32_t delivery_count) = 0;
    /// All of it is settled.
    virtual void page_dropped(std::uint64_t page) = 0;

    virtual void released(journal_location location) = 0;
    /// The position of the last record that was added.
    [[nodiscard]] virtual lsn last() const = 0;
    /// Of the last record that is not in the open batch any more.
    [[nodiscard]] virtual lsn taken() const = 0;
};

}  // namespace lovage::broker
