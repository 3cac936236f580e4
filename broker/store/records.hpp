// What the engine puts into the log: queues, exchanges, bindings, messages, settings; and where a
// record lies. The octets fields are views that need to live only as long as the call they are
// passed to (or, from recovery, as long as its comment says). Pure values.
#pragma once

#include "broker/store/format.hpp"

#include <optional>
#include <span>
#include <utility>

namespace lovage::broker::store {

/// Where a record lies that keeps something alive, for log::released().
struct location {
    file_number file = 0;     ///< 0: nowhere, such as a transient thing; releasing it does nothing
    std::uint32_t bytes = 0;  ///< of the whole record
    friend bool operator==(const location&, const location&) = default;
};

/// Bits of queue_record::flags and exchange_record::flags.
inline constexpr std::uint8_t entity_durable = 1;
inline constexpr std::uint8_t entity_auto_delete = 2;
inline constexpr std::uint8_t entity_exclusive = 4;
inline constexpr std::uint8_t entity_internal = 8;
/// No queue, but the messages that wait in the exchange whose name its arguments are; no name.
inline constexpr std::uint8_t entity_delay_line = 16;

struct queue_record {
    queue_id id = 0;  ///< chosen by the engine, never used again for another queue
    std::uint8_t flags = 0;
    message_id delivered = 0;  ///< highest message id ever handed to a consumer
    octets vhost;
    octets name;
    octets arguments;  ///< the engine's encoding
};

struct exchange_record {
    std::uint8_t flags = 0;
    octets vhost;
    octets name;
    octets type;
    octets arguments;
};

enum class binding_target : std::uint8_t { queue = 0, exchange = 1 };

/// All fields together are the binding's identity.
struct binding_record {
    binding_target target = binding_target::queue;
    octets vhost;
    octets source;
    octets destination;
    octets routing_key;
    octets arguments;
};

/// A message's place in one queue.
struct queue_entry {
    queue_id queue = 0;
    std::uint32_t delivery_count = 0;
    bool redelivered = false;
    friend bool operator==(const queue_entry&, const queue_entry&) = default;
};

/// A message in one queue; in a page if that is not 0.
struct message_ref {
    queue_id queue = 0;
    message_id message = 0;
    page_id page = 0;
    std::uint32_t index = 0;       ///< in the page
    std::uint64_t body_bytes = 0;  ///< of one in a page
};

/// A body that lies in a file of its own.
struct blob_ref {
    blob_id blob = 0;         ///< 0: none
    std::uint64_t bytes = 0;  ///< of the body
    friend bool operator==(const blob_ref&, const blob_ref&) = default;
};

struct publish_record {
    message_id id = 0;             ///< chosen by the engine, ascending, never used again
    std::uint64_t arrived_ms = 0;  ///< Unix time of arrival, 0 for unknown; kept for the engine
    std::uint64_t due_ms = 0;      ///< Unix time before which it is not delivered; kept likewise
    octets exchange;
    octets routing_key;
    octets properties;  ///< the engine's encoding
    octets body;        ///< unless it lies in a blob
    blob_ref blob;      ///< whose id is not above that of the message
    std::span<const queue_entry> queues;
    /// The message whose place this one takes (dead-lettering): settled by the same record.
    std::optional<message_ref> replaces;

    [[nodiscard]] std::uint64_t body_bytes() const {
        return blob.blob != 0 ? blob.bytes : body.size();
    }
};

/// A message of a page, by its index, whose body lies in a blob.
struct paged_blob {
    std::uint32_t index = 0;
    blob_ref ref;
    friend bool operator==(const paged_blob&, const paged_blob&) = default;
};

/// A page: messages of one queue, or delay line, that lie in a segment.
struct page_record {
    page_id id = 0;  ///< chosen by the engine, never used again
    queue_id queue = 0;
    std::uint8_t level = 0;  ///< of the queue's priorities
    segment_number segment = 0;
    std::uint64_t offset = 0;  ///< in the segment, of its first record
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;       ///< of messages when it was made
    message_id first_message = 0;  ///< lowest id
    message_id last_message = 0;   ///< highest
    std::uint64_t first_due_ms = 0;
    std::uint64_t oldest_ms = 0;  ///< of arrival
    std::uint64_t first_expiry_ms = 0;
    std::uint64_t body_bytes = 0;  ///< of those that are alive
    /// Dead ones: one bit an index, the lowest first; what is missing at the end is 0.
    std::span<const std::uint64_t> dead;
    /// Delivery counts of some, by index.
    std::span<const std::pair<std::uint32_t, std::uint32_t>> returned;
    /// Of those that are alive, ascending.
    std::span<const paged_blob> blobs;
    /// Of its queue, settled from the log by this record.
    std::span<const message_id> moved;
};

/// Of a page, `first` to `first + more` are gone.
struct page_run {
    page_id page = 0;
    std::uint32_t first = 0;
    std::uint32_t more = 0;
    std::uint64_t body_bytes = 0;  ///< in all
};

/// A message in a segment.
struct segment_message {
    std::uint32_t index = 0;  ///< in its page
    bool persistent = false;
    std::uint32_t deaths_left = 0;
    publish_record record;  ///< with one queue
};

}  // namespace lovage::broker::store
