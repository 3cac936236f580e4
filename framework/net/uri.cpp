#include "framework/net/uri.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace lovage::net {
namespace {

constexpr std::string_view scheme_plain = "amqp://";
constexpr std::string_view scheme_tls = "amqps://";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
    if (text.size() < lower.size()) {
        return false;
    }
    for (std::size_t i = 0; i < lower.size(); ++i) {
        const char c = text[i];
        const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (folded != lower[i]) {
            return false;
        }
    }
    return true;
}

/// Walks over the address; remembers the first problem and where it is.
class uri_parser {
public:
    uri_parser(std::string_view text, std::string& problem) : text_(text), problem_(problem) {}

    std::optional<uri> run() {
        if (text_.size() > uri_octets_max) {
            fail("the address is too long", text_);
            return std::nullopt;
        }
        std::string_view rest = text_;
        if (starts_with_ignoring_case(rest, scheme_tls)) {
            rest.remove_prefix(scheme_tls.size());
            result_.tls = true;
            result_.port = port_tls_default;
        } else if (starts_with_ignoring_case(rest, scheme_plain)) {
            rest.remove_prefix(scheme_plain.size());
        } else {
            fail("a broker address starts with amqp:// or amqps://", text_);
            return std::nullopt;
        }
        const std::string_view before_query = rest.substr(0, rest.find('?'));
        if (before_query.size() < rest.size()) {
            query(rest.substr(before_query.size() + 1));
        }
        const std::string_view authority = before_query.substr(0, before_query.find('/'));
        if (authority.size() < before_query.size()) {
            path(before_query.substr(authority.size() + 1));
        }
        const auto at = authority.rfind('@');
        if (at != std::string_view::npos) {
            user_information(authority.substr(0, at));
        }
        host_and_port(at == std::string_view::npos ? authority : authority.substr(at + 1));
        return failed_ ? std::nullopt : std::optional<uri>(std::move(result_));
    }

private:
    void fail(std::string_view what, std::string_view where) {
        if (!failed_) {
            failed_ = true;
            problem_ = what;
            problem_ += " (at character " + std::to_string(where.data() - text_.data() + 1) + ")";
        }
    }

    std::string decode(std::string_view part) {
        std::string decoded;
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (part[i] != '%') {
                decoded += part[i];
                continue;
            }
            const bool whole = part.size() - i > 2;
            const int high = whole ? hex_digit(part[i + 1]) : -1;
            const int low = whole ? hex_digit(part[i + 2]) : -1;
            if (high < 0 || low < 0) {
                fail("% must be followed by two hexadecimal digits", part.substr(i));
                return {};
            }
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
        return decoded;
    }

    void user_information(std::string_view part) {
        const auto colon = part.find(':');
        result_.user = decode(part.substr(0, colon));
        if (colon != std::string_view::npos) {
            result_.password = decode(part.substr(colon + 1));
        }
    }

    void host_and_port(std::string_view part) {
        std::string_view host;
        std::string_view after;
        if (!part.empty() && part.front() == '[') {
            const auto end = part.find(']');
            if (end == std::string_view::npos) {
                fail("an IPv6 address must end in ]", part);
                return;
            }
            host = part.substr(1, end - 1);
            after = part.substr(end + 1);
            if (!after.empty() && after.front() != ':') {
                fail("only a port may follow the ] of an IPv6 address", after);
                return;
            }
        } else {
            host = part.substr(0, part.find(':'));
            after = part.substr(host.size());
        }
        if (!host.empty()) {
            result_.host = decode(host);
        }
        if (after.size() > 1) {
            result_.port = number<std::uint16_t>("the port", after.substr(1), 1);
        }
    }

    void path(std::string_view part) {
        if (part.empty() || part == "/") {
            return;
        }
        const auto slash = part.find('/');
        if (slash != std::string_view::npos) {
            fail("a / inside the virtual host's name is written %2F", part.substr(slash));
            return;
        }
        result_.vhost = decode(part);
    }

