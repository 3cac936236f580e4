// Power loss at every call of small workloads, with every or many subsets of what was not synced.
#include "tests/broker/store/fake_disk.hpp"
#include "tests/broker/store/small_broker.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <tuple>

namespace lovage::broker::store {
namespace {

using testing::compare;
using testing::crash_expectation;
using testing::fake_disk;
using testing::recover_snapshot;
using testing::small_broker;
using testing::small_options;
using testing::snapshot;

using workload = std::function<void(small_broker&)>;

std::string body(std::size_t bytes, char fill) {
    return std::string(bytes, fill);
}

void one_queue(small_broker& broker) {
    const queue_id queue = broker.declare("q");
    if (!broker.commit()) {
        return;
    }
    const message_id first = broker.publish({queue}, body(150, 'a'));
    const message_id second = broker.publish({queue}, body(10, 'b'));
    broker.deliver(queue, first);
    if (!broker.commit()) {
        return;
    }
    broker.ack(queue, first);
    const message_id third = broker.publish({queue}, body(70, 'c'));
    broker.deliver(queue, third);
    broker.ack(queue, third);
    broker.requeue(queue, second);
    if (!broker.commit()) {
        return;
    }
    broker.ack(queue, second);
    broker.publish({queue}, body(300, 'd'));
    broker.commit();
}

void fan_out_and_moves(small_broker& broker) {
    const queue_id a = broker.declare("a");
    const queue_id b = broker.declare("b");
    const message_id shared = broker.publish({a, b}, body(90, 's'));
    if (!broker.commit()) {
        return;
    }
    broker.ack(a, shared);
    const message_id dying = broker.publish({a}, body(40, 'd'));
    broker.deliver(a, dying);
    if (!broker.commit()) {
        return;
    }
    const message_id dead = broker.move(a, dying, b);
    broker.requeue(b, shared);
    if (!broker.commit()) {
        return;
    }
    broker.ack(b, dead);
    broker.delete_queue(a);
    broker.ack(b, shared);
    broker.commit();
}

void definitions(small_broker& broker) {
    const queue_id first = broker.declare("q");
    broker.declare_exchange("ex");
    broker.bind("ex", first, "k");
    broker.put("user", "one");
    if (!broker.commit()) {
        return;
    }
    broker.put("user", "two");
    broker.delete_queue(first);
    const queue_id second = broker.declare("q");
    if (!broker.commit()) {
        return;
    }
    broker.bind("ex", second, "k2");
    broker.unbind("ex", second, "k2");
    broker.bind("ex", second, "k3");
    if (!broker.commit()) {
        return;
    }
    broker.delete_exchange("ex");
    broker.erase("user");
    broker.commit();
}

/// Files of 1 KiB are filled, emptied, reclaimed and recycled.
void churn(small_broker& broker) {
    const queue_id queue = broker.declare("q");
    const message_id kept = broker.publish({queue}, "kept");
    for (int i = 0; i < 9; ++i) {
        const message_id one = broker.publish({queue}, body(200, static_cast<char>('a' + i)));
        const message_id two = broker.publish({queue}, body(250, static_cast<char>('A' + i)));
        broker.deliver(queue, two);
        if (!broker.commit()) {
            return;
        }
        broker.ack(queue, one);
        broker.ack(queue, two);
        broker.rewrite_if_wanted();
        if (!broker.commit()) {
            return;
        }
    }
    broker.ack(queue, kept);
    broker.commit();
}

void large_records(small_broker& broker) {
    const queue_id queue = broker.declare("q");
    const message_id large = broker.publish({queue}, body(2000, 'L'));
    const message_id small = broker.publish({queue}, body(20, 's'));
    if (!broker.commit()) {
        return;
    }
    broker.ack(queue, large);
    broker.publish({queue}, body(1500, 'M'));
    broker.publish({queue}, body(700, 'N'));
    broker.publish({queue}, body(700, 'O'));
    if (!broker.commit()) {
        return;
    }
    broker.ack(queue, small);
    broker.rewrite_if_wanted();
    if (!broker.commit()) {
        return;
    }
    broker.publish({queue}, "last");
    broker.commit();
}

struct named_workload {
    const char* name;
    workload run;
};
const std::vector<named_workload> workloads{
    {"one queue", one_queue},
    {"fan-out and moves", fan_out_and_moves},
    {"definitions", definitions},
    {"churn", churn},
    {"large records", large_records}};

constexpr std::size_t calls_max = 400;
constexpr int random_subsets = 8;

/// Plays all crashes of `run` and checks what comes back; the first violation, or nothing.
class crash_player {
public:
    crash_player(std::size_t sector_bytes, bool prepares, bool ignore_syncs, unsigned seed)
        : sector_bytes_(sector_bytes), ignore_syncs_(ignore_syncs), random_(seed) {
        options_.prepares = prepares;
    }

