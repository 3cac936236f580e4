// Options of a task: literal structs, written with designated initialisers where the task is
// defined, and constant from then on. Shared by caller (queue, time limit, ignore_result) and
// worker (all). Text in them must live as long as the program: literals.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace lovage {

/// Most parameters of a task that can have names.
inline constexpr std::size_t parameter_names_max = 16;

/// Automatic retries after exceptions: the n-th retry comes after a random part of
/// min(cap, base * 2^(n-1)).
struct retry_policy {
    int max = 0;  ///< retries after the first attempt; 0: the first exception is final
    std::chrono::milliseconds base = std::chrono::seconds{1};
    std::chrono::milliseconds cap = std::chrono::minutes{10};
};

struct task_options {
    std::string_view queue = {};                    ///< empty: the application's default queue
    std::string_view names[parameter_names_max]{};  ///< of the parameters, for keyword arguments
    retry_policy retries = {};
    std::chrono::milliseconds time_limit{0};  ///< hard limit of one attempt; 0: none
    int max_crashes = 3;         ///< worker processes that may die of it before it is given up
    bool ignore_result = false;  ///< nobody waits: no result message is wanted
};

}  // namespace lovage
