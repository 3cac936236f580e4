// Time as an argument. Pure code never reads a clock: its driver passes the monotonic time that
// timeouts are measured with, and the wall time that messages carry.
#pragma once

#include <chrono>

namespace lovage {

using milliseconds = std::chrono::milliseconds;
/// Monotonic; only differences mean something.
using time_point = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
/// Unix time in milliseconds, UTC.
using wall_time = std::chrono::sys_time<milliseconds>;

}  // namespace lovage
