#include "framework/task/result_message.hpp"

#include "framework/task/json_parse.hpp"
#include "framework/task/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lovage {

namespace {

struct state_entry {
    task_state state;
    std::string_view name;
};
constexpr std::array<state_entry, 8> states{{
    {task_state::unknown, "PENDING"},
    {task_state::received, "RECEIVED"},
    {task_state::started, "STARTED"},
    {task_state::retrying, "RETRY"},
    {task_state::progress, "PROGRESS"},
    {task_state::succeeded, "SUCCESS"},
    {task_state::failed, "FAILURE"},
    {task_state::revoked, "REVOKED"},
}};

/// Exception texts and worker names need not be UTF-8; what is not becomes '?'.
void append_lossy(std::string& out, std::string_view text) {
    if (is_utf8(text)) {
        detail::append_text(out, text, nullptr);
        return;
    }
    std::string clean;
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        clean += length == 0 ? std::string_view("?") : text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    detail::append_text(out, clean, nullptr);
}

/// {"exc_type": ..., "exc_message": [...], "exc_module": ...}
std::string exception_json(const failure& problem) {
    std::string out = "{\"exc_type\":";
    append_lossy(out, problem.type.empty() ? "Exception" : problem.type);
    out += ",\"exc_message\":[";
    append_lossy(out, problem.message);
    out += "],\"exc_module\":";
    if (problem.module.empty()) {
        out += "null";
    } else {
        append_lossy(out, problem.module);
    }
    out += '}';
    return out;
}

task_state state_of_outcome(outcome_kind kind) {
    switch (kind) {
        case outcome_kind::success: return task_state::succeeded;
        case outcome_kind::retry: return task_state::retrying;
        case outcome_kind::cancelled: return task_state::revoked;
        case outcome_kind::failed:
        case outcome_kind::rejected: break;
    }
    return task_state::failed;
}

void append_children(std::string& out, std::span<const std::string> children) {
    out += ",\"children\":[";
    for (std::size_t i = 0; i < children.size(); ++i) {
        out += i == 0 ? "[[" : ",[[";
        append_lossy(out, children[i]);
        out += ",null],null]";
    }
    out += ']';
}

outgoing_message write(
    std::string_view state,
    std::string_view value,
    std::string_view traceback,
    const result_facts& facts) {
    outgoing_message out;
    out.properties.content_type = "application/json";
    out.properties.content_encoding = "utf-8";
    out.properties.delivery_mode = amqp::delivery_mode_transient;
    out.properties.priority = 0;
    out.properties.headers.emplace();
    out.properties.correlation_id =
        facts.correlation_id.empty() ? facts.task_id : facts.correlation_id;
    out.body.reserve(160 + value.size() + traceback.size());
    out.body += "{\"task_id\":";
    append_lossy(out.body, facts.task_id);
    out.body += ",\"status\":";
    append_lossy(out.body, state);
    out.body += ",\"result\":";
    out.body += value;
    out.body += ",\"traceback\":";
    if (traceback.empty()) {
        out.body += "null";
    } else {
        append_lossy(out.body, traceback);
    }
    append_children(out.body, facts.children);
    if (!facts.worker.empty()) {
        out.body += ",\"worker\":";
        append_lossy(out.body, facts.worker);
    }
    out.body += '}';
    return out;
}

std::string text_member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* found = object.if_contains({name.data(), name.size()});
    if (found == nullptr || !found->is_string()) {
        return {};
    }
    return {found->get_string().data(), found->get_string().size()};
}

/// One text as it is; several arguments as a JSON list; nothing for none.
std::string message_of(const boost::json::value* message) {
    const boost::json::value* part = message;
    if (part != nullptr && part->is_array() && part->get_array().size() <= 1) {
        part = part->get_array().empty() ? nullptr : &part->get_array().front();
    }
    if (part == nullptr || part->is_null()) {
        return {};
    }
    if (part->is_string()) {
        return {part->get_string().data(), part->get_string().size()};
    }
    return detail::to_text_lossy(*part);
}

