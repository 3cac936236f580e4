// Reading task messages of protocol 2, and of protocol 1, which old clients still send.
// reference/celery in the project's notes says what Celery 5.2 accepts; each leniency beyond that
// has a test of its own. Pure.
#include "framework/task/envelope.hpp"
#include "framework/task/header_values.hpp"
#include "framework/task/iso8601.hpp"
#include "framework/task/json_parse.hpp"

#include <boost/json/value.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

namespace lovage {

namespace {

using json_kind = boost::json::kind;

/// Longest time limit that is taken seriously; beyond, milliseconds would overflow.
constexpr double time_limit_seconds_max = 1e9;

std::string_view view_of(const boost::json::string& text) {
    return {text.data(), text.size()};
}

/// Fills an envelope from headers or, for protocol 1, from the body's members. The first problem
/// stays.
struct envelope_reader {
    envelope& head;
    std::optional<refusal> problem;

    void refuse(refusal_reason reason, std::string text) {
        if (!problem.has_value()) {
            problem = refusal{reason, std::move(text)};
        }
    }
    void bad(std::string_view name) {
        refuse(refusal_reason::bad_header, "header " + std::string(name) + " makes no sense");
    }
};

/// Text as it is; an integer as its digits, because Celery takes any id; anything else is no text.
void read_text(const boost::json::value& value, std::string& out) {
    if (value.is_string()) {
        out = view_of(value.get_string());
    } else if (value.is_int64()) {
        out = std::to_string(value.get_int64());
    }
}

bool read_integer(const boost::json::value& value, std::int64_t& out) {
    if (value.is_int64()) {
        out = value.get_int64();
        return true;
    }
    if (!value.is_string()) {
        return false;
    }
    const std::string_view text = view_of(value.get_string());
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    return code == std::errc{} && end == text.data() + text.size();
}

/// ISO text, or seconds since 1970 from an AMQP timestamp. Rounded up: never early.
bool read_time(const boost::json::value& value, std::optional<wall_time>& out) {
    if (value.is_uint64()) {
        const std::uint64_t seconds = value.get_uint64();
        constexpr auto most = std::chrono::floor<std::chrono::seconds>(iso_time_max);
        if (seconds > static_cast<std::uint64_t>(most.time_since_epoch().count())) {
            return false;
        }
        out = wall_time(std::chrono::seconds(seconds));
        return true;
    }
    const auto time = value.is_string() ? parse_iso8601(view_of(value.get_string())) : std::nullopt;
    if (time.has_value()) {
        out = std::chrono::ceil<milliseconds>(*time);
    }
    return time.has_value();
}

bool read_seconds(const boost::json::value& value, std::optional<milliseconds>& out) {
    double seconds = 0;
    if (value.is_null()) {
        return true;
    }
    if (value.is_string()) {
        const std::string_view text = view_of(value.get_string());
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (code != std::errc{} || end != text.data() + text.size()) {
            return false;
        }
    } else if (value.is_number()) {
        seconds = value.to_number<double>();
    } else {
        return false;
    }
    if (!(seconds >= 0 && seconds <= time_limit_seconds_max)) {
        return false;
    }
    out = milliseconds(std::llround(seconds * 1000));
    return true;
}

void read_time_limit(envelope_reader& reader, const boost::json::value& value) {
    if (!value.is_array()) {
        reader.bad("timelimit");
        return;
    }
    const boost::json::array& pair = value.get_array();
    const bool good =
        pair.empty() || (pair.size() == 2 && read_seconds(pair[0], reader.head.time_limit) &&
                         read_seconds(pair[1], reader.head.soft_time_limit));
    if (!good) {
        reader.bad("timelimit");
    }
}

/// Python's truth: an empty string, zero and null are false, and "false" is true.
bool read_truth(const boost::json::value& value) {
    switch (value.kind()) {
        case json_kind::null: return false;
        case json_kind::bool_: return value.get_bool();
        case json_kind::string: return !value.get_string().empty();
        case json_kind::int64: return value.get_int64() != 0;
        default: return true;
    }
}

using field_handler = void (*)(envelope_reader&, const boost::json::value&);
struct field {
    std::string_view name;
    field_handler read;
};

template <std::string envelope::* Member>
void text_field(envelope_reader& reader, const boost::json::value& value) {
    read_text(value, reader.head.*Member);
}

void retries_field(envelope_reader& reader, const boost::json::value& value) {
    std::int64_t& retries = reader.head.retries;
    if (!read_integer(value, retries) || retries < 0 || retries > retries_max) {
        retries = 0;
        reader.bad("retries");
    }
}
void group_index_field(envelope_reader& reader, const boost::json::value& value) {
    std::int64_t index = 0;
    if (read_integer(value, index)) {
        reader.head.group_index = index;
    } else {
        reader.bad("group_index");
    }
}
void eta_field(envelope_reader& reader, const boost::json::value& value) {
    if (!read_time(value, reader.head.eta)) {
        reader.bad("eta");
    }
}
void expires_field(envelope_reader& reader, const boost::json::value& value) {
    if (!read_time(value, reader.head.expires)) {
        reader.bad("expires");
    }
}
void ignore_field(envelope_reader& reader, const boost::json::value& value) {
    reader.head.ignore_result = read_truth(value);
}
void compression_field(envelope_reader& reader, const boost::json::value&) {
    reader.refuse(refusal_reason::unsupported_compression, "compressed bodies are not supported");
}

constexpr std::array<field, 18> fields{{
    {"task", text_field<&envelope::task>},
    {"id", text_field<&envelope::id>},
    {"root_id", text_field<&envelope::root_id>},
    {"parent_id", text_field<&envelope::parent_id>},
    {"argsrepr", text_field<&envelope::args_repr>},
    {"kwargsrepr", text_field<&envelope::kwargs_repr>},
    {"origin", text_field<&envelope::origin>},
    {"lang", text_field<&envelope::lang>},
    {"shadow", text_field<&envelope::shadow>},
    {"group", text_field<&envelope::group>},
    {"retries", retries_field},
    {"group_index", group_index_field},
    {"eta", eta_field},
    {"expires", expires_field},
    {"timelimit", read_time_limit},
    {"ignore_result", ignore_field},
    {"compression", compression_field},
    {"taskset", text_field<&envelope::group>},  // protocol 1's name of the group
}};

const field* find_field(std::string_view name) {
    for (const field& known : fields) {
        if (known.name == name) {
            return &known;
        }
    }
    return nullptr;
}

void read_headers(envelope_reader& reader, const amqp::table& headers) {
    for (const auto& [name, value] : headers) {
        const field* known = find_field(name);
        if (known == nullptr) {
            reader.head.headers.add(name, value);
        } else if (value.is_void()) {
            continue;  // null is Celery's "not set"
        } else if (const auto* text = value.as<std::string>(); text != nullptr) {
            known->read(reader, boost::json::value(*text));
        } else {
            known->read(reader, header_to_json(value));
        }
    }
}

void take_list(envelope_reader& reader, boost::json::value& part, boost::json::array& out) {
    if (part.is_array()) {
        out = std::move(part.get_array());
    } else if (!part.is_null()) {
        reader.refuse(refusal_reason::bad_body, "the arguments are not a list");
    }
}

void take_object(
    envelope_reader& reader,
    boost::json::value& part,
    boost::json::object& out,
    std::string_view what) {
    if (part.is_object()) {
        out = std::move(part.get_object());
    } else if (!part.is_null()) {
        reader.refuse(refusal_reason::bad_body, std::string(what) + " is not an object");
    }
}

/// `{"args": ..., "kwargs": ..., "callbacks": ...}`, with the envelope in it for protocol 1.
void take_body_object(envelope_reader& reader, boost::json::object& body, task_message& out) {
    for (auto& entry : body) {
        const std::string_view key(entry.key().data(), entry.key().size());
        if (key == "args") {
            take_list(reader, entry.value(), out.args);
        } else if (key == "kwargs") {
            take_object(reader, entry.value(), out.kwargs, "kwargs");
        } else if (key == "callbacks" || key == "errbacks" || key == "chain" || key == "chord") {
            out.embed[entry.key()] = std::move(entry.value());
        } else if (const field* known = find_field(key);
                   out.protocol_1 && known != nullptr && !entry.value().is_null()) {
            known->read(reader, entry.value());
        }
    }
}

void take_body(envelope_reader& reader, boost::json::value& body, task_message& out) {
    if (body.is_object()) {
        out.protocol_1 = out.head.task.empty() && body.get_object().contains("task");
        take_body_object(reader, body.get_object(), out);
        return;
    }
    if (!body.is_array() || body.get_array().size() != 3) {
        reader.refuse(refusal_reason::bad_body, "the body is not [args, kwargs, embed]");
        return;
    }
    boost::json::array& parts = body.get_array();
    take_list(reader, parts[0], out.args);
    take_object(reader, parts[1], out.kwargs, "kwargs");
    take_object(reader, parts[2], out.embed, "embed");
}

}  // namespace

std::string_view refusal_name(refusal_reason reason) {
    switch (reason) {
        case refusal_reason::unsupported_content_type: return "unsupported_content_type";
        case refusal_reason::unsupported_compression: return "unsupported_compression";
        case refusal_reason::undecodable_body: return "undecodable_body";
        case refusal_reason::bad_body: return "bad_body";
        case refusal_reason::missing_task: return "missing_task";
        case refusal_reason::missing_id: return "missing_id";
        case refusal_reason::bad_header: return "bad_header";
    }
    return "unknown";
}

bool is_protocol_header(std::string_view name) {
    return find_field(name) != nullptr;
}

std::optional<refusal> read_task_message(
    const amqp::basic_properties& properties,
    octets body,
    task_message& out) {
    out = task_message{};
    envelope_reader reader{out.head, std::nullopt};
    out.head.reply_to = properties.reply_to.value_or("");
    out.head.correlation_id = properties.correlation_id.value_or("");
    out.head.priority = properties.priority;
    if (properties.headers.has_value()) {
        read_headers(reader, *properties.headers);
    }
    boost::json::value json;
    std::string reason;
    if (!is_json_content(properties.content_type)) {
        reader.refuse(
            refusal_reason::unsupported_content_type,
            "content type \"" + properties.content_type.value_or("") + "\", not application/json");
    } else if (!reader.problem.has_value() && !try_parse_json(body, json, reason)) {
        reader.refuse(refusal_reason::undecodable_body, "the body is not JSON: " + reason);
    } else if (!reader.problem.has_value()) {
        take_body(reader, json, out);
    }
    if (out.head.id.empty()) {
        out.head.id = out.head.correlation_id;
    }
    if (out.head.task.empty()) {
        reader.refuse(refusal_reason::missing_task, "no task is named");
    }
    if (out.head.id.empty()) {
        reader.refuse(refusal_reason::missing_id, "the task has no id");
    }
    return std::move(reader.problem);
}

}  // namespace lovage
