// The logging sink: one line an event, `name key=value ...`. Edges call log_event(); pure code
// returns what is to be logged to its driver. The sink is set once, before threads start, by the
// program (framework/net/logging.cpp has spdlog's); without one, lines are dropped.
// Never pass a secret: URLs are written without their password (net/uri.hpp).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace lovage {

enum class log_level { trace, debug, info, warning, error, off };

struct log_field {
    std::string_view key;
    std::string value;
    log_field(std::string_view name, std::string_view text) : key(name), value(text) {}
    log_field(std::string_view name, const char* text) : key(name), value(text) {}
    log_field(std::string_view name, const std::string& text) : key(name), value(text) {}
    template <class Number>
        requires std::is_arithmetic_v<Number>
    log_field(std::string_view name, Number number) : key(name), value(std::to_string(number)) {}
};

using log_sink = void (*)(log_level, std::string_view line);

/// Sets where lines go and the lowest level that is passed on. Not thread-safe; call at start.
void set_log_sink(log_sink sink, log_level lowest);
[[nodiscard]] bool log_enabled(log_level level);
/// Passes one line to the sink. Values with spaces or quotes are quoted, line breaks escaped.
/// Thread-safe when the sink is.
void log_event(
    log_level level,
    std::string_view name,
    std::initializer_list<log_field> fields = {});
/// The same for a line that format_log_line has made before: what pure code wanted logged.
void log_formatted(log_level level, std::string_view line);
/// Writes the line that log_event would pass on; for sinks' tests and for log effects.
[[nodiscard]] std::string format_log_line(
    std::string_view name,
    std::initializer_list<log_field> fields);

}  // namespace lovage
