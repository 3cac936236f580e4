#include "framework/base/log.hpp"

#include <algorithm>

namespace lovage {
namespace {

log_sink current_sink = nullptr;
log_level lowest_level = log_level::off;

void append_value(std::string& line, std::string_view value) {
    constexpr std::string_view hex = "0123456789abcdef";
    const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
    const bool plain = !value.empty() && std::ranges::none_of(value, is_control) &&
                       value.find_first_of(" \"\\=") == std::string_view::npos;
    if (plain) {
        line += value;
        return;
    }
    line += '"';
    for (const char c : value) {
        switch (c) {
            case '"': line += "\\\""; break;
            case '\\': line += "\\\\"; break;
            case '\n': line += "\\n"; break;
            case '\r': line += "\\r"; break;
            case '\t': line += "\\t"; break;
            default:
                if (is_control(c)) {  // a terminal would obey it
                    line += "\\x";
                    line += hex[static_cast<unsigned char>(c) >> 4U];
                    line += hex[static_cast<unsigned char>(c) & 15U];
                } else {
                    line += c;
                }
        }
    }
    line += '"';
}

}  // namespace

void set_log_sink(log_sink sink, log_level lowest) {
    current_sink = sink;
    lowest_level = lowest;
}

bool log_enabled(log_level level) {
    return current_sink != nullptr && level >= lowest_level && level != log_level::off;
}

std::string format_log_line(std::string_view name, std::initializer_list<log_field> fields) {
    std::string line{name};
    for (const auto& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        append_value(line, field.value);
    }
    return line;
}

void log_event(log_level level, std::string_view name, std::initializer_list<log_field> fields) {
    if (log_enabled(level)) {
        current_sink(level, format_log_line(name, fields));
    }
}

void log_formatted(log_level level, std::string_view line) {
    if (log_enabled(level)) {
        current_sink(level, line);
    }
}

}  // namespace lovage
