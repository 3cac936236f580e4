// A worker process: consumes its queues, runs tasks on executors, reports and acknowledges. Drives
// workers/core/pool.hpp with sockets, clocks and signals, all on the calling thread. Called by the
// worker verb (verb_worker.cpp) after the nursery was forked. Does not parse command lines.
#pragma once

#include "framework/base/time.hpp"
#include "framework/net/uri.hpp"
#include "workers/run/nursery.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lovage {
class registry;
}

namespace lovage::workers {

inline constexpr milliseconds grace_default = std::chrono::seconds(30);

struct worker_options {
    net::uri broker;
    std::vector<std::string> queues;     ///< not empty
    std::string node;                    ///< whole name, e.g. w1@host
    std::size_t concurrency = 1;         ///< executors, and consumers of each queue
    std::uint16_t prefetch = 1;          ///< unacknowledged messages of one consumer at most
    std::optional<int> max_crashes;      ///< at most that many, whatever tasks say
    milliseconds time_limit{0};          ///< for tasks without one; 0: none
    milliseconds grace = grace_default;  ///< of running tasks after SIGTERM
    bool transient_results = false;  ///< results do not wait for the broker's disk, nor survive it
};

/// Runs until a signal ends it. SIGTERM or SIGINT drains; a second one, or SIGQUIT, stops at once.
/// With a nursery tasks run in child processes, else in threads. `tasks` outlives the process's
/// last task. Returns the exit status: 0 when no task was cut short.
int run_worker(const registry& tasks, const worker_options& options, std::optional<nursery> source);

}  // namespace lovage::workers
