// JSON forms of single values: bool, numbers, text, optional, durations, times, Boost.JSON's own.
// Included through lovage/json.hpp, which has the table of all types.
#pragma once

#include <lovage/detail/json_codec.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace lovage {

namespace detail {
template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
/// Whole numbers of at most 64 bits; not bool, not characters, which are neither number nor text.
template <class T>
concept whole_number = std::integral<T> && !std::same_as<T, bool> && !character<T> &&
                       sizeof(T) <= sizeof(std::int64_t);
template <class T>
concept real_number = std::same_as<T, float> || std::same_as<T, double>;
}  // namespace detail

template <>
struct json_codec<bool> {
    static constexpr bool supported = true;
    static void write(std::string& out, bool value, const detail::json_path*) {
        out += value ? "true" : "false";
    }
    static bool read(
        const boost::json::value& json,
        bool& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_bool()) {
            return reader.expected("boolean", json, path);
        }
        out = json.get_bool();
        return true;
    }
    static bool blank(bool value) { return !value; }
};

template <detail::whole_number T>
struct json_codec<T> {
    using wide = std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t>;
    static constexpr bool supported = true;
    static void write(std::string& out, T value, const detail::json_path*) {
        detail::append_integer(out, static_cast<wide>(value));
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        wide value = 0;
        using limits = std::numeric_limits<T>;
        if constexpr (std::signed_integral<T>) {
            if (!detail::read_signed(json, limits::min(), limits::max(), value, reader, path)) {
                return false;
            }
        } else if (!detail::read_unsigned(json, limits::max(), value, reader, path)) {
            return false;
        }
        out = static_cast<T>(value);
        return true;
    }
    static bool blank(T value) { return value == 0; }
};

template <detail::real_number T>
struct json_codec<T> {
    static constexpr bool supported = true;
    static void write(std::string& out, T value, const detail::json_path* path) {
        if constexpr (std::same_as<T, float>) {
            detail::append_float(out, value, path);
        } else {
            detail::append_double(out, value, path);
        }
    }
    static bool read(
        const boost::json::value& json,
        T& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        double value = 0;
        // The shortest text of the largest float is a little larger than it.
        constexpr double rounding = std::same_as<T, float> ? 0x1p-25 : 0.0;
        constexpr double highest =
            static_cast<double>(std::numeric_limits<T>::max()) * (1.0 + rounding);
        if (!detail::read_floating(json, highest, value, reader, path)) {
            return false;
        }
        out = static_cast<T>(value);
        return true;
    }
    static bool blank(T value) { return !(value < 0) && !(value > 0); }
};

template <>
struct json_codec<std::string> {
    static constexpr bool supported = true;
    static void write(std::string& out, const std::string& value, const detail::json_path* path) {
        detail::append_text(out, value, path);
    }
    static bool read(
        const boost::json::value& json,
        std::string& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_string()) {
            return reader.expected("string", json, path);
        }
        out.assign(json.get_string().data(), json.get_string().size());
        return true;
    }
    static bool blank(const std::string& value) { return value.empty(); }
};

template <>
struct json_codec<std::monostate> {
    static constexpr bool supported = true;
    static void write(std::string& out, std::monostate, const detail::json_path*) { out += "null"; }
    static bool read(
        const boost::json::value& json,
        std::monostate&,
        detail::json_reader& reader,
        const detail::json_path* path) {
        return json.is_null() || reader.expected("null", json, path);
    }
    static bool blank(std::monostate) { return true; }
};

template <class T>
struct json_codec<std::optional<T>> {
    static constexpr bool supported = json_value<T>;
    static void write(
        std::string& out,
        const std::optional<T>& value,
        const detail::json_path* path) {
        if (value.has_value()) {
            json_codec<T>::write(out, *value, path);
        } else {
            out += "null";
        }
    }
    static bool read(
        const boost::json::value& json,
        std::optional<T>& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (json.is_null()) {
            out.reset();
            return true;
        }
        return json_codec<T>::read(json, out.emplace(), reader, path);
    }
    static bool blank(const std::optional<T>& value) { return !value.has_value(); }
};

