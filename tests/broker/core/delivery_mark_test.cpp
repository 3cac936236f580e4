// Marks of what was delivered: on disk before the delivery is sent, ahead of it in busy queues.
#include "broker/core/delivery_mark.hpp"

#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

constexpr queue_id some_queue{1};

/// A mark with a log whose batches go to the disk when the test says so.
class DeliveryMark : public testing::Test {
protected:
    DeliveryMark() { log.adopt_queue(some_queue, "q"); }

    lsn note(message_id id, bool ahead = true) {
        return mark.note(some_queue, id, ahead, {log, durable, first_open, now});
    }
    /// The open batch is given to the disk; what is published later is in the next one.
    void take(message_id next) {
        log.taken_up_to = log.last();
        first_open = next;
    }
    void sync() { durable = log.taken_up_to; }
    /// As take() and sync(), however many times, until it need not wait.
    int batches_for(message_id id) {
        int batches = 0;
        while (note(id) != 0) {
            take(first_open);
            sync();
            ++batches;
        }
        return batches;
    }
    [[nodiscard]] std::size_t marks() const { return log.count("delivered"); }

    fake_journal log;
    delivery_mark mark;
    lsn durable = 0;
    message_id first_open = 1'000'000;
    time_point now{};
};

TEST_F(DeliveryMark, MessageOfTheOpenBatchNeedNotWait) {
    first_open = 5;
    EXPECT_EQ(note(5), 0U);
    EXPECT_EQ(mark.marked(), 5U);
    take(7);
    EXPECT_NE(note(6), 0U) << "its batch is at the disk, the mark comes with the next";
}

TEST_F(DeliveryMark, OlderMessageWaitsForItsMark) {
    const lsn wait_for = note(5);
    EXPECT_EQ(wait_for, log.last());
    EXPECT_EQ(note(5), wait_for);
    take(first_open);
    EXPECT_EQ(note(5), wait_for);
    sync();
    EXPECT_EQ(note(5), 0U);
    EXPECT_EQ(marks(), 1U);
}

TEST_F(DeliveryMark, EachWaitsForTheBatchOfItsOwnMark) {
    const lsn first = note(5, false);
    take(first_open);
    const lsn second = note(6, false);
    const lsn third = note(7, false);
    EXPECT_LT(first, second);
    EXPECT_EQ(note(5, false), first);
    EXPECT_LE(note(6, false), third);
    sync();
    EXPECT_EQ(note(5, false), 0U);
    EXPECT_NE(note(7, false), 0U);
    take(first_open);
    sync();
    EXPECT_EQ(note(7, false), 0U);
    EXPECT_EQ(note(6, false), 0U);
}

TEST_F(DeliveryMark, MarkOfABatchThatIsOnDiskIsSeenWhileLaterOnesAreOnTheirWay) {
    note(5, false);
    for (message_id id = 6; id < 50; ++id) {
        take(first_open);
        note(id, false);
        sync();
        EXPECT_EQ(note(id - 1, false), 0U) << id;
    }
}

