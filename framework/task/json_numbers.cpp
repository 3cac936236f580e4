// Reading numbers and times from JSON values, exactly or not at all. Pure.
#include "framework/task/iso8601.hpp"

#include <lovage/detail/json_codec.hpp>

#include <cmath>

namespace lovage::detail {

namespace {

/// Whole numbers up to here are exact in a double: beyond, 3e20 may stand for many integers.
constexpr double exact_double_max = 9007199254740992.0;  // 2^53

/// A JSON number that is a whole number within 64 bits; 3.0 counts, as JSON knows one number type.
enum class whole { no, negative, positive, huge };

whole classify(const boost::json::value& json, std::int64_t& low, std::uint64_t& high) {
    if (json.is_int64()) {
        low = json.get_int64();
        high = static_cast<std::uint64_t>(low);
        return low < 0 ? whole::negative : whole::positive;
    }
    if (json.is_uint64()) {
        high = json.get_uint64();
        return whole::positive;
    }
    if (!json.is_double() || std::trunc(json.get_double()) != json.get_double()) {
        return whole::no;
    }
    const double value = json.get_double();
    if (std::abs(value) > exact_double_max) {
        return whole::huge;
    }
    low = static_cast<std::int64_t>(value);
    high = static_cast<std::uint64_t>(low);
    return low < 0 ? whole::negative : whole::positive;
}

}  // namespace

bool read_signed(
    const boost::json::value& json,
    std::int64_t lowest,
    std::int64_t highest,
    std::int64_t& out,
    json_reader& reader,
    const json_path* path) {
    std::int64_t low = 0;
    std::uint64_t high = 0;
    const whole kind = classify(json, low, high);
    if (kind == whole::no) {
        return reader.expected("integer", json, path);
    }
    const bool fits = (kind == whole::negative && low >= lowest) ||
                      (kind == whole::positive && high <= static_cast<std::uint64_t>(highest));
    if (!fits) {
        const std::string range = std::to_string(lowest) + " to " + std::to_string(highest);
        return reader.expected("integer from " + range, json, path);
    }
    out = kind == whole::negative ? low : static_cast<std::int64_t>(high);
    return true;
}

bool read_unsigned(
    const boost::json::value& json,
    std::uint64_t highest,
    std::uint64_t& out,
    json_reader& reader,
    const json_path* path) {
    std::int64_t low = 0;
    std::uint64_t high = 0;
    const whole kind = classify(json, low, high);
    if (kind == whole::no) {
        return reader.expected("integer", json, path);
    }
    if (kind != whole::positive || high > highest) {
        return reader.expected("integer from 0 to " + std::to_string(highest), json, path);
    }
    out = high;
    return true;
}

bool read_floating(
    const boost::json::value& json,
    double highest,
    double& out,
    json_reader& reader,
    const json_path* path) {
    if (!json.is_number()) {
        return reader.expected("number", json, path);
    }
    const auto value = json.to_number<double>();
    // Boost.JSON reads 1e400 as infinity.
    if (!(std::abs(value) <= highest)) {
        return reader.fail("number out of range", path);
    }
    out = value;
    return true;
}

bool read_time(
    const boost::json::value& json,
    std::int64_t& microseconds,
    json_reader& reader,
    const json_path* path) {
    if (json.is_string()) {
        const std::string_view text(json.get_string().data(), json.get_string().size());
        if (const auto time = parse_iso8601(text)) {
            microseconds = time->time_since_epoch().count();
            return true;
        }
    }
    return reader.expected("ISO 8601 time", json, path);
}

}  // namespace lovage::detail