template <class Rep, class Period>
struct json_codec<std::chrono::duration<Rep, Period>> {
    using type = std::chrono::duration<Rep, Period>;
    using seconds = std::chrono::duration<double>;
    static constexpr bool supported = true;
    static constexpr double whole_seconds_max = 1e15;  ///< up to here a double tells each second
    static void write(std::string& out, const type& value, const detail::json_path* path) {
        const double exact = seconds(value).count();
        if (std::abs(exact) < whole_seconds_max && std::trunc(exact) == exact) {
            detail::append_integer(out, static_cast<std::int64_t>(exact));
        } else {
            detail::append_double(out, exact, path);
        }
    }
    static bool read(
        const boost::json::value& json,
        type& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        double value = 0;
        // A little less than the most that T holds, so that rounding cannot leave its range.
        const double highest = seconds(type::max()).count() * 0.999;
        if (!detail::read_floating(json, highest, value, reader, path)) {
            return false;
        }
        if constexpr (std::floating_point<Rep>) {
            out = std::chrono::duration_cast<type>(seconds(value));
        } else {
            out = std::chrono::round<type>(seconds(value));
        }
        return true;
    }
    static bool blank(const type& value) { return value == type::zero(); }
};

template <class Duration>
struct json_codec<std::chrono::sys_time<Duration>> {
    using type = std::chrono::sys_time<Duration>;
    using seconds = std::chrono::duration<double>;
    static constexpr bool supported = true;
    static constexpr double year_10000 = 253402300800.0;  ///< in seconds since 1970
    static void write(std::string& out, const type& value, const detail::json_path* path) {
        if (!(std::abs(seconds(value.time_since_epoch()).count()) <= year_10000)) {
            detail::fail_encode(path, "a time outside of the years 1 to 9999");
        }
        const auto micros = std::chrono::floor<std::chrono::microseconds>(value.time_since_epoch());
        detail::append_time(out, micros.count(), path);
    }
    static bool read(
        const boost::json::value& json,
        type& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        std::int64_t micros = 0;
        if (!detail::read_time(json, micros, reader, path)) {
            return false;
        }
        // Nanoseconds in 64 bits end in 2262.
        const std::chrono::microseconds since(micros);
        if (std::abs(seconds(since).count()) > seconds(Duration::max()).count() * 0.999) {
            return reader.fail("time out of range", path);
        }
        out = type(std::chrono::floor<Duration>(since));
        return true;
    }
    static bool blank(const type& value) { return value == type{}; }
};

template <>
struct json_codec<boost::json::value> {
    static constexpr bool supported = true;
    static void write(
        std::string& out,
        const boost::json::value& value,
        const detail::json_path* path) {
        detail::append_value(out, value, path);
    }
    static bool read(
        const boost::json::value& json,
        boost::json::value& out,
        detail::json_reader&,
        const detail::json_path*) {
        out = json;
        return true;
    }
    static bool blank(const boost::json::value& value) { return value.is_null(); }
};

template <>
struct json_codec<boost::json::array> {
    static constexpr bool supported = true;
    static void write(
        std::string& out,
        const boost::json::array& value,
        const detail::json_path* path) {
        detail::append_value(out, value, path);
    }
    static bool read(
        const boost::json::value& json,
        boost::json::array& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_array()) {
            return reader.expected("list", json, path);
        }
        out = json.get_array();
        return true;
    }
    static bool blank(const boost::json::array& value) { return value.empty(); }
};

template <>
struct json_codec<boost::json::object> {
    static constexpr bool supported = true;
    static void write(
        std::string& out,
        const boost::json::object& value,
        const detail::json_path* path) {
        detail::append_value(out, value, path);
    }
    static bool read(
        const boost::json::value& json,
        boost::json::object& out,
        detail::json_reader& reader,
        const detail::json_path* path) {
        if (!json.is_object()) {
            return reader.expected("object", json, path);
        }
        out = json.get_object();
        return true;
    }
    static bool blank(const boost::json::object& value) { return value.empty(); }
};

}  // namespace lovage
