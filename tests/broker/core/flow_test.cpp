// What the engine does when something is too much: output that nobody reads, memory, contents that
// never end (rows 259 and 260, and limits of this broker's own).
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using namespace std::string_view_literals;

engine_options small_limits() {
    engine_options options;
    options.output_octets_high = 1000;
    options.memory_octets_max = 100'000;
    options.message_octets_max = 5'000;
    return options;
}

class Flow : public testing::Test {
protected:
    void fill(std::size_t octets) {
        while (broker.broker().memory_octets() <= octets) {
            filler.publish(1, {"", "fill", std::string(500, 'x')});
            if (filler.unread() != 0) {
                break;
            }
        }
    }
    void SetUp() override {
        declare(filler, "fill");
        declare(filler, "q");
    }

    broker_under_test broker{small_limits()};
    client& filler = broker.connect();
};

TEST_F(Flow, UnreadOutputStopsDeliveriesUntilItIsDrained) {
    client& slow = broker.connect();
    client& sender = broker.connect();
    start_consumer(slow, 1, "q", "c", {.no_ack = true});
    slow.reads = false;
    for (int i = 0; i < 30; ++i) {
        sender.publish(1, {"", "q", std::string(100, 'x')});
    }
    EXPECT_GT(slow.output_waiting(), 1000U);
    EXPECT_LT(slow.output_waiting(), 1500U);
    const std::size_t held_back = broker.status("q").ready;
    EXPECT_GT(held_back, 15U);

    broker.drained(slow, 501);
    EXPECT_EQ(broker.status("q").ready, held_back);
    slow.reads = true;
    broker.drained(slow, 0);

    slow.expect_bodies(1, 30);
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Flow, OtherConsumersGetWhatASlowOneDoesNotTake) {
    client& slow = broker.connect();
    client& quick = broker.connect();
    start_consumer(slow, 1, "q", "c", {.no_ack = true});
    slow.reads = false;
    start_consumer(quick, 1, "q", "c", {.no_ack = true});
    for (int i = 0; i < 40; ++i) {
        filler.publish(1, {"", "q", std::string(100, 'x')});
    }
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_GT(quick.frames_waiting(), 3U * 25U);
}

