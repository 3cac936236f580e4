#include "framework/task/task_id.hpp"

#include <gtest/gtest.h>

#include <bitset>
#include <string>
#include <unordered_set>

TEST(TaskId, IdIsAVersion4Uuid) {
    lovage::task_id_generator ids(1, 2);
    for (int i = 0; i < 1000; ++i) {
        const std::string id = ids.next();
        ASSERT_EQ(id.size(), 36U);
        for (const std::size_t dash : {8U, 13U, 18U, 23U}) {
            EXPECT_EQ(id[dash], '-');
        }
        EXPECT_EQ(id[14], '4');
        EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
        EXPECT_EQ(id.find_first_not_of("0123456789abcdef-"), std::string::npos);
    }
}

TEST(TaskId, IdsDoNotRepeatWithinOrAcrossGenerators) {
    lovage::task_id_generator a(0, 0);
    lovage::task_id_generator b(0, 1);
    lovage::task_id_generator c(1, 0);
    std::unordered_set<std::string> seen;
    for (int i = 0; i < 20000; ++i) {
        seen.insert(a.next());
        seen.insert(b.next());
        seen.insert(c.next());
    }
    EXPECT_EQ(seen.size(), 60000U);
}

TEST(TaskId, SameSeedGivesTheSameIds) {
    lovage::task_id_generator a(7, 9);
    lovage::task_id_generator b(7, 9);
    EXPECT_EQ(a.next(), b.next());
    EXPECT_EQ(a.random(), b.random());
}

TEST(TaskId, RandomBitsAreEvenlySet) {
    lovage::task_id_generator ids(3, 4);
    std::size_t set = 0;
    for (int i = 0; i < 10000; ++i) {
        set += std::bitset<64>(ids.random()).count();
    }
    EXPECT_NEAR(static_cast<double>(set), 320000.0, 3200.0);
}
