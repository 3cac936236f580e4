#include "framework/task/retry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

using lovage::backoff;
using lovage::backoff_ceiling;
using lovage::retry_policy;
using namespace std::chrono_literals;

TEST(RetryPolicy, CeilingDoublesUntilTheCap) {
    const retry_policy policy{.max = 9, .base = 1s, .cap = 10s};
    EXPECT_EQ(backoff_ceiling(policy, 0), 1s);
    EXPECT_EQ(backoff_ceiling(policy, 1), 2s);
    EXPECT_EQ(backoff_ceiling(policy, 3), 8s);
    EXPECT_EQ(backoff_ceiling(policy, 4), 10s);
}

TEST(RetryPolicy, CeilingIsMonotoneAndNeverOverflows) {
    const retry_policy policy{.max = 1, .base = 7ms, .cap = std::chrono::milliseconds::max()};
    auto before = 0ms;
    for (std::int64_t retries = 0; retries < 200; ++retries) {
        const auto now = backoff_ceiling(policy, retries);
        EXPECT_GE(now, before);
        before = now;
    }
    EXPECT_EQ(before, std::chrono::milliseconds::max());
    EXPECT_EQ(backoff_ceiling(policy, std::numeric_limits<std::int64_t>::max()), before);
}

TEST(RetryPolicy, BaseAboveTheCapIsCapped) {
    EXPECT_EQ(backoff_ceiling({.max = 1, .base = 1min, .cap = 10s}, 0), 10s);
}

TEST(RetryPolicy, ZeroBaseRetriesAtOnce) {
    EXPECT_EQ(backoff_ceiling({.max = 1, .base = 0ms, .cap = 10s}, 50), 0ms);
    EXPECT_EQ(backoff({.max = 1, .base = 0ms, .cap = 10s}, 50, 12345), 0ms);
}

TEST(RetryPolicy, JitterCoversTheWholeRange) {
    const retry_policy policy{.max = 9, .base = 10ms, .cap = 10s};
    auto lowest = 1h + 0ms;
    auto highest = 0ms;
    for (std::uint64_t random = 0; random < 1000; ++random) {
        const auto delay = backoff(policy, 2, random * 0x9E3779B97F4A7C15U);
        EXPECT_GE(delay, 0ms);
        EXPECT_LE(delay, 40ms);
        lowest = std::min(lowest, delay);
        highest = std::max(highest, delay);
    }
    EXPECT_EQ(lowest, 0ms);
    EXPECT_EQ(highest, 40ms);
}