    void query(std::string_view rest) {
        while (!rest.empty() && !failed_) {
            const std::string_view pair = rest.substr(0, rest.find('&'));
            rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
            const std::string_view key = pair.substr(0, pair.find('='));
            if (key.size() == pair.size()) {
                fail("a parameter is written key=value", pair);
                return;
            }
            parameter(key, pair.substr(key.size() + 1));
        }
    }

    void parameter(std::string_view key, std::string_view value) {
        if (key == "heartbeat") {
            result_.heartbeat_seconds = number<std::uint16_t>("heartbeat (seconds)", value, 0);
        } else if (key == "connection_timeout") {
            result_.connection_timeout = std::chrono::milliseconds(
                number<std::uint32_t>("connection_timeout (milliseconds)", value, 1));
        } else if (key == "channel_max") {
            result_.channel_max = number<std::uint16_t>("channel_max", value, 0);
        } else if (key == "frame_max") {
            result_.frame_max = number<std::uint32_t>("frame_max", value, 0);
        } else if (key == "cacertfile") {
            result_.ca_file = decode(value);
        } else if (key == "certfile") {
            result_.certificate_file = decode(value);
        } else if (key == "keyfile") {
            result_.key_file = decode(value);
        } else if (key == "server_name_indication") {
            result_.server_name = decode(value);
        } else if (key == "verify") {
            verify(value);
        } else {
            // The key is not repeated: it may be part of a password with a raw ? in it.
            fail(
                "unknown parameter; there are heartbeat, connection_timeout, channel_max, "
                "frame_max, "
                "cacertfile, certfile, keyfile, verify and server_name_indication",
                key);
        }
    }

    void verify(std::string_view value) {
        if (value != "verify_peer" && value != "verify_none") {
            fail("verify is verify_peer or verify_none", value);
        }
        result_.verify_peer = value == "verify_peer";
    }

    template <class Number>
    Number number(std::string_view what, std::string_view digits, Number lowest) {
        Number value = 0;
        const char* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, value);
        if (digits.empty() || error != std::errc{} || stop != end || value < lowest) {
            fail(
                std::string(what) + " is a number from " + std::to_string(lowest) + " to " +
                    std::to_string(std::numeric_limits<Number>::max()),
                digits);
        }
        return value;
    }

    std::string_view text_;
    std::string& problem_;
    uri result_;
    bool failed_ = false;
};

std::string encode(std::string_view part) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    static constexpr std::string_view plain = "-._~";
    std::string encoded;
    for (const char c : part) {
        const bool letter =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || plain.find(c) != std::string_view::npos) {
            encoded += c;
        } else {
            const auto code = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += digits[code >> 4U];
            encoded += digits[code & 15U];
        }
    }
    return encoded;
}

std::string query_of(const uri& from) {
    std::string query;
    const auto add = [&](std::string_view key, const std::string& value) {
        query += query.empty() ? '?' : '&';
        query += key;
        query += '=';
        query += value;
    };
    const auto add_text = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) {
            add(key, encode(value));
        }
    };
    if (from.heartbeat_seconds) {
        add("heartbeat", std::to_string(*from.heartbeat_seconds));
    }
    if (from.connection_timeout) {
        add("connection_timeout", std::to_string(from.connection_timeout->count()));
    }
    if (from.channel_max) {
        add("channel_max", std::to_string(*from.channel_max));
    }
    if (from.frame_max) {
        add("frame_max", std::to_string(*from.frame_max));
    }
    add_text("cacertfile", from.ca_file);
    add_text("certfile", from.certificate_file);
    add_text("keyfile", from.key_file);
    add_text("server_name_indication", from.server_name);
    if (!from.verify_peer) {
        add("verify", "verify_none");
    }
    return query;
}

}  // namespace

std::string uri::display() const {
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string uri::to_string() const {
    std::string text{tls ? scheme_tls : scheme_plain};
    text += encode(user) + "@" + display() + "/" + encode(vhost);
    return text + query_of(*this);
}

std::optional<uri> parse_uri(std::string_view text, std::string& problem) {
    return uri_parser(text, problem).run();
}

}  // namespace lovage::net
