#include "workers/core/node_name.hpp"

#include <algorithm>

namespace lovage::workers {

std::optional<std::string> expand_node_name(
    std::string_view pattern,
    std::string_view host,
    std::string& problem) {
    const std::size_t dot = host.find('.');
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            out += pattern[i];
            continue;
        }
        const char letter = i + 1 < pattern.size() ? pattern[++i] : '\0';
        switch (letter) {
            case 'h': out += host; break;
            case 'n': out += host.substr(0, dot); break;
            case 'd': out += dot == std::string_view::npos ? "" : host.substr(dot + 1); break;
            case '%': out += '%'; break;
            default:
                problem = "in the node name only %h, %n, %d and %% are known";
                return std::nullopt;
        }
    }
    if (out.find('@') == std::string::npos) {
        out += '@';
        out += host;
    }
    const bool visible =
        std::all_of(out.begin(), out.end(), [](char c) { return c > ' ' && c != '\x7f'; });
    if (out.front() == '@' || !visible) {
        problem = "a node name is not empty and has no blanks";
        return std::nullopt;
    }
    return out;
}

}  // namespace lovage::workers
