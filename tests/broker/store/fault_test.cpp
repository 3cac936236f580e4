#include "broker/store/directory.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lovage::broker::store {
namespace {

using testing::compare;
using testing::fake_disk;
using ::testing::HasSubstr;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

disk::error_code io_error() {
    return boost::system::errc::make_error_code(boost::system::errc::io_error);
}

TEST(FullDisk, BatchIsReportedAndMayBeWrittenAgainWhenThereIsSpace) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.set_capacity(disk.total_bytes());
    broker.publish({queue}, std::string(3000, 'x'));
    broker.publish({queue}, std::string(3000, 'y'));

    EXPECT_FALSE(broker.commit());
    EXPECT_EQ(broker.error(), errc::disk_full);
    EXPECT_THAT(broker.problem(), HasSubstr("log-"));
    EXPECT_FALSE(broker.commit());

    disk.set_capacity({});
    EXPECT_TRUE(broker.commit());
    disk.after_kill();
    snapshot found;
    std::string problem;
    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;
    EXPECT_EQ(found, broker.state());
}

TEST(FullDisk, AcknowledgementsStillFitIntoWhatWasWrittenAhead) {
    fake_disk disk;
    small_options options;
    options.log.file_bytes = options.writer.file_bytes = 1U << 20U;
    options.writer.ahead_bytes = 4096;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    std::vector<message_id> ids;
    for (int i = 0; i < 100; ++i) {
        ids.push_back(broker.publish({queue}, "body"));
    }
    ASSERT_TRUE(broker.commit());
    EXPECT_FALSE(broker.writer().space_low());
    disk.set_capacity(disk.total_bytes());
    while (!broker.writer().space_low()) {
        broker.publish({queue}, "fills the disk");
        ASSERT_TRUE(broker.commit());
    }

    for (std::size_t i = 0; i < 20; ++i) {
        broker.ack(queue, ids[i * 5]);
        ASSERT_TRUE(broker.commit()) << i;
    }

    EXPECT_TRUE(broker.writer().space_low());
    disk.set_capacity({});
    broker.ack(queue, ids[1]);
    ASSERT_TRUE(broker.commit());
    EXPECT_FALSE(broker.writer().space_low());
}

TEST(FullDisk, SpaceIsFoundAgainWithoutABatch) {
    fake_disk disk;
    small_options options;
    options.log.file_bytes = options.writer.file_bytes = 1U << 20U;
    options.writer.ahead_bytes = 4096;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.set_capacity(disk.total_bytes());
    while (!broker.writer().space_low()) {
        broker.publish({queue}, "fills the disk");
        ASSERT_TRUE(broker.commit());
    }

    broker.writer().look_for_space();
    EXPECT_TRUE(broker.writer().space_low());
    disk.set_capacity({});
    broker.writer().look_for_space();

    EXPECT_FALSE(broker.writer().space_low());
    broker.publish({queue}, "goes on");
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    snapshot found;
    std::string problem;
    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;
    EXPECT_EQ(found, broker.state());
}

TEST(NoDescriptorLeft, ForANewFileIsNoFailureOfTheDisk) {
    bool met = false;
    for (std::size_t call = 0; call < 12; ++call) {
        fake_disk disk;
        small_broker broker{disk, small_options{}};
        ASSERT_TRUE(broker.start());
        const queue_id queue = broker.declare("q");
        ASSERT_TRUE(broker.commit());
        broker.publish({queue}, std::string(3000, 'x'));
        broker.publish({queue}, std::string(3000, 'y'));
        disk.fail_at(
            disk.calls() + call,
            boost::system::errc::make_error_code(boost::system::errc::too_many_files_open));
        if (broker.commit() || !broker.problem().starts_with("cannot create")) {
            continue;  // another call
        }
        met = true;
        EXPECT_EQ(broker.error(), errc::disk_full);
        EXPECT_TRUE(broker.commit());
    }
    EXPECT_TRUE(met);
}

