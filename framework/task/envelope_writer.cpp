// Writing task messages. The table of headers is copied from a prototype that has all constant
// entries, because a copy costs one allocation where building it costs six. Pure.
#include "framework/task/envelope.hpp"
#include "framework/task/iso8601.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace lovage {

namespace {

constexpr std::string_view empty_embed =
    R"({"callbacks":null,"errbacks":null,"chain":null,"chord":null})";

/// Longest expiration property that RabbitMQ accepts, ten years; more is a channel error there.
constexpr milliseconds expiration_max{315360000000};

amqp::field_value seconds_field(const std::optional<milliseconds>& limit) {
    if (!limit.has_value()) {
        return {};
    }
    const std::int64_t whole = limit->count() / 1000;
    if (limit->count() % 1000 == 0 && std::in_range<std::int32_t>(whole)) {
        return static_cast<std::int32_t>(whole);
    }
    return static_cast<double>(limit->count()) / 1000.0;
}

amqp::field_value integer_field(std::int64_t value) {
    if (std::in_range<std::int32_t>(value)) {
        return static_cast<std::int32_t>(value);
    }
    return value;
}

amqp::field_value time_field(wall_time time) {
    constexpr auto lowest = std::chrono::ceil<milliseconds>(iso_time_min);
    constexpr auto highest = std::chrono::floor<milliseconds>(iso_time_max);
    return format_iso8601(std::clamp<wall_time>(time, lowest, highest));
}

/// What changes with every message stands first, where table::set finds it at once.
const amqp::table& prototype() {
    static const amqp::table table{
        {"task", {}},
        {"id", {}},
        {"root_id", {}},
        {"argsrepr", {}},
        {"kwargsrepr", {}},
        {"origin", {}},
        {"retries", 0},
        {"timelimit", amqp::field_array{{}, {}}},
        {"lang", "cpp"},
        {"ignore_result", false},
        {"parent_id", {}},
        {"eta", {}},
        {"expires", {}},
        {"group", {}},
        {"group_index", {}},
        {"shadow", {}},
    };
    return table;
}

void set_text(amqp::table& headers, std::string_view name, std::string&& text) {
    if (!text.empty()) {
        headers.set(name, std::move(text));
    }
}

void set_rare(amqp::table& headers, envelope& head) {
    if (head.retries != 0) {
        headers.set("retries", integer_field(head.retries));
    }
    if (head.time_limit.has_value() || head.soft_time_limit.has_value()) {
        headers.set(
            "timelimit",
            amqp::field_array{seconds_field(head.time_limit), seconds_field(head.soft_time_limit)});
    }
    if (head.ignore_result) {
        headers.set("ignore_result", true);
    }
    if (head.eta.has_value()) {
        headers.set("eta", time_field(*head.eta));
    }
    if (head.expires.has_value()) {
        headers.set("expires", time_field(*head.expires));
    }
    if (head.group_index.has_value()) {
        headers.set("group_index", integer_field(*head.group_index));
    }
    set_text(headers, "lang", std::move(head.lang));
    set_text(headers, "parent_id", std::move(head.parent_id));
    set_text(headers, "group", std::move(head.group));
    set_text(headers, "shadow", std::move(head.shadow));
    for (const auto& [name, value] : head.headers) {
        headers.add(name, value);
    }
}

}  // namespace

amqp::basic_properties write_envelope(envelope&& head, wall_time now) {
    amqp::basic_properties out;
    out.content_type = "application/json";
    out.content_encoding = "utf-8";
    out.delivery_mode = amqp::delivery_mode_persistent;
    out.priority = head.priority.value_or(0);
    out.correlation_id = head.correlation_id.empty() ? head.id : std::move(head.correlation_id);
    if (!head.reply_to.empty()) {
        out.reply_to = std::move(head.reply_to);
    }
    if (head.expires.has_value()) {
        // What lives longer needs no property, the header is enough.
        const auto left = std::clamp(*head.expires, now, now + delay_max) - now;
        if (left <= expiration_max) {
            out.expiration = std::to_string(left.count());
        }
    }
    amqp::table& headers = out.headers.emplace(prototype());
    headers.set("task", std::move(head.task));
    headers.set("root_id", head.root_id.empty() ? head.id : std::move(head.root_id));
    headers.set("id", std::move(head.id));
    headers.set("argsrepr", std::move(head.args_repr));
    headers.set("kwargsrepr", std::move(head.kwargs_repr));
    headers.set("origin", std::move(head.origin));
    set_rare(headers, head);
    return out;
}

std::string write_body(std::string_view args, std::string_view kwargs) {
    std::string body;
    body.reserve(args.size() + kwargs.size() + empty_embed.size() + 4);
    body += '[';
    body += args;
    body += ',';
    body += kwargs;
    body += ',';
    body += empty_embed;
    body += ']';
    return body;
}

std::string write_body(const task_message& message) {
    boost::json::object embed = message.embed;
    for (const std::string_view key : {"callbacks", "errbacks", "chain", "chord"}) {
        embed.emplace(boost::json::string_view(key.data(), key.size()), nullptr);
    }
    return boost::json::serialize(boost::json::array{message.args, message.kwargs, embed});
}

}  // namespace lovage
