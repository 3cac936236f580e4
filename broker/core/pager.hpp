// Long queues on disk: keeps all pages, reads messages back from them, writes what becomes of them
// into the journal, and, when messages take more memory than they may, copies those that nobody is
// about to need into a segment (pager_out.cpp). Pages of which little is alive are copied together
// now and then, so that their segments can go.
// Owned by the engine, on its thread. Without a page_store nothing ever leaves the memory.
#pragma once

#include "broker/core/page.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lovage::broker {

class engine;

class pager {
public:
    /// With the due time, for a delay line.
    using taker = std::function<void(queued_message, std::uint64_t)>;

    explicit pager(engine& owner) : owner_(owner) {}
    ~pager();
    pager(const pager&) = delete;
    pager& operator=(const pager&) = delete;

    void use(page_store& store) { store_ = &store; }

    // For queues and delay lines.

    /// Reads a slice from the line's first page: what comes no later than `until` and before the
    /// first message of the next page. False if there was nothing.
    bool load(page_line& from, page_key until, std::size_t octet_count, const taker& take);
    /// A message in memory goes back to being on disk alone: the last of its page that was loaded.
    void unload(page_line& to, message& what, page_key key);
    /// Takes what is `wanted` out of a page without the cursor moving over it, and finds the page's
    /// times anew from what is left.
    std::vector<queued_message> visit(
        page_line& in,
        page& what,
        const std::function<bool(const message&)>& wanted);
    /// A message in memory that lies in a page is wanted no more. `replaced`: the journal knows.
    void settled(message& what, bool replaced);
    /// It came back to its queue for the so-many-th time.
    void returned(const message& what, std::uint32_t delivery_count);
    /// All that waits in the line is wanted no more; `told`: the journal knows.
    void drop(page_line& line, bool told);
    /// What lies in pages of it is settled without the journal from now on.
    void forget(const queue& gone);
    void forget(const delay_line& gone);

    // For the engine.

    /// As the journal has it; the caller puts it into its line.
    page& restore(page_facts found, std::uint32_t stored, journal_location where);
    void restore_next_id(page_id next) { next_page_id_ = std::max(next_page_id_, next); }
    /// Starts a segment if messages take too much memory.
    void page_out();
    /// The segment is on disk, or could not be written for want of space.
    void segment_written(std::uint64_t number, bool there);
    /// Copies pages together of whose segments little is alive.
    void compact();
    /// Writes the records of pages that lie in that file of the log again.
    void rewrite(std::uint64_t file);
    /// A segment is on its way to the disk.
    [[nodiscard]] bool writing() const { return in_flight_ != 0; }
    /// Memory is short and what is under way to the disk will free some.
    [[nodiscard]] bool behind() const;
    /// Half of the bound is reached: consumers that keep up if they are let should get their turns
    /// sooner.
    [[nodiscard]] bool filling() const;
    [[nodiscard]] std::size_t page_count() const { return pages_.size(); }
    void check_invariants() const;

private:
    friend class page_builder;

    /// What a page takes in memory, roughly.
    static constexpr std::uint64_t page_footprint = sizeof(page) + 128;

    /// A page in the segment that is being built or written.
    struct pending_page {
        std::unique_ptr<page> made;  ///< null: a copy of that page
        page_id copied = 0;
        page_place place;
        std::uint32_t stored = 0;     ///< messages that were copied
        std::vector<message_id> ids;  ///< by index
    };

    /// With that body; without it, only for a look at it.
    [[nodiscard]] queued_message make(const paged_message& found, page& home, octets body) const;
    /// Where it lies.
    [[nodiscard]] std::string body_of(const paged_message& found, octets& body);
    /// Dead messages need theirs no more.
    void release_blobs(page& of);
    [[nodiscard]] static page_key key_of(const page& home, const paged_message& found);
    template <class Holder>
    void forget(const Holder& gone, Holder* page::* holder);
    void set_aside(page& what, const std::string& why);
    void record(page& what, std::span<const message_id> moved);
    void bury(page& gone);
    void drop_segment_use(std::uint64_t segment);
    [[nodiscard]] std::uint64_t used() const;
    void copy(page& what);
    void take_over(pending_page& what, std::uint64_t segment);
    /// A page that will not be.
    void give_up(page& made);
    void seal();
    [[nodiscard]] journal& log() const;

    engine& owner_;
    page_store* store_ = nullptr;
    std::unordered_map<page_id, std::unique_ptr<page>> pages_;
    std::unordered_map<std::uint64_t, std::uint32_t> pages_in_;  // by segment
    page_id next_page_id_ = 1;
    std::vector<pending_page> pending_;
    std::uint64_t in_flight_ = 0;         // segment that is being written; 0: none
    bool paging_ = false;                 // until memory is well below the bound
    std::uint64_t again_at_octets_ = 0;   // memory at which it is worth another look
    std::optional<time_point> retry_at_;  // after a full disk
    time_point compacted_at_{};
};

/// Copies messages of one holder after the other into the open segment, in pages that are neither
/// too long nor of two kinds.
class page_builder {
public:
    explicit page_builder(pager& owner) : owner_(owner) {}

    /// The segment holds as much as one should.
    [[nodiscard]] bool full() const { return room() == 0; }
    [[nodiscard]] bool empty() const { return owner_.store_->open_octets() == 0; }
    /// How much may be added.
    [[nodiscard]] std::uint64_t room() const;
    /// Of whom the next messages are. One of the two.
    void begin(queue* of_queue, delay_line* of_line, std::uint8_t level);
    /// In the order of their keys; best all that are in the journal first, then the others.
    void add(const queued_message& what, std::uint64_t due_ms, bool in_journal);
    void end_page();
    /// Octets that leave the memory with what was added so far.
    [[nodiscard]] std::uint64_t freed() const { return freed_; }

private:
    pager& owner_;
    queue* queue_ = nullptr;
    delay_line* line_ = nullptr;
    std::uint8_t level_ = 0;
    bool open_ = false;
    std::uint64_t begun_at_ = 0;
    std::uint64_t in_blobs_ = 0;   // octets of the open page's bodies
    std::uint64_t new_blobs_ = 0;  // octets of all that were written for these pages
    std::uint64_t freed_ = 0;
};

}  // namespace lovage::broker
