// A batch: all that is written to the log and synced together. The log fills it on the engine's
// thread, the driver moves it to the store thread, log_writer writes it, the driver moves it back
// to log::give_back(), so that its memory is used again. A value without behaviour; not shared.
#pragma once

#include "broker/store/format.hpp"

#include <vector>

namespace lovage::broker::store {

/// A body in a file of its own, on its way there.
struct new_blob {
    blob_id blob = 0;
    octets body;
};

struct batch {
    /// Consecutive records in one file.
    struct run {
        file_number file = 0;
        std::uint64_t offset = 0;  ///< in the file, of the run's first record
        std::size_t begin = 0;     ///< of its octets in `body`
        std::size_t end = 0;
        std::uint32_t seed = 0;  ///< of the records' checksums
        bool creates = false;    ///< the file starts with this run and gets its header now
    };
    /// A file that nothing needs any more once this batch is on disk.
    struct reclaim {
        file_number file = 0;
        std::uint64_t bytes = 0;
    };

    byte_buffer head;  ///< the `batch` record; goes to the front of the first run
    byte_buffer body;  ///< all other records; checksums are filled in by the writer
    std::vector<run> runs;
    std::vector<new_blob> blobs;    ///< to be on disk before its records
    std::size_t blobs_written = 0;  ///< of them, when the disk was full
    std::vector<reclaim> reclaims;
    lsn highest = 0;  ///< of its last record
    std::uint64_t records = 0;
};

}  // namespace lovage::broker::store
