// Numbers of AMQP 0-9-1 (the XML specification's constants) and RabbitMQ's extensions to them, and
// the limits that this project puts on what the specification leaves open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lovage::amqp {

inline constexpr std::string_view protocol_header{"AMQP\0\0\x09\x01", 8};

/// The first octet of a frame (specification 4.2.3).
enum class frame_type : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

inline constexpr std::uint8_t frame_end = 0xCE;
/// Octets of a frame around its payload: type, channel, size, frame-end.
inline constexpr std::size_t frame_overhead = 8;
/// No peer may ask for less (specification 1.4.2.6); it holds before tuning, too.
inline constexpr std::uint32_t frame_size_min = 4096;
inline constexpr std::uint32_t frame_size_default = 131072;
inline constexpr std::uint16_t channel_max_default = 2047;
inline constexpr std::uint16_t heartbeat_seconds_default = 60;
inline constexpr std::size_t short_string_octets_max = 255;

/// Tables in tables are followed this deep, one table holds at most so many values in all.
inline constexpr int table_depth_max = 64;
inline constexpr std::size_t table_values_max = 65536;

struct method_id {
    std::uint16_t class_id = 0;
    std::uint16_t method = 0;
    bool operator==(const method_id&) const = default;
};

inline constexpr std::uint16_t class_connection = 10;
inline constexpr std::uint16_t class_channel = 20;
inline constexpr std::uint16_t class_access = 30;
inline constexpr std::uint16_t class_exchange = 40;
inline constexpr std::uint16_t class_queue = 50;
inline constexpr std::uint16_t class_basic = 60;
inline constexpr std::uint16_t class_confirm = 85;
inline constexpr std::uint16_t class_tx = 90;

enum class reply_code : std::uint16_t {
    reply_success = 200,
    content_too_large = 311,
    no_route = 312,
    no_consumers = 313,
    connection_forced = 320,
    invalid_path = 402,
    access_refused = 403,
    not_found = 404,
    resource_locked = 405,
    precondition_failed = 406,
    frame_error = 501,
    syntax_error = 502,
    command_invalid = 503,
    channel_error = 504,
    unexpected_frame = 505,
    resource_error = 506,
    not_allowed = 530,
    not_implemented = 540,
    internal_error = 541
};

/// The code's name as it stands before the text of a close, e.g. "NOT_FOUND"; empty if unknown.
[[nodiscard]] std::string_view reply_code_name(reply_code code);

inline constexpr std::uint8_t delivery_mode_transient = 1;
inline constexpr std::uint8_t delivery_mode_persistent = 2;

}  // namespace lovage::amqp
