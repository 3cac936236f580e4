// When a failed attempt is repeated: exponential backoff with full jitter, so that tasks that
// failed together do not come back together. Pure: the random bits are an argument.
#pragma once

#include <lovage/options.hpp>

#include <chrono>
#include <cstdint>

namespace lovage {

/// Attempts that lovage::retry_after may ask for where the task sets no `retries.max`; Celery's
/// default of max_retries.
inline constexpr int retry_after_max_default = 3;

/// min(cap, base * 2^retries): grows with `retries`, the number of retries so far, up to the cap.
[[nodiscard]] std::chrono::milliseconds backoff_ceiling(
    const retry_policy& policy,
    std::int64_t retries);

/// A delay from 0 to backoff_ceiling(), chosen by 64 random bits.
[[nodiscard]] std::chrono::milliseconds backoff(
    const retry_policy& policy,
    std::int64_t retries,
    std::uint64_t random);

}  // namespace lovage
