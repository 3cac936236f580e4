#include "framework/app/task_queues.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lovage {
namespace {

TEST(DelayStep, IsNeverShorterAndAtMostAnEighthLonger) {
    for (std::int64_t ms = 10; ms < 100'000'000; ms += 1 + ms / 37) {
        const auto step = delay_step(milliseconds(ms)).count();

        EXPECT_GE(step, ms);
        EXPECT_LE(step, ms + ms / 8 + 1);
    }
}

TEST(DelayStep, ThereAreFewOfThem) {
    std::set<std::int64_t> steps;
    for (std::int64_t ms = 1; ms < 3'600'000; ms += 7) {
        steps.insert(delay_step(milliseconds(ms)).count());
    }

    EXPECT_LE(steps.size(), 160U);
}

TEST(DelayStep, IsWithinItsLimits) {
    EXPECT_EQ(delay_step(milliseconds(1)), milliseconds(10));
    EXPECT_GE(delay_step(milliseconds::max()), broker_delay_max);
    EXPECT_LE(delay_step(milliseconds::max()).count(), 4'000'000'000);
}

TEST(DelayStep, StepsAreTheirOwnSteps) {
    for (std::int64_t ms = 10; ms < 10'000'000; ms += 1 + ms / 11) {
        const auto step = delay_step(milliseconds(ms));

        EXPECT_EQ(delay_step(step), step);
    }
}

}  // namespace
}  // namespace lovage