TEST_F(DeliveryMark, RunsAheadOfABusyQueueSoThatItHardlyWaits) {
    int waits = 0;
    for (message_id id = 1; id <= 100'000; ++id) {
        waits += batches_for(id) != 0 ? 1 : 0;
        if (id % 100 == 0) {
            now += milliseconds{1};
            take(first_open);
            sync();
        }
    }
    EXPECT_LT(waits, 12);
    EXPECT_LT(marks(), 100U);
    EXPECT_LT(mark.marked(), 100'000U + 64 * 1024U);
}

TEST_F(DeliveryMark, IsExactInAQueueThatIsNotBusy) {
    for (message_id id = 1; id <= 20; ++id) {
        EXPECT_EQ(batches_for(id), 1);
        EXPECT_EQ(mark.marked(), id);
        now += milliseconds{2000};
    }
}

TEST_F(DeliveryMark, IsExactAgainWhenABusyQueueHasBecomeQuiet) {
    for (message_id id = 1; id <= 1000; ++id) {
        batches_for(id);
    }
    EXPECT_GT(mark.marked(), 1000U);
    now += milliseconds{10'000};
    batches_for(500'000);
    EXPECT_EQ(mark.marked(), 500'000U);
}

TEST_F(DeliveryMark, NeverRunsAheadOfSingleGets) {
    for (message_id id = 1; id <= 100; ++id) {
        while (note(id, false) != 0) {
            take(first_open);
            sync();
        }
        EXPECT_EQ(mark.marked(), id);
    }
}

TEST_F(DeliveryMark, WhatRanAheadIsTakenBack) {
    for (message_id id = 1; id <= 1000; ++id) {
        batches_for(id);
    }
    mark.settle(some_queue, log);
    EXPECT_EQ(log.queues.at(some_queue).delivered_up_to, 1000U);
    EXPECT_NE(note(1001, false), 0U) << "what was taken back is on disk no more";
    mark.settle(some_queue, log);
    EXPECT_EQ(log.count("mark_lowered"), 1U);
}

class MarkedDelivery : public testing::Test {
protected:
    MarkedDelivery() {
        declare(peer, "q", durable);
        for (const char* body : {"a", "b", "c", "d"}) {
            peer.publish(1, {"", "q", body, persistent()});
        }
        broker.sync_at_once = false;
    }
    /// What a broker finds that starts on what is on disk now.
    std::vector<bool> flags_after_a_restart() {
        broker.sync_at_once = true;
        broker.recover();
        client& again = broker.connect();
        std::vector<bool> flags;
        while (broker.status("q").ready != 0) {
            again.send(1, get_from("q"));
            flags.push_back(again.expect_get_ok(1).redelivered);
        }
        return flags;
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(MarkedDelivery, IsSentWhenItsMarkIsOnDisk) {
    start_consumer(peer, 1, "q", "tag");
    peer.expect_nothing();
    EXPECT_EQ(broker.status("q").unacked, 4U);
    broker.sync();
    EXPECT_EQ(peer.expect_bodies(1, 4), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(MarkedDelivery, GetIsAnsweredWhenItsMarkIsOnDiskAndInItsTurn) {
    peer.send(1, get_from("q"));
    peer.send(1, amqp::channel::flow{true});
    peer.expect_nothing();
    broker.sync();
    EXPECT_EQ(peer.expect_get_ok(1).body, "a");
    peer.expect<amqp::channel::flow_ok>(1);
}

TEST_F(MarkedDelivery, WaitsOnItsOwnConnectionOnly) {
    client& other = broker.connect();
    start_consumer(peer, 1, "q", "tag");
    other.send(1, amqp::channel::flow{true});
    other.expect<amqp::channel::flow_ok>(1);
    peer.expect_nothing();
}

TEST_F(MarkedDelivery, OfAMessageThatIsPublishedNowDoesNotWait) {
    peer.send(1, amqp::queue::purge{0, "q", false});
    broker.sync();
    peer.expect<amqp::queue::purge_ok>(1);
    start_consumer(peer, 1, "q", "tag");
    peer.publish(1, {"", "q", "e", persistent()});
    EXPECT_EQ(peer.expect_delivery(1).body, "e");
}

TEST_F(MarkedDelivery, IsMarkedAfterARestartAndTheOthersAreNot) {
    peer.send(1, get_from("q"));
    peer.send(1, get_from("q"));
    broker.sync();
    EXPECT_EQ(peer.expect_get_ok(1).body, "a");
    EXPECT_EQ(flags_after_a_restart(), (std::vector<bool>{true, true, false, false}));
}

TEST_F(MarkedDelivery, AnOrderlyStopTakesBackWhatRanAhead) {
    broker.sync_at_once = true;
    peer.send(1, prefetch(1));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "tag");
    peer.ack(1, peer.expect_delivery(1).delivery_tag);
    peer.ack(1, peer.expect_delivery(1).delivery_tag);
    peer.expect_delivery(1);
    EXPECT_GT(broker.journal.queues.begin()->second.delivered_up_to, 4U);
    broker.shut_down();
    broker.recover();
    client& again = broker.connect();
    again.send(1, get_from("q"));
    EXPECT_TRUE(again.expect_get_ok(1).redelivered);
    again.send(1, get_from("q"));
    EXPECT_FALSE(again.expect_get_ok(1).redelivered);
}

TEST_F(MarkedDelivery, WhoGoesWhileItWaitsLeavesNothingBehind) {
    peer.send(1, prefetch(2));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "tag");
    peer.send(0, amqp::connection::close{});
    peer.expect<amqp::connection::close_ok>(0);
    EXPECT_EQ(broker.status("q").ready, 4U);
    broker.sync();
    peer.expect_nothing();
}

TEST_F(MarkedDelivery, OneThatMayGoSoonerDoesNotTakeOthersAlong) {
    broker.sync_at_once = true;
    declare(peer, "r", durable);
    peer.publish(1, {"", "r", "later", persistent()});
    client& other = broker.connect();
    broker.sync_at_once = false;
    other.send(1, get_from("q"));
    const lsn first = broker.journal.last();
    peer.send(1, get_from("r"));
    other.vanish();
    peer.send(1, get_from("q"));
    broker.sync(first);
    peer.expect_nothing();
    broker.sync();
    EXPECT_EQ(peer.expect_get_ok(1).body, "later");
    EXPECT_EQ(peer.expect_get_ok(1).body, "a");
}

/// Until its move is on disk, a crash would bring it back to where it died, to die once more.
class MarkedDeadLetter : public MarkedDelivery {
protected:
    /// A queue with a consumer whose mark is far ahead, and one whose messages die into it.
    MarkedDeadLetter() {
        broker.sync_at_once = true;
        taker.send(1, prefetch(1));
        taker.expect<amqp::basic::qos_ok>(1);
        start_consumer(taker, 1, "q", "tag");
        for (int i = 0; i < 4; ++i) {
            taker.ack(1, taker.expect_delivery(1).delivery_tag);
        }
    }
    void declare_dying(const char* name, const char* into, amqp::table arguments = {}) {
        arguments.set("x-dead-letter-exchange", std::string{});
        arguments.set("x-dead-letter-routing-key", std::string{into});
        declare(peer, name, durable, std::move(arguments));
    }
    void expect_to_wait_for_the_disk() {
        peer.publish(1, {"", "dies", "letter", persistent()});
        peer.send(1, get_from("dies"));
        const auto tag = peer.expect_get_ok(1).delivery_tag;
        broker.sync_at_once = false;
        peer.send(1, amqp::basic::reject{tag, false});
        EXPECT_EQ(broker.status("q").unacked, 1U);
        taker.expect_nothing();
        broker.sync();
        EXPECT_EQ(taker.expect_delivery(1).body, "letter");
    }

    client& taker = broker.connect();
};

TEST_F(MarkedDeadLetter, WaitsForItsMoveAlthoughTheMarkIsAhead) {
    declare_dying("dies", "q");
    expect_to_wait_for_the_disk();
}

TEST_F(MarkedDeadLetter, WaitsAlsoIfAQueueOnItsWayHasRefusedIt) {
    declare_dying("dies", "full");
    declare_dying(
        "full",
        "q",
        {{"x-max-length", std::int32_t{1}}, {"x-overflow", std::string{"reject-publish-dlx"}}});
    peer.publish(1, {"", "full", "first", persistent()});
    expect_to_wait_for_the_disk();
}

TEST_F(MarkedDeadLetter, WaitsAlsoIfItWasInATransientQueueOnItsWay) {
    amqp::table arguments;
    arguments.set("x-dead-letter-exchange", std::string{});
    arguments.set("x-dead-letter-routing-key", std::string{"q"});
    arguments.set("x-max-length", std::int32_t{0});
    declare(peer, "passing", {}, arguments);
    declare_dying("dies", "passing");
    expect_to_wait_for_the_disk();
}

TEST_F(MarkedDelivery, HeartbeatsGoOnWhileTheDiskIsSlow) {
    client& slow = broker.connect({.heartbeat = 10});
    slow.send(1, get_from("q"));
    broker.advance(milliseconds{4000});
    slow.send(1, amqp::channel::flow{true});
    broker.advance(milliseconds{1000});
    slow.expect_heartbeat();
    broker.sync();
    EXPECT_EQ(slow.expect_get_ok(1).body, "a");
}

TEST_F(MarkedDelivery, BlockedConnectionIsToldWhileTheDiskIsSlow) {
    peer.send(1, get_from("q"));
    const auto alarm = [&](bool on) {
        broker.as_event([&](engine& at) { at.disk_alarm(on, broker.now()); });
    };
    alarm(true);
    peer.publish(1, {"", "q", "e", persistent()});
    peer.expect<amqp::connection::blocked>(0);
    alarm(false);
    peer.expect<amqp::connection::unblocked>(0);
    broker.sync();
    EXPECT_EQ(peer.expect_get_ok(1).body, "a");
}

TEST_F(MarkedDelivery, WhatWaitsCountsAsOutput) {
    engine_options options;
    options.output_octets_high = 50'000;
    broker.sync_at_once = true;
    broker.restart(options);
    client& reader = broker.connect();
    declare(reader, "long", durable);
    for (int i = 0; i < 20; ++i) {
        reader.publish(1, {"", "long", std::string(10'000, 'x'), persistent()});
    }
    broker.sync_at_once = false;
    start_consumer(reader, 1, "long", "tag");
    EXPECT_LT(broker.status("long").unacked, 8U);
    broker.drained(reader, 0);
    EXPECT_LT(broker.status("long").unacked, 8U);
    broker.sync_at_once = true;
    broker.sync();
    EXPECT_EQ(reader.expect_bodies(1, 20).size(), 20U);
}

}  // namespace
}  // namespace lovage::broker::test
