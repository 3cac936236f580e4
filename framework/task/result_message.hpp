// The result message: how a worker tells the caller what became of a task, in the form of Celery's
// rpc backend: {"task_id", "status", "result", "traceback", "children"}, sent to reply_to. Our
// workers add "worker", which Celery's clients ignore.
// Written by workers, read by the app's reply router. Pure; values without references.
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/base/bytes.hpp"
#include "framework/task/envelope.hpp"
#include "framework/task/execute.hpp"

#include <lovage/result.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lovage {

/// What a result message is about.
struct result_facts {
    std::string_view task_id;
    std::string_view correlation_id;  ///< of the task message; empty: the task's id
    std::string_view worker = {};     ///< name of the worker, e.g. w1@host; empty: not said
    std::span<const std::string> children = {};  ///< ids of the tasks that this one sent
};

/// Marked transient, as Celery's are; who sends it decides whether it is to survive a restart of
/// the broker. `queue` stays empty: it goes to the task message's reply_to on the default exchange.
[[nodiscard]] outgoing_message write_result(const outcome& result, const result_facts& facts);

/// An intermediate state with its data, e.g. PROGRESS or STARTED. `value` is JSON text.
[[nodiscard]] outgoing_message write_state(
    std::string_view state,
    std::string_view value,
    const result_facts& facts);

/// Reads a result message. On failure nothing, and `reason` says why: not JSON, no task_id, no
/// status, a failure that is no exception object.
[[nodiscard]] std::optional<task_result> read_result(
    const amqp::basic_properties& properties,
    octets body,
    std::string& reason);

/// What the caller of a task gets whose result message cannot be read (pickled, cut short): a
/// failure of type "UnreadableResult", because the result will not come in another form.
[[nodiscard]] task_result unreadable_result(std::string_view task_id, std::string_view reason);

}  // namespace lovage
