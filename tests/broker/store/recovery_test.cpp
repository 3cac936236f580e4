#include "broker/store/recovery.hpp"

#include "broker/store/directory.hpp"
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace lovage::broker::store {
namespace {

using testing::fake_disk;
using ::testing::HasSubstr;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

small_options one_file() {
    small_options options;
    options.log.file_bytes = 1U << 20U;
    return options;
}

/// Three batches with one message each, in one file.
class StoredLog : public ::testing::Test {
protected:
    StoredLog() {
        small_broker broker{disk_, one_file()};
        EXPECT_TRUE(broker.start());
        queue_ = broker.declare("q");
        for (const char* body : {"first body", "second body", "third body"}) {
            broker.publish({queue_}, body);
            states_.push_back(broker.state());
            EXPECT_TRUE(broker.commit());
        }
        disk_.after_kill();
        content_ = disk_.content(log_name(1));
    }

    void damage(const char* text) {
        std::string damaged = content_;
        damaged[damaged.find(text)] ^= 1;
        disk_.set_content(log_name(1), damaged);
    }

    fake_disk disk_;
    queue_id queue_ = 0;
    std::vector<snapshot> states_;
    std::string content_;
    std::string problem_;
};

TEST_F(StoredLog, ComesBackWhole) {
    snapshot found;

    ASSERT_TRUE(recover_snapshot(disk_, found, problem_)) << problem_;

    EXPECT_EQ(found, states_[2]);
}

TEST_F(StoredLog, DamagedLastBatchIsATornTail) {
    damage("third body");
    snapshot found;

    ASSERT_TRUE(recover_snapshot(disk_, found, problem_)) << problem_;

    EXPECT_EQ(found, states_[1]);
}

TEST_F(StoredLog, DamageWithALaterBatchBehindItIsRefusedWithFileAndOffset) {
    damage("second body");
    snapshot found;

    EXPECT_FALSE(recover_snapshot(disk_, found, problem_));

    EXPECT_THAT(problem_, HasSubstr(log_name(1) + " at offset "));
    EXPECT_THAT(problem_, HasSubstr("is damaged"));
    EXPECT_THAT(problem_, HasSubstr("backup"));
}

TEST_F(StoredLog, DamagedHeaderIsRefused) {
    damage("lovagwal");
    snapshot found;

    EXPECT_FALSE(recover_snapshot(disk_, found, problem_));

    EXPECT_THAT(problem_, HasSubstr("is damaged"));
}

TEST_F(StoredLog, EveryFlippedBitIsEitherTornTailOrRefusedNeverAnotherContent) {
    const std::size_t end = content_.find("third body") + 10;
    for (std::size_t bit = 0; bit < end * 8; ++bit) {
        std::string damaged = content_;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        fake_disk disk;
        disk.set_content(marker_name, disk_.content(marker_name));
        disk.set_content(log_name(1), damaged);
        snapshot found;
        std::string problem;

        if (recover_snapshot(disk, found, problem)) {
            // The last batch: its records may go one after the other, the older ones never.
            ASSERT_TRUE(found == states_[1] || found == states_[2]) << "bit " << bit;
            ASSERT_GT(bit / 8, content_.find("second body")) << "bit " << bit;
        } else {
            ASSERT_FALSE(problem.empty());
        }
    }
}

TEST_F(StoredLog, EveryCutIsATornTailOfWholeBatchesBefore) {
    for (std::size_t size = 0; size < content_.size(); size += 3) {
        fake_disk disk;
        disk.set_content(marker_name, disk_.content(marker_name));
        disk.set_content(log_name(1), content_.substr(0, size));
        snapshot found;
        std::string problem;

        ASSERT_TRUE(recover_snapshot(disk, found, problem)) << size << problem;

        ASSERT_LE(found.entries.size(), 3U);
        for (const auto& [key, entry] : found.entries) {
            ASSERT_EQ(found.contents[key.second], states_[2].contents[key.second]);
        }
    }
}

TEST_F(StoredLog, GoesOnBehindATornTailAndNeverSeesItAgain) {
    damage("third body");
    small_broker broker{disk_, one_file()};
    ASSERT_TRUE(broker.start()) << broker.problem();
    EXPECT_TRUE(broker.recovered().tail().next > broker.recovered().tail().previous);
    broker.publish({queue_}, "t");
    ASSERT_TRUE(broker.commit());
    disk_.after_kill();
    snapshot found;

    ASSERT_TRUE(recover_snapshot(disk_, found, problem_)) << problem_;

    EXPECT_EQ(found, broker.state());
    EXPECT_EQ(found.entries.size(), 3U);
}

TEST_F(StoredLog, SecondRecoveryGivesTheSame) {
    damage("third body");
    snapshot first;
    snapshot second;
    ASSERT_TRUE(recover_snapshot(disk_, first, problem_)) << problem_;
    disk_.after_kill();

    ASSERT_TRUE(recover_snapshot(disk_, second, problem_)) << problem_;

    EXPECT_EQ(first, second);
}

TEST_F(StoredLog, UnknownRecordTypeWithARightChecksumIsRefused) {
    // A record of a type that a later version may bring, where the log ends.
    const std::uint64_t salt = small_options{}.recovery.new_salt;
    small_broker broker{disk_, one_file()};
    ASSERT_TRUE(broker.start());
    const recovered_tail tail = broker.recovered().tail();
    std::string content = content_;
    record_header header;
    header.number = tail.previous + 1;
    header.type = static_cast<std::uint8_t>(record_type::reclaimed);
    header.length = 1;
    std::string record(record_header_bytes + 1, '\xFF');
    put_record_header(record.data(), header);
    put_fixed(record.data(), record_crc(record, record_seed(salt, 1)));
    content.replace(tail.offset, record.size(), record);
    disk_.set_content(log_name(1), content);
    disk_.after_kill();
    snapshot found;

    EXPECT_FALSE(recover_snapshot(disk_, found, problem_));

    EXPECT_THAT(problem_, HasSubstr("cannot be understood"));
}

TEST(Recovery, NewDirectoryIsEmpty) {
    fake_disk disk;
    recovery reader{disk, {}};
    std::string problem;

    ASSERT_FALSE(reader.run(problem)) << problem;

    EXPECT_EQ(reader.message_count(), 0U);
    EXPECT_EQ(reader.next_message_id(), 1U);
    EXPECT_EQ(reader.next_queue_id(), 1U);
    EXPECT_TRUE(reader.tail().files.empty());
}

TEST(Recovery, KeepsCountsMarksMovesAndDefinitions) {
    fake_disk disk;
    small_broker broker{disk, one_file()};
    ASSERT_TRUE(broker.start());
    const queue_id a = broker.declare("a");
    const queue_id b = broker.declare("b");
    const queue_id gone = broker.declare("gone");
    broker.declare_exchange("ex");
    broker.declare_exchange("old");
    broker.bind("ex", a, "k1");
    broker.bind("ex", b, "k2");
    broker.bind("ex", gone, "k3");
    broker.bind("old", a, "k4");
    broker.put("user/guest", "hash");
    broker.put("user/guest", "hash2");
    broker.put("vhost/x", "1");
    const message_id shared = broker.publish({a, b, gone}, "shared");
    const message_id counted = broker.publish({a}, "counted");
    const message_id dead = broker.publish({a}, "dead");
    broker.publish({gone}, "gone");
    broker.requeue(a, counted);
    broker.requeue(a, counted);
    broker.move(a, dead, b);
    broker.ack(a, shared);
    broker.deliver(b, shared);
    broker.unbind("ex", b, "k2");
    broker.delete_queue(gone);
    broker.delete_exchange("old");
    broker.erase("vhost/x");
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    snapshot found;
    std::string problem;

    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_EQ(found, broker.state());
    EXPECT_THAT(
        found.definitions,
        ::testing::ElementsAre("binding ex a k1", "exchange ex", "setting user/guest hash2"));
    EXPECT_EQ((found.entries.at({a, counted})), (testing::held_entry{2, true}));
    EXPECT_EQ((found.entries.at({b, shared})), (testing::held_entry{0, true}));
}

TEST(Recovery, MarkThatWasLoweredCountsNoMore) {
    fake_disk disk;
    small_broker broker{disk, one_file()};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    const message_id first = broker.publish({queue}, "first");
    const message_id second = broker.publish({queue}, "second");
    broker.store().delivered(queue, second + 100);
    ASSERT_TRUE(broker.commit());
    broker.store().mark_lowered(queue, first);
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    snapshot found;
    std::string problem;

    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_TRUE((found.entries.at({queue, first}).redelivered));
    EXPECT_FALSE((found.entries.at({queue, second}).redelivered));
}

TEST(Recovery, MarkThatRanAheadIsAboveNoIdThatComesLater) {
    fake_disk disk;
    small_broker broker{disk, one_file()};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    broker.store().delivered(queue, 1000);
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    recovery reader{disk, {}};
    std::string problem;

    ASSERT_FALSE(reader.run(problem)) << problem;

    EXPECT_EQ(reader.next_message_id(), 1001U);
}

TEST(Recovery, QueueDeclaredAgainByTheSameNameDoesNotInheritBindings) {
    fake_disk disk;
    small_broker broker{disk, one_file()};
    ASSERT_TRUE(broker.start());
    const queue_id first = broker.declare("q");
    broker.declare_exchange("ex");
    broker.bind("ex", first, "k");
    broker.delete_queue(first);
    const queue_id second = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    snapshot found;
    std::string problem;

    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_EQ(found.queues, (std::map<queue_id, std::string>{{second, "q"}}));
    EXPECT_THAT(found.definitions, ::testing::ElementsAre("exchange ex"));
}

TEST(Recovery, IdsGoOnAboveAllThatWereUsed) {
    fake_disk disk;
    small_broker broker{disk, one_file()};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    const message_id id = broker.publish({queue}, "x");
    broker.ack(queue, id);
    broker.delete_queue(queue);
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    recovery reader{disk, {}};
    std::string problem;

    ASSERT_FALSE(reader.run(problem)) << problem;

    EXPECT_EQ(reader.next_message_id(), id + 1);
    EXPECT_EQ(reader.next_queue_id(), queue + 1);
}

// Against a plain map: sparse ids, survivors moved to the end of the log, runs of settlements.
TEST(Replay, AgreesWithAMapOverRandomRecords) {
    std::mt19937 random{5};
    for (int round = 0; round < 4; ++round) {
        replay state;
        std::map<message_id, std::set<queue_id>> expected;
        lsn number = 0;
        const auto apply = [&](record_type type, const std::string& payload) {
            const record_place place{1, 64 + number, 30, ++number};
            ASSERT_TRUE(state.apply(type, payload, place));
        };
        std::string memory(1000, '\0');
        const auto payload_of = [&](const auto& write) {
            payload_writer out{memory.data()};
            write(out);
            return memory.substr(0, static_cast<std::size_t>(out.position() - memory.data()));
        };
        for (const queue_id queue : {1U, 2U}) {
            const queue_record record{queue, 0, 0, "/", "q", {}};
            apply(record_type::queue_declared, payload_of([&](payload_writer& out) {
                      write_payload(out, record);
                  }));
        }
        message_id newest = 0;
        for (int step = 0; step < 20'000; ++step) {
            if (random() % 2 == 0) {
                const bool again = random() % 5 == 0;
                const message_id id =
                    again ? 1 + random() % (newest + 1) : newest += 1 + random() % 3;
                newest = std::max(newest, id);
                std::vector<queue_entry> queues{{1 + random() % 2, 0, false}};
                if (random() % 4 == 0) {
                    queues = {{1, 0, false}, {2, 0, false}};
                }
                publish_record record;
                record.id = id;
                record.queues = queues;
                apply(record_type::published, payload_of([&](payload_writer& out) {
                          write_payload(out, record);
                      }));
                expected[id].clear();
                for (const queue_entry& entry : queues) {
                    expected[id].insert(entry.queue);
                }
            } else {
                const settled_run run{
                    1 + random() % 2,
                    1 + random() % (newest + 1),
                    random() % 50 == 0 ? 500 : random() % 4};
                apply(record_type::settled, payload_of([&](payload_writer& out) {
                          settled_writer{}.write(out, run);
                      }));
                for (auto at = expected.lower_bound(run.first);
                     at != expected.end() && at->first <= run.first + run.more;
                     ++at) {
                    at->second.erase(run.queue);
                }
            }
        }
        std::erase_if(expected, [](const auto& entry) { return entry.second.empty(); });

        state.finish();

        std::map<message_id, std::set<queue_id>> found;
        for (const replay::stored_message& stored : state.messages()) {
            for (const queue_entry& entry : state.entries(stored)) {
                found[stored.id].insert(entry.queue);
            }
        }
        EXPECT_EQ(found, expected);
        EXPECT_EQ(found.size(), state.messages().size());
    }
}

TEST(Recovery, LeftoverOfARecycledFileIsIgnored) {
    fake_disk disk;
    small_broker broker{disk, small_options{}};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    // Churn until the open file is a recycled one with old records behind its end.
    while (broker.writer().counters().files_recycled < 3) {
        const message_id id = broker.publish({queue}, "some body");
        ASSERT_TRUE(broker.commit());
        broker.ack(queue, id);
        broker.rewrite_if_wanted();
        ASSERT_TRUE(broker.commit());
    }
    disk.after_kill();
    snapshot found;
    std::string problem;

    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_EQ(found, broker.state());
    EXPECT_TRUE(found.entries.empty());
}

TEST(Recovery, RecordInsideABodyIsNotTakenForOne) {
    fake_disk disk;
    const small_options options = one_file();
    small_broker broker{disk, options};
    ASSERT_TRUE(broker.start());
    const queue_id queue = broker.declare("q");
    ASSERT_TRUE(broker.commit());
    // What an attacker could build who does not know the salt: would prove damage if believed.
    std::string forged(record_header_bytes, '\0');
    record_header header;
    header.number = 1000;
    header.type = static_cast<std::uint8_t>(record_type::reclaimed);
    put_record_header(forged.data(), header);
    put_fixed(forged.data(), record_crc(forged, record_seed(0, 1)));
    broker.publish({queue}, "first" + forged);
    ASSERT_TRUE(broker.commit());
    disk.after_kill();
    std::string content = disk.content(log_name(1));
    content[content.find("first")] = 'F';
    disk.set_content(log_name(1), content);
    snapshot found;
    std::string problem;

    ASSERT_TRUE(recover_snapshot(disk, found, problem)) << problem;

    EXPECT_TRUE(found.entries.empty());
}

}  // namespace
}  // namespace lovage::broker::store
