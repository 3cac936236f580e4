// Dead letters that beget dead letters: how many, in which portions, and what a crash finds.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::table;

/// Each dead letter goes to all the queues, which are full: to all in every order.
class Explosion : public testing::Test {
protected:
    static engine_options few_at_a_time() {
        engine_options options;
        options.dead_letters_per_event = 10;
        return options;
    }
    Explosion() {
        for (int i = 0; i < 5; ++i) {
            table arguments{{"x-max-length", std::int32_t{0}}};
            arguments.add("x-dead-letter-exchange", "amq.fanout");
            const std::string name = "q" + std::to_string(i);
            declare(peer, name, durable, arguments);
            peer.send(1, bind_queue(name, "amq.fanout", ""));
            peer.expect<amqp::queue::bind_ok>(1);
        }
        broker.sync_at_once = false;  // so that only the test makes events
        peer.publish(1, {"amq.fanout", "", "m", persistent()});
    }
    /// 5 + 5*4 + 5*4*3 + 5*4*3*2 + 5*4*3*2 deaths in all.
    int ticks_to_the_end() {
        int ticks = 0;
        while (broker.broker().next_expiry_ms() && ticks < 100'000) {
            ++ticks;
            broker.advance(milliseconds{1});
        }
        return ticks;
    }

    broker_under_test broker{few_at_a_time()};
    client& peer = broker.connect();
};

TEST_F(Explosion, IsSpreadOverEvents) {
    EXPECT_GT(broker.journal.messages.size(), 0U);
    const int ticks = ticks_to_the_end();
    EXPECT_GT(ticks, 25);
    EXPECT_LT(ticks, 40);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_EQ(broker.held_octets(), 0U);
}

TEST_F(Explosion, WithMoreQueuesHasAnEnd) {
    for (int i = 5; i < 30; ++i) {
        table arguments{{"x-max-length", std::int32_t{0}}};
        arguments.add("x-dead-letter-exchange", "amq.fanout");
        const std::string name = "q" + std::to_string(i);
        broker.sync_at_once = true;
        declare(peer, name, durable, arguments);
        peer.send(1, bind_queue(name, "amq.fanout", ""));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    ticks_to_the_end();
    broker.sync_at_once = false;
    peer.publish(1, {"amq.fanout", "", "m", persistent()});
    // Without a bound, 30! copies.
    EXPECT_LT(ticks_to_the_end(), 30'000);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_TRUE(broker.log.back().starts_with("dead_letter_dropped queue=q"));
}

TEST_F(Explosion, WhatWaitsIsWrittenAgainWithItsQueue) {
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    ticks_to_the_end();
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Explosion, DeletedQueueTakesItsDeadAlong) {
    for (int i = 0; i < 5; ++i) {
        const std::string name = "q" + std::to_string(i);
        peer.send(1, amqp::queue::delete_{0, name, false, false, true});
    }
    ticks_to_the_end();
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_EQ(broker.held_octets(), 0U);
}

TEST(RefusedDeadLetter, GoesOnInTheEventInWhichItsSourceLetGoOfIt) {
    engine_options options;
    options.dead_letters_per_event = 2;
    broker_under_test broker{options};
    client& peer = broker.connect();
    declare(peer, "last", durable);
    const auto make = [&](octets name, table arguments, const char* next) {
        arguments.add("x-dead-letter-exchange", "");
        arguments.add("x-dead-letter-routing-key", next);
        declare(peer, name, durable, std::move(arguments));
    };
    make("full", {{"x-max-length", 0}, {"x-overflow", "reject-publish-dlx"}}, "last");
    make("q", {{"x-message-ttl", 10}}, "full");
    for (int i = 0; i < 5; ++i) {
        peer.publish(1, {"", "q", "m", persistent()});
    }
    broker.sync_at_once = false;  // so that only the test makes events

    broker.advance(milliseconds{10});

    // Two have left their queue, and whatever happens now they are in the last one.
    EXPECT_EQ(broker.status("last").ready, 2U);
    EXPECT_EQ(broker.journal.messages.size(), 5U);
}

}  // namespace
}  // namespace lovage::broker::test
