// Parsing JSON text that came from outside: strict, with limits on depth and size. Used for message
// bodies and by lovage::parse_json. Pure.
#pragma once

#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lovage {

/// Deepest nesting of lists and objects; deeper text is refused before it costs stack.
inline constexpr std::size_t json_depth_max = 64;
/// Longest text. Parsed values take a multiple of it in memory.
inline constexpr std::size_t json_bytes_max = 64U << 20U;

/// False with a reason if `text` is not one JSON value within the limits. Bare NaN and Infinity, as
/// Python's json writes them, are named as such.
[[nodiscard]] bool try_parse_json(
    std::string_view text,
    boost::json::value& out,
    std::string& reason);

/// The message's content type is application/json, in any case and with any parameters (charset).
[[nodiscard]] bool is_json_content(const std::optional<std::string>& content_type);

}  // namespace lovage
