// Reads a page of a segment message by message, also behind damage: for verification, which lists
// what is damaged, and for salvage, which takes over what is whole. Single-threaded, on a stopped
// broker's files. Does not know which messages are alive.
#pragma once

#include "broker/store/segment.hpp"

namespace lovage::broker::store {

struct octet_range {
    std::uint64_t begin = 0;  ///< in the file
    std::uint64_t end = 0;
};

struct page_scan {
    std::string problem;               ///< the file cannot be opened or read; empty: it can
    std::vector<octet_range> damaged;  ///< parts of the page that are no messages of it
};

/// Views live as long as the call.
using page_taker = std::function<void(const segment_message&, std::uint64_t offset)>;

/// Calls `take` for each message of the page whose checksum is right, in the order of the file.
[[nodiscard]] page_scan scan_page(
    disk& files,
    std::uint64_t salt,
    const segment_page& page,
    segment_number segment,
    const page_taker& take);

}  // namespace lovage::broker::store
