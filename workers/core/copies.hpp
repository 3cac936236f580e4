// Messages that a worker publishes instead of acknowledging a delivery away: to the dead queue,
// back to the queue for its peers, back to the queue until its time has come, and, on brokers that
// keep no delivery counts, back to the queue with the number of crashes. The body is always the one
// that was received. Pure; called by the pipeline (pipeline.hpp).
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/base/bytes.hpp"
#include "framework/base/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lovage::workers {

/// Headers of a message in a dead queue, beside those that it had.
inline constexpr std::string_view dead_reason_header = "x-lovage-dead-reason";  ///< worker_lost
inline constexpr std::string_view dead_text_header = "x-lovage-dead-text";      ///< for people
inline constexpr std::string_view dead_queue_header = "x-lovage-dead-queue";    ///< where it was
inline constexpr std::string_view dead_worker_header = "x-lovage-dead-worker";  ///< who gave it up
inline constexpr std::string_view dead_time_header = "x-lovage-dead-time";      ///< ISO 8601, UTC
inline constexpr std::string_view dead_crashes_header = "x-lovage-dead-crashes";  ///< if there were
/// How often workers have passed a task on that they do not know.
inline constexpr std::string_view unknown_tries_header = "x-lovage-unknown-tries";
/// Header with which a broker counts the returns of a message.
inline constexpr std::string_view delivery_count_header = "x-delivery-count";
inline constexpr std::string_view dead_queue_suffix = ".dead";

/// A message that must be confirmed before the delivery it comes from is acknowledged.
struct follow_up {
    std::string queue;
    std::string properties;  ///< encoded
    std::string body;
    milliseconds delay{0};  ///< not before that long after it is published
    bool dead = false;      ///< for a dead queue, which is declared by who publishes
};

struct dead_facts {
    std::string_view reason;
    std::string_view text;
    std::string_view queue;   ///< that the message came from
    std::string_view worker;  ///< this worker's name
    std::int64_t crashes = 0;
    wall_time now;
};

[[nodiscard]] std::string dead_queue_name(std::string_view queue);
/// For the dead queue. Does not expire there.
[[nodiscard]] follow_up make_dead(
    amqp::basic_properties properties,
    octets body,
    const dead_facts& facts);
/// For peers that may know the task; `tries` is the number of this try, from 1.
[[nodiscard]] follow_up make_peer_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    std::int64_t tries,
    milliseconds delay);
/// Unchanged, for later.
[[nodiscard]] follow_up make_delayed_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    milliseconds delay);
/// `crashes` includes the last one.
[[nodiscard]] follow_up make_crash_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    std::int64_t crashes);

/// The octets of write_properties().
[[nodiscard]] std::string encode_properties(const amqp::basic_properties& properties);

}  // namespace lovage::workers
