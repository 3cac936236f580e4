// The engine's half of the write-ahead log: encodes what happens into the open batch and keeps
// account of what is still alive in which file. No I/O; single-threaded, on the engine's thread.
// The driver takes the batch when the one before it is on disk (that is the group commit), has it
// written by log_writer, and then tells the engine that batch.highest is durable.
// Format: docs/store_format.md. Not kept here: the messages and definitions themselves.
#pragma once

#include "broker/store/batch.hpp"
#include "broker/store/record_codec.hpp"
#include "broker/store/records.hpp"
#include "broker/store/tail.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace lovage::broker::store {

struct log_options {
    /// Nominal size of a log file; records are never split, so files differ from it a little.
    std::uint64_t file_bytes = std::uint64_t{64} << 20U;
    /// wants_rewrite() asks for nothing while no more than this many files are closed.
    std::size_t rewrite_files_min = 2;
    /// A batch's buffer that grew beyond this is given back to the system after use.
    std::size_t buffer_bytes_kept = std::size_t{16} << 20U;
    /// wants_rewrite() asks at once for an oldest file of which less than one part in so many is
    /// alive: that costs next to nothing, and there is less to read at the next start.
    std::uint64_t nearly_dead_share = 16;
};

// Invariants:
// 1. files_ are numbered without gaps; the last one is open, the others are closed.
// 2. For each file live <= bytes; bytes count its records.
// 3. While a batch is open, its first run starts where the batch before ended.
class log {
public:
    log(const log_options& options, const recovered_tail& tail);

    // Definitions. The location is released when the thing is deleted or appended again.
    location queue_declared(const queue_record& record) {
        return append_record(record_type::queue_declared, record);
    }
    /// Ends its bindings and its place in all messages too, as far as the log is concerned; what
    /// is gone by that is still to be released() by the engine.
    void queue_deleted(queue_id id, octets vhost, octets name);
    location exchange_declared(const exchange_record& record) {
        return append_record(record_type::exchange_declared, record);
    }
    /// Ends the bindings from and to it too.
    void exchange_deleted(octets vhost, octets name);
    location bound(const binding_record& record) {
        return append_record(record_type::bound, record);
    }
    void unbound(const binding_record& record) { append_record(record_type::unbound, record); }
    /// Any other thing that has to last (users, virtual hosts, policies), by key.
    location setting_put(octets key, octets value);
    void setting_erased(octets key);

    /// A message that is stored, or is moved here from an old file: then with the same id, the
    /// queues that still have it and their present counts.
    location published(const publish_record& record) {
        return append_record(record_type::published, record);
    }
    /// A body that the records from now on refer to: it is on disk before they are. Its octets have
    /// to stay until the batch that is open is given back.
    void keep_blob(blob_id blob, octets body) {
        open_.blobs.push_back({blob, body});
        blob_bytes_ += body.size();
    }
    /// The queue has the message no more. Cheap: runs of ids are collected until the batch is
    /// taken. A (queue, message) that is settled never comes back.
    void settled(queue_id queue, message_id message) {
        if (queue == run_.queue && message == run_.first + run_.more + 1 && run_open_) {
            ++run_.more;
            return;
        }
        begin_settled_run(queue, message);
    }
    /// Back in the queue: redelivered from now on, with this delivery count.
    void returned(queue_id queue, message_id message, std::uint32_t delivery_count);
    /// A page, which is on disk: alive until all of it is settled or it is written again.
    location paged(const page_record& record);
    /// Collected into runs, as settled().
    void page_settled(const page_run& run) {
        if (run.page == page_run_.page && run.first == page_run_.first + page_run_.more + 1) {
            page_run_.more += run.more + 1;
            page_run_.body_bytes += run.body_bytes;
            return;
        }
        begin_page_run(run);
    }
    void page_returned(page_id page, std::uint32_t index, std::uint32_t delivery_count);
    /// All of it is settled.
    void page_dropped(page_id page);

    /// Messages up to this id may have been handed to a consumer. Only the highest id of a queue is
    /// kept in a batch, and it is written in front of all that was published in the batch. Somebody
    /// may wait for it.
    void delivered(queue_id queue, message_id message) {
        if (queue == last_marked_queue_ && last_mark_ < marks_.size()) {
            marks_[last_mark_].second = std::max(marks_[last_mark_].second, message);
            return;
        }
        mark_delivered(queue, message);
    }

