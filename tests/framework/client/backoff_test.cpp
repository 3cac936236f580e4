#include "framework/client/backoff.hpp"

#include <gtest/gtest.h>

namespace lovage::client {
namespace {

constexpr std::uint64_t largest = ~std::uint64_t{0};

TEST(Backoff, FirstRetryIsImmediate) {
    backoff pause;

    EXPECT_EQ(pause.next(largest), milliseconds(0));
}

TEST(Backoff, CeilingDoublesFromBaseToCap) {
    backoff pause;
    static_cast<void>(pause.next(0));

    // `random` is taken modulo ceiling + 1, so the ceiling itself gives the longest pause.
    EXPECT_EQ(pause.next(100), milliseconds(100));
    EXPECT_EQ(pause.next(200), milliseconds(200));
    EXPECT_EQ(pause.next(400), milliseconds(400));
    for (int i = 0; i < 100; ++i) {
        EXPECT_LE(pause.next(largest - static_cast<unsigned>(i)), backoff_cap);
    }
    EXPECT_EQ(pause.next(10'000), backoff_cap);
}

TEST(Backoff, PauseMayBeAnythingBelowItsCeiling) {
    backoff pause;
    static_cast<void>(pause.next(0));

    EXPECT_EQ(pause.next(0), milliseconds(0));
    EXPECT_EQ(pause.next(57), milliseconds(57));
}

TEST(Backoff, ResetMakesTheNextRetryImmediate) {
    backoff pause;
    static_cast<void>(pause.next(5));
    static_cast<void>(pause.next(5));

    pause.reset();

    EXPECT_EQ(pause.next(5), milliseconds(0));
}

TEST(Backoff, SuccessThatMayNotLastShrinksThePausesButNotToNothing) {
    backoff pause;
    for (int i = 0; i < 20; ++i) {
        static_cast<void>(pause.next(0));
    }

    pause.succeeded();

    EXPECT_EQ(pause.next(400), milliseconds(400));
}

}  // namespace
}  // namespace lovage::client