TEST_F(Flow, RepliesThatNobodyReadsStopTheInput) {
    client& rude = broker.connect();
    rude.reads = false;
    for (int i = 0; i < 400; ++i) {
        rude.send(1, declare_queue("q", {.passive = true}));
    }
    EXPECT_GT(rude.unread(), 0U);
    EXPECT_LT(rude.output_waiting(), 5'000U);

    rude.reads = true;
    for (int i = 0; i < 400; ++i) {
        broker.drained(rude, 0);
    }
    EXPECT_EQ(rude.unread(), 0U);
    EXPECT_EQ(rude.frames_waiting(), 400U);
}

TEST_F(Flow, AlarmBlocksPublishersOnlyAndEndsLower) {
    client& publisher = broker.connect();
    client& consumer = broker.connect();
    client& deaf = broker.connect({.connection_blocked = false});
    fill(100'000);
    ASSERT_GT(broker.broker().memory_octets(), 100'000U);

    publisher.publish(1, {"", "q", "waits"});
    deaf.publish(1, {"", "q", "waits"});
    EXPECT_EQ(publisher.expect<amqp::connection::blocked>(0).reason, "low on memory");
    deaf.expect_nothing();
    EXPECT_GT(publisher.unread(), 0U);
    EXPECT_EQ(broker.status("q").ready, 0U);
    publisher.publish(1, {"", "q", "waits"});
    publisher.expect_nothing();  // told once

    // The others work on.
    start_consumer(consumer, 1, "fill", "c", {});
    consumer.expect_delivery(1);
    consumer.ack(1, 1);
    EXPECT_GT(broker.status("fill").unacked, 0U);
    consumer.expect_nothing(0);
}

TEST_F(Flow, AlarmEndsAtFourFifths) {
    client& publisher = broker.connect();
    client& consumer = broker.connect();
    fill(100'000);
    publisher.publish(1, {"", "q", "waits"});
    publisher.expect<amqp::connection::blocked>(0);

    while (broker.broker().memory_octets() >= 80'000) {
        publisher.expect_nothing();
        consumer.send(1, get_from("fill", true));
        consumer.expect_get_ok(1);
    }

    publisher.expect<amqp::connection::unblocked>(0);
    EXPECT_EQ(publisher.unread(), 0U);
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Flow, WhoHoldsDeliveriesMayAnswerThemInAMemoryAlarmUntilTheReserveIsUsedUp) {
    client& worker = broker.connect();
    start_consumer(worker, 1, "fill", "c", {});
    filler.publish(1, {"", "fill", "job"});
    worker.expect_delivery(1);
    filler.send(1, declare_queue("heap"));
    filler.expect<amqp::queue::declare_ok>(1);
    while (filler.unread() == 0) {
        filler.publish(1, {"", "heap", std::string(500, 'x')});
    }

    worker.publish(1, {"", "q", "result"});
    EXPECT_EQ(broker.status("q").ready, 1U);
    while (broker.broker().memory_octets() <= 125'000 && worker.unread() == 0) {
        worker.publish(1, {"", "q", std::string(500, 'x')});
    }
    const auto taken = broker.status("q").ready;
    worker.publish(1, {"", "q", "too much"});

    EXPECT_EQ(worker.expect<amqp::connection::blocked>(0).reason, "low on memory");
    EXPECT_EQ(broker.status("q").ready, taken);
    EXPECT_GT(broker.broker().memory_octets(), 125'000U);
}

TEST_F(Flow, WhoHoldsDeliveriesGoesOnWhenThereIsAReserveAgainThoughTheAlarmLasts) {
    client& worker = broker.connect();
    client& plain = broker.connect();
    client& drain = broker.connect();
    start_consumer(worker, 1, "fill", "c", {});
    filler.publish(1, {"", "fill", "job"});
    worker.expect_delivery(1);
    filler.send(1, declare_queue("heap"));
    filler.expect<amqp::queue::declare_ok>(1);
    while (worker.unread() == 0) {
        worker.publish(1, {"", "heap", std::string(500, 'x')});
    }
    worker.expect<amqp::connection::blocked>(0);
    plain.publish(1, {"", "q", "waits"});
    plain.expect<amqp::connection::blocked>(0);

    while (broker.broker().memory_octets() > 125'000) {
        drain.send(1, get_from("heap", true));
        drain.expect_get_ok(1);
    }

    worker.expect<amqp::connection::unblocked>(0);
    EXPECT_EQ(worker.unread(), 0U);
    plain.expect_nothing();
    EXPECT_GT(broker.broker().memory_octets(), 100'000U);
}

TEST_F(Flow, WhoGetsADeliveryWhileBlockedMayAnswerIt) {
    client& worker = broker.connect();
    client& other = broker.connect();
    declare(filler, "jobs");
    filler.publish(1, {"", "jobs", "job"});
    other.send(1, get_from("jobs"));
    const auto job = other.expect_get_ok(1);
    start_consumer(worker, 1, "jobs", "c", {});
    fill(100'000);
    worker.publish(1, {"", "q", "waits"});
    worker.expect<amqp::connection::blocked>(0);

    other.nack(1, job.delivery_tag, true);

    worker.expect_delivery(1);
    worker.expect<amqp::connection::unblocked>(0);
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Flow, ConsumerWithoutDeliveriesIsBlockedAsAnyPublisher) {
    client& worker = broker.connect();
    start_consumer(worker, 1, "q", "c", {});
    filler.publish(1, {"", "q", "job"});
    const auto job = worker.expect_delivery(1);
    worker.ack(1, job.delivery_tag);
    fill(100'000);

    worker.publish(1, {"", "q", "more"});

    worker.expect<amqp::connection::blocked>(0);
}

TEST_F(Flow, PlacesInQueuesAndChannelsTakeMemoryToo) {
    const std::uint64_t before = broker.held_octets();
    client& consumer = broker.connect();
    constexpr std::uint64_t queues = 10;
    for (std::uint64_t i = 0; i < queues; ++i) {
        const std::string name = "copy" + std::to_string(i);
        declare(filler, name);
        filler.send(1, bind_queue(name, "amq.fanout", ""));
        filler.expect<amqp::queue::bind_ok>(1);
    }
    filler.publish(1, {"amq.fanout", "", ""});
    const std::uint64_t message = broker.held_octets() - before;
    EXPECT_GE(message, queues * sizeof(queued_message));

    for (std::uint64_t i = 0; i < queues; ++i) {
        consumer.send(1, get_from("copy" + std::to_string(i)));
        consumer.expect_get_ok(1);
    }
    EXPECT_GE(broker.held_octets() - before, queues * sizeof(unacked_delivery));

    consumer.ack(1, 2);  // a hole
    consumer.ack(1, 0, true);
    EXPECT_EQ(broker.held_octets(), before);
}

TEST_F(Flow, BuffersOfConnectionsRaiseTheAlarm) {
    client& publisher = broker.connect();
    broker.broker().buffers_take(100'001);
    publisher.publish(1, {"", "q", "waits"});
    EXPECT_EQ(publisher.expect<amqp::connection::blocked>(0).reason, "low on memory");

    broker.broker().buffers_take(70'000);
    broker.advance(milliseconds{100});

    publisher.expect<amqp::connection::unblocked>(0);
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Flow, SlowReaderGetsLittleInAnAlarm) {
    client& slow = broker.connect();
    for (int i = 0; i < 8; ++i) {
        filler.publish(1, {"", "q", std::string(100, 'x')});
    }
    fill(100'000);
    slow.reads = false;

    auto unacknowledged = consume("q", "c");
    unacknowledged.no_ack = true;
    slow.send(1, unacknowledged);

    EXPECT_EQ(broker.status("q").ready, 7U);
    slow.reads = true;
    broker.drained(slow, 0);
    slow.expect<amqp::basic::consume_ok>(1);
    slow.expect_bodies(1, 8);
}

TEST_F(Flow, TransactionsTogetherHoldHalfOfTheMemory) {
    client& first = broker.connect();
    client& second = broker.connect();
    for (client* each : {&first, &second}) {
        each->send(1, amqp::tx::select{});
        each->expect<amqp::tx::select_ok>(1);
    }
    for (int i = 0; i < 10; ++i) {
        first.publish(1, {"", "q", std::string(4'500, 'x')});
    }
    second.publish(1, {"", "q", std::string(4'500, 'x')});
    second.expect_connection_error({60, 40}, "506 the transaction holds too much");

    first.send(1, amqp::tx::commit{});
    first.expect<amqp::tx::commit_ok>(1);
    EXPECT_EQ(broker.status("q").ready, 10U);
    EXPECT_EQ(broker.broker().transactions_account(), 0U);
}

TEST_F(Flow, PropertiesOfUnfinishedContentsCount) {
    client& publisher = broker.connect();
    const std::uint64_t before = broker.broker().memory_octets();
    amqp::basic_properties properties;
    properties.headers = amqp::table{{"h", std::string(3000, 'x')}};
    byte_buffer encoded;
    amqp::write_properties(encoded, properties);
    for (std::uint16_t number = 1; number <= 3; ++number) {
        if (number != 1) {
            publisher.open_channel(number);
        }
        publisher.send(number, amqp::basic::publish{});
        byte_buffer header;
        amqp::write_content_header(header, number, 5, encoded.view());
        publisher.send_octets(header.view());
    }
    EXPECT_GT(broker.broker().memory_octets(), before + 9000);
    publisher.vanish();
    EXPECT_EQ(broker.broker().memory_octets(), before);
}

TEST_F(Flow, BlockedPublisherIsNotTakenForSilent) {
    client& publisher = broker.connect({.heartbeat = 1});
    fill(100'000);
    publisher.publish(1, {"", "q", "waits"});
    publisher.expect<amqp::connection::blocked>(0);
    broker.advance(std::chrono::minutes{1});
    EXPECT_FALSE(publisher.dropped());
}

TEST_F(Flow, BlockedConnectionMayBeLost) {
    client& publisher = broker.connect();
    fill(100'000);
    publisher.publish(1, {"", "q", "waits"});
    publisher.vanish();
    filler.send(1, amqp::queue::purge{0, "fill", false});
    EXPECT_LT(broker.broker().memory_octets(), 80'000U);
}

TEST_F(Flow, ContentThatIsUnderWayGoesOnUnderTheAlarm) {
    client& publisher = broker.connect();
    amqp::basic::publish m;
    m.routing_key = "q";
    publisher.send(1, m);
    byte_buffer header;
    amqp::write_content_header(header, 1, 4, "\0\0"sv);
    publisher.send_octets(header.view());
    publisher.send_frame(3, 1, "ab");
    fill(100'000);
    publisher.send_frame(3, 1, "cd");
    EXPECT_EQ(broker.status("q").ready, 1U);
    publisher.expect_nothing();
}

TEST_F(Flow, UnfinishedContentsOfAConnectionAreLimited) {
    client& greedy = broker.connect();
    const std::uint64_t before = broker.broker().memory_octets();
    for (std::uint16_t channel = 1; channel <= 3; ++channel) {
        if (channel != 1) {
            greedy.open_channel(channel);
        }
        greedy.send(channel, amqp::basic::publish{});
        byte_buffer header;
        amqp::write_content_header(header, channel, 5'000, "\0\0"sv);
        greedy.send_octets(header.view());
        greedy.send_frame(3, channel, std::string(4'000, 'x'));
    }
    greedy.expect_connection_error({60, 40}, "506 too much unfinished content on this connection");
    EXPECT_EQ(broker.broker().memory_octets(), before);
}

TEST_F(Flow, UnfinishedContentIsGivenBackWithItsChannel) {
    client& peer = broker.connect();
    const std::uint64_t before = broker.broker().memory_octets();
    peer.send(1, amqp::basic::publish{});
    byte_buffer header;
    amqp::write_content_header(header, 1, 5'000, "\0\0"sv);
    peer.send_octets(header.view());
    peer.send_frame(3, 1, std::string(4'000, 'x'));
    EXPECT_EQ(broker.broker().memory_octets(), before + 4'002);  // two octets of properties
    peer.vanish();
    EXPECT_EQ(broker.broker().memory_octets(), before);
}

}  // namespace
}  // namespace lovage::broker::test