TEST(FailedSync, IsFatalAndNeverTriedAgain) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    broker.publish({queue}, "x");
    batch full = broker.store().take_batch();
    disk.fail_at(disk.calls() + 1, io_error());

    EXPECT_EQ(broker.writer().write(full), errc::write_failed);
    EXPECT_THAT(broker.writer().problem(), HasSubstr("cannot sync log-0000000000000001"));

    const auto calls = disk.calls();
    EXPECT_EQ(broker.writer().write(full), errc::write_failed);
    EXPECT_EQ(disk.calls(), calls);
}

TEST(FailedWrite, IsFatal) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    broker.declare("q");
    ASSERT_TRUE(broker.commit());
    broker.declare("r");
    disk.fail_at(disk.calls(), io_error());

    EXPECT_FALSE(broker.commit());

    EXPECT_EQ(broker.error(), errc::write_failed);
    EXPECT_THAT(broker.problem(), HasSubstr("cannot write log-"));
}

TEST(FailedReclaim, CostsSpaceOnlyAndRecoveryFindsTheFile) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    file_number left_behind = 0;
    for (int i = 0; i < 40; ++i) {
        broker.ack(queue, broker.publish({queue}, std::string(200, 'x')));
        ASSERT_TRUE(broker.commit());
        broker.rewrite_if_wanted();
        if (!broker.store().has_batch()) {
            continue;
        }
        batch full = broker.store().take_batch();
        if (!full.reclaims.empty() && full.runs.size() == 1 && left_behind == 0) {
            left_behind = full.reclaims.front().file;
            disk.fail_at(disk.calls() + 2, io_error());  // behind write and sync
        }
        ASSERT_FALSE(broker.writer().write(full)) << broker.writer().problem();
    }
    ASSERT_NE(left_behind, 0U);
    EXPECT_THAT(disk.names(), ::testing::Contains(log_name(left_behind)));

    disk.after_kill();
    snapshot found;
    std::string problem;
    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_EQ(found, broker.state());
    EXPECT_THAT(disk.names(), ::testing::Not(::testing::Contains(log_name(left_behind))));
}

// Every call fails once, in turn: the broker stops or goes on, and nothing confirmed is lost.
TEST(AnyFailure, LosesNothingThatWasConfirmed) {
    for (std::size_t call = 0; call < 300; ++call) {
        fake_disk disk;
        disk.fail_at(call / 2, io_error());
        small_options options;
        options.prepares = call % 2 != 0;
        small_broker broker{disk, options};
        if (broker.start()) {
            const queue_id queue = broker.declare("q");
            for (int i = 0; i < 20 && broker.commit(); ++i) {
                const message_id id = broker.publish({queue}, std::string(200, 'x'));
                if (!broker.commit()) {
                    break;
                }
                if (i % 5 != 0) {
                    broker.ack(queue, id);
                }
                broker.rewrite_if_wanted();
            }
        }
        for (const bool all : {false, true}) {
            const auto image = disk.after_power_loss([&] { return all; });
            snapshot found;
            std::string problem;

            ASSERT_TRUE(recover_snapshot(*image, found, problem)) << call << ": " << problem;

            EXPECT_EQ(compare(broker.expectation(), found), "") << call;
        }
    }
}

TEST(Handles, AreClosedWhenTheStoreIsGone) {
    fake_disk disk;
    {
        small_broker broker{disk, small_options{}};
        ASSERT_TRUE(broker.start());
        const queue_id queue = broker.declare("q");
        for (int i = 0; i < 50; ++i) {
            broker.publish({queue}, std::string(200, 'x'));
            ASSERT_TRUE(broker.commit());
            EXPECT_LE(disk.open_files(), 1U);
        }
    }

    EXPECT_EQ(disk.open_files(), 0U);
}

}  // namespace
}  // namespace lovage::broker::store
