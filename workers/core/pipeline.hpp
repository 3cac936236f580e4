// The way of one delivery as total functions on one value: admit() decides from the message's
// properties what is to become of it, settle() turns an outcome into what must be published before
// the delivery may be acknowledged. Nothing is ever acknowledged away: whatever cannot be run ends
// in the dead queue, and the caller is told.
// Pure; called by the pool, which keeps the order: result, follow-ups, ack.
#pragma once

#include "framework/task/envelope.hpp"
#include "framework/task/execute.hpp"
#include "workers/core/copies.hpp"
#include "workers/core/finished.hpp"
#include "workers/core/job.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lovage {
class registry;
}

namespace lovage::workers {

/// How long a task that this worker does not know waits before each further try, here or at a peer.
/// After the last one it goes to the dead queue.
inline constexpr std::array<milliseconds, 3> unknown_task_delays{
    milliseconds(200),
    milliseconds(800),
    milliseconds(2000)};
/// A task that arrives so shortly before its eta is run: clocks of two machines differ by more.
inline constexpr milliseconds eta_tolerance{10};

/// What is the same for all deliveries of a worker.
struct worker_rules {
    std::string node;                ///< name of the worker
    std::optional<int> max_crashes;  ///< at most that many, whatever the task says
    milliseconds time_limit{0};      ///< for tasks without a limit of their own; 0: none
    bool persistent_results = true;  ///< results survive a restart of the broker, as calls do
};

/// A delivery while the worker has it. `properties` and `body` are as they came.
struct message_view {
    std::string_view queue;
    octets properties;
    octets body;
    bool redelivered = false;
    bool losses_counted = false;  ///< x-delivery-count has only what was lost
};

enum class verdict {
    run,     ///< give `facts` and the message to an executor
    settle,  ///< the outcome is known without running it: expired, crashed too often
    dead,    ///< cannot be read: `problem`
    peers,   ///< unknown here: publish it again after `delay`
    later,   ///< its time has not come: publish it again after `delay`
};

struct admission {
    verdict what = verdict::run;
    task_message message;  ///< arguments only for protocol 1; else the executor reads them
    job_facts facts;
    outcome result;                                         ///< verdict::settle
    refusal problem{refusal_reason::undecodable_body, {}};  ///< verdict::dead
    milliseconds delay{0};
    std::int64_t unknown_tries = 0;
};

[[nodiscard]] admission admit(
    const registry& tasks,
    const worker_rules& rules,
    const message_view& message,
    wall_time now);

/// What must be published before the delivery is acknowledged, the result first.
struct settlement {
    std::optional<sent_result> result;  ///< nothing: nobody waits
    std::vector<follow_up> follow_ups;
    std::string dead_reason;  ///< empty: it does not go to the dead queue
    bool finished = false;    ///< a redelivery is answered with the same result
};

/// After an outcome, from an executor or from admit().
[[nodiscard]] settlement settle(
    const worker_rules& rules,
    const message_view& message,
    const admission& admitted,
    const outcome& result,
    wall_time now);
/// After a refusal, from an executor or from admit().
[[nodiscard]] settlement settle_refused(
    const worker_rules& rules,
    const message_view& message,
    const admission& admitted,
    const refusal& problem,
    wall_time now);
/// For verdict::peers and verdict::later.
[[nodiscard]] settlement settle_postponed(const message_view& message, const admission& admitted);
/// A crash of an executor; `crashes` includes it. The copy carries the number, because brokers do
/// not tell a crash from a message that was given back.
[[nodiscard]] settlement settle_crash_copy(const message_view& message, std::int64_t crashes);
/// The message of an intermediate state; nothing if nobody waits.
[[nodiscard]] std::optional<sent_result> progress_result(
    const worker_rules& rules,
    const envelope& head,
    std::string_view json);

/// Tells this publication of the task, and what was decided about it, from all others: a message
/// that was passed on must not be taken for finished when it comes back.
[[nodiscard]] std::string memory_key(const admission& admitted);

/// Most crashes of a task before it is given up.
[[nodiscard]] std::int64_t crashes_allowed(
    const registry& tasks,
    const worker_rules& rules,
    std::string_view task);
/// The outcome of a task whose process has died too often.
[[nodiscard]] outcome crashed_outcome(std::int64_t crashes, std::string_view how);
/// The task must not be run any more, whether it has just come or waited here.
[[nodiscard]] bool is_expired(const admission& admitted, wall_time now);
[[nodiscard]] outcome expired_outcome();
/// The outcome of a task that ran longer than `limit`.
[[nodiscard]] outcome time_limit_outcome(milliseconds limit);

}  // namespace lovage::workers
