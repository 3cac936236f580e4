#include <lovage/how.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

using lovage::how;
using lovage::wall_time;
using namespace std::chrono_literals;

static_assert(!std::is_aggregate_v<how>, "g++ 12 destroys aggregate temporaries twice in co_await");

namespace {
const wall_time now(1000s);
}

TEST(How, NothingSaidMeansAtOnceAndForEver) {
    EXPECT_EQ(how().due(now), std::nullopt);
    EXPECT_EQ(how().expiry(now), std::nullopt);
    EXPECT_EQ(how().priority(), std::nullopt);
    EXPECT_EQ(how().ignores_result(), std::nullopt);
}

TEST(How, LastOfDelayAndTimeCounts) {
    EXPECT_EQ(how().after(5s).due(now), now + 5s);
    EXPECT_EQ(how().after(5s).eta(now + 1h).due(now), now + 1h);
    EXPECT_EQ(how().eta(now + 1h).after(5s).due(now), now + 5s);
    EXPECT_EQ(how().expires(5s).expires(now + 1h).expiry(now), now + 1h);
    EXPECT_EQ(how().expires(now + 1h).expires(5s).expiry(now), now + 5s);
}

TEST(How, WhatWouldBeCutIsRefused) {
    EXPECT_EQ(how().id(std::string(255, 'x')).id().size(), 255U);
    EXPECT_THROW(how().id(std::string(256, 'x')), std::invalid_argument);
    EXPECT_NO_THROW(how().header(std::string(255, 'x'), 1));
    EXPECT_THROW(how().header(std::string(256, 'x'), 1), std::invalid_argument);
}

TEST(How, HeadersOfTheProtocolAreRefused) {
    for (const char* name : {"task", "id", "eta", "compression", "ignore_result", ""}) {
        EXPECT_THROW(how().header(name, 1), std::invalid_argument) << name;
    }
    EXPECT_EQ(how().header("x_tenant", 1).headers().size(), 1U);
}
