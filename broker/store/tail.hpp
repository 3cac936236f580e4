// Where a recovered log ends and what its files hold: from recovery to the log and its writer,
// which go on from there. A value.
#pragma once

#include "broker/store/format.hpp"

#include <map>
#include <string>
#include <vector>

namespace lovage::broker::store {

struct file_account {
    file_number file = 0;
    std::uint64_t bytes = 0;  ///< of its records
    std::uint64_t live = 0;   ///< of those that keep something alive
};

struct recovered_tail {
    std::uint64_t salt = 0;    ///< of the directory
    std::uint64_t offset = 0;  ///< behind the last record of the last file
    lsn previous = 0;          ///< the last record
    lsn next = 1;              ///< the first that may be used; above all torn ones
    file_number next_file = 1;
    file_number first_needed = 1;     ///< files below it are reclaimed
    std::vector<file_account> files;  ///< oldest first; the last one is continued; may be empty
    std::vector<std::string> spares;  ///< names of files that may become log files
    segment_number next_segment = 1;
    /// Those that pages lie in, and their lengths.
    std::map<segment_number, std::uint64_t> segments;
    /// Those that messages need, and the lengths of the bodies in them.
    std::map<blob_id, std::uint64_t> blobs;
};

}  // namespace lovage::broker::store
