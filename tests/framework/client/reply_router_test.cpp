#include "framework/client/reply_router.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::client {
namespace {

TEST(ReplyRouter, FindsWhoWaits) {
    reply_router<int> router;

    EXPECT_TRUE(router.add("a", 1));
    EXPECT_TRUE(router.add("b", 2));

    ASSERT_NE(router.find("b"), nullptr);
    EXPECT_EQ(*router.find("b"), 2);
    EXPECT_EQ(router.find("c"), nullptr);
}

TEST(ReplyRouter, KeepsTheFirstOfTwoWaitersForOneId) {
    reply_router<int> router;
    router.add("a", 1);

    EXPECT_FALSE(router.add("a", 2));

    EXPECT_EQ(*router.find("a"), 1);
}

TEST(ReplyRouter, RemovedWaiterIsUnknown) {
    reply_router<int> router;
    router.add("a", 1);

    EXPECT_TRUE(router.remove("a"));

    EXPECT_FALSE(router.remove("a"));
    EXPECT_EQ(router.find("a"), nullptr);
}

TEST(ReplyRouter, SweepRemovesTheGoneOnesWhenTheRouterHasGrown) {
    reply_router<int> router;
    const auto odd = [](int value) { return value % 2 == 1; };
    for (int i = 0; i < 10; ++i) {
        router.add(std::to_string(i), i);
    }

    router.sweep(odd);
    EXPECT_EQ(router.size(), 10U);  // not worth a look yet
    for (int i = 10; i < 1000; ++i) {
        router.add(std::to_string(i), i);
    }
    router.sweep(odd);

    EXPECT_EQ(router.size(), 500U);
    EXPECT_NE(router.find("998"), nullptr);
}

}  // namespace
}  // namespace lovage::client
