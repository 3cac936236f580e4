#include "framework/base/bytes.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>

namespace lovage {
namespace {

TEST(ByteBuffer, StartsEmptyWithoutMemory) {
    const byte_buffer buffer;

    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.size(), 0U);
    EXPECT_EQ(buffer.capacity(), 0U);
    EXPECT_EQ(buffer.view(), "");
}

TEST(ByteBuffer, KeepsAppendedOctetsInOrder) {
    byte_buffer buffer;

    buffer.append("one");
    buffer.append("");
    buffer.append(octets{"\0two", 4});

    EXPECT_EQ(buffer.view(), (octets{"one\0two", 7}));
}

TEST(ByteBuffer, AddsOnlyTheCommittedPartOfWhatWasPrepared) {
    byte_buffer buffer;
    buffer.append("x");

    char* room = buffer.prepare(100);
    room[0] = 'y';
    room[1] = 'z';
    EXPECT_EQ(buffer.view(), "x");
    buffer.commit(2);

    EXPECT_EQ(buffer.view(), "xyz");
    EXPECT_GE(buffer.capacity(), 101U);
}

TEST(ByteBuffer, ConsumesAtTheFront) {
    byte_buffer buffer;
    buffer.append("abcdef");

    buffer.consume(2);
    EXPECT_EQ(buffer.view(), "cdef");
    EXPECT_EQ(*buffer.at(1), 'd');
    buffer.consume(4);

    EXPECT_TRUE(buffer.empty());
}

TEST(ByteBuffer, PatchesWhereAtPoints) {
    byte_buffer buffer;
    buffer.append("0abc");
    buffer.consume(1);

    *buffer.at(2) = 'C';

    EXPECT_EQ(buffer.view(), "abC");
}

TEST(ByteBuffer, TruncateCutsTheBack) {
    byte_buffer buffer;
    buffer.append("0abcdef");
    buffer.consume(1);

    buffer.truncate(3);
    buffer.append("X");

    EXPECT_EQ(buffer.view(), "abcX");
}

TEST(ByteBuffer, ClearKeepsTheMemoryAndReleaseGivesItBack) {
    byte_buffer buffer;
    buffer.append(std::string(1000, 'x'));

    buffer.clear();
    EXPECT_TRUE(buffer.empty());
    EXPECT_GE(buffer.capacity(), 1000U);
    buffer.release();
    EXPECT_EQ(buffer.capacity(), 0U);

    buffer.append("again");
    EXPECT_EQ(buffer.view(), "again");
}

TEST(ByteBuffer, MovesItsContent) {
    byte_buffer source;
    source.append("content");

    byte_buffer target{std::move(source)};
    EXPECT_EQ(target.view(), "content");
    byte_buffer assigned;
    assigned = std::move(target);

    EXPECT_EQ(assigned.view(), "content");
}

TEST(ByteBuffer, EqualsAStringUnderRandomUse) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random{seed};
        byte_buffer buffer;
        std::string model;
        for (int step = 0; step < 2000; ++step) {
            if (random() % 2 == 0) {
                const std::string part(random() % 300, static_cast<char>(random()));
                buffer.append(part);
                model += part;
            } else {
                const std::size_t count = random() % (model.size() + 1);
                buffer.consume(count);
                model.erase(0, count);
            }
            ASSERT_EQ(buffer.view(), model);
        }
    }
}

/// A slow reader keeps a backlog: moving it costs time, so it may be moved only now and then, also
/// where its size is just below the capacity.
TEST(ByteBuffer, MovesASteadyBacklogOnlyNowAndThen) {
    for (const std::size_t backlog : {250U, 256U, 300U, 4000U, 4096U, 65530U, 65536U}) {
        SCOPED_TRACE(backlog);
        byte_buffer buffer;
        buffer.append(std::string(backlog, 'x'));
        std::size_t passed = 0;
        std::size_t moved = 0;
        while (passed < 4 * backlog) {
            buffer.consume(8);
            const char* before = buffer.view().data();
            buffer.append("12345678");
            moved += buffer.view().data() == before ? 0 : buffer.size();
            passed += 8;
        }

        EXPECT_LE(moved, 4 * passed);
        EXPECT_LE(buffer.capacity(), 8 * backlog);
    }
}

}  // namespace
}  // namespace lovage
