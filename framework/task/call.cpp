#include "framework/task/call.hpp"

#include "framework/task/header_values.hpp"
#include "framework/task/python_repr.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lovage {

namespace {

/// Headers about the way of one message, which would be wrong on the next.
bool belongs_to_delivery(std::string_view name) {
    constexpr std::array<std::string_view, 7> prefixes{
        "x-death",
        "x-first-death-",
        "x-last-death-",
        "x-delivery-count",
        "x-acquired-count",
        "x-delay",
        "x-lovage-"};
    for (const std::string_view prefix : prefixes) {
        if (name.starts_with(prefix)) {
            return true;
        }
    }
    return false;
}

}  // namespace

outgoing_message make_message(const any_signature& call, const how& way, call_facts facts) {
    outgoing_message out;
    out.queue = way.queue().empty() ? call.queue() : std::string_view(way.queue());
    out.due = way.due(facts.now);

    envelope head;
    head.task = call.name();
    head.id = way.id().empty() ? std::move(facts.id) : way.id();
    head.root_id = facts.root_id;
    head.parent_id = facts.parent_id;
    head.eta = out.due;
    head.expires = way.expiry(facts.now);
    head.time_limit = way.time_limit();
    if (!head.time_limit.has_value() && call.time_limit() > milliseconds(0)) {
        head.time_limit = call.time_limit();
    }
    head.shadow = way.shadow();
    head.args_repr = args_repr(call.args());
    head.kwargs_repr = kwargs_repr(call.kwargs());
    head.origin = facts.origin;
    head.ignore_result = way.ignores_result().value_or(call.ignore_result());
    head.reply_to = facts.reply_to;
    head.priority = way.priority();
    for (const auto& [name, value] : way.headers()) {
        head.headers.add(name, header_from_json(value));
    }
    out.properties = write_envelope(std::move(head), facts.now);
    out.body = write_body(call.args(), call.kwargs());
    return out;
}

outgoing_message make_retry(const task_message& message, octets body, const retry_facts& facts) {
    outgoing_message out;
    out.due = facts.now + std::clamp(facts.delay, milliseconds(0), delay_max);

    envelope head = message.head;
    head.retries += facts.counts_attempt ? 1 : 0;
    head.eta = out.due;
    if (!facts.origin.empty()) {
        head.origin = facts.origin;
    }
    head.headers = {};
    for (const auto& [name, value] : message.head.headers) {
        if (!belongs_to_delivery(name)) {
            head.headers.add(name, value);
        }
    }
    out.properties = write_envelope(std::move(head), facts.now);
    out.body = message.protocol_1 ? write_body(message) : std::string(body);
    return out;
}

}  // namespace lovage
