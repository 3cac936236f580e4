// The parser is Boost.JSON's, with a handler of our own: Boost 1.81 reads one ordinary double in
// ten one bit wrong (measured over 200,000 random ones), and a price that changes on its way is a
// bug. std::from_chars reads them exactly.
#include "framework/task/json_parse.hpp"

#include <lovage/error.hpp>
#include <lovage/json.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <array>
#include <charconv>
#include <utility>

namespace lovage {

namespace {

using boost::json::string_view;
using boost::system::error_code;

/// Builds a value from the parser's events. All of the text comes in one buffer, so that numbers
/// come in one part.
struct value_builder {
    static constexpr std::size_t max_object_size = boost::json::object::max_size();
    static constexpr std::size_t max_array_size = boost::json::array::max_size();
    static constexpr std::size_t max_key_size = boost::json::string::max_size();
    static constexpr std::size_t max_string_size = boost::json::string::max_size();

    boost::json::value_stack stack;

    value_builder(unsigned char* scratch, std::size_t scratch_size)
        : stack({}, scratch, scratch_size) {
        stack.reset();
    }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return true; }
    bool on_array_begin(error_code&) { return true; }
    bool on_object_end(std::size_t count, error_code&) {
        stack.push_object(count);
        return true;
    }
    bool on_array_end(std::size_t count, error_code&) {
        stack.push_array(count);
        return true;
    }
    bool on_key_part(string_view text, std::size_t, error_code&) {
        stack.push_chars(text);
        return true;
    }
    bool on_key(string_view text, std::size_t, error_code&) {
        stack.push_key(text);
        return true;
    }
    bool on_string_part(string_view text, std::size_t, error_code&) {
        stack.push_chars(text);
        return true;
    }
    bool on_string(string_view text, std::size_t, error_code&) {
        stack.push_string(text);
        return true;
    }
    bool on_number_part(string_view, error_code&) { return true; }
    bool on_int64(std::int64_t value, string_view, error_code&) {
        stack.push_int64(value);
        return true;
    }
    bool on_uint64(std::uint64_t value, string_view, error_code&) {
        stack.push_uint64(value);
        return true;
    }
    /// Beyond a double's range, `value` is what it should be: infinity or zero.
    bool on_double(double value, string_view text, error_code&) {
        double exact = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), exact);
        stack.push_double(code == std::errc{} ? exact : value);
        return true;
    }
    bool on_bool(bool value, error_code&) {
        stack.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        stack.push_null();
        return true;
    }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }
};

/// Enough for the values of a small message; larger ones take memory from the heap.
constexpr std::size_t scratch_bytes = 1024;

/// Python's json writes these tokens unless it is told not to (allow_nan=False).
bool is_nan_token(std::string_view text, std::size_t position) {
    // The parser may have taken the sign, or the first letter as the start of a literal.
    constexpr std::array<std::string_view, 3> tokens{"NaN", "Infinity", "-Infinity"};
    for (std::size_t back = 0; back <= 1 && back <= position; ++back) {
        for (const std::string_view token : tokens) {
            if (text.substr(position - back).starts_with(token)) {
                return true;
            }
        }
    }
    return false;
}

std::string parse_problem(std::string_view text, std::size_t position, const error_code& code) {
    if (is_nan_token(text, position)) {
        return "NaN and Infinity are not JSON (byte " + std::to_string(position) + ")";
    }
    if (code == boost::json::error::too_deep) {
        return "nested deeper than " + std::to_string(json_depth_max) + " levels";
    }
    return code.message() + " (byte " + std::to_string(position) + ")";
}

}  // namespace

bool try_parse_json(std::string_view text, boost::json::value& out, std::string& reason) {
    if (text.size() > json_bytes_max) {
        reason = "longer than " + std::to_string(json_bytes_max) + " bytes";
        return false;
    }
    boost::json::parse_options options;
    options.max_depth = json_depth_max;
    std::array<unsigned char, scratch_bytes> scratch;
    boost::json::basic_parser<value_builder> parser(options, scratch.data(), scratch.size());
    error_code code;
    const std::size_t position = parser.write_some(false, text.data(), text.size(), code);
    if (!code && position < text.size()) {
        code = boost::json::error::extra_data;
    }
    if (code) {
        reason = parse_problem(text, position, code);
        return false;
    }
    out = parser.handler().stack.release();
    return true;
}

boost::json::value parse_json(std::string_view text) {
    boost::json::value value;
    std::string reason;
    if (!try_parse_json(text, value, reason)) {
        throw decode_error("not JSON: " + reason);
    }
    return value;
}

bool is_json_content(const std::optional<std::string>& content_type) {
    constexpr std::string_view wanted = "application/json";
    if (!content_type.has_value() || content_type->size() < wanted.size()) {
        return false;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const char c = (*content_type)[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != wanted[i]) {
            return false;
        }
    }
    const std::string_view rest = std::string_view(*content_type).substr(wanted.size());
    return rest.empty() || rest.front() == ';' || rest.front() == ' ';
}

}  // namespace lovage
