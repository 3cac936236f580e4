// The seam between C++ types and JSON: json_codec<T>, the path that errors name, and the functions
// that do not depend on the type (framework/task/json_text.cpp). Included through lovage/json.hpp.
// Writing goes straight to text because a call's arguments are sent as they are written; reading
// goes through Boost.JSON's values because an argument list is parsed once for all its parts.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lovage {

/// Set to true for a described struct of which any member may be missing.
template <class T>
inline constexpr bool tolerant = false;

/// A specialisation has these static members:
///   void write(std::string& out, const T&, const detail::json_path*)    may throw encode_error
///   bool read(const boost::json::value&, T&, detail::json_reader&, const detail::json_path*)
///       fills a T that was just made by T{}
///   bool blank(const T&)        is it what T{} is
///   constexpr bool supported    false if an element type has no JSON form
template <class T>
struct json_codec;

template <class T>
concept json_value = requires {
    sizeof(json_codec<T>);
    requires json_codec<T>::supported;
};

namespace detail {

/// A step of the way from the whole value to a part; a list of these lives on the stack.
struct json_path {
    enum class step { argument, member, index };
    const json_path* parent;
    step kind;
    std::string_view name;
    std::size_t index;
};

/// `argument 0: .items[3].quantity: `, or nothing for the whole value.
[[nodiscard]] std::string describe_path(const json_path* path);

/// Where a read failed. The first error stays.
struct json_reader {
    std::string error;

    /// Notes `path: expected <expected>, got <value>` and returns false.
    bool expected(std::string_view expected, const boost::json::value& got, const json_path* path);
    /// Notes `path: <what>` and returns false.
    bool fail(std::string_view what, const json_path* path);
};

/// Throws encode_error with the path.
[[noreturn]] void fail_encode(const json_path* path, std::string_view what);

void append_integer(std::string& out, std::int64_t value);
void append_integer(std::string& out, std::uint64_t value);
/// Shortest text that reads back as the same number, always with a point or an exponent, so that
/// a Python caller sees a float. Throws encode_error for NaN and infinities.
void append_double(std::string& out, double value, const json_path* path);
void append_float(std::string& out, float value, const json_path* path);
/// Quoted and escaped. Throws encode_error for text that is not UTF-8.
void append_text(std::string& out, std::string_view text, const json_path* path);
/// Throw encode_error for NaN and infinities anywhere inside.
void append_value(std::string& out, const boost::json::value& value, const json_path* path);
void append_value(std::string& out, const boost::json::array& list, const json_path* path);
void append_value(std::string& out, const boost::json::object& object, const json_path* path);

/// For texts that people read: an infinity, which has no JSON form, becomes 1e99999.
[[nodiscard]] std::string to_text_lossy(const boost::json::value& value);
/// Microseconds since 1970 as `2026-11-20T09:23:31.688502+00:00`, quoted.
void append_time(std::string& out, std::int64_t microseconds, const json_path* path);

bool read_signed(
    const boost::json::value& json,
    std::int64_t lowest,
    std::int64_t highest,
    std::int64_t& out,
    json_reader& reader,
    const json_path* path);
bool read_unsigned(
    const boost::json::value& json,
    std::uint64_t highest,
    std::uint64_t& out,
    json_reader& reader,
    const json_path* path);
/// `highest` is the largest magnitude that the target type holds.
bool read_floating(
    const boost::json::value& json,
    double highest,
    double& out,
    json_reader& reader,
    const json_path* path);
/// ISO 8601 text to microseconds since 1970.
bool read_time(
    const boost::json::value& json,
    std::int64_t& microseconds,
    json_reader& reader,
    const json_path* path);

}  // namespace detail
}  // namespace lovage