    /// None above this id has been.
    void mark_lowered(queue_id queue, message_id message);

    /// What lay there is gone: settled in all its queues, deleted, or appended again.
    void released(location where);

    /// The oldest file with something alive, when it should be emptied because nearly all of it or
    /// more than half of the closed files is dead: the engine appends again what it still holds
    /// with that location::file and releases the old locations, in any number of batches; then asks
    /// again. None that would need more than `room` octets of the disk.
    [[nodiscard]] std::optional<file_number> wants_rewrite(
        std::uint64_t room = ~std::uint64_t{0}) const;

    /// With little space left, files are emptied for less: as soon as that gains a whole file.
    void space_is_low(bool low) { space_low_ = low; }

    /// A number that is durable when all appended so far is: nothing appended so far is confirmed
    /// before a batch with `highest` at or above it is on disk.
    [[nodiscard]] lsn last_lsn() const;
    /// Of the last batch that was taken, its highest.
    [[nodiscard]] lsn taken_lsn() const { return previous_; }
    /// True when something is to be written.
    [[nodiscard]] bool has_batch() const {
        return body_records_ != 0 || has_loose() || !open_.blobs.empty();
    }
    /// True when someone may wait for it: more than settlements, which lose nothing but time if
    /// they wait a few milliseconds for company.
    [[nodiscard]] bool urgent() const { return body_records_ != 0 || !marks_.empty(); }
    /// Octets of the open batch so far, roughly; for limits.
    [[nodiscard]] std::size_t batch_bytes() const {
        return open_.body.size() + blob_bytes_ + settled_.size() + page_settled_.size();
    }
    /// Closes the open batch. Only if has_batch(); batches are written in the order taken.
    [[nodiscard]] batch take_batch();
    /// Takes the memory of a written batch back.
    void give_back(batch&& written);

    /// All log files, closed ones included; and the part of them that is alive.
    [[nodiscard]] std::uint64_t file_bytes() const;
    [[nodiscard]] std::uint64_t live_bytes() const { return live_; }
    [[nodiscard]] std::size_t file_count() const { return files_.size(); }

private:
    [[nodiscard]] bool has_settled() const {
        return run_open_ || !settled_.empty() || page_run_.page != 0 || !page_settled_.empty();
    }
    [[nodiscard]] bool has_loose() const { return has_settled() || !marks_.empty(); }
    template <class Record>
    location append_record(record_type type, const Record& record);
    /// Room for a record with a payload of up to `payload_bound`; opens run and file if needed.
    char* begin_record(std::size_t payload_bound);
    location end_record(record_type type, const char* payload_end, bool alive);
    void begin_run();
    void open_file();
    void begin_settled_run(queue_id queue, message_id message);
    void flush_settled_run();
    void append_settled();
    void begin_page_run(const page_run& run);
    void flush_page_run();
    void append_page_settled();
    void mark_delivered(queue_id queue, message_id message);
    void append_reclaimed();
    void append_marks();
    void write_marks(payload_writer& out) const;
    void write_head();
    [[nodiscard]] file_account& account(file_number file) {
        return files_[file - files_.front().file];
    }
    void check_invariants() const;

    log_options options_;
    std::uint64_t salt_;
    batch open_;
    std::size_t blob_bytes_ = 0;  // of the open batch
    std::vector<batch> spare_batches_;
    std::uint64_t offset_ = 0;  // in the open file, without the head of the open batch
    lsn head_lsn_;              // of the open batch's `batch` record
    lsn previous_;              // last record before the open batch
    lsn unsynced_base_;         // lowest number not known to be on disk when the batch is written
    lsn next_;                  // of the next record
    std::uint64_t body_records_ = 0;

    std::deque<file_account> files_;
    std::uint64_t live_ = 0;  // in all files
    std::uint64_t closed_bytes_ = 0;
    std::uint64_t closed_live_ = 0;
    file_number next_file_;
    file_number first_needed_;  // as the log says it so far
    bool space_low_ = false;

    bool run_open_ = false;
    settled_run run_;
    settled_writer settled_writer_;
    byte_buffer settled_;
    page_run page_run_;  // its page is 0: none is open
    byte_buffer page_settled_;

    std::vector<std::pair<queue_id, message_id>> marks_;
    boost::unordered_flat_map<queue_id, std::size_t> mark_of_;
    queue_id last_marked_queue_ = 0;
    std::size_t last_mark_ = 0;
};

}  // namespace lovage::broker::store
