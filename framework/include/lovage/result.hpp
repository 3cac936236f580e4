// What is known of a task's result: states, and one result message as data. Decoded by
// framework/task/result_message.hpp, kept by the app's handles; value_of() is what get() ends in.
// Values without references; any thread.
#pragma once

#include <lovage/error.hpp>
#include <lovage/json.hpp>

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lovage {

/// Celery's PENDING says "unknown or waiting" and never travels; here it is `unknown`.
enum class task_state {
    unknown,    ///< nothing has been heard
    received,   ///< RECEIVED
    started,    ///< STARTED
    retrying,   ///< RETRY: an attempt failed, another will follow
    progress,   ///< any state of the application's own, e.g. PROGRESS
    succeeded,  ///< SUCCESS, terminal
    failed,     ///< FAILURE, terminal
    revoked,    ///< REVOKED, terminal: revoked, expired, cancelled
};

[[nodiscard]] constexpr bool terminal(task_state state) {
    return state == task_state::succeeded || state == task_state::failed ||
           state == task_state::revoked;
}
/// Celery's name in capitals; PENDING for unknown.
[[nodiscard]] std::string_view state_name(task_state state);
/// Names that Celery does not define are the application's: progress.
[[nodiscard]] task_state state_of(std::string_view name);

/// One result message.
struct task_result {
    std::string task_id;
    task_state state = task_state::unknown;
    std::string status;                 ///< the state's name as it was sent
    boost::json::value value;           ///< the result, or an own state's data
    failure problem;                    ///< for retrying, failed and revoked
    std::vector<std::string> children;  ///< ids of tasks and groups that this one sent
    std::string worker;                 ///< name of the worker; empty if it does not say
};

/// Throws task_failed, task_timeout, unknown_task or task_revoked. Only for failed and revoked.
[[noreturn]] void throw_problem(const task_result& result);

/// The value of a terminal result as R (void: nothing). Throws as throw_problem() if it is not a
/// success, decode_error if the value does not fit R.
template <class R>
R value_of(const task_result& result) {
    if (result.state != task_state::succeeded) {
        throw_problem(result);
    }
    if constexpr (!std::is_void_v<R>) {
        return from_json<R>(result.value);
    }
}

}  // namespace lovage
