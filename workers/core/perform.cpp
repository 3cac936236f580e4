#include "workers/core/perform.hpp"

#include "framework/amqp/properties.hpp"
#include "framework/task/utf8.hpp"

#include <lovage/registry.hpp>

#include <string>
#include <string_view>

namespace lovage::workers {

namespace {

/// What a Celery client wants done after the task and this worker cannot do; empty if nothing.
/// Running the task alone would lose the rest in silence.
std::string_view unsupported_part(const boost::json::object& embed) {
    for (const std::string_view part : {"chain", "callbacks", "errbacks", "chord"}) {
        const boost::json::value* wanted = embed.if_contains(part);
        if (wanted == nullptr || wanted->is_null() ||
            (wanted->is_array() && wanted->get_array().empty())) {
            continue;
        }
        return part;
    }
    return {};
}

outcome unsupported(std::string_view part) {
    outcome out;
    out.kind = outcome_kind::rejected;
    out.reason = reject_reason::unsupported;
    out.problem.type = "NotImplementedError";
    out.problem.module = "builtins";
    out.problem.message = "lovage workers do not do '" + std::string(part) + "' of a message yet";
    return out;
}

/// The caller hears of a result that is too large, and why; the pool's sockets carry no more.
void limit_result(outcome& result) {
    if (result.value.size() > body_octets_max) {
        result.problem = {
            "EncodeError",
            "the result has " + std::to_string(result.value.size()) + " octets, " +
                std::to_string(body_octets_max) + " are the most",
            "kombu.exceptions",
            {}};
        result.kind = outcome_kind::failed;
        result.value.clear();
    }
    for (std::string* text : {&result.problem.message, &result.problem.traceback}) {
        if (text->size() > failure_octets_max) {
            text->resize(utf8_prefix(*text, failure_octets_max).size());
        }
    }
}

}  // namespace

answer perform(const registry& tasks, const job_view& job, const perform_surroundings& where) {
    answer out;
    const auto properties = amqp::read_properties(job.properties);
    task_message message;
    std::optional<refusal> refused;
    if (properties.has_value()) {
        refused = read_task_message(*properties, job.body, message);
    } else {
        refused = refusal{refusal_reason::bad_header, "the message's properties are malformed"};
    }
    if (refused.has_value()) {
        out.kind = answer_kind::refused;
        out.problem = std::move(*refused);
        return out;
    }
    if (const auto part = unsupported_part(message.embed); !part.empty()) {
        out.result = unsupported(part);
        return out;
    }
    context_facts facts = context_of(message);
    facts.delivery_count = job.facts.delivery_count;
    facts.crashes = job.facts.crashes;
    facts.redelivered = job.facts.redelivered;
    facts.stop = where.stop;
    facts.progress = where.progress;
    if (job.facts.time_limit > milliseconds(0)) {
        facts.deadline = where.now + job.facts.time_limit;
    }
    context ctx(facts);
    out.result = execute(tasks, message, ctx, job.facts.random);
    limit_result(out.result);
    return out;
}

}  // namespace lovage::workers
