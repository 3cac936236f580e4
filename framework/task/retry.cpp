#include "framework/task/retry.hpp"

#include <algorithm>

namespace lovage {

std::chrono::milliseconds backoff_ceiling(const retry_policy& policy, std::int64_t retries) {
    const std::int64_t cap = std::max<std::int64_t>(policy.cap.count(), 0);
    std::int64_t delay = std::clamp<std::int64_t>(policy.base.count(), 0, cap);
    for (; retries > 0 && delay > 0 && delay < cap; --retries) {
        delay = delay > cap / 2 ? cap : delay * 2;
    }
    return std::chrono::milliseconds(delay);
}

std::chrono::milliseconds backoff(
    const retry_policy& policy,
    std::int64_t retries,
    std::uint64_t random) {
    const auto ceiling = static_cast<std::uint64_t>(backoff_ceiling(policy, retries).count());
    // 2^64 is so much larger than any delay in milliseconds that the remainder's bias is nothing.
    return std::chrono::milliseconds(static_cast<std::int64_t>(random % (ceiling + 1)));
}

}  // namespace lovage
