// Identities and time as the engine's events carry them. Ids are 64 bits wide, so that a shard
// number fits in later; none is ever used again in the life of a data directory or process.
#pragma once

#include "framework/base/time.hpp"

#include <cstdint>

namespace lovage::broker {

enum class connection_id : std::uint64_t {};
enum class queue_id : std::uint64_t {};
/// Grows with every publish; the order of a queue is the order of its message ids.
using message_id = std::uint64_t;
/// Position in the log; 0 is before the first record.
using lsn = std::uint64_t;

/// Both clocks, read once by the driver for all that one event does.
struct clock_reading {
    time_point now;
    wall_time wall;
};

}  // namespace lovage::broker
