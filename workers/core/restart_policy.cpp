#include "workers/core/restart_policy.hpp"

#include <algorithm>

namespace lovage::workers {

milliseconds restart_policy::died(milliseconds lived) {
    if (lived >= healthy_life) {
        quick_deaths_ = 0;
    }
    const int earlier = quick_deaths_++;
    if (earlier == 0) {
        return milliseconds(0);
    }
    // 2^7 steps are beyond the cap; more would overflow in the end.
    return std::min(restart_delay_first * (1 << std::min(earlier - 1, 7)), restart_delay_max);
}

}  // namespace lovage::workers
