#include "framework/task/python_repr.hpp"

#include "framework/task/utf8.hpp"

namespace lovage {

namespace {

/// Copies the JSON string whose opening quote is at `i` in single quotes; returns the index behind.
std::size_t append_string(std::string& out, std::string_view json, std::size_t i) {
    out += '\'';
    for (++i; i < json.size() && json[i] != '"' && out.size() < repr_bytes_max; ++i) {
        if (json[i] == '\\' && i + 1 < json.size()) {
            ++i;
            if (json[i] != '"') {
                out += '\\';
            }
        } else if (json[i] == '\'') {
            out += '\\';
        }
        out += json[i];
    }
    out += '\'';
    return i + 1;
}

/// The JSON between `begin` and `end` in Python's spelling, or the front of it.
void append_python(std::string& out, std::string_view json) {
    std::size_t i = 0;
    while (i < json.size() && out.size() < repr_bytes_max) {
        switch (json[i]) {
            case '"': i = append_string(out, json, i); continue;
            case ',': out += ", "; break;
            case ':': out += ": "; break;
            case 't':
                out += "True";
                i += 3;
                break;
            case 'f':
                out += "False";
                i += 4;
                break;
            case 'n':
                out += "None";
                i += 3;
                break;
            case ' ': break;
            default: out += json[i];
        }
        ++i;
    }
}

std::string finish(std::string out, std::string_view closing) {
    if (out.size() >= repr_bytes_max) {
        out.resize(utf8_prefix(out, repr_bytes_max - 4).size());
        out += "...";
        closing = closing.substr(closing.size() - 1);
    }
    out += closing;
    return out;
}

}  // namespace

std::string args_repr(std::string_view args) {
    std::string out = "(";
    const std::string_view inside = args.size() < 2 ? "" : args.substr(1, args.size() - 2);
    append_python(out, inside);
    // A tuple of one is written with a comma: count commas outside of strings and brackets.
    int depth = 0;
    bool quoted = false;
    bool several = false;
    for (std::size_t i = 0; i < inside.size() && i < repr_bytes_max; ++i) {
        const char c = inside[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            ++depth;
        } else if (c == ']' || c == '}') {
            --depth;
        } else if (c == ',' && depth == 0) {
            several = true;
        }
    }
    return finish(std::move(out), inside.empty() || several ? ")" : ",)");
}

std::string kwargs_repr(std::string_view kwargs) {
    std::string out = "{";
    append_python(out, kwargs.size() < 2 ? "" : kwargs.substr(1, kwargs.size() - 2));
    return finish(std::move(out), "}");
}

}  // namespace lovage
