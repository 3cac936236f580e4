// A data directory with log files, segments, definitions and settings, for tests of what looks at
// one: verification and salvage. And what is in a directory, wherever it lies: comparable.
#pragma once

#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <map>
#include <set>
#include <string>

namespace lovage::broker::store::testing {

struct stored_state {
    std::set<std::string> definitions;  ///< queues, exchanges, bindings, settings as text
    /// By queue and id: body and delivery count; not whether the log has it or a page.
    std::map<std::pair<queue_id, message_id>, std::string> messages;
    friend bool operator==(const stored_state&, const stored_state&) = default;
};

/// What recovery finds in a sound directory, without changing it. A test fails if it is not sound.
[[nodiscard]] stored_state state_of(fake_disk& files);

/// The same files on another disk, without the lock.
[[nodiscard]] std::unique_ptr<fake_disk> copy_of(const fake_disk& files);

/// As page_out(), with what the log is told of the page changed before.
using page_change = std::function<void(page_record&)>;

/// Moves messages of a small_broker's queue, with these ids, into a page, alone in its segment;
/// the broker must not be asked about them any more.
void page_out(
    fake_disk& files,
    small_broker& broker,
    page_id page,
    queue_id queue,
    const std::vector<message_id>& messages,
    const page_change& change = {});

/// Fills a new directory: two queues, several log files and batches, two segments.
struct stored_pages {
    explicit stored_pages(fake_disk& files);
    queue_id first = 0;
    queue_id second = 0;
};

}  // namespace lovage::broker::store::testing
