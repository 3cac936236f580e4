// Reads one log file, record by record, and searches what lies behind the end of the log for
// proof of damage (docs/store_format.md, Reading). Used by recovery and log_scan, on their thread.
// Holds one window of the file in memory, never the whole file unless one record is that long.
#pragma once

#include "broker/store/disk.hpp"
#include "broker/store/format.hpp"

#include <memory>
#include <optional>

namespace lovage::broker::store {

/// A window that moves over an open file. Closes the file at the end.
class file_window {
public:
    file_window(disk& files, disk::handle file, std::uint64_t size, std::size_t window_bytes)
        : disk_(&files), file_(file), size_(size), window_bytes_(window_bytes) {}
    file_window(const file_window&) = delete;
    file_window& operator=(const file_window&) = delete;
    ~file_window() { disk_->close(file_); }

    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// `count` octets at `offset`, or none if the file ends before. Valid until the next call.
    [[nodiscard]] disk::result<octets> at(std::uint64_t offset, std::uint64_t count);

private:
    disk* disk_;
    disk::handle file_;
    std::uint64_t size_;
    std::size_t window_bytes_;
    std::uint64_t base_ = 0;
    byte_buffer buffer_;
};

struct found_record {
    record_header header;
    octets payload;  ///< valid until the reader is used again
    std::uint64_t offset = 0;
    [[nodiscard]] std::uint32_t bytes() const {
        return header.length + static_cast<std::uint32_t>(record_header_bytes);
    }
};

class log_reader {
public:
    enum class header_state { valid, invalid, newer, other_directory };

    /// Opens an existing log file and reads its header.
    [[nodiscard]] static disk::result<std::unique_ptr<log_reader>> open(
        disk& files,
        file_number file,
        std::uint64_t salt,
        std::size_t window_bytes);

    [[nodiscard]] header_state header() const { return header_; }
    [[nodiscard]] std::uint32_t version() const { return version_; }

    /// The record at `offset` if there is a whole one with the right checksum.
    [[nodiscard]] disk::result<std::optional<found_record>> record_at(std::uint64_t offset);

    /// The first valid record at or behind `offset` whose number is above `last` by at most
    /// `window`: looks at every octet.
    [[nodiscard]] disk::result<std::optional<found_record>> find(
        std::uint64_t offset,
        lsn last,
        std::uint64_t window = lsn_window);
    [[nodiscard]] std::uint64_t size() const { return window_.size(); }
    /// Of the checksums of its records.
    [[nodiscard]] std::uint32_t seed() const { return seed_; }
    /// Up to `count` octets at `offset`, for a look at what is no record; fewer at the end.
    [[nodiscard]] disk::result<octets> raw(std::uint64_t offset, std::uint64_t count);

    struct stray {
        lsn highest = 0;  ///< of the valid records found; 0 for none; incomplete with a proof
        /// Offset of a record that was written after `last + 1` had been synced; 0 for none.
        std::uint64_t proof = 0;
    };
    /// Looks at every octet from `offset` on for valid records with numbers above `last`, until
    /// one is a proof.
    [[nodiscard]] disk::result<stray> search(std::uint64_t offset, lsn last);

private:
    log_reader(
        disk& files,
        disk::handle file,
        std::uint64_t size,
        std::size_t window_bytes,
        std::uint32_t seed)
        : window_(files, file, size, window_bytes), window_bytes_(window_bytes), seed_(seed) {}

    /// May a record with a number above `last` begin at that place of a chunk from `offset` on?
    [[nodiscard]] bool may_begin(
        octets chunk,
        std::size_t place,
        std::uint64_t offset,
        lsn last,
        std::uint64_t window) const;

    file_window window_;
    std::size_t window_bytes_;
    std::uint32_t seed_;
    header_state header_ = header_state::invalid;
    std::uint32_t version_ = 0;
};

/// True if the record may stand behind the record number `last`.
[[nodiscard]] bool follows(const found_record& record, lsn last);
/// The number of the record that it was written behind.
[[nodiscard]] lsn number_before(const found_record& record);

}  // namespace lovage::broker::store
