// What the pool asks its driver to do, as plain values. The driver (workers/run) carries them out
// in order; what follows from them comes back as events of the pool. Pure.
#pragma once

#include "framework/base/log.hpp"
#include "framework/client/types.hpp"
#include "workers/core/copies.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lovage::workers {

/// An executor runs one task at a time: a child process or a thread. Numbered from 0.
using executor_id = std::size_t;
/// A delivery that the pool is busy with; numbers are used again.
using delivery_id = std::size_t;

/// Answered by pool::executor_started() or pool::executor_lost().
struct start_executor {
    executor_id executor = 0;
};
/// Its task ran into a limit: end it by force if that can be done, else ask it to stop. Answered by
/// pool::executor_lost() when it is gone or free again.
struct kill_executor {
    executor_id executor = 0;
};
/// pool::job_frame(delivery) has what it is to do. Answered by pool::answered().
struct run_job {
    executor_id executor = 0;
    delivery_id delivery = 0;
};
/// pool::result_of(delivery) has the message, for the default exchange. It need not arrive
/// anywhere, its reader may be gone. Answered by pool::result_published().
struct publish_result {
    delivery_id delivery = 0;
};
/// A state that nobody waits for to be confirmed.
struct publish_progress {
    std::string queue;
    std::string properties;
    std::string body;
};
/// For a task queue or a dead queue, which must exist afterwards. Answered by
/// pool::follow_up_published().
struct publish_follow_up {
    delivery_id delivery = 0;
    follow_up message;
};
struct acknowledge {
    client::delivery_ref ref;
};
struct requeue {
    client::delivery_ref ref;
};
/// Cancel all consumers; deliveries that come all the same are given back.
struct stop_consuming {};
/// The pool is done; `clean` if no task was cut short.
struct pool_finished {
    bool clean = true;
};
/// A line for the log.
struct note {
    log_level level = log_level::info;
    std::string_view event;  ///< a literal
    std::vector<std::pair<std::string_view, std::string>> fields;
};

using effect = std::variant<
    start_executor,
    kill_executor,
    run_job,
    publish_result,
    publish_progress,
    publish_follow_up,
    acknowledge,
    requeue,
    stop_consuming,
    pool_finished,
    note>;

}  // namespace lovage::workers
