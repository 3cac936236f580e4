// When something that may take so long is overdue. Used wherever a caller's timeout becomes a
// point in time: any timeout is allowed, the longest means never. Pure.
#pragma once

#include "framework/base/time.hpp"

#include <chrono>

namespace lovage {

/// `now + timeout`; `now` for a negative timeout, time_point::max() for one beyond the clock's end.
[[nodiscard]] constexpr time_point deadline_after(time_point now, milliseconds timeout) {
    if (timeout <= milliseconds(0)) {
        return now;
    }
    // Compared in milliseconds: nanoseconds would overflow before they could be compared.
    const auto room = std::chrono::floor<milliseconds>(time_point::max() - now);
    return timeout < room ? now + timeout : time_point::max();
}

}  // namespace lovage
