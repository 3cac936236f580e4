#include "workers/core/pipeline.hpp"

#include "framework/task/call.hpp"
#include "framework/task/result_message.hpp"

#include <lovage/registry.hpp>

#include <algorithm>
#include <utility>

namespace lovage::workers {

namespace {

/// Stands for a body that only the executor needs to parse.
constexpr octets no_arguments = "[[],{},{}]";

std::int64_t header_number(const envelope& head, std::string_view name) {
    const amqp::field_value* found = head.headers.find(name);
    return found == nullptr ? 0 : std::max<std::int64_t>(found->integer().value_or(0), 0);
}

/// The envelope from the headers alone; the whole body only for protocol 1, which has it there.
std::optional<refusal> read_head(const message_view& message, task_message& out) {
    const auto properties = amqp::read_properties(message.properties);
    if (!properties.has_value()) {
        return refusal{refusal_reason::bad_header, "the message's properties are malformed"};
    }
    std::optional<refusal> problem = read_task_message(*properties, no_arguments, out);
    if (problem.has_value() && out.head.task.empty()) {
        problem = read_task_message(*properties, message.body, out);
    }
    return problem;
}

amqp::basic_properties readable_properties(const message_view& message) {
    return amqp::read_properties(message.properties).value_or(amqp::basic_properties{});
}

std::optional<sent_result> make_result(
    const worker_rules& rules,
    const envelope& head,
    const outcome& result) {
    if (head.reply_to.empty() || head.ignore_result || head.id.empty()) {
        return std::nullopt;
    }
    outgoing_message out = write_result(result, {head.id, head.correlation_id, rules.node, {}});
    if (rules.persistent_results) {
        out.properties.delivery_mode = amqp::delivery_mode_persistent;
    }
    return sent_result{head.reply_to, encode_properties(out.properties), std::move(out.body)};
}

void count_crashes(const message_view& message, admission& out) {
    const envelope& head = out.message.head;
    out.facts.redelivered = message.redelivered;
    out.facts.delivery_count = header_number(head, delivery_count_header);
    out.facts.crashes = header_number(head, crash_count_header);
    if (message.losses_counted) {
        out.facts.crashes += out.facts.delivery_count;
    }
}

admission settled(admission out, outcome result) {
    out.what = verdict::settle;
    out.result = std::move(result);
    return out;
}

settlement bury(
    const worker_rules& rules,
    const message_view& message,
    const admission& admitted,
    const dead_facts& facts,
    const outcome& result) {
    settlement out;
    out.result = make_result(rules, admitted.message.head, result);
    out.follow_ups.push_back(make_dead(readable_properties(message), message.body, facts));
    out.dead_reason = facts.reason;
    out.finished = true;
    return out;
}

}  // namespace

std::string memory_key(const admission& admitted) {
    std::string key = publication_key(admitted.message.head);
    if (admitted.what == verdict::peers) {
        key += "/peers" + std::to_string(admitted.unknown_tries);
    } else if (admitted.what == verdict::later) {
        key += "/later";
    }
    return key;
}

std::int64_t crashes_allowed(
    const registry& tasks,
    const worker_rules& rules,
    std::string_view task) {
    const task_entry* entry = tasks.find(task);
    const int own = entry == nullptr ? task_options{}.max_crashes : entry->options().max_crashes;
    return std::min(own, rules.max_crashes.value_or(own));
}

outcome crashed_outcome(std::int64_t crashes, std::string_view how) {
    std::string text = crashes == 1 ? "a worker process" : std::to_string(crashes);
    text += crashes == 1 ? " died of this task" : " worker processes died of this task";
    if (!how.empty()) {
        text.append(", the last one by ").append(how);
    }
    outcome out;
    out.kind = outcome_kind::rejected;
    out.reason = reject_reason::crashed;
    out.problem = worker_lost_failure(text);
    return out;
}

bool is_expired(const admission& admitted, wall_time now) {
    const auto& expires = admitted.message.head.expires;
    return expires.has_value() && *expires <= now;
}

outcome expired_outcome() {
    outcome out;
    out.kind = outcome_kind::cancelled;
    out.problem = revoked_failure("expired");
    return out;
}

outcome time_limit_outcome(milliseconds limit) {
    outcome out;
    out.kind = outcome_kind::failed;
    out.problem = time_limit_failure(limit);
    return out;
}

admission admit(
    const registry& tasks,
    const worker_rules& rules,
    const message_view& message,
    wall_time now) {
    admission out;
    if (auto problem = read_head(message, out.message); problem.has_value()) {
        out.what = verdict::dead;
        out.problem = std::move(*problem);
        return out;
    }
    const envelope& head = out.message.head;
    count_crashes(message, out);
    if (message.body.size() > body_octets_max) {
        out.what = verdict::dead;
        out.problem = {
            refusal_reason::undecodable_body,
            "the body has " + std::to_string(message.body.size()) + " octets, " +
                std::to_string(body_octets_max) + " are the most"};
        return out;
    }
    if (is_expired(out, now)) {
        return settled(std::move(out), expired_outcome());
    }
    if (head.eta.has_value() && *head.eta - now > eta_tolerance) {
        out.what = verdict::later;
        out.delay = *head.eta - now;
        return out;
    }
    const task_entry* entry = tasks.find(head.task);
    if (entry == nullptr) {
        out.unknown_tries = header_number(head, unknown_tries_header);
        if (out.unknown_tries < std::ssize(unknown_task_delays)) {
            out.what = verdict::peers;
            out.delay = unknown_task_delays[static_cast<std::size_t>(out.unknown_tries)];
            return out;
        }
        outcome unknown;
        unknown.kind = outcome_kind::rejected;
        unknown.reason = reject_reason::unknown_task;
        unknown.problem = unknown_task_failure(head.task);
        return settled(std::move(out), std::move(unknown));
    }
    if (out.facts.crashes >= crashes_allowed(tasks, rules, head.task)) {
        outcome crashed = crashed_outcome(out.facts.crashes, {});
        return settled(std::move(out), std::move(crashed));
    }
    out.facts.time_limit = head.time_limit.value_or(entry->options().time_limit);
    if (out.facts.time_limit <= milliseconds(0)) {
        out.facts.time_limit = rules.time_limit;
    }
    return out;
}

settlement settle(
    const worker_rules& rules,
    const message_view& message,
    const admission& admitted,
    const outcome& result,
    wall_time now) {
    if (result.kind == outcome_kind::rejected) {
        const dead_facts facts{
            reject_name(result.reason),
            result.problem.message,
            message.queue,
            rules.node,
            result.reason == reject_reason::crashed ? admitted.facts.crashes : 0,
            now};
        return bury(rules, message, admitted, facts, result);
    }
    settlement out;
    out.result = make_result(rules, admitted.message.head, result);
    out.finished = true;
    if (result.kind == outcome_kind::retry) {
        outgoing_message again = make_retry(
            admitted.message, message.body, {result.delay, result.counts_attempt, now, rules.node});
        out.follow_ups.push_back(
            {std::string(message.queue),
             encode_properties(again.properties),
             std::move(again.body),
             result.delay,
             false});
    }
    return out;
}

settlement settle_refused(
    const worker_rules& rules,
    const message_view& message,
    const admission& admitted,
    const refusal& problem,
    wall_time now) {
    outcome result;
    result.kind = outcome_kind::failed;
    result.problem = {"DecodeError", problem.text, "kombu.exceptions", {}};
    const dead_facts facts{
        refusal_name(problem.reason), problem.text, message.queue, rules.node, 0, now};
    return bury(rules, message, admitted, facts, result);
}

settlement settle_postponed(const message_view& message, const admission& admitted) {
    settlement out;
    out.finished = true;
    amqp::basic_properties properties = readable_properties(message);
    out.follow_ups.push_back(
        admitted.what == verdict::peers
            ? make_peer_copy(
                  std::move(properties),
                  message.body,
                  message.queue,
                  admitted.unknown_tries + 1,
                  admitted.delay)
            : make_delayed_copy(
                  std::move(properties), message.body, message.queue, admitted.delay));
    return out;
}

settlement settle_crash_copy(const message_view& message, std::int64_t crashes) {
    settlement out;
    out.follow_ups.push_back(
        make_crash_copy(readable_properties(message), message.body, message.queue, crashes));
    return out;
}

std::optional<sent_result> progress_result(
    const worker_rules& rules,
    const envelope& head,
    std::string_view json) {
    if (head.reply_to.empty() || head.ignore_result) {
        return std::nullopt;
    }
    outgoing_message out =
        write_state("PROGRESS", json, {head.id, head.correlation_id, rules.node, {}});
    return sent_result{head.reply_to, encode_properties(out.properties), std::move(out.body)};
}

}  // namespace lovage::workers
