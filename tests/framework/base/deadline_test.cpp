#include "framework/base/deadline.hpp"

#include <gtest/gtest.h>

namespace lovage {
namespace {

using namespace std::chrono_literals;

constexpr time_point now{1000h};

TEST(DeadlineAfter, AddsTheTimeout) {
    EXPECT_EQ(deadline_after(now, 5s), now + 5s);
    EXPECT_EQ(deadline_after(now, 0ms), now);
}

TEST(DeadlineAfter, NegativeTimeoutIsOverNow) {
    EXPECT_EQ(deadline_after(now, -5s), now);
    EXPECT_EQ(deadline_after(now, milliseconds::min()), now);
}

TEST(DeadlineAfter, TimeoutBeyondTheClocksEndIsNever) {
    EXPECT_EQ(deadline_after(now, milliseconds::max()), time_point::max());
    EXPECT_EQ(deadline_after(now, 24h * 365 * 1000), time_point::max());
    EXPECT_EQ(deadline_after(now, 24h * 365 * 100), now + 24h * 365 * 100);
}

}  // namespace
}  // namespace lovage
