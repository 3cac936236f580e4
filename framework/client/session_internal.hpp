// Numbers that session's source files share.
#pragma once

#include "framework/base/time.hpp"

#include <cstdint>

namespace lovage::client {

inline constexpr std::uint16_t request_channel = 1;
inline constexpr std::uint16_t publish_channel = 2;
inline constexpr std::uint16_t get_channel = 3;
inline constexpr std::uint16_t first_consumer_channel = 4;

/// Tokens of our own calls on a connection.
inline constexpr std::uint64_t call_plain = 0;    ///< channel.open, basic.qos
inline constexpr std::uint64_t call_request = 1;  ///< the first of the lane's queue
inline constexpr std::uint64_t call_select = 2;   ///< confirm.select
inline constexpr std::uint64_t call_consume = 3;  ///< basic.consume
inline constexpr std::uint64_t call_cancel = 4;   ///< basic.cancel

/// A connection that lived this long was a good one: the next retry is immediate.
inline constexpr milliseconds good_connection{5000};

}  // namespace lovage::client
