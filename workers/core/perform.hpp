// Runs one job where tasks run: in a child process or on a pool's thread. Decodes the message,
// calls the task, gives the answer back as data; the worker does everything else with it. Pure but
// for what the user's function does. The deadline is an argument.
#pragma once

#include "workers/core/job.hpp"

#include <lovage/context.hpp>

#include <stop_token>

namespace lovage {
class registry;
}

namespace lovage::workers {

/// What the place where the task runs adds to the job.
struct perform_surroundings {
    time_point now;                     ///< when the task starts; its deadline counts from here
    std::stop_token stop;               ///< asks the task to end early
    progress_sink* progress = nullptr;  ///< may be null
};

/// Never throws what a task throws. The answer is `done` or `refused`.
[[nodiscard]] answer perform(
    const registry& tasks,
    const job_view& job,
    const perform_surroundings& where);

}  // namespace lovage::workers
