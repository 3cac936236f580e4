// Space in reserve: what is prepared when, and that on a full disk everything but publishing goes
// on.
#include "broker/store/directory.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

constexpr std::uint64_t file_bytes = 4096;

disk::error_code io_error() {
    return boost::system::errc::make_error_code(boost::system::errc::io_error);
}

small_options options_with_reserve() {
    small_options options;
    options.log.file_bytes = options.writer.file_bytes = file_bytes;
    options.writer.ahead_bytes = 256;
    options.writer.spare_bytes_max = 2 * file_bytes;
    options.prepares = true;
    return options;
}

/// The test says when the writer prepares.
small_options options_prepared_by_hand() {
    small_options options = options_with_reserve();
    options.prepares = false;
    return options;
}

std::vector<std::string> spares_of(const fake_disk& disk) {
    return classify(disk.names()).spares;
}

void prepare_all(log_writer& writer) {
    while (writer.preparing() != log_writer::preparation::none) {
        ASSERT_FALSE(writer.prepare());
    }
}

void expect_recovers(fake_disk& disk, const snapshot& expected) {
    disk.after_kill();
    snapshot found;
    std::string problem;
    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;
    EXPECT_EQ(found, expected);
}

TEST(NominalFileSize, IsASmallPartOfTheFileSystemWithinBounds) {
    constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
    EXPECT_EQ(nominal_file_bytes(0), mebibyte);
    EXPECT_EQ(nominal_file_bytes(8 * mebibyte), mebibyte);
    EXPECT_EQ(nominal_file_bytes(256 * mebibyte), 8 * mebibyte);
    EXPECT_EQ(nominal_file_bytes(~std::uint64_t{0}), 64 * mebibyte);
}

TEST(Reserve, NothingIsPreparedBeforeTheFirstBatchIsOnDisk) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const auto calls = disk.calls();

    EXPECT_EQ(broker.writer().preparing(), log_writer::preparation::none);
    EXPECT_FALSE(broker.writer().prepare());

    EXPECT_EQ(disk.calls(), calls);
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    EXPECT_NE(broker.writer().preparing(), log_writer::preparation::none);
}

TEST(Reserve, IsTwiceWhatTheLogHoldsAndNeverMoreThanTwoFiles) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    prepare_all(broker.writer());
    ASSERT_EQ(spares_of(disk).size(), 1U);
    EXPECT_LT(disk.content(spares_of(disk).front()).size(), file_bytes / 2);

    for (int i = 0; i < 20; ++i) {
        broker.publish({queue}, std::string(100, 'x'));
        ASSERT_TRUE(broker.commit());
        prepare_all(broker.writer());
    }

    ASSERT_EQ(broker.store().file_count(), 1U);
    ASSERT_EQ(spares_of(disk).size(), 2U);
    std::uint64_t reserve = 0;
    for (const std::string& spare : spares_of(disk)) {
        reserve += disk.content(spare).size();
    }
    EXPECT_GE(reserve, 2 * broker.store().file_bytes());
    EXPECT_GE(disk.content(log_name(1)).size(), file_bytes);
    for (int i = 0; i < 50; ++i) {
        broker.publish({queue}, std::string(100, 'x'));
        ASSERT_TRUE(broker.commit());
        prepare_all(broker.writer());
    }
    EXPECT_EQ(spares_of(disk).size(), 2U);
    for (const std::string& spare : spares_of(disk)) {
        EXPECT_GE(disk.content(spare).size(), file_bytes);
    }
    expect_recovers(disk, broker.state());
}

TEST(Reserve, OneStepWritesAndSyncsLittle) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    while (broker.writer().preparing() != log_writer::preparation::none) {
        const auto before = disk.total_bytes();
        const auto syncs = disk.file_syncs();

        ASSERT_FALSE(broker.writer().prepare());

        EXPECT_LE(disk.total_bytes() - before, options.writer.ahead_bytes);
        EXPECT_EQ(disk.file_syncs() - syncs, 1U);
    }
}

TEST(Reserve, SmallBatchesAreNotFollowedByStepsOfTheirOwn) {
    fake_disk disk;
    small_options options = options_prepared_by_hand();
    options.writer.ahead_bytes = file_bytes / 4;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    prepare_all(broker.writer());
    int steps = 0;
    for (int i = 0; i < 30; ++i) {
        broker.publish({queue}, "x");
        ASSERT_TRUE(broker.commit());
        for (; broker.writer().preparing() != log_writer::preparation::none; ++steps) {
            ASSERT_FALSE(broker.writer().prepare());
        }
    }

    EXPECT_LT(steps, 12);
}

