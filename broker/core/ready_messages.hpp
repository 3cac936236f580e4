// The ready messages of a queue: one level in the order of their ids, or, where the queue has
// priorities, one for each. A level holds its head and its tail in memory; what lies between them
// may be on disk alone, in pages, and is read back when the head has been taken.
// Plain short queues pay a comparison for all that and no memory.
// Owned by its queue, which counts octets and writes the journal.
//
// Invariants:
//  1. Each ring is sorted by message id, without duplicates. In a level the tail comes after head
//     and pages; without pages there is no tail unless there is a head.
//  2. A message is in the level of its priority; those above the highest are in the highest.
//  3. levels_->filled has a bit for each level that is not empty, levels_->count is their sum.
//  4. What was never taken has a higher id than all that was ever taken from its level.
#pragma once

#include "broker/core/message.hpp"
#include "framework/base/ring.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace lovage::broker {

class page;
class page_builder;
class page_line;
class pager;
class queue;

/// A message in one queue, with what happened to it there.
struct queued_message {
    message_ptr body;
    std::uint32_t delivery_count = 0;  ///< how often it came back
    bool redelivered = false;
};

class ready_level {
public:
    ready_level();
    ~ready_level();
    ready_level(ready_level&&) noexcept;
    ready_level& operator=(ready_level&&) noexcept;

    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t size() const { return middle_ ? size_with_middle() : head_.size(); }
    /// Of these, how many are in memory.
    [[nodiscard]] std::size_t in_memory() const;
    /// Is the next one in memory? It is the head's first if no page has an earlier one.
    [[nodiscard]] bool loaded() const { return middle_ ? loaded_before_pages() : !head_.empty(); }
    [[nodiscard]] const queued_message& front() const { return head_.front(); }
    queued_message pop_front();
    void push_back(queued_message item);
    /// As found in the log; ids must grow.
    void restore(queued_message item);
    void insert(queued_message item);
    void clear();
    void note_taken(message_id id) { taken_up_to_ = id > taken_up_to_ ? id : taken_up_to_; }
    /// Makes the front a message in memory if there is one; `see` gets what was read from disk.
    /// False if there is none.
    bool load(pager& from, const std::function<void(const queued_message&)>& see);

    [[nodiscard]] bool contains(message_id id) const;
    void extract(const std::vector<message_id>& ids, std::vector<queued_message>& into);
    /// Pages; null if there are none.
    [[nodiscard]] page_line* pages() const;
    page_line& pages_for_more();
    /// Offers what has not been taken to the builder, but for about `keep` octets at the head.
    void page_out(
        pager& by,
        page_builder& into,
        std::uint64_t keep,
        const std::function<bool(const queued_message&)>& in_journal);
    /// Those of `ids` that are here as they were then go to `gone`; `still` takes their indexes.
    void take_paged(
        const std::vector<message_id>& ids,
        std::vector<queued_message>& gone,
        std::vector<std::uint32_t>& still);
    /// Without pages the tail is the head, once that is empty. To be called when pages have gone.
    void close_gap();

    template <class Take>
    void for_each(Take&& take) const {
        for (std::size_t i = 0; i < head_.size(); ++i) {
            take(head_[i]);
        }
        for (std::size_t i = 0; i < tail().size(); ++i) {
            take(tail()[i]);
        }
    }
    void check_invariants() const;

private:
    struct middle;

    [[nodiscard]] std::size_t size_with_middle() const;
    [[nodiscard]] bool loaded_before_pages() const;
    [[nodiscard]] const ring<queued_message>& tail() const;
    void unload(pager& by, std::uint64_t keep);

    ring<queued_message> head_;
    std::unique_ptr<middle> middle_;  // null while everything is in head_
    message_id taken_up_to_ = 0;
};

