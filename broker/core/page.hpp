// A page: messages of one queue and priority, or of one delay line, that lie in a segment. The
// object knows which of them are still wanted and how far they have been read back into memory.
// page_line: the pages of one level that still have something on disk alone, in their order.
// Owned by the pager, on the engine's thread. Does no I/O, writes no journal.
//
// Invariants of a page:
//  1. live() counts the messages that are not dead; waiting() those of them that are not in memory.
//  2. What is before the cursor or marked as away is in memory or dead.
//  3. It is in its line while waiting() is not 0.
#pragma once

#include "broker/core/journal.hpp"
#include "broker/core/page_store.hpp"
#include "broker/core/ready_messages.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lovage::broker {

class delay_line;
class queue;

/// By what the messages of a line are ordered: the id, or the due time and the id.
using page_key = std::pair<std::uint64_t, std::uint64_t>;

inline constexpr page_key no_key{std::numeric_limits<std::uint64_t>::max(), 0};

/// Small numbers, mostly few of them or all below some bound.
class index_set {
public:
    index_set() = default;
    /// Of one bit each, the lowest first.
    explicit index_set(std::vector<std::uint64_t> words) : words_(std::move(words)) {}
    [[nodiscard]] bool has(std::uint32_t index) const {
        const std::size_t word = index / word_bits;
        return word < words_.size() && (words_[word] >> (index % word_bits) & 1U) != 0;
    }
    /// False if it was there.
    bool add(std::uint32_t index);
    [[nodiscard]] const std::vector<std::uint64_t>& words() const { return words_; }

private:
    static constexpr std::size_t word_bits = 64;
    std::vector<std::uint64_t> words_;
};

/// A message of a page, by its index, whose body lies in a blob.
struct blob_use {
    std::uint32_t index = 0;
    message_id blob = 0;
    std::uint64_t octets = 0;
};

/// Of some messages, in Unix milliseconds.
struct page_times {
    std::uint64_t oldest_ms = message::no_expiration;        ///< earliest time of publishing
    std::uint64_t first_expiry_ms = message::no_expiration;  ///< earliest by a message's own

    void note(const message& body);
};

/// What the journal keeps of a page; the times are of those that are not dead, or earlier.
struct page_facts : page_times {
    page_id id = 0;
    queue_id of{};
    std::uint8_t level = 0;  ///< of a queue's priorities
    page_place place;
    std::uint32_t count = 0;  ///< of messages when it was made
    message_id first_id = 0;  ///< lowest
    message_id last_id = 0;   ///< highest
    std::uint64_t first_due_ms = 0;
    std::uint64_t body_octets = 0;  ///< of those that are not dead
    index_set dead;
    /// Delivery counts of those that came back, by index.
    boost::unordered_flat_map<std::uint32_t, std::uint32_t> returned;
    std::vector<blob_use> blobs;  ///< of those that are not dead
};

class page {
public:
    explicit page(page_facts facts) : facts_(std::move(facts)) {}

    [[nodiscard]] page_id id() const { return facts_.id; }
    [[nodiscard]] const page_facts& facts() const { return facts_; }
    [[nodiscard]] page_facts& facts() { return facts_; }
    [[nodiscard]] std::uint32_t live() const { return live_; }
    [[nodiscard]] std::uint32_t waiting() const { return waiting_; }
    [[nodiscard]] std::uint64_t waiting_octets() const { return waiting_octets_; }
    [[nodiscard]] bool is_dead(std::uint32_t index) const { return facts_.dead.has(index); }
    /// Must the reader pass it over?
    [[nodiscard]] bool passed_over(std::uint32_t index) const {
        return index < next_index || is_dead(index) || away_.has(index);
    }

    /// All that is not dead is on disk alone.
    void all_wait();
    /// Of a new page: only these places, in their order, of the messages that have gone into it.
    void keep_only(
        const std::vector<std::uint32_t>& places,
        const std::vector<queued_message>& gone);
    /// One that waited is in memory now; `in_order`: the cursor is moved behind it by the caller.
    void came(std::uint32_t index, std::uint64_t body_octets, bool in_order);
    /// The cursor goes back: that one is on disk alone again.
    void went(std::uint32_t index, std::uint64_t body_octets, page_key key);
    /// One in memory has left its line before its turn.
    void left(std::uint32_t index) { away_.add(index); }
    /// One in memory is wanted no more.
    void died(std::uint32_t index, std::uint64_t body_octets);
    /// All that waited is wanted no more; calls `told(first, more)` for each run of them.
    void kill_waiting(const std::function<void(std::uint32_t, std::uint32_t)>& told);
    /// It cannot be read: what waits in it is no longer counted.
    void set_aside();

    queue* in_queue = nullptr;  ///< one of these two; null when that is gone
    delay_line* in_line = nullptr;
    bool in_journal = false;  ///< all its messages are, or none
    bool unreadable = false;
    std::uint32_t stored = 0;  ///< messages in its place, dead ones too
    journal_location location;
    // The cursor.
    std::uint32_t next_index = 0;
    std::uint64_t next_offset = 0;  ///< within the page; may lie before next_index
    page_key next_key{};            ///< no message that waits comes before it
    page_times waits;               ///< of those that wait, or earlier

private:
    page_facts facts_;
    index_set away_;  // in memory though behind the cursor
    std::uint32_t live_ = 0;
    std::uint32_t waiting_ = 0;
    std::uint64_t waiting_octets_ = 0;
};

/// By the key, then by the id: the same order in every run.
struct earlier_page {
    template <class Key>
    bool operator()(const std::pair<Key, page*>& left, const std::pair<Key, page*>& right) const {
        return left.first != right.first ? left.first < right.first
                                         : left.second->id() < right.second->id();
    }
};

class page_line {
public:
    [[nodiscard]] bool empty() const { return order_.empty(); }
    /// Messages that wait, and the octets of their bodies.
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] std::uint64_t body_octets() const { return body_octets_; }
    [[nodiscard]] page& front() const { return *order_.begin()->second; }
    [[nodiscard]] page_key next_key() const { return empty() ? no_key : order_.begin()->first; }
    /// Of the page after the first.
    [[nodiscard]] page_key second_key() const {
        return order_.size() < 2 ? no_key : std::next(order_.begin())->first;
    }
    /// No message of its pages has a higher id.
    [[nodiscard]] message_id last_id() const { return last_id_; }
    /// Bounds over all pages; no_expiration if there is none.
    [[nodiscard]] std::uint64_t oldest_ms() const;
    [[nodiscard]] std::uint64_t first_expiry_ms() const;

    /// By its cursor.
    void insert(page& added);
    /// Before its cursor or its counts change; insert() puts it back if something still waits.
    void take_out(page& changed);
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (const auto& [key, each] : order_) {
            visit(*each);
        }
    }

private:
    std::set<std::pair<page_key, page*>, earlier_page> order_;
    std::size_t count_ = 0;
    std::uint64_t body_octets_ = 0;
    message_id last_id_ = 0;
    // Found again when somebody asks, because few do.
    mutable std::optional<std::uint64_t> oldest_ms_ = message::no_expiration;
    mutable std::optional<std::uint64_t> first_expiry_ms_ = message::no_expiration;
};

}  // namespace lovage::broker
