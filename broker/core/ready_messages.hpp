// The ready messages of a queue: one ring in the order of their ids, or, where the queue has
// priorities, one for each. Plain queues pay a comparison for it and no memory.
// Owned by its queue, which counts octets and writes the journal.
//
// Invariants:
//  1. Each ring is sorted by message id, without duplicates.
//  2. A message is in the ring of its priority; those above the highest are in the highest.
//  3. levels_->filled has a bit for each ring that is not empty, levels_->count is their sum.
#pragma once

#include "broker/core/message.hpp"
#include "framework/base/ring.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace lovage::broker {

/// A message in one queue, with what happened to it there.
struct queued_message {
    message_ptr body;
    std::uint32_t delivery_count = 0;  ///< how often it came back
    bool redelivered = false;
};

class ready_messages {
public:
    /// `highest` priority; 0 for a queue without priorities. What the entries take is added to
    /// `account` and taken off again; that of the messages themselves is theirs.
    ready_messages(std::uint8_t highest, std::uint64_t& account);

    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t size() const { return levels_ ? levels_->count : plain_.size(); }
    /// The next to be delivered: the oldest of the highest priority.
    [[nodiscard]] const queued_message& front() const {
        return levels_ ? levels_->rings[levels_->highest()].front() : plain_.front();
    }
    queued_message pop_front() {
        account_ -= sizeof(queued_message);
        return levels_ ? levels_->pop(levels_->highest()) : plain_.pop_front();
    }
    /// The one that goes when the queue is too long: the oldest of the lowest priority.
    queued_message pop_victim() {
        account_ -= sizeof(queued_message);
        return levels_ ? levels_->pop(levels_->lowest()) : plain_.pop_front();
    }
    /// Its id must be the highest.
    void push_back(queued_message item);
    /// To its place by its id.
    void insert(queued_message item);
    /// Takes the message out, wherever it is. Nothing if it is not here.
    std::optional<queued_message> extract(message_id id, std::uint8_t priority);
    [[nodiscard]] bool contains(message_id id, std::uint8_t priority) const;
    [[nodiscard]] bool has_priorities() const { return levels_ != nullptr; }
    /// Memory included.
    void clear();

    /// In the order of delivery.
    template <class Take>
    void for_each(Take&& take) const {
        for (std::size_t level = levels_ ? levels_->rings.size() : 1; level > 0; --level) {
            const auto& ring = levels_ ? levels_->rings[level - 1] : plain_;
            for (std::size_t i = 0; i < ring.size(); ++i) {
                take(ring[i]);
            }
        }
    }
    void check_invariants() const;

private:
    struct levels {
        std::vector<ring<queued_message>> rings;
        std::array<std::uint64_t, 4> filled{};  // 256 bits
        std::size_t count = 0;

        [[nodiscard]] std::size_t highest() const;
        [[nodiscard]] std::size_t lowest() const;
        queued_message pop(std::size_t level);
        /// Where the message belongs; it is about to be put there.
        ring<queued_message>& add(const queued_message& item);
        /// One was taken from the ring of that level.
        void taken(std::size_t level);
    };

    [[nodiscard]] std::size_t level_of(std::uint8_t priority) const;
    [[nodiscard]] const ring<queued_message>& ring_of(std::uint8_t priority) const {
        return levels_ ? levels_->rings[level_of(priority)] : plain_;
    }

    std::uint64_t& account_;
    ring<queued_message> plain_;
    std::unique_ptr<levels> levels_;  // null without priorities
};

}  // namespace lovage::broker
