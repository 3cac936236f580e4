// Queues that are paused: they take and keep messages and give none out.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using bodies = std::vector<std::string>;
using std::chrono::milliseconds;

class Pause : public testing::Test {
protected:
    bool pause(octets queue, bool paused = true) {
        bool found = false;
        broker.as_event([&](engine& at) { found = at.pause_queue("/", queue, paused); });
        return found;
    }
    bool resume(octets queue) { return pause(queue, false); }
    void publish(octets queue, std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            peer->publish(1, {"", std::string(queue), text, persistent()});
        }
    }
    void recover() {
        broker.recover();
        peer = &broker.connect();
    }

    broker_under_test broker;
    client* peer = &broker.connect();
};

TEST_F(Pause, ConsumersStayAndGetEverythingInOrderAfterwards) {
    declare(*peer, "q", durable);
    start_consumer(*peer, 1, "q", "tag", {.no_ack = true});
    EXPECT_TRUE(pause("q"));
    EXPECT_TRUE(broker.status("q").paused);

    publish("q", {"a", "b", "c"});
    peer->expect_nothing();
    EXPECT_EQ(broker.status("q").ready, 3U);
    EXPECT_EQ(broker.status("q").consumers, 1U);

    EXPECT_TRUE(resume("q"));
    EXPECT_FALSE(broker.status("q").paused);
    EXPECT_EQ(peer->expect_bodies(1, 3), (bodies{"a", "b", "c"}));
    publish("q", {"d"});
    EXPECT_EQ(peer->expect_delivery(1).body, "d");
}

TEST_F(Pause, GetFindsNothing) {
    declare(*peer, "q", durable);
    publish("q", {"a"});
    pause("q");
    peer->send(1, get_from("q"));
    peer->expect<amqp::basic::get_empty>(1);
    resume("q");
    peer->send(1, get_from("q", true));
    EXPECT_EQ(peer->expect_get_ok(1).body, "a");
}

TEST_F(Pause, NewConsumersAndNewRoomGetNothing) {
    declare(*peer, "q", durable);
    peer->send(1, prefetch(1));
    peer->expect<amqp::basic::qos_ok>(1);
    publish("q", {"a", "b", "c"});
    start_consumer(*peer, 1, "q", "first");
    const auto held = peer->expect_delivery(1);
    pause("q");
    peer->ack(1, held.delivery_tag);
    start_consumer(*peer, 1, "q", "second");
    peer->expect_nothing();
    resume("q");
    EXPECT_EQ(peer->expect_bodies(1, 2), (bodies{"b", "c"}));
    peer->ack(1, 0, true);
}

TEST_F(Pause, WhatIsGivenBackTakesItsPlaceAgain) {
    declare(*peer, "q", durable);
    publish("q", {"a", "b"});
    peer->send(1, get_from("q"));
    const auto first = peer->expect_get_ok(1);
    pause("q");
    peer->nack(1, first.delivery_tag, true);
    EXPECT_EQ(broker.status("q").ready, 2U);
    EXPECT_EQ(broker.status("q").unacked, 0U);
    resume("q");
    start_consumer(*peer, 1, "q", "tag", {.no_ack = true});
    EXPECT_EQ(peer->expect_bodies(1, 2), (bodies{"a", "b"}));
}

TEST_F(Pause, LimitsAndTimesToLiveGoOn) {
    declare(
        *peer,
        "q",
        durable,
        {{"x-max-length", std::int32_t{2}}, {"x-message-ttl", std::int32_t{1000}}});
    start_consumer(*peer, 1, "q", "tag");
    pause("q");
    publish("q", {"a", "b", "c"});
    EXPECT_EQ(broker.status("q").ready, 2U);
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    resume("q");
    peer->expect_nothing();
}

TEST_F(Pause, UnusedQueueGoesAllTheSame) {
    declare(*peer, "q", durable, {{"x-expires", std::int32_t{1000}}});
    pause("q");
    broker.advance(milliseconds{1000});
    EXPECT_FALSE(broker.has_queue("q"));
    EXPECT_EQ(broker.journal.settings.size(), 0U);
}

TEST_F(Pause, IsKeptOverARestart) {
    declare(*peer, "q", durable);
    declare(*peer, "other", durable);
    pause("q");
    pause("other");
    resume("other");
    publish("q", {"a"});

    recover();

    EXPECT_TRUE(broker.status("q").paused);
    EXPECT_FALSE(broker.status("other").paused);
    start_consumer(*peer, 1, "q", "tag", {.no_ack = true});
    peer->expect_nothing();
    resume("q");
    EXPECT_EQ(peer->expect_delivery(1).body, "a");
    EXPECT_EQ(broker.journal.settings.size(), 0U);
}

TEST_F(Pause, IsForgottenWithTheQueue) {
    declare(*peer, "q", durable);
    pause("q");
    peer->send(1, delete_queue("q"));
    peer->expect<amqp::queue::delete_ok>(1);
    EXPECT_EQ(broker.journal.settings.size(), 0U);
    declare(*peer, "q", durable);
    EXPECT_FALSE(broker.status("q").paused);
}

TEST_F(Pause, OfAQueueThatIsGoneIsErasedAtTheStart) {
    broker.restart();
    const std::string key = settings_store::key("paused", {"/", "gone"});
    EXPECT_TRUE(broker.broker().restore_setting(
        key, encode_table({}), broker.journal.setting_put(key, encode_table({}))));
    EXPECT_EQ(broker.broker().settings_restored(), "");
    EXPECT_EQ(broker.journal.settings.size(), 0U);
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Pause, OfATransientQueueIsNotWritten) {
    declare(*peer, "q");
    pause("q");
    EXPECT_TRUE(broker.status("q").paused);
    EXPECT_EQ(broker.journal.settings.size(), 0U);
    resume("q");
    EXPECT_EQ(broker.journal.count("setting"), 0U);
}

TEST_F(Pause, TwiceIsOnceAndAnUnknownQueueIsNone) {
    declare(*peer, "q", durable);
    EXPECT_TRUE(pause("q"));
    EXPECT_TRUE(pause("q"));
    EXPECT_EQ(broker.journal.count("setting_put"), 1U);
    EXPECT_TRUE(resume("q"));
    EXPECT_TRUE(resume("q"));
    EXPECT_FALSE(pause("unknown"));
}

}  // namespace
}  // namespace lovage::broker::test
