// Where a broker is: amqp:// and amqps:// addresses as RabbitMQ's URI specification and its URI
// query parameters define them. Read by every client program; pure, any thread.
// Passwords: to_string() and display() never show them, so that addresses can be logged.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lovage::net {

inline constexpr std::uint16_t port_plain_default = 5672;
inline constexpr std::uint16_t port_tls_default = 5671;
/// Longest address that is looked at.
inline constexpr std::size_t uri_octets_max = 8192;

struct uri {
    bool tls = false;
    std::string user = "guest";
    std::string password = "guest";
    std::string host = "localhost";  ///< IPv6 addresses without their brackets
    std::uint16_t port = port_plain_default;
    std::string vhost = "/";
    std::optional<std::uint16_t> heartbeat_seconds;  ///< 0: none wanted
    std::optional<std::chrono::milliseconds> connection_timeout;
    std::optional<std::uint16_t> channel_max;
    std::optional<std::uint32_t> frame_max;
    std::string ca_file;           ///< PEM; empty: the system's store
    std::string certificate_file;  ///< PEM; the client's own certificate
    std::string key_file;          ///< PEM
    bool verify_peer = true;
    std::string server_name;  ///< SNI and the name to verify; empty: host

    bool operator==(const uri&) const = default;

    /// The address without its password, readable by parse_uri.
    [[nodiscard]] std::string to_string() const;
    /// host:port, for messages and logs.
    [[nodiscard]] std::string display() const;
};

/// Nothing, and in `problem` what is wrong and at which character (counted from 1), if `text` is no
/// such address. The text of a problem never contains the password.
/// Defaults: guest, guest, localhost, 5672 or 5671, virtual host "/". An empty path, "/", "//" and
/// "/%2f" all mean the virtual host "/", as Celery's users write it; unknown query keys are
/// refused.
[[nodiscard]] std::optional<uri> parse_uri(std::string_view text, std::string& problem);

}  // namespace lovage::net
