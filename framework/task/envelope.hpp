// The task message: a call as Celery's message protocol 2 puts it into AMQP properties, headers and
// a JSON body. Reading is as tolerant as Celery where Celery accepts, and gives a reason where
// Celery drops the message or dies. What this layer does not use (chains, callbacks, headers of
// others) is kept, so that a message can be passed on whole.
// Used by the app to send and by the worker to receive. Pure; values without references.
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/base/bytes.hpp"
#include "framework/base/time.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lovage {

/// Header with the number of worker processes that died of a message, on brokers that keep none.
inline constexpr std::string_view crash_count_header = "x-lovage-crashes";

/// Longest delay of a call or retry; longer ones are cut to it, so that times cannot overflow.
inline constexpr milliseconds delay_max = std::chrono::years(100);
/// Most retries that a message can have had; more makes no sense and is refused.
inline constexpr std::int64_t retries_max = 1'000'000'000;

/// Everything of a task message but its body. Empty text means null.
struct envelope {
    std::string task;
    std::string id;
    std::string root_id;    ///< first task of the tree; empty: this one
    std::string parent_id;  ///< the task that sent this one
    std::string group;
    std::optional<std::int64_t> group_index;
    std::int64_t retries = 0;
    std::optional<wall_time> eta;
    std::optional<wall_time> expires;
    std::optional<milliseconds> time_limit;  ///< hard
    std::optional<milliseconds> soft_time_limit;
    std::string shadow;
    std::string args_repr;
    std::string kwargs_repr;
    std::string origin;
    std::string lang;
    bool ignore_result = false;

    std::string reply_to;                  ///< property; empty: nobody waits for a result
    std::string correlation_id;            ///< property; empty: the id
    std::optional<std::uint8_t> priority;  ///< property
    amqp::table headers;                   ///< all headers that are not named above
};

/// A received task message.
struct task_message {
    envelope head;
    boost::json::array args;
    boost::json::object kwargs;
    boost::json::object embed;  ///< callbacks, errbacks, chain, chord, as far as they were there
    bool protocol_1 = false;  ///< all of it was in the body; its text cannot be sent again as it is
};

/// A message ready to be published.
struct outgoing_message {
    std::string queue;  ///< empty: the application's default queue
    amqp::basic_properties properties;
    std::string body;
    std::optional<wall_time> due;  ///< not before; nothing: at once
};

enum class refusal_reason {
    unsupported_content_type,  ///< not application/json
    unsupported_compression,   ///< header compression
    undecodable_body,          ///< not JSON, not UTF-8, or beyond the limits
    bad_body,                  ///< JSON of another form
    missing_task,              ///< no task name anywhere
    missing_id,                ///< neither an id nor a correlation id
    bad_header,                ///< eta, expires, timelimit or retries that make no sense
};
[[nodiscard]] std::string_view refusal_name(refusal_reason reason);

struct refusal {
    refusal_reason reason;
    std::string text;  ///< for people
};

/// Names that Celery's protocol gives to headers; applications cannot use them for their own.
[[nodiscard]] bool is_protocol_header(std::string_view name);

/// Reads a message. Where it is refused, `out.head` has what could be read, so that the caller can
/// be answered (id, reply_to, correlation_id may be there) and the message be kept.
[[nodiscard]] std::optional<refusal> read_task_message(
    const amqp::basic_properties& properties,
    octets body,
    task_message& out);

/// The properties and headers of a message; consumes `head`. Persistent, as every task is.
/// `now` counts the expiration property from.
[[nodiscard]] amqp::basic_properties write_envelope(envelope&& head, wall_time now);

/// `[args,kwargs,{"callbacks":null,...}]` of two JSON texts.
[[nodiscard]] std::string write_body(std::string_view args, std::string_view kwargs = "{}");
/// The same of a message that was read, with its embed.
[[nodiscard]] std::string write_body(const task_message& message);

}  // namespace lovage
