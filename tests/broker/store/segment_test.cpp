#include "broker/store/segment.hpp"

#include "broker/store/directory.hpp"
#include "tests/broker/store/fake_disk.hpp"

#include <gtest/gtest.h>

#include <map>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;

constexpr std::uint64_t salt = 77;
constexpr queue_id queue = 9;

struct stored {
    std::uint32_t index = 0;
    message_id id = 0;
    std::string body;
    friend bool operator==(const stored&, const stored&) = default;
};

void add(segment_builder& into, std::uint32_t index, message_id id, octets body) {
    const queue_entry entry{queue, 2, true};
    segment_message message;
    message.index = index;
    message.persistent = true;
    message.deaths_left = 5;
    message.record.id = id;
    message.record.exchange = "x";
    message.record.routing_key = "key";
    message.record.body = body;
    message.record.queues = {&entry, 1};
    into.add(message);
}

/// Two pages with three messages each, the last one longer than a slice.
class Segment : public ::testing::Test {
protected:
    void SetUp() override {
        segment_builder builder{salt, 3};
        for (const page_id page : {page_id{11}, page_id{12}}) {
            builder.begin_page(page, queue);
            add(builder, 0, page * 10, "first");
            add(builder, 2, page * 10 + 1, "second");
            add(builder, 3, page * 10 + 2, std::string(500, 'x'));
            extents[page] = builder.end_page();
        }
        built = builder.finish(4);
        EXPECT_EQ(builder.number(), 4U);
        EXPECT_EQ(builder.bytes(), header_bytes);
    }
    [[nodiscard]] std::string write() {
        std::string problem;
        return write_segment(disk, salt, built, problem) ? problem : std::string();
    }
    std::vector<stored> read(page_id page, std::size_t slice, std::string& wrong) {
        segment_reader reader{disk, salt};
        std::vector<stored> all;
        std::uint64_t offset = 0;
        for (std::uint64_t before = 1; before != offset && wrong.empty();) {
            before = offset;
            wrong = reader.read(
                3, page, extents[page], offset, slice, [&](const segment_message& each) {
                    all.push_back({each.index, each.record.id, std::string(each.record.body)});
                    return true;
                });
        }
        return all;
    }

    fake_disk disk;
    built_segment built;
    std::map<page_id, page_extent> extents;
};

