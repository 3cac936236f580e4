#include "broker/store/log.hpp"

#include "broker/store/log_writer.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gtest/gtest.h>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using testing::small_broker;
using testing::small_options;

location publish(log& to, message_id id, octets body) {
    const queue_entry queue{1, 0, false};
    publish_record record;
    record.id = id;
    record.body = body;
    record.queues = {&queue, 1};
    return to.published(record);
}

std::vector<record_type> types_of(octets records) {
    std::vector<record_type> types;
    while (!records.empty()) {
        const record_header header = get_record_header(records.data());
        types.push_back(static_cast<record_type>(header.type));
        records.remove_prefix(record_header_bytes + header.length);
    }
    return types;
}

TEST(Log, HasNoBatchBeforeAnythingHappened) {
    const log quiet{log_options{}, recovered_tail{}};

    EXPECT_FALSE(quiet.has_batch());
    EXPECT_FALSE(quiet.urgent());
    EXPECT_EQ(quiet.last_lsn(), 0U);
}

TEST(Log, SettlementsAloneAreNotUrgent) {
    log the_log{log_options{}, recovered_tail{}};
    the_log.settled(1, 1);
    EXPECT_TRUE(the_log.has_batch());
    EXPECT_FALSE(the_log.urgent());

    publish(the_log, 2, "x");

    EXPECT_TRUE(the_log.urgent());
}

TEST(Log, DeliveryMarkIsUrgentBecauseTheDeliveryWaitsForIt) {
    log the_log{log_options{}, recovered_tail{}};
    the_log.settled(1, 1);
    the_log.delivered(1, 1);
    EXPECT_TRUE(the_log.urgent());
}

TEST(Log, LastLsnIsReachedByTheBatchWhateverItHolds) {
    log the_log{log_options{}, recovered_tail{}};
    lsn durable = 0;
    for (int what = 1; what < 8; ++what) {
        if ((what & 1) != 0) {
            the_log.settled(1, 1);
        }
        if ((what & 2) != 0) {
            the_log.delivered(1, 1);
        }
        if ((what & 4) != 0) {
            publish(the_log, 1, "x");
        }
        const lsn promised = the_log.last_lsn();
        EXPECT_GT(promised, durable) << what;

        batch full = the_log.take_batch();

        EXPECT_GE(full.highest, promised) << what;
        durable = full.highest;
        EXPECT_EQ(the_log.last_lsn(), durable);
        the_log.give_back(std::move(full));
    }
}

TEST(Log, ConsecutiveSettlementsBecomeOneRecordBehindThePublishes) {
    log the_log{log_options{}, recovered_tail{}};
    for (message_id id = 1; id <= 1000; ++id) {
        the_log.settled(1, id);
        publish(the_log, 1000 + id, "x");
    }

    const batch full = the_log.take_batch();

    const auto types = types_of(full.body.view());
    ASSERT_EQ(types.size(), 1001U);
    EXPECT_EQ(types.back(), record_type::settled);
    EXPECT_EQ(std::count(types.begin(), types.end(), record_type::settled), 1);
}

TEST(Log, DeliveryMarksGoInFrontWithTheHighestIdOfEachQueue) {
    log the_log{log_options{}, recovered_tail{}};
    publish(the_log, 1, "x");
    the_log.delivered(1, 5);
    the_log.delivered(2, 9);
    the_log.delivered(1, 3);
    the_log.delivered(2, 10);

    const batch full = the_log.take_batch();

    payload_reader in{full.head.view().substr(record_header_bytes)};
    EXPECT_EQ(in.varint(), 1U);
    EXPECT_EQ(in.varint(), 1U);
    EXPECT_EQ(in.varint(), 5U);
    EXPECT_EQ(in.varint(), 2U);
    EXPECT_EQ(in.varint(), 10U);
    EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(Log, LocationsCountTheWholeRecord) {
    log the_log{log_options{}, recovered_tail{}};

    const location where = publish(the_log, 1, "x");

    EXPECT_EQ(where.file, 1U);
    const batch full = the_log.take_batch();
    EXPECT_EQ(where.bytes, full.body.size());
    EXPECT_EQ(the_log.live_bytes(), full.body.size());
    the_log.released(where);
    EXPECT_EQ(the_log.live_bytes(), 0U);
    the_log.released({});
    EXPECT_EQ(the_log.live_bytes(), 0U);
}

TEST(Log, RecordLargerThanAFileGetsAFileOfItsOwn) {
    log the_log{log_options{1024, 2, 1U << 16U}, recovered_tail{}};
    publish(the_log, 1, std::string(500, 'a'));
    const location large = publish(the_log, 2, std::string(5000, 'b'));
    const location after = publish(the_log, 3, "c");

    const batch full = the_log.take_batch();

    EXPECT_EQ(large.file, 2U);
    EXPECT_EQ(after.file, 3U);
    ASSERT_EQ(full.runs.size(), 3U);
    EXPECT_EQ(full.runs[1].end - full.runs[1].begin, large.bytes);
    EXPECT_EQ(full.runs[1].offset, header_bytes);
}

TEST(Log, ReturnedBatchesKeepTheirMemory) {
    log the_log{log_options{}, recovered_tail{}};
    publish(the_log, 1, std::string(10'000, 'x'));
    batch first = the_log.take_batch();
    const char* const memory = first.body.view().data();
    the_log.give_back(std::move(first));
    publish(the_log, 2, "x");
    the_log.give_back(the_log.take_batch());
    publish(the_log, 3, "x");

    EXPECT_EQ(the_log.take_batch().body.view().data(), memory);
}

TEST(LogWriter, OneBatchIsOneWriteAndOneSync) {
    fake_disk disk;
    small_options options;
    options.log.file_bytes = options.writer.file_bytes = 1U << 20U;
    options.writer.ahead_bytes = 1U << 20U;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    const auto writes = disk.writes();
    const auto syncs = disk.file_syncs();
    const auto directory_syncs = broker.writer().counters().directory_syncs;

    for (int i = 0; i < 100; ++i) {
        broker.publish({queue}, "body");
    }
    broker.ack(queue, 5);
    broker.deliver(queue, 50);
    ASSERT_TRUE(broker.commit());

    EXPECT_EQ(disk.writes() - writes, 1U);
    EXPECT_EQ(disk.file_syncs() - syncs, 1U);
    EXPECT_EQ(broker.writer().counters().directory_syncs, directory_syncs);
    EXPECT_EQ(broker.writer().counters().batches, 2U);
    EXPECT_EQ(broker.writer().counters().records, 2 + 102U);
}

TEST(LogWriter, NewFilesAreWrittenAheadSoThatBatchesDoNotExtendThem) {
    fake_disk disk;
    small_options options;
    options.log.file_bytes = options.writer.file_bytes = 1U << 20U;
    options.writer.ahead_bytes = 8192;
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    std::set<std::size_t> sizes;
    for (int i = 0; i < 100; ++i) {
        broker.publish({queue}, std::string(50, 'x'));
        ASSERT_TRUE(broker.commit());

        sizes.insert(disk.content("log-0000000000000001").size());
    }

    EXPECT_LE(sizes.size(), 4U);
}

}  // namespace
}  // namespace lovage::broker::store
