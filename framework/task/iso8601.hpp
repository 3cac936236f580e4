// Times as Celery writes them into eta and expires: 2026-11-20T09:23:31.688502+00:00.
// Written with exactly six digits, because Celery 5.2 reads the fraction as an integer number of
// microseconds. Read generously: Z, offsets with or without colon, none (UTC), any number of
// fraction digits, a blank instead of T, a date alone. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace lovage {

using iso_time = std::chrono::sys_time<std::chrono::microseconds>;

/// Python's datetime has the years 1 to 9999.
inline constexpr iso_time iso_time_min =
    std::chrono::sys_days(std::chrono::year(1) / std::chrono::January / 1);
inline constexpr iso_time iso_time_max =
    std::chrono::sys_days(std::chrono::year(10000) / std::chrono::January / 1) -
    std::chrono::microseconds(1);

/// `time` is held within iso_time_min and iso_time_max.
[[nodiscard]] std::string format_iso8601(iso_time time);
/// Nothing if `text` is no time. More than six fraction digits are cut.
[[nodiscard]] std::optional<iso_time> parse_iso8601(std::string_view text);

}  // namespace lovage
