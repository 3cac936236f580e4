#include "workers/core/copies.hpp"

#include "framework/task/envelope.hpp"
#include "framework/task/iso8601.hpp"

#include <array>
#include <utility>

namespace lovage::workers {

namespace {

/// Headers that the broker adds on the way of one message; on the next they would be wrong.
bool added_by_broker(std::string_view name) {
    constexpr std::array<std::string_view, 6> prefixes{
        "x-death",
        "x-first-death-",
        "x-last-death-",
        "x-delivery-count",
        "x-acquired-count",
        "x-delay"};
    for (const std::string_view prefix : prefixes) {
        if (name.starts_with(prefix)) {
            return true;
        }
    }
    return false;
}

/// The headers of the copy, to be added to. Copies are persistent, whatever the original was.
amqp::table& prepare_copy(amqp::basic_properties& properties) {
    amqp::table kept;
    if (properties.headers.has_value()) {
        for (const auto& [name, value] : *properties.headers) {
            if (!added_by_broker(name)) {
                kept.add(name, value);
            }
        }
    }
    properties.headers = std::move(kept);
    properties.delivery_mode = amqp::delivery_mode_persistent;
    return *properties.headers;
}

follow_up finish(
    const amqp::basic_properties& properties,
    octets body,
    std::string queue,
    milliseconds delay = milliseconds(0)) {
    return {std::move(queue), encode_properties(properties), std::string(body), delay, false};
}

}  // namespace

std::string dead_queue_name(std::string_view queue) {
    return std::string(queue).append(dead_queue_suffix);
}

follow_up make_dead(amqp::basic_properties properties, octets body, const dead_facts& facts) {
    amqp::table& headers = prepare_copy(properties);
    headers.set(dead_reason_header, facts.reason);
    headers.set(dead_text_header, facts.text);
    headers.set(dead_queue_header, facts.queue);
    headers.set(dead_worker_header, facts.worker);
    headers.set(dead_time_header, std::string_view(format_iso8601(facts.now)));
    if (facts.crashes > 0) {
        headers.set(dead_crashes_header, facts.crashes);
    }
    properties.expiration.reset();
    follow_up out = finish(properties, body, dead_queue_name(facts.queue));
    out.dead = true;
    return out;
}

follow_up make_peer_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    std::int64_t tries,
    milliseconds delay) {
    prepare_copy(properties).set(unknown_tries_header, tries);
    properties.expiration.reset();
    return finish(properties, body, std::string(queue), delay);
}

follow_up make_delayed_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    milliseconds delay) {
    prepare_copy(properties);
    // The delay queue of a foreign broker would let it go early; the header expires still counts.
    properties.expiration.reset();
    return finish(properties, body, std::string(queue), delay);
}

follow_up make_crash_copy(
    amqp::basic_properties properties,
    octets body,
    std::string_view queue,
    std::int64_t crashes) {
    prepare_copy(properties).set(crash_count_header, crashes);
    return finish(properties, body, std::string(queue));
}

std::string encode_properties(const amqp::basic_properties& properties) {
    byte_buffer out;
    amqp::write_properties(out, properties);
    return std::string(out.view());
}

}  // namespace lovage::workers
