// The store thread's half of the write-ahead log: takes whole batches, fills in the checksums,
// writes each with one write a file and one sync, then reclaims the files the batch frees.
// Between batches it writes zeros ahead, so that the log has a reserve of space on a full disk.
// Single-threaded, on the store thread; recovery has to be done with the disk before.
// Does not decide what is written (log does) nor when (the driver does).
#pragma once

#include "broker/store/batch.hpp"
#include "broker/store/disk.hpp"
#include "broker/store/errors.hpp"
#include "broker/store/spare_files.hpp"
#include "broker/store/tail.hpp"

#include <array>

namespace lovage::broker::store {

struct writer_options {
    /// How far new files are written ahead with zeros; and how much one prepare() writes.
    std::uint64_t ahead_bytes = std::uint64_t{1} << 20U;
    /// Reclaimed files kept for reuse.
    std::size_t spares_max = 4;
    /// Larger files (of one huge record) are not kept for reuse.
    std::uint64_t spare_bytes_max = std::uint64_t{128} << 20U;
    /// Nominal size of a log file, as log_options has it.
    std::uint64_t file_bytes = std::uint64_t{64} << 20U;
};

/// A good nominal size of log files on a file system of this size: small beside it, because the
/// reserve is counted in files.
[[nodiscard]] std::uint64_t nominal_file_bytes(std::uint64_t file_system_bytes);

struct writer_counters {
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  ///< of records, and of bodies in blobs
    std::uint64_t blobs = 0;  ///< written
    std::uint64_t file_syncs = 0;
    std::uint64_t directory_syncs = 0;
    std::uint64_t files_created = 0;   ///< anew
    std::uint64_t files_recycled = 0;  ///< from a spare
    std::uint64_t files_removed = 0;
    std::uint64_t bytes_prepared = 0;  ///< zeros written by prepare()
};

// Invariants:
// 1. As far as the disk has time and space: what is written ahead, in the current file and in
//    spares, is twice what the log holds, up to the rest of this file and two whole ones.
// 2. A spare exists only if the log's first batch is on disk (docs/store_format.md, Reading).
class log_writer {
public:
    /// What there is to do for prepare(): nothing, something when there is time, or before the
    /// next batch.
    enum class preparation { none, wanted, due };

    log_writer(disk& files, const writer_options& options, const recovered_tail& tail);
    log_writer(const log_writer&) = delete;
    log_writer& operator=(const log_writer&) = delete;
    ~log_writer();

    /// Returns when the batch is on disk. errc::disk_full: nothing is confirmed, the same batch
    /// may be written again later. errc::write_failed: the state of the disk is unknown, the
    /// process has to end; every later call fails likewise. problem() says more.
    [[nodiscard]] boost::system::error_code write(batch& full);

    /// What the last failure was: operation, file and the system's message.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    /// True while the log's room is below a few files: stop publishers now and let what frees space
    /// through, for which the reserve is meant.
    [[nodiscard]] bool space_low() const { return space_low_; }
    /// Octets that the log can still take, after the last batch: what is written ahead, and what
    /// the file system has.
    [[nodiscard]] std::uint64_t room() const { return room_; }
    /// Of these, what the file system has, for other files too.
    [[nodiscard]] std::uint64_t free_space() const { return free_; }
    /// Brings space_low() and room() up to date without a batch.
    void look_for_space();

    [[nodiscard]] preparation preparing() const;
    /// One step towards whole spares: small, or in proportion to the batch before it. A full disk
    /// is no failure. errc::write_failed as from write().
    [[nodiscard]] boost::system::error_code prepare();
    [[nodiscard]] const writer_counters& counters() const { return counters_; }

private:
    using error_code = boost::system::error_code;

    [[nodiscard]] error_code write_blobs(batch& full);
    [[nodiscard]] error_code write_and_sync(batch& full);
    [[nodiscard]] error_code write_run(const batch& full, const batch::run& run, bool first);
    [[nodiscard]] error_code write_pieces(std::uint64_t offset, std::size_t bytes);
    [[nodiscard]] error_code sync_current();
    [[nodiscard]] error_code use_file(const batch::run& run);
    [[nodiscard]] error_code make_file(file_number file, const std::string& name);
    void reclaim(const batch::reclaim& freed);
    void close_current();
    [[nodiscard]] error_code grow_current();
    [[nodiscard]] error_code grow_spare();
    /// What became of growing `name` by `step`.
    [[nodiscard]] error_code grown(std::uint64_t step, const std::string& name, error_code error);
    /// Rounded up, so that a small batch is not followed by a small step, which has a sync as well.
    [[nodiscard]] std::uint64_t in_steps(std::uint64_t bytes) const;
    /// What the spares should have: whole files, less while the log holds little.
    [[nodiscard]] std::uint64_t reserve_bytes() const;
    /// Length of a file that takes all that the log puts into one.
    [[nodiscard]] std::uint64_t whole_bytes() const;
    [[nodiscard]] std::uint64_t missing_in_current() const;
    [[nodiscard]] std::uint64_t missing_in_spares() const;
    void measure();
    error_code fail(const char* what, const std::string& name, error_code error);

    disk& disk_;
    writer_options options_;
    std::uint64_t salt_;
    spare_files spares_;
    std::vector<octets> pieces_;
    std::array<char, header_bytes> header_{};
    disk::handle current_ = -1;
    file_number current_file_ = 0;   // of current_, 0 for none
    file_number made_file_ = 0;      // the last one that got its name
    std::uint64_t ready_ = 0;        // length of the current file
    std::uint64_t end_ = 0;          // behind the last record in it
    std::uint64_t log_bytes_ = 0;    // records in all files
    std::uint64_t batch_bytes_ = 0;  // of the last batch, until something was prepared after it
    std::uint64_t room_ = 0;
    std::uint64_t free_ = 0;
    std::string current_name_;
    bool directory_changed_ = false;
    bool begun_ = false;          // the log's first batch is on disk
    bool refused_ = false;        // the last attempt to make a file longer failed
    bool no_descriptor_ = false;  // for a spare; the next batch may bring better luck
    bool starved_ = false;        // there is no space to prepare anything, until something changes
    bool space_low_ = false;
    bool failed_ = false;
    std::string problem_;
    writer_counters counters_;
};

}  // namespace lovage::broker::store
