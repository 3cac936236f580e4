#include "framework/app/deadline_table.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace lovage {
namespace {

using std::chrono::seconds;

const time_point start{seconds(1000)};

TEST(DeadlineTable, GivesWhatIsDueInOrder) {
    deadline_table<int> table;
    const auto who = std::make_shared<int>();
    table.add(start + seconds(2), who, 2);
    table.add(start + seconds(1), who, 1);
    table.add(start + seconds(3), who, 3);
    EXPECT_EQ(table.earliest(), start + seconds(1));

    deadline_table<int>::entry due;
    ASSERT_TRUE(table.take_due(start + seconds(2), due));
    EXPECT_EQ(due.number, 1U);
    EXPECT_EQ(due.who.lock(), who);
    ASSERT_TRUE(table.take_due(start + seconds(2), due));
    EXPECT_EQ(due.number, 2U);

    EXPECT_FALSE(table.take_due(start + seconds(2), due));
    EXPECT_EQ(table.size(), 1U);
}

TEST(DeadlineTable, WhatIsRemovedLeavesNothingBehind) {
    deadline_table<int> table;
    const auto other = std::make_shared<int>();
    table.add(start + seconds(5), other, 7);

    for (std::uint64_t i = 0; i < 1000; ++i) {
        const auto who = std::make_shared<int>();
        table.add(start + seconds(1), who, 1);
        table.add(start + seconds(9), who, 2);
        table.remove(who.get());
        ASSERT_EQ(table.size(), 1U);
    }

    EXPECT_EQ(table.earliest(), start + seconds(5));
    table.remove(other.get());
    EXPECT_EQ(table.earliest(), time_point::max());
}

TEST(DeadlineTable, HoldsNobodyAlive) {
    deadline_table<int> table;
    table.add(start, std::make_shared<int>(), 1);

    deadline_table<int>::entry due;
    ASSERT_TRUE(table.take_due(start, due));

    EXPECT_EQ(due.who.lock(), nullptr);
    EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace lovage
