// Opens a data directory: claims it, reads the log, refuses what is damaged, tidies up, and gives
// what is stored to the engine: first the definitions, then each message once, in the order of
// ids. Called by the driver before the engine and the store thread start; single-threaded.
// Afterwards tail() starts the log and its writer. Rules: docs/store_format.md, Reading.
//
//     recovery found{disk, options};
//     if (auto error = found.run(problem)) { ... problem ... }
//     for (auto& queue : found.queues()) { ... }
//     if (auto error = found.for_each_message(take, problem)) { ... }
//     log the_log{log_options, found.tail()};
#pragma once

#include "broker/store/disk.hpp"
#include "broker/store/errors.hpp"
#include "broker/store/log_reader.hpp"
#include "broker/store/replay.hpp"
#include "broker/store/tail.hpp"

#include <functional>

namespace lovage::broker::store {

struct recovery_options {
    /// A random number; becomes the salt of a directory that is new.
    std::uint64_t new_salt = 0;
    /// How much of a file is read at once.
    std::size_t window_bytes = std::size_t{1} << 20U;
    /// Reclaimed files that a crash left behind are kept for reuse up to this many.
    std::size_t spares_max = 4;
    /// Nothing in the directory is changed, and segments and blobs are not looked at, bodies in
    /// blobs left empty: for verification, which looks at each of them. No log may be written
    /// afterwards.
    bool read_only = false;
};

/// A message from the log. Its views are valid during the call it is passed to.
struct recovered_message {
    publish_record record;  ///< `queues` as they are now: counts, redelivered; never empty
    location where;
};

struct recovery_counters {
    std::uint64_t files = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    /// True if the log ended in a batch that a crash had cut.
    bool torn = false;
};

class recovery {
public:
    using error_code = boost::system::error_code;
    using message_visitor = std::function<void(const recovered_message&)>;

    recovery(disk& files, const recovery_options& options) : disk_(files), options_(options) {}

    /// Once. On failure (an errc or the system's error) `problem` says in one line what is wrong,
    /// where, and what to do; nothing in the directory has been changed but lock and marker.
    [[nodiscard]] error_code run(std::string& problem);
    /// After run(), as often as wanted until the log is written to.
    [[nodiscard]] error_code for_each_message(const message_visitor& visit, std::string& problem);

    /// False after a run() that found no marker to go by: tail().salt means nothing.
    [[nodiscard]] bool has_marker() const { return has_marker_; }
    [[nodiscard]] const recovered_tail& tail() const { return tail_; }
    [[nodiscard]] const std::vector<recovered_queue>& queues() const { return replay_.queues(); }
    [[nodiscard]] const std::vector<recovered_exchange>& exchanges() const {
        return replay_.exchanges();
    }
    [[nodiscard]] const std::vector<recovered_binding>& bindings() const {
        return replay_.bindings();
    }
    [[nodiscard]] const std::vector<recovered_setting>& settings() const {
        return replay_.settings();
    }
    [[nodiscard]] const std::vector<recovered_page>& pages() const { return replay_.pages(); }
    /// How many messages lie in that page's segment, dead ones too.
    [[nodiscard]] std::uint32_t messages_stored(const recovered_page& page) const {
        return stored_.at(page.record.id);
    }
    /// Files that nobody needs any more, whether they could be read or not, are below it.
    [[nodiscard]] file_number first_needed() const { return replay_.first_needed(); }
    /// In the log, without those in pages.
    [[nodiscard]] std::size_t message_count() const { return replay_.messages().size(); }
    /// Above all ids that the log mentions.
    [[nodiscard]] message_id next_message_id() const { return replay_.highest_message() + 1; }
    [[nodiscard]] queue_id next_queue_id() const { return replay_.highest_queue() + 1; }
    [[nodiscard]] page_id next_page_id() const { return replay_.highest_page() + 1; }
    [[nodiscard]] const recovery_counters& counters() const { return counters_; }

private:
    enum class next_file { unrelated, continues };
    enum class ending { torn_or_clean, damaged };

    [[nodiscard]] error_code read_logs();
    /// Reads file `index` from its start as far as records follow each other.
    [[nodiscard]] error_code read_file(std::size_t index);
    [[nodiscard]] error_code apply_records(log_reader& reader, file_number file);
    /// Whether file `index` goes on where the one before it stopped.
    [[nodiscard]] disk::result<next_file> look_at_next(std::size_t index);
    /// Looks behind the stop for proof of damage.
    [[nodiscard]] disk::result<ending> look_behind_stop(std::size_t index);
    [[nodiscard]] disk::result<std::unique_ptr<log_reader>> open_log(file_number file);
    [[nodiscard]] error_code check_start();
    void start_over(std::size_t index);
    void finish();
    /// Are the segments there that pages lie in?
    [[nodiscard]] error_code check_segments();
    /// And the blobs that messages need? What is in them is seen when they are read.
    [[nodiscard]] error_code check_blobs();
    [[nodiscard]] error_code blank_end(disk::handle file);
    [[nodiscard]] error_code sync_all();
    [[nodiscard]] error_code tidy();
    [[nodiscard]] error_code remove_unneeded(bool& changed);
    error_code fail(errc code, std::string text);
    /// As errc::damaged, with what to do about it.
    error_code fail_damaged(std::string text);
    error_code fail(const char* what, file_number file, error_code error);

    disk& disk_;
    recovery_options options_;
    std::vector<file_number> logs_;
    std::vector<segment_number> segments_;
    std::vector<blob_id> blobs_;
    std::map<page_id, std::uint32_t> stored_;
    std::vector<file_account> accounts_;  // of the files read since the last start
    recovered_tail tail_;
    replay replay_;
    recovery_counters counters_;
    std::size_t stop_index_ = 0;     // file in which reading stopped
    std::uint64_t stop_offset_ = 0;  // 0: not even the header is right
    bool logs_begin_ = true;         // false: nothing but a part of the very first batch
    bool has_marker_ = false;
    bool any_lsn_ = true;  // the next record may have any number
    lsn last_ = 0;
    lsn highest_stray_ = 0;
    std::string damage_;  // where the last damage was that made reading start over
    std::string problem_;
};

}  // namespace lovage::broker::store