TEST(Reserve, NewFilesAreTheSparesAndSyncsInThemHaveNoLengthToRecord) {
    fake_disk disk;
    small_broker broker{disk, options_with_reserve()};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    std::vector<std::size_t> lengths;
    for (int i = 0; i < 200; ++i) {
        broker.publish({queue}, std::string(100, 'x'));
        ASSERT_TRUE(broker.commit());
        const std::string newest = log_name(classify(disk.names()).logs.back());
        lengths.push_back(disk.content(newest).size());
    }

    EXPECT_GT(broker.store().file_count(), 5U);
    EXPECT_EQ(broker.writer().counters().files_created, 1U);
    EXPECT_EQ(broker.writer().counters().files_recycled, broker.store().file_count() - 1);
    std::sort(lengths.begin(), lengths.end());
    EXPECT_EQ(lengths.back(), lengths[lengths.size() / 2]) << "all but the first are whole";
    expect_recovers(disk, broker.state());
}

TEST(Reserve, IsThereAgainAfterARestartWithoutABatch) {
    fake_disk disk;
    {
        small_broker broker{disk, options_prepared_by_hand()};
        ASSERT_TRUE(broker.start());
        const queue_id queue = broker.declare("q");
        broker.publish({queue}, std::string(2000, 'x'));
        ASSERT_TRUE(broker.commit());
    }
    disk.after_kill();
    small_broker again{disk, options_with_reserve()};
    ASSERT_TRUE(again.start());
    ASSERT_TRUE(spares_of(disk).empty());

    prepare_all(again.writer());

    EXPECT_FALSE(spares_of(disk).empty());
    EXPECT_EQ(again.writer().counters().batches, 0U);
}

TEST(Reserve, WhatACrashLeftOfAHugeBatchIsNotKept) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    {
        small_broker broker{disk, options};
        ASSERT_TRUE(broker.start());
        broker.declare("q");
        ASSERT_TRUE(broker.commit());
    }
    disk.after_kill();
    const std::string large = spare_name(7);
    const std::string whole = spare_name(8);
    disk.set_content(large, std::string(options.writer.spare_bytes_max + 1, 'x'));
    disk.set_content(whole, std::string(options.writer.spare_bytes_max, 'x'));

    small_broker again{disk, options};
    ASSERT_TRUE(again.start());

    const auto kept = spares_of(disk);
    EXPECT_EQ(std::ranges::count(kept, large), 0);
    EXPECT_EQ(std::ranges::count(kept, whole), 1);
}

TEST(Reserve, FailureToSyncItIsFatal) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.fail_at(disk.calls() + 2, io_error());  // behind creating and writing

    EXPECT_EQ(broker.writer().prepare(), errc::write_failed);

    EXPECT_THAT(broker.writer().problem(), ::testing::HasSubstr("cannot prepare spare-"));
    broker.declare("r");
    EXPECT_FALSE(broker.commit());
    EXPECT_EQ(broker.error(), errc::write_failed);
}

TEST(Reserve, WithoutADescriptorItWaitsForTheNextBatch) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.fail_at(
        disk.calls(),
        boost::system::errc::make_error_code(boost::system::errc::too_many_files_open));

    EXPECT_FALSE(broker.writer().prepare());

    EXPECT_FALSE(broker.writer().space_low());
    EXPECT_EQ(broker.writer().preparing(), log_writer::preparation::none);
    broker.declare("r");
    ASSERT_TRUE(broker.commit());
    EXPECT_NE(broker.writer().preparing(), log_writer::preparation::none);
}

TEST(Reserve, TakesWhatThereIsButNotTheLastOctetsOfTheDisk) {
    fake_disk disk;
    const small_options options = options_prepared_by_hand();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    broker.publish({queue}, std::string(2 * file_bytes, 'x'));
    ASSERT_TRUE(broker.commit());
    const std::uint64_t capacity = disk.total_bytes() + file_bytes;
    disk.set_capacity(capacity);
    broker.declare("r");
    ASSERT_TRUE(broker.commit());
    EXPECT_TRUE(broker.writer().space_low());

    prepare_all(broker.writer());

    EXPECT_FALSE(spares_of(disk).empty());
    EXPECT_LT(disk.total_bytes(), capacity);
    EXPECT_GT(disk.total_bytes(), capacity - 2 * options.writer.ahead_bytes - 1);
}

enum class full_by { itself, quota, others };

struct full_disk_case {
    full_by how = full_by::itself;
    bool in_order = true;
    bool one_by_one = false;  // a batch for each acknowledgement
    std::size_t body_bytes = 0;
    unsigned seed = 0;
};

/// A disk is filled by publishing until the store says that space is low, or by others at some
/// time; then all is acknowledged, and published again.
class full_disk_story {
public:
    explicit full_disk_story(const full_disk_case& how)
        : how_(how), random_(how.seed), broker_(disk_, options_with_reserve()) {}

