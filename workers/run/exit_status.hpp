// Exit statuses of the command line, for scripts. Constants.
#pragma once

namespace lovage::workers {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;     ///< the task failed; the worker was not stopped cleanly
inline constexpr int exit_no_answer = 2;  ///< call: no result in time
inline constexpr int exit_usage = 64;     ///< the command line makes no sense (EX_USAGE)
inline constexpr int exit_unavailable = 69;  ///< broker or management API not there, or refuses us

}  // namespace lovage::workers
