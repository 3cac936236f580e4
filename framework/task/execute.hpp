// One attempt of a task, from a decoded message to its outcome as data. Called by the worker (in
// the child process or the pool's thread that runs the task); what happens with the outcome -
// result messages, retries, dead queue, acknowledgement - is the worker's affair.
// Pure but for what the user's function does; exceptions of tasks end here.
#pragma once

#include "framework/task/envelope.hpp"

#include <lovage/context.hpp>
#include <lovage/error.hpp>
#include <lovage/registry.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace lovage {

enum class outcome_kind {
    success,    ///< `value` is the result
    failed,     ///< `problem`; terminal
    retry,      ///< `problem` says why, `delay` when, `counts_attempt` at what cost
    cancelled,  ///< the task threw lovage::cancel, or was revoked: `problem` is TaskRevokedError
    rejected,   ///< to the dead queue (or to peers, if the task is unknown here): `problem`,
                ///< `reason`
};

enum class reject_reason {
    none,
    by_task,        ///< the task threw lovage::reject
    unknown_task,   ///< not in the registry: another worker may know it
    bad_arguments,  ///< they do not fit the parameters
    unsupported,    ///< the message asks for what this worker cannot do: chains, callbacks
    crashed,        ///< too many worker processes died of it
};
/// For headers and logs: unknown_task, bad_arguments, ...
[[nodiscard]] std::string_view reject_name(reject_reason reason);

struct outcome {
    outcome_kind kind = outcome_kind::success;
    std::string value;  ///< success: the result as JSON text
    failure problem;    ///< all others
    std::chrono::milliseconds delay{0};
    bool counts_attempt = true;
    reject_reason reason = reject_reason::none;
    bool operator==(const outcome&) const = default;
};

/// Runs `message` on this thread. `random` decides the jitter of a retry. The context's facts
/// should be those of the message (context_of()).
///
/// Exceptions other than those of lovage/control.hpp are retried while the task's retries.max is
/// not used up, then they are failures. Arguments that do not fit and results without JSON form are
/// never retried: the next attempt would end the same way.
[[nodiscard]] outcome execute(
    const registry& tasks,
    const task_message& message,
    context& ctx,
    std::uint64_t random);

/// The facts of a message that a context shows; the worker adds those of the delivery. The message
/// must outlive them.
[[nodiscard]] context_facts context_of(const task_message& message);

/// The exception that is being handled, as data: its demangled type, what(), module cpp, and as
/// traceback the chain of std::throw_with_nested. Only inside a catch block.
[[nodiscard]] failure current_failure();

/// Failures in Celery's words, which its clients turn into their own exception classes.
[[nodiscard]] failure unknown_task_failure(std::string_view task);
[[nodiscard]] failure revoked_failure(std::string_view reason);
[[nodiscard]] failure time_limit_failure(std::chrono::milliseconds limit);
[[nodiscard]] failure worker_lost_failure(std::string_view what);

}  // namespace lovage
