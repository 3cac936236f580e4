// Writing JSON text, and the texts of JSON errors. The type-dependent half is in
// lovage/detail/json_*.hpp. Pure.
#include "framework/task/iso8601.hpp"
#include "framework/task/json_parse.hpp"
#include "framework/task/utf8.hpp"

#include <lovage/detail/json_codec.hpp>
#include <lovage/error.hpp>

#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <cmath>

namespace lovage::detail {

namespace {

/// Most bytes of a wrong value that an error text quotes.
constexpr std::size_t quoted_bytes_max = 40;

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

template <class Real>
void append_real(std::string& out, Real value, const json_path* path) {
    if (!std::isfinite(value)) {
        fail_encode(path, "NaN and infinity have no JSON form");
    }
    const std::size_t start = out.size();
    append_number(out, value);
    if (out.find_first_of(".e", start) == std::string::npos) {
        out += ".0";
    }
}

void append_escaped(std::string& out, unsigned char c) {
    constexpr std::string_view hex = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
            out += "\\u00";
            out += hex[c >> 4U];
            out += hex[c & 15U];
    }
}

std::string describe_value(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null: return "null";
        case boost::json::kind::bool_: return value.get_bool() ? "true" : "false";
        case boost::json::kind::int64: return "integer " + std::to_string(value.get_int64());
        case boost::json::kind::uint64: return "integer " + std::to_string(value.get_uint64());
        case boost::json::kind::double_: return "number " + to_text_lossy(value);
        case boost::json::kind::array:
            return "a list of " + std::to_string(value.get_array().size());
        case boost::json::kind::object: return "an object";
        case boost::json::kind::string: break;
    }
    const std::string_view text(value.get_string().data(), value.get_string().size());
    std::string quoted = "string ";
    const std::string_view shown = utf8_prefix(text, quoted_bytes_max);
    append_text(quoted, shown, nullptr);
    if (shown.size() < text.size()) {
        quoted.insert(quoted.size() - 1, "...");
    }
    return quoted;
}

}  // namespace

std::string describe_path(const json_path* path) {
    if (path == nullptr) {
        return {};
    }
    std::string text;
    const json_path* step = path;
    for (; step != nullptr && step->kind != json_path::step::argument; step = step->parent) {
        text.insert(
            0,
            step->kind == json_path::step::index ? "[" + std::to_string(step->index) + "]"
                                                 : "." + std::string(step->name));
    }
    if (!text.empty()) {
        text += ": ";
    }
    if (step != nullptr) {
        text.insert(0, "argument " + std::to_string(step->index) + ": ");
    }
    return text;
}

bool json_reader::fail(std::string_view what, const json_path* path) {
    if (error.empty()) {
        error = describe_path(path).append(what);
    }
    return false;
}

bool json_reader::expected(
    std::string_view expected,
    const boost::json::value& got,
    const json_path* path) {
    return fail("expected " + std::string(expected) + ", got " + describe_value(got), path);
}

void fail_encode(const json_path* path, std::string_view what) {
    throw encode_error(describe_path(path).append(what));
}

std::string to_text_lossy(const boost::json::value& value) {
    try {
        std::string text;
        append_value(text, value, nullptr);
        return text;
    } catch (const encode_error&) {
        return boost::json::serialize(value);
    }
}

void append_integer(std::string& out, std::int64_t value) {
    append_number(out, value);
}
void append_integer(std::string& out, std::uint64_t value) {
    append_number(out, value);
}
void append_double(std::string& out, double value, const json_path* path) {
    append_real(out, value, path);
}
void append_float(std::string& out, float value, const json_path* path) {
    append_real(out, value, path);
}

void append_text(std::string& out, std::string_view text, const json_path* path) {
    out += '"';
    std::size_t copied = 0;
    bool ascii = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == '"' || c == '\\') {
            out.append(text, copied, i - copied);
            append_escaped(out, c);
            copied = i + 1;
        }
        ascii = ascii && c < 0x80;
    }
    out.append(text, copied);
    out += '"';
    if (!ascii && !is_utf8(text)) {
        fail_encode(path, "text that is not UTF-8");
    }
}

void append_value(std::string& out, const boost::json::value& value, const json_path* path) {
    switch (value.kind()) {
        case boost::json::kind::null: out += "null"; break;
        case boost::json::kind::bool_: out += value.get_bool() ? "true" : "false"; break;
        case boost::json::kind::int64: append_number(out, value.get_int64()); break;
        case boost::json::kind::uint64: append_number(out, value.get_uint64()); break;
        case boost::json::kind::double_: append_real(out, value.get_double(), path); break;
        case boost::json::kind::string:
            append_text(out, {value.get_string().data(), value.get_string().size()}, path);
            break;
        case boost::json::kind::array: append_value(out, value.get_array(), path); break;
        case boost::json::kind::object: append_value(out, value.get_object(), path); break;
    }
}

void append_value(std::string& out, const boost::json::array& list, const json_path* path) {
    out += '[';
    std::size_t index = 0;
    for (const boost::json::value& part : list) {
        if (index != 0) {
            out += ',';
        }
        const json_path here{path, json_path::step::index, {}, index++};
        append_value(out, part, &here);
    }
    out += ']';
}

void append_value(std::string& out, const boost::json::object& object, const json_path* path) {
    out += '{';
    bool first = true;
    for (const auto& entry : object) {
        if (!first) {
            out += ',';
        }
        first = false;
        const std::string_view key(entry.key().data(), entry.key().size());
        const json_path here{path, json_path::step::member, key, 0};
        append_text(out, key, &here);
        out += ':';
        append_value(out, entry.value(), &here);
    }
    out += '}';
}

void append_time(std::string& out, std::int64_t microseconds, const json_path* path) {
    const iso_time time{std::chrono::microseconds(microseconds)};
    if (time < iso_time_min || time > iso_time_max) {
        fail_encode(path, "a time outside of the years 1 to 9999");
    }
    out += '"';
    out += format_iso8601(time);
    out += '"';
}

}  // namespace lovage::detail
