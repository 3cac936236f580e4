// Reads all log files of a damaged directory: every valid record, also behind damage, and what is
// not valid between them. For verification, which lists the damage, and salvage, which applies the
// records. Recovery reads sound logs, and decides what is sound. Single-threaded, on the files of a
// stopped broker. Changes nothing.
#pragma once

#include "broker/store/log_reader.hpp"

#include <string>
#include <vector>

namespace lovage::broker::store {

struct scanned_record {
    lsn number = 0;
    lsn before = 0;  ///< number of the record that it was written behind
    std::uint64_t offset = 0;
    file_number file = 0;
    std::uint32_t bytes = 0;
    lsn first_unsynced = 0;
    [[nodiscard]] std::uint64_t end() const { return offset + bytes; }
};

/// A part of a log file that should hold records or a header and does not.
struct log_damage {
    file_number file = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< 0: the files up to number `begin` are missing
    const char* what = "";
    bool loses = true;  ///< false: nothing is lost by it
};
/// In words: the file, from where to where, how many octets.
[[nodiscard]] std::string describe(const log_damage& what);

struct log_scan {
    std::vector<scanned_record> records;  ///< in their order, without those of a torn batch
    std::vector<log_damage> damaged;      ///< by file and offset
    /// At most; restarts leave numbers out.
    std::uint64_t records_missing = 0;
    bool torn = false;  ///< the last batch was cut and is left out
};

/// `logs` ascend. Fails only for a file of a newer version, with `problem`.
[[nodiscard]] disk::result<log_scan> scan_logs(
    disk& files,
    const std::vector<file_number>& logs,
    std::uint64_t salt,
    std::size_t window_bytes,
    std::string& problem);

/// Behind the last record of a log, do octets lie there that were to be the next one?
[[nodiscard]] bool ends_cut(log_reader& reader, std::uint64_t offset, lsn last);

}  // namespace lovage::broker::store