TEST_F(Segment, ReadsBackWhatWasWrittenInSlicesOfAnySize) {
    ASSERT_EQ(write(), "");
    for (const std::size_t slice : {1U, 50U, 200U, 100'000U}) {
        std::string wrong;
        EXPECT_EQ(
            read(12, slice, wrong),
            (std::vector<stored>{
                {0, 120, "first"}, {2, 121, "second"}, {3, 122, std::string(500, 'x')}}))
            << slice;
        EXPECT_EQ(wrong, "");
    }
}

TEST_F(Segment, WhatIsNotTakenIsReadAgain) {
    ASSERT_EQ(write(), "");
    segment_reader reader{disk, salt};
    std::uint64_t offset = 0;
    std::vector<message_id> seen;
    const auto take_one = [&](const segment_message& each) {
        seen.push_back(each.record.id);
        return seen.size() % 2 == 1;
    };
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(reader.read(3, 11, extents[11], offset, 10'000, take_one), "");
    }
    EXPECT_EQ(seen, (std::vector<message_id>{110, 111, 111, 112, 112}));
}

TEST_F(Segment, KeepsCountsFlagsAndNames) {
    ASSERT_EQ(write(), "");
    segment_reader reader{disk, salt};
    std::uint64_t offset = 0;
    EXPECT_EQ(
        reader.read(
            3,
            11,
            extents[11],
            offset,
            1,
            [](const segment_message& each) {
                EXPECT_TRUE(each.persistent);
                EXPECT_EQ(each.deaths_left, 5U);
                EXPECT_EQ(each.record.exchange, "x");
                EXPECT_EQ(each.record.routing_key, "key");
                EXPECT_EQ(each.record.queues.front(), (queue_entry{queue, 2, true}));
                return true;
            }),
        "");
}

TEST_F(Segment, EndNamesThePages) {
    ASSERT_EQ(write(), "");
    std::string problem;
    const auto found = read_segment_end(disk, salt, 3, problem);
    ASSERT_TRUE(found) << problem;
    ASSERT_EQ(found->pages.size(), 2U);
    EXPECT_EQ(found->bytes, disk.content(segment_name(3)).size());
    EXPECT_EQ(found->pages[1].page, 12U);
    EXPECT_EQ(found->pages[1].queue, queue);
    EXPECT_EQ(found->pages[1].extent.offset, extents[12].offset);
    EXPECT_EQ(found->pages[1].extent.bytes, extents[12].bytes);
    EXPECT_EQ(found->pages[1].count, 3U);
}

TEST_F(Segment, EveryFlippedBitIsFound) {
    ASSERT_EQ(write(), "");
    const std::string whole = disk.content(segment_name(3));
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        disk.set_content(segment_name(3), damaged);
        std::string wrong;
        const bool end_is_right = bool(read_segment_end(disk, salt, 3, wrong));
        std::string first;
        std::string second;
        read(11, 100'000, first);
        read(12, 100'000, second);
        EXPECT_FALSE(end_is_right && first.empty() && second.empty()) << "bit " << bit;
    }
}

TEST_F(Segment, EveryMissingTailIsFound) {
    ASSERT_EQ(write(), "");
    const std::string whole = disk.content(segment_name(3));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        disk.set_content(segment_name(3), whole.substr(0, size));
        std::string problem;
        EXPECT_FALSE(read_segment_end(disk, salt, 3, problem)) << size;
        EXPECT_NE(problem.find("segment-"), std::string::npos);
    }
}

TEST_F(Segment, OfAnotherDirectoryOrNumberIsNotTaken) {
    ASSERT_EQ(write(), "");
    std::string problem;
    EXPECT_FALSE(read_segment_end(disk, salt + 1, 3, problem));
    disk.set_content(segment_name(4), disk.content(segment_name(3)));
    EXPECT_FALSE(read_segment_end(disk, salt, 4, problem));
}

TEST_F(Segment, FullDiskLeavesNothingBehind) {
    disk.set_capacity(100);
    std::string problem;
    EXPECT_EQ(write_segment(disk, salt, built, problem), errc::disk_full);
    EXPECT_TRUE(disk.names().empty());
    disk.set_capacity(std::nullopt);
    EXPECT_EQ(write(), "");
}

TEST_F(Segment, FailedSyncIsNoFullDisk) {
    // Create, write, sync.
    disk.fail_at(2, make_error_code(boost::system::errc::io_error));
    std::string problem;
    EXPECT_EQ(write_segment(disk, salt, built, problem), errc::write_failed);
    EXPECT_NE(problem.find("cannot sync segment-"), std::string::npos) << problem;
}

TEST_F(Segment, IsThereAfterAPowerLossOnceItWasWritten) {
    ASSERT_EQ(write(), "");
    const auto after = disk.after_power_loss([] { return false; });
    std::string problem;
    EXPECT_TRUE(read_segment_end(*after, salt, 3, problem)) << problem;
}

// docs/store_format.md, Segments: the worked example.
TEST(SegmentFormat, WorkedExampleHasTheseOctets) {
    segment_builder builder{0, 1};
    builder.begin_page(5, 7);
    const queue_entry entry{7, 0, false};
    segment_message message;
    message.persistent = true;
    message.deaths_left = 4096;
    message.record.id = 1;
    message.record.routing_key = "q";
    message.record.body = "hi";
    message.record.queues = {&entry, 1};
    builder.add(message);
    builder.end_page();
    built_segment built = builder.finish(2);
    fake_disk disk;
    std::string problem;
    ASSERT_FALSE(write_segment(disk, 0, built, problem)) << problem;
    std::string hex;
    for (const char each : disk.content(segment_name(1))) {
        constexpr octets digits = "0123456789abcdef";
        hex += digits[static_cast<unsigned char>(each) >> 4U];
        hex += digits[static_cast<unsigned char>(each) & 15U];
    }
    EXPECT_EQ(
        hex,
        "6c6f7661677365670200000000000000"
        "01000000000000000000000000000000"
        "00000000000000000000000000000000"
        "0000000000000000000000006e703105"
        "be0a82cd110000000500000000000000"
        "00000000130001802001000000000171"
        "000107006869410773cc060000000100"
        "00000000000000000000140105074026"
        "0166000000000000006c87dc52");
}

}  // namespace
}  // namespace lovage::broker::store
