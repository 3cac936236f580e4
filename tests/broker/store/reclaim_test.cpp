#include "broker/store/directory.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

bool has_log(const fake_disk& disk, file_number file) {
    const auto names = disk.names();
    return std::find(names.begin(), names.end(), log_name(file)) != names.end();
}

void expect_recovers(fake_disk& disk, const snapshot& expected) {
    disk.after_kill();
    snapshot found;
    std::string problem;
    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;
    EXPECT_EQ(found, expected);
}

TEST(Reclaim, FileWithNothingAliveIsRecycledOnceThatIsDurable) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    // A definition at the end of the log keeps no old file.
    std::vector<message_id> ids;
    const queue_id queue = broker.declare("q");
    for (int i = 0; i < 40; ++i) {
        ids.push_back(broker.publish({queue}, "a body of some length"));
    }
    ASSERT_TRUE(broker.commit());
    ASSERT_TRUE(has_log(disk, 1));
    for (const message_id id : ids) {
        broker.ack(queue, id);
    }
    ASSERT_TRUE(broker.commit());
    EXPECT_TRUE(has_log(disk, 1)) << "the queue's declaration still lies there";

    broker.rewrite_if_wanted();
    EXPECT_TRUE(has_log(disk, 1)) << "before the batch is durable";
    ASSERT_TRUE(broker.commit());

    EXPECT_FALSE(has_log(disk, 1));
    EXPECT_EQ(broker.store().file_count(), 1U);
    EXPECT_THAT(disk.names(), ::testing::Contains(::testing::StartsWith("spare-")).Times(2));
    expect_recovers(disk, broker.state());
}

TEST(Reclaim, OldestFileIsKeptWhileTheOthersAreMostlyAlive) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    for (int i = 0; i < 100; ++i) {
        broker.publish({queue}, "a body of some length");
    }
    ASSERT_TRUE(broker.commit());

    EXPECT_GT(broker.store().file_count(), 5U);
    EXPECT_EQ(broker.store().wants_rewrite(), std::nullopt);
}

TEST(Reclaim, MostlyDeadFilesAreEmptiedAndWhatLivesMovesWithItsState) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    const queue_id other = broker.declare("other");
    const message_id kept = broker.publish({queue, other}, "kept");
    broker.requeue(queue, kept);
    broker.ack(other, kept);
    for (int i = 0; i < 60; ++i) {
        broker.ack(queue, broker.publish({queue}, "a body of some length"));
    }
    ASSERT_TRUE(broker.commit());
    ASSERT_EQ(broker.store().wants_rewrite(), 1U);

    while (broker.store().wants_rewrite()) {
        broker.rewrite_if_wanted();
        ASSERT_TRUE(broker.commit());
    }

    EXPECT_FALSE(has_log(disk, 1));
    EXPECT_EQ((broker.state().entries.at({queue, kept}).delivery_count), 1U);
    expect_recovers(disk, broker.state());
}

TEST(Reclaim, SparesAreUsedBeforeNewFilesAreMadeAndNoMoreThanAFewAreKept) {
    fake_disk disk;
    small_options options;
    options.writer.spares_max = 4;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    for (int i = 0; i < 500; ++i) {
        broker.ack(queue, broker.publish({queue}, std::string(100, 'x')));
        broker.rewrite_if_wanted();
        ASSERT_TRUE(broker.commit());
    }

    EXPECT_LT(broker.writer().counters().files_created, 8U);
    EXPECT_GT(broker.writer().counters().files_recycled, 50U);
    EXPECT_THAT(
        disk.names(), ::testing::Contains(::testing::StartsWith("spare-")).Times(::testing::Le(4)));
}

TEST(Reclaim, DiskStaysBoundedByWhatIsAliveOverALongChurn) {
    fake_disk disk;
    small_options options;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    std::mt19937 random{3};
    const std::vector<queue_id> queues{broker.declare("a"), broker.declare("b")};
    std::deque<std::pair<queue_id, message_id>> unacked;
    std::uint64_t most_beyond = 0;
    for (int i = 0; i < 5000; ++i) {
        const queue_id queue = queues[random() % 2];
        unacked.emplace_back(queue, broker.publish({queue}, std::string(random() % 200, 'x')));
        // The backlog swings; one in some hundred messages stays very long.
        while (unacked.size() > static_cast<std::size_t>(20 + 15 * (i / 500 % 3))) {
            if (random() % 300 != 0) {
                broker.ack(unacked.front().first, unacked.front().second);
            }
            unacked.pop_front();
        }
        if (i % 4 == 0) {
            while (broker.store().wants_rewrite()) {
                broker.rewrite_if_wanted();
            }
            ASSERT_TRUE(broker.commit());
            const std::uint64_t allowed = 2 * broker.store().live_bytes();
            const std::uint64_t used = disk.total_bytes();
            most_beyond = std::max(most_beyond, used - std::min(used, allowed));
        }
    }

    // Twice what is alive, the open file, the files that wants_rewrite() leaves alone, the spares.
    EXPECT_LT(most_beyond, 8 * (options.log.file_bytes + options.writer.ahead_bytes));
    broker.commit();
    expect_recovers(disk, broker.state());
}

TEST(Reclaim, MissingFileIsRefusedByName) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    for (int i = 0; i < 60; ++i) {
        broker.publish({queue}, "a body of some length");
        ASSERT_TRUE(broker.commit());
    }
    ASSERT_GT(broker.store().file_count(), 4U);

    for (const file_number lost : {1U, 3U}) {
        const auto image = disk.after_power_loss([] { return true; });
        ASSERT_FALSE(image->remove(log_name(lost)));
        snapshot found;
        std::string problem;

        EXPECT_FALSE(recover_snapshot(*image, found, problem));

        EXPECT_THAT(problem, ::testing::HasSubstr("log-000000000000000"));
    }
}

TEST(Reclaim, ReclaimedFileThatReappearsIsIgnored) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    std::string old;
    for (int i = 0; i < 200 && (i < 30 || has_log(disk, 1)); ++i) {
        const message_id id = broker.publish({queue}, "a body of some length");
        ASSERT_TRUE(broker.commit());
        if (has_log(disk, 1)) {
            old = disk.content(log_name(1));
        }
        broker.ack(queue, id);
        broker.rewrite_if_wanted();
        ASSERT_TRUE(broker.commit());
    }
    ASSERT_FALSE(has_log(disk, 1));
    ASSERT_TRUE(broker.state().entries.empty());

    disk.set_content(log_name(1), old);

    expect_recovers(disk, broker.state());
    EXPECT_FALSE(has_log(disk, 1));
}

TEST(Reclaim, DeliveryMarkOfABatchThatCrossesFilesOutlivesTheOlderFile) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    std::vector<message_id> filler;
    for (int i = 0; i < 40; ++i) {
        filler.push_back(broker.publish({queue}, std::string(100, 'x')));
    }
    ASSERT_TRUE(broker.commit());
    for (const message_id id : filler) {
        broker.ack(queue, id);
    }
    // One batch: the declaration moves to a new file, and then a message is delivered.
    ASSERT_TRUE(broker.store().wants_rewrite());
    broker.publish({queue}, std::string(900, 'y'));
    broker.rewrite_if_wanted();
    const message_id delivered = broker.publish({queue}, "delivered");
    broker.deliver(queue, delivered);
    ASSERT_TRUE(broker.commit());
    ASSERT_FALSE(has_log(disk, 1));

    expect_recovers(disk, broker.state());
    EXPECT_TRUE((broker.state().entries.at({queue, delivered}).redelivered));
}

}  // namespace
}  // namespace lovage::broker::store