    /// For all but the smallest bodies.
    void use_blobs() { options_.blob_bytes_min = 60; }
    std::string play(const named_workload& work) {
        for (std::size_t call = 0; call < calls_max; ++call) {
            fake_disk disk{sector_bytes_};
            if (ignore_syncs_) {
                disk.ignore_syncs();
            }
            disk.power_off_at(call);
            const crash_expectation expected = run(disk, work.run);
            const std::string wrong = check_subsets(disk, expected, 2);
            if (!wrong.empty()) {
                return std::string{work.name} + ", power off at call " + std::to_string(call) +
                       ": " + wrong;
            }
            if (disk.calls() < call) {
                return {};  // the whole workload came before
            }
        }
        return "the workload is too long";
    }
    [[nodiscard]] std::size_t cases() const { return cases_; }

private:
    [[nodiscard]] crash_expectation run(fake_disk& disk, const workload& work) const {
        small_broker broker{disk, options_};
        if (broker.start()) {
            work(broker);
        }
        return broker.expectation();
    }

    std::string check_subsets(
        const fake_disk& disk,
        const crash_expectation& expected,
        int further_crashes) {
        for (int subset = 0; subset < random_subsets + 2; ++subset) {
            // None, all, then random ones from nearly none to nearly all.
            const double chance = subset < 2 ? subset : (subset - 1.0) / random_subsets;
            const auto image = disk.after_power_loss(
                [&] { return std::generate_canonical<double, 32>(random_) < chance; });
            std::string wrong = check(*image, expected);
            if (wrong.empty() && further_crashes > 0 && subset % 5 == 2) {
                wrong = crash_again(*image, expected, further_crashes - 1);
            }
            if (!wrong.empty()) {
                return wrong;
            }
        }
        return {};
    }

    std::string check(fake_disk& image, const crash_expectation& expected) {
        ++cases_;
        snapshot found;
        std::string problem;
        if (!recover_snapshot(image, found, problem)) {
            return "recovery refuses: " + problem;
        }
        const std::string wrong = compare(expected, found);
        if (!wrong.empty()) {
            return wrong;
        }
        image.after_kill();
        snapshot again;
        if (!recover_snapshot(image, again, problem)) {
            return "second recovery refuses: " + problem;
        }
        image.after_kill();
        return again == found ? "" : "second recovery gives another state";
    }

    /// Goes on from a crashed disk, crashes again at some call, and checks that.
    std::string crash_again(
        const fake_disk& crashed,
        const crash_expectation& expected,
        int further_crashes) {
        const auto disk = crashed.after_power_loss([] { return true; });
        if (ignore_syncs_) {
            disk->ignore_syncs();
        }
        disk->power_off_at(disk->calls() + random_() % 14);
        small_broker broker{*disk, options_};
        if (!broker.start()) {
            // The power went while recovery tidied up: then nothing may have changed.
            return check_subsets(*disk, expected, further_crashes);
        }
        const auto& queues = broker.state().queues;
        const queue_id queue = queues.empty() ? broker.declare("new") : queues.begin()->first;
        for (int i = 0; i < 4; ++i) {
            const message_id one = broker.publish({queue}, body(60 + random_() % 400, 'r'));
            broker.deliver(queue, one);
            if (!broker.commit()) {
                break;
            }
            if (random_() % 2 == 0) {
                broker.ack(queue, one);
            }
            broker.rewrite_if_wanted();
        }
        return check_subsets(*disk, broker.expectation(), further_crashes);
    }

    small_options options_;
    std::size_t sector_bytes_;
    bool ignore_syncs_;
    std::mt19937 random_;
    std::size_t cases_ = 0;
};

TEST(Crash, NothingDurableIsLostAndNothingComesBackAtAnyCallWithAnySectors) {
    std::size_t cases = 0;
    for (const auto& [sector_bytes, prepares, blobs] :
         {std::tuple{512U, false, false},
          std::tuple{64U, false, false},
          std::tuple{512U, true, false},
          std::tuple{64U, false, true}}) {
        for (const named_workload& work : workloads) {
            crash_player player{sector_bytes, prepares, false, 20261121};
            if (blobs) {
                player.use_blobs();
            }

            EXPECT_EQ(player.play(work), "")
                << "sectors of " << sector_bytes << (prepares ? ", prepared" : "")
                << (blobs ? ", blobs" : "");

            cases += player.cases();
        }
    }
    RecordProperty("cases", static_cast<int>(cases));
    EXPECT_GT(cases, 8000U);
}

// The canary: the same checks must notice a store whose syncs do nothing.
TEST(Crash, ChecksFailWhenSyncsDoNothing) {
    for (const named_workload& work : workloads) {
        crash_player player{512, false, true, 1};

        EXPECT_NE(player.play(work), "") << work.name;
    }
}

TEST(Crash, WhatWasReadAfterAKillSurvivesAPowerLossAfterwards) {
    for (std::size_t call = 0; call < 60; ++call) {
        fake_disk disk{64};
        disk.power_off_at(call);
        {
            small_broker broker{disk, small_options{}};
            if (broker.start()) {
                churn(broker);
            }
        }
        // Killed, not powered off: unsynced writes are still seen, and then acted upon.
        disk.after_kill();
        small_broker second{disk, small_options{}};
        ASSERT_TRUE(second.start()) << second.problem();
        crash_expectation expected;
        expected.settle(second.state());

        for (const bool all : {false, true}) {
            const auto image = disk.after_power_loss([&] { return all; });
            snapshot found;
            std::string problem;
            ASSERT_TRUE(recover_snapshot(*image, found, problem)) << call << problem;
            EXPECT_EQ(compare(expected, found), "") << call;
        }
    }
}

}  // namespace
}  // namespace lovage::broker::store