class ready_messages {
public:
    /// `highest` priority; 0 for a queue without priorities. What the entries take is added to
    /// `account` and taken off again; that of the messages themselves is theirs.
    ready_messages(std::uint8_t highest, std::uint64_t& account);

    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t size() const { return levels_ ? levels_->count : plain_.size(); }
    /// In memory is how many of them.
    [[nodiscard]] std::size_t in_memory() const;
    /// Is the next to be delivered in memory? If not, load() it first.
    [[nodiscard]] bool loaded() const { return next_level().loaded(); }
    /// Reads from disk what is next. False if there is nothing, or nothing that can be read.
    /// `lowest`: what pop_victim() takes.
    bool load(pager& from, bool lowest, const std::function<void(const queued_message&)>& see);
    /// The next to be delivered: the oldest of the highest priority.
    [[nodiscard]] const queued_message& front() const { return next_level().front(); }
    queued_message pop_front() {
        account_ -= sizeof(queued_message);
        return levels_ ? levels_->pop(levels_->highest()) : plain_.pop_front();
    }
    [[nodiscard]] bool victim_loaded() const {
        return levels_ ? levels_->at(levels_->lowest()).loaded() : plain_.loaded();
    }
    /// The one that goes when the queue is too long: the oldest of the lowest priority.
    queued_message pop_victim() {
        account_ -= sizeof(queued_message);
        return levels_ ? levels_->pop(levels_->lowest()) : plain_.pop_front();
    }
    /// Its id must be the highest.
    void push_back(queued_message item);
    /// As found in the log, after the pages; ids must grow.
    void restore(queued_message item);
    /// Comes back to its place by its id.
    void insert(queued_message item);
    /// Takes these messages out, wherever they are in memory, in one walk; `ids` in their order.
    /// What is not here is passed over.
    void extract(const std::vector<message_id>& ids, std::vector<queued_message>& into);
    /// In memory.
    [[nodiscard]] bool contains(message_id id, std::uint8_t priority) const;
    [[nodiscard]] bool has_priorities() const { return levels_ != nullptr; }
    /// What is in memory, and the memory.
    void clear();

    [[nodiscard]] bool has_pages() const;
    template <class Visit>
    void for_each_line(Visit&& visit) const {
        for_each_level([&](const ready_level& each) {
            if (page_line* pages = each.pages(); pages != nullptr) {
                visit(*pages);
            }
        });
    }
    void add_page(page& what);
    /// The messages of pages of that level have changed: counts and bits follow.
    void recount();
    /// All levels.
    void note_taken(message_id id);
    void page_out(
        queue& home,
        pager& by,
        page_builder& into,
        std::uint64_t keep,
        const std::function<bool(const queued_message&)>& in_journal);
    /// As ready_level::take_paged(), of the page's level.
    void take_paged(
        const page& what,
        const std::vector<message_id>& ids,
        std::vector<queued_message>& gone,
        std::vector<std::uint32_t>& still);

    /// What is in memory, in the order of delivery.
    template <class Take>
    void for_each(Take&& take) const {
        for_each_level([&](const ready_level& each) { each.for_each(take); });
    }
    void check_invariants() const;

private:
    struct level_set {
        std::vector<std::unique_ptr<ready_level>> levels;  // null until something is put there
        message_id taken_up_to = 0;                        // noted for those that are null
        std::array<std::uint64_t, 4> filled{};             // 256 bits
        std::size_t count = 0;

        [[nodiscard]] std::size_t highest() const;
        [[nodiscard]] std::size_t lowest() const;
        queued_message pop(std::size_t level);
        /// An empty one where there is none.
        [[nodiscard]] const ready_level& at(std::size_t level) const;
        /// Makes it if there is none.
        ready_level& make(std::size_t level);
        /// Where the message belongs; it is about to be put there.
        ready_level& add(const queued_message& item);
        /// So many were taken from that level.
        void taken(std::size_t level, std::size_t how_many);
    };

    [[nodiscard]] std::size_t level_of(std::uint8_t priority) const;
    [[nodiscard]] const ready_level& level(std::uint8_t priority) const {
        return levels_ ? levels_->at(level_of(priority)) : plain_;
    }
    [[nodiscard]] ready_level& level(std::uint8_t priority) {
        return levels_ ? levels_->make(level_of(priority)) : plain_;
    }
    [[nodiscard]] const ready_level& next_level() const {
        return levels_ ? levels_->at(levels_->highest()) : plain_;
    }
    template <class Visit>
    void for_each_level(Visit&& visit) const {
        if (!levels_) {
            visit(plain_);
            return;
        }
        for (std::size_t at = levels_->levels.size(); at > 0; --at) {
            if (const auto& each = levels_->levels[at - 1]; each) {
                visit(*each);
            }
        }
    }

    std::uint64_t& account_;
    ready_level plain_;
    std::unique_ptr<level_set> levels_;  // null without priorities
};

}  // namespace lovage::broker