    void play() {
        disk_.set_capacity(files_ * file_bytes);
        if (how_.how == full_by::quota) {
            disk_.hide_capacity();
        }
        ASSERT_TRUE(broker_.start());
        queue_ = broker_.declare("q");
        for (int round = 0; round < 2; ++round) {
            publish_until_low();
            if (how_.how == full_by::others) {
                disk_.set_capacity(disk_.total_bytes());
                broker_.writer().look_for_space();
            }
            // Many spares may be there from the round before; then the others do not matter.
            ASSERT_TRUE(broker_.writer().space_low() || how_.how == full_by::others);
            acknowledge_all();
            disk_.set_capacity(files_ * file_bytes);
            broker_.writer().look_for_space();
            ASSERT_FALSE(broker_.writer().space_low()) << "publishing goes on";
        }
        expect_recovers(disk_, broker_.state());
    }

private:
    void publish_until_low() {
        const std::size_t most = how_.how == full_by::others ? 20 + random_() % 400 : 100'000;
        for (std::size_t i = 0; i < most && !broker_.writer().space_low(); ++i) {
            messages_.push_back(broker_.publish({queue_}, std::string(how_.body_bytes, 'x')));
            ASSERT_TRUE(broker_.commit()) << state();
        }
        // What was on its way when the alarm came.
        while (broker_.store().batch_bytes() < file_bytes / 2) {
            messages_.push_back(broker_.publish({queue_}, std::string(how_.body_bytes, 'y')));
        }
        ASSERT_TRUE(broker_.commit()) << state();
    }

    void acknowledge_all() {
        if (!how_.in_order) {
            std::shuffle(messages_.begin(), messages_.end(), random_);
        }
        for (const message_id id : messages_) {
            broker_.deliver(queue_, id);
            if (random_() % 16 == 0) {
                broker_.requeue(queue_, id);
            }
            broker_.ack(queue_, id);
            if (!how_.one_by_one && random_() % 4 != 0) {
                continue;
            }
            broker_.rewrite_if_wanted();
            ASSERT_TRUE(broker_.commit()) << state();
        }
        messages_.clear();
        ASSERT_TRUE(broker_.commit()) << state();
        while (broker_.store().wants_rewrite(broker_.writer().room())) {
            broker_.rewrite_if_wanted();
            ASSERT_TRUE(broker_.commit()) << state();
        }
    }

    [[nodiscard]] std::string state() {
        std::string text = broker_.problem();
        for (const std::string& name : disk_.names()) {
            text += "\n" + name + " " + std::to_string(disk_.content(name).size());
        }
        return text + "\nalive " + std::to_string(broker_.store().live_bytes()) + " of " +
               std::to_string(broker_.store().file_bytes()) + ", room " +
               std::to_string(broker_.writer().room());
    }

    static constexpr std::uint64_t files_ = 24;
    full_disk_case how_;
    std::mt19937 random_;
    fake_disk disk_;
    small_broker broker_;
    queue_id queue_ = 0;
    std::vector<message_id> messages_;
};

TEST(FullDiskStory, AcknowledgementsAndDeletesNeverFailAndPublishingGoesOn) {
    unsigned seed = 0;
    for (const full_by how : {full_by::itself, full_by::quota, full_by::others}) {
        for (const bool in_order : {true, false}) {
            for (const bool one_by_one : {false, true}) {
                for (const std::size_t body_bytes : {150U, 400U, 1500U}) {
                    SCOPED_TRACE(
                        ::testing::Message()
                        << "full by " << static_cast<int>(how) << ", in order " << in_order
                        << ", one by one " << one_by_one << ", bodies " << body_bytes);
                    full_disk_story{{how, in_order, one_by_one, body_bytes, ++seed}}.play();
                    if (HasFatalFailure()) {
                        return;
                    }
                }
            }
        }
    }
}

TEST(FullDiskStory, StartOnAFullDiskIsNotRefusedAndSaysThatSpaceIsLow) {
    fake_disk disk;
    snapshot expected;
    {
        small_broker broker{disk, options_with_reserve()};
        ASSERT_TRUE(broker.start());
        const queue_id queue = broker.declare("q");
        for (int i = 0; i < 100; ++i) {
            broker.publish({queue}, std::string(200, 'x'));
            ASSERT_TRUE(broker.commit());
        }
        expected = broker.state();
    }
    disk.after_kill();
    disk.set_capacity(disk.total_bytes());
    small_broker again{disk, options_with_reserve()};

    ASSERT_TRUE(again.start()) << again.problem();

    EXPECT_TRUE(again.writer().space_low());
    EXPECT_EQ(again.state(), expected);
    for (const auto& [entry, held] : expected.entries) {
        again.ack(entry.first, entry.second);
        ASSERT_TRUE(again.commit()) << again.problem();
    }
}

}  // namespace
}  // namespace lovage::broker::store
