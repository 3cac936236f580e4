// The store thread's half of the write-ahead log: takes whole batches, fills in the checksums,
// writes each with one write a file and one sync, then reclaims the files the batch frees.
// Single-threaded, on the store thread; recovery has to be done with the disk before.
// Does not decide what is written (log does) nor when (the driver does).
#pragma once

#include "broker/store/batch.hpp"
#include "broker/store/disk.hpp"
#include "broker/store/errors.hpp"
#include "broker/store/tail.hpp"

#include <array>

namespace lovage::broker::store {

struct writer_options {
    /// How far new files are written ahead with zeros.
    std::uint64_t ahead_bytes = std::uint64_t{1} << 20U;
    /// Reclaimed files kept for reuse.
    std::size_t spares_max = 4;
    /// Larger files (of one huge record) are not kept for reuse.
    std::uint64_t spare_bytes_max = std::uint64_t{128} << 20U;
};

struct writer_counters {
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t file_syncs = 0;
    std::uint64_t directory_syncs = 0;
    std::uint64_t files_created = 0;   ///< anew
    std::uint64_t files_recycled = 0;  ///< from a spare
    std::uint64_t files_removed = 0;
};

class log_writer {
public:
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
    /// True while new files could not be written ahead: space is running out. What is left of the
    /// file still takes batches, so stop publishers now and let acknowledgements through.
    [[nodiscard]] bool space_low() const { return space_low_; }
    /// Tries to write ahead without a batch, so that space_low() is true to the disk again.
    void look_for_space();
    [[nodiscard]] const writer_counters& counters() const { return counters_; }

private:
    using error_code = boost::system::error_code;

    [[nodiscard]] error_code write_run(const batch& full, const batch::run& run, bool first);
    [[nodiscard]] error_code write_pieces(std::uint64_t offset, std::size_t bytes);
    [[nodiscard]] error_code sync_current();
    [[nodiscard]] error_code use_file(const batch::run& run);
    [[nodiscard]] error_code make_file(file_number file, const std::string& name);
    void reclaim(const batch::reclaim& freed);
    void close_current();
    error_code fail(const char* what, const std::string& name, error_code error);

    disk& disk_;
    writer_options options_;
    std::uint64_t salt_;
    std::vector<std::string> spares_;
    std::vector<octets> pieces_;
    std::array<char, header_bytes> header_{};
    disk::handle current_ = -1;
    file_number current_file_ = 0;  // of current_, 0 for none
    file_number made_file_ = 0;     // the last one that got its name
    std::uint64_t ready_ = 0;       // length of the current file
    std::string current_name_;
    bool directory_changed_ = false;
    bool space_low_ = false;
    bool failed_ = false;
    std::string problem_;
    writer_counters counters_;
};

}  // namespace lovage::broker::store
