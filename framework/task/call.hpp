// From a call to a message: what app.send() publishes, and what a worker publishes when an attempt
// is to be repeated. Pure: time, ids and names of the sender come in as arguments.
#pragma once

#include "framework/base/time.hpp"
#include "framework/task/envelope.hpp"

#include <lovage/how.hpp>
#include <lovage/signature.hpp>

#include <string>
#include <string_view>

namespace lovage {

/// What the sender knows beside the call.
struct call_facts {
    std::string id;              ///< used if how.id() gives none
    std::string_view reply_to;   ///< empty: no result is awaited
    std::string_view origin;     ///< gen<pid>@<host>, for monitors
    std::string_view root_id;    ///< of the task that sends; empty: this call is the root
    std::string_view parent_id;  ///< of the task that sends; empty: none
    wall_time now;
};

/// The message of a call. `due` in the result is the time that how.after() or how.eta() asks for.
[[nodiscard]] outgoing_message make_message(
    const any_signature& call,
    const how& way,
    call_facts facts);

/// How an attempt is to be repeated.
struct retry_facts {
    milliseconds delay{0};
    bool counts_attempt = true;  ///< false for lovage::snooze
    wall_time now;
    std::string_view origin;
};

/// The message that runs the task again: same id, root, reply address, correlation and embed, one
/// retry more, eta at `now + delay`. `body` is the body as it was received; it is sent again
/// unchanged, so that numbers keep every digit. Headers that a broker or a worker added are left
/// out. Unlike Celery's, the message keeps its parent (Celery makes the task its own parent).
[[nodiscard]] outgoing_message make_retry(
    const task_message& message,
    octets body,
    const retry_facts& facts);

}  // namespace lovage