bool read_problem(const boost::json::value& value, failure& out) {
    if (!value.is_object()) {
        return false;
    }
    const boost::json::object& object = value.get_object();
    out.type = text_member(object, "exc_type");
    out.module = text_member(object, "exc_module");
    out.message = message_of(object.if_contains("exc_message"));
    return !out.type.empty();
}

/// [[["id", parent], null], ...]; what has another form is passed over.
std::vector<std::string> read_children(const boost::json::value* value) {
    std::vector<std::string> out;
    if (value == nullptr || !value->is_array()) {
        return out;
    }
    for (const boost::json::value& child : value->get_array()) {
        const boost::json::value* step = &child;
        for (int depth = 0; depth < 2 && step->is_array() && !step->get_array().empty(); ++depth) {
            step = &step->get_array().front();
        }
        if (step->is_string()) {
            out.emplace_back(step->get_string().data(), step->get_string().size());
        }
    }
    return out;
}

}  // namespace

std::string_view state_name(task_state state) {
    for (const state_entry& entry : states) {
        if (entry.state == state) {
            return entry.name;
        }
    }
    return "PENDING";
}

task_state state_of(std::string_view name) {
    for (const state_entry& entry : states) {
        if (entry.name == name) {
            return entry.state;
        }
    }
    return task_state::progress;
}

void throw_problem(const task_result& result) {
    const failure& problem = result.problem;
    if (result.state == task_state::revoked) {
        throw task_revoked(problem.message.empty() ? "revoked" : problem.message, result.task_id);
    }
    if (problem.type == "NotRegistered") {
        throw unknown_task(problem, result.task_id, result.worker);
    }
    if (problem.type == "TimeLimitExceeded") {
        throw task_timeout(problem, result.task_id, result.worker);
    }
    throw task_failed(problem, result.task_id, result.worker);
}

outgoing_message write_result(const outcome& result, const result_facts& facts) {
    const std::string_view state = state_name(state_of_outcome(result.kind));
    if (result.kind == outcome_kind::success) {
        return write(state, result.value, {}, facts);
    }
    return write(state, exception_json(result.problem), result.problem.traceback, facts);
}

outgoing_message write_state(
    std::string_view state,
    std::string_view value,
    const result_facts& facts) {
    return write(state, value, {}, facts);
}

std::optional<task_result> read_result(
    const amqp::basic_properties& properties,
    octets body,
    std::string& reason) {
    boost::json::value json;
    if (!is_json_content(properties.content_type)) {
        reason = "content type \"" + properties.content_type.value_or("") + "\"";
        return std::nullopt;
    }
    if (!try_parse_json(body, json, reason)) {
        return std::nullopt;
    }
    if (!json.is_object()) {
        reason = "not an object";
        return std::nullopt;
    }
    boost::json::object& object = json.get_object();
    task_result out;
    out.task_id = text_member(object, "task_id");
    out.status = text_member(object, "status");
    if (out.task_id.empty() || out.status.empty()) {
        reason = out.task_id.empty() ? "no task_id" : "no status";
        return std::nullopt;
    }
    out.state = state_of(out.status);
    out.worker = text_member(object, "worker");
    out.children = read_children(object.if_contains("children"));
    boost::json::value* value = object.if_contains("result");
    const bool is_problem = out.state == task_state::failed || out.state == task_state::revoked ||
                            out.state == task_state::retrying;
    if (!is_problem) {
        out.value = value == nullptr ? boost::json::value() : std::move(*value);
        return out;
    }
    if ((value == nullptr || !read_problem(*value, out.problem)) &&
        out.state == task_state::failed) {
        // The task has failed all the same: the caller must not wait for ever.
        out.problem = {"Exception", value == nullptr ? "" : detail::to_text_lossy(*value), {}, {}};
    }
    out.problem.traceback = text_member(object, "traceback");
    return out;
}

task_result unreadable_result(std::string_view task_id, std::string_view reason) {
    task_result out;
    out.task_id = task_id;
    out.state = task_state::failed;
    out.status = state_name(out.state);
    out.problem.type = "UnreadableResult";
    out.problem.message = "the result message cannot be read: " + std::string(reason);
    out.problem.module = "lovage";
    return out;
}

}  // namespace lovage
