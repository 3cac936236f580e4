#include "framework/base/ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace lovage {
namespace {

template <class T>
std::deque<T> content(const ring<T>& from) {
    std::deque<T> out;
    for (std::size_t i = 0; i < from.size(); ++i) {
        out.push_back(from[i]);
    }
    return out;
}

ring<int> numbers(int count) {
    ring<int> result;
    for (int i = 0; i < count; ++i) {
        result.push_back(i);
    }
    return result;
}

TEST(Ring, StartsEmpty) {
    const ring<int> empty;

    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.size(), 0U);
}

TEST(Ring, IsAQueueAcrossItsGrowth) {
    ring<int> queue = numbers(100);

    EXPECT_EQ(queue.front(), 0);
    EXPECT_EQ(queue.back(), 99);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(queue.pop_front(), i);
    }
    EXPECT_TRUE(queue.empty());
}

TEST(Ring, HoldsMoveOnlyElements) {
    ring<std::unique_ptr<int>> queue;
    queue.push_back(std::make_unique<int>(1));
    queue.push_front(std::make_unique<int>(0));

    EXPECT_EQ(*queue.pop_front(), 0);
    EXPECT_EQ(*queue.pop_back(), 1);
}

TEST(Ring, ResetsPoppedElementsAtOnce) {
    const auto shared = std::make_shared<int>(7);
    ring<std::shared_ptr<int>> queue;
    for (int i = 0; i < 4; ++i) {
        queue.push_back(shared);
    }

    static_cast<void>(queue.pop_front());
    static_cast<void>(queue.pop_back());
    EXPECT_EQ(shared.use_count(), 3);
    queue.erase(0);
    EXPECT_EQ(shared.use_count(), 2);
    queue.clear();
    EXPECT_EQ(shared.use_count(), 1);
}

TEST(Ring, InsertsBeforeAnyIndex) {
    for (int index = 0; index <= 9; ++index) {
        ring<int> queue = numbers(9);
        std::deque<int> expected = content(queue);
        const auto at = static_cast<std::size_t>(index);

        queue.insert(at, 77);
        expected.insert(expected.begin() + index, 77);

        EXPECT_EQ(content(queue), expected) << index;
    }
}

TEST(Ring, ErasesAtAnyIndex) {
    for (int index = 0; index < 9; ++index) {
        ring<int> queue = numbers(9);
        std::deque<int> expected = content(queue);

        queue.erase(static_cast<std::size_t>(index));
        expected.erase(expected.begin() + index);

        EXPECT_EQ(content(queue), expected) << index;
    }
}

TEST(Ring, CanBeUsedAgainAfterClear) {
    ring<int> queue = numbers(20);

    queue.clear();
    EXPECT_TRUE(queue.empty());
    queue.push_front(5);

    EXPECT_EQ(content(queue), std::deque<int>{5});
}

/// One random step on both.
void step(std::mt19937& random, ring<int>& queue, std::deque<int>& model) {
    const int value = static_cast<int>(random() % 1000);
    const std::size_t index = model.empty() ? 0 : random() % model.size();
    const auto place = model.begin() + static_cast<std::ptrdiff_t>(index);
    switch (model.empty() ? random() % 2 : random() % 6) {
        case 0:
            queue.push_back(value);
            model.push_back(value);
            break;
        case 1:
            queue.push_front(value);
            model.push_front(value);
            break;
        case 2:
            queue.insert(index, value);
            model.insert(place, value);
            break;
        case 3:
            queue.erase(index);
            model.erase(place);
            break;
        case 4:
            ASSERT_EQ(queue.pop_front(), model.front());
            model.pop_front();
            break;
        default: ASSERT_EQ(queue.pop_back(), model.back()); model.pop_back();
    }
}

TEST(Ring, EqualsADequeUnderRandomUse) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random{seed};
        ring<int> queue;
        std::deque<int> model;
        for (int i = 0; i < 1000; ++i) {
            step(random, queue, model);
            ASSERT_EQ(content(queue), model);
        }
    }
}

TEST(Ring, LargeBlockIsGivenBackWhenItIsEmptyAndASmallOneIsKept) {
    struct large {
        char octets[4096];
    };
    ring<large> queue;
    for (int i = 0; i < 1000; ++i) {
        queue.push_back({});
    }
    while (queue.size() > 1) {
        static_cast<void>(queue.pop_front());
    }
    EXPECT_GE(queue.capacity(), 1000U);
    static_cast<void>(queue.pop_back());
    EXPECT_EQ(queue.capacity(), 0U);
    queue.push_back({});
    EXPECT_EQ(queue.size(), 1U);

    ring<int> small;
    for (int i = 0; i < 100; ++i) {
        small.push_back(i);
    }
    while (!small.empty()) {
        static_cast<void>(small.pop_front());
    }
    EXPECT_GE(small.capacity(), 100U);
}

TEST(Ring, InsertsAndErasesAtEveryPlace) {
    for (int place = 0; place <= 20; ++place) {
        ring<int> changed = numbers(20);
        for (int turn = 0; turn < 3; ++turn) {  // not always from the block's start
            changed.push_back(changed.pop_front());
        }
        std::deque<int> wanted = content(changed);
        changed.insert(static_cast<std::size_t>(place), 99);
        wanted.insert(wanted.begin() + place, 99);
        EXPECT_EQ(content(changed), wanted);

        changed.erase(static_cast<std::size_t>(place));
        wanted.erase(wanted.begin() + place);
        EXPECT_EQ(content(changed), wanted);
    }
}

TEST(Ring, ErasesAllThatFitInOneWalk) {
    ring<std::shared_ptr<int>> queue;
    std::vector<std::weak_ptr<int>> watched;
    for (int i = 0; i < 10; ++i) {
        queue.push_back(std::make_shared<int>(i));
        watched.push_back(queue.back());
    }
    std::vector<int> asked;
    queue.erase_if([&](const std::shared_ptr<int>& each) {
        asked.push_back(*each);
        return *each % 3 != 0;
    });

    ASSERT_EQ(queue.size(), 4U);
    EXPECT_EQ(asked, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(*queue[i], static_cast<int>(3 * i));
    }
    EXPECT_TRUE(watched[1].expired());
    queue.erase_if([](const auto&) { return true; });
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace lovage
