// One GET to a broker's management HTTP API, RabbitMQ's or ours: plain HTTP, basic authentication,
// one deadline. Called by verbs on the main thread; blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lovage::workers {

inline constexpr std::uint16_t management_port_default = 15672;
/// From the AMQP port of a broker to its management port, unless configured.
inline constexpr std::uint16_t management_port_distance = 10000;

struct management_address {
    std::string host;
    std::uint16_t port = management_port_default;
    std::string user;
    std::string password;
};

/// Reads http://[user:password@]host[:port][/] over what `out` has already. False, and in `problem`
/// why, if it is no such address.
[[nodiscard]] bool parse_management_url(
    std::string_view text,
    management_address& out,
    std::string& problem);

/// The body of a 200 answer. Nothing, and in `problem` one line with host and port, otherwise.
[[nodiscard]] std::optional<std::string> management_get(
    const management_address& where,
    const std::string& path,
    std::string& problem);

}  // namespace lovage::workers
