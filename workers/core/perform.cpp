#include "workers/core/perform.hpp"

#include "framework/amqp/properties.hpp"

#include <lovage/registry.hpp>

namespace lovage::workers {

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
    return out;
}

}  // namespace lovage::workers
