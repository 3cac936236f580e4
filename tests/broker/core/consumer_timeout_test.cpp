// Deliveries that a consumer keeps for too long.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using bodies = std::vector<std::string>;
using std::chrono::milliseconds;

constexpr std::int32_t timeout_ms = 5000;

class ConsumerTimeout : public testing::Test {
protected:
    void SetUp() override { declare(slow, "q", durable, {{"x-consumer-timeout", timeout_ms}}); }
    void publish(std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            slow.publish(1, {"", "q", text, persistent()});
        }
    }
    void consume_one(client& by) {
        by.send(1, prefetch(1, false));
        by.expect<amqp::basic::qos_ok>(1);
        start_consumer(by, 1, "q", "tag");
    }

    broker_under_test broker;
    client& slow = broker.connect();
    client& quick = broker.connect();
};

TEST_F(ConsumerTimeout, LateDeliveryGoesToAnotherConsumerAndIsCounted) {
    consume_one(slow);
    publish({"a"});
    const auto first = slow.expect_delivery(1);
    consume_one(quick);
    broker.advance(milliseconds{timeout_ms - 1});
    quick.expect_nothing();

    broker.advance(milliseconds{101});

    const auto again = quick.expect_delivery(1);
    EXPECT_EQ(again.body, "a");
    EXPECT_TRUE(again.redelivered);
    EXPECT_EQ(*again.read().headers->find("x-delivery-count"), amqp::field_value(std::int64_t{1}));
    EXPECT_EQ(broker.status("q").unacked, 1U);

    // The late answer is no error, and takes nothing from the other one.
    slow.ack(1, first.delivery_tag);
    slow.expect_nothing();
    EXPECT_EQ(broker.status("q").unacked, 1U);
    quick.ack(1, again.delivery_tag);
    EXPECT_EQ(broker.status("q").unacked, 0U);
}

TEST_F(ConsumerTimeout, WhoIsLateGetsNothingInItsStead) {
    consume_one(slow);
    publish({"a", "b"});
    const auto first = slow.expect_delivery(1);
    broker.advance(milliseconds{timeout_ms + 100});
    EXPECT_EQ(broker.status("q").ready, 2U);
    slow.expect_nothing();

    slow.nack(1, first.delivery_tag, true);

    EXPECT_EQ(slow.expect_delivery(1).body, "a");
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(ConsumerTimeout, WhoIsLateWithoutAPrefetchLimitGetsNothingUntilItHasAnswered) {
    start_consumer(slow, 1, "q", "tag");
    publish({"a", "b"});
    EXPECT_EQ(slow.expect_bodies(1, 2), (bodies{"a", "b"}));
    for (int i = 0; i < 3; ++i) {
        broker.advance(milliseconds{timeout_ms + 100});
        slow.expect_nothing();
    }
    EXPECT_EQ(broker.status("q").ready, 2U);

    slow.ack(1, 1);
    slow.expect_nothing();
    slow.ack(1, 2);

    EXPECT_EQ(slow.expect_bodies(1, 2), (bodies{"a", "b"}));
}

TEST_F(ConsumerTimeout, OnlyTheLateOnesOfManyAreTaken) {
    start_consumer(slow, 1, "q", "tag");
    publish({"a", "b"});
    EXPECT_EQ(slow.expect_bodies(1, 2), (bodies{"a", "b"}));
    broker.advance(milliseconds{3000});
    publish({"c"});
    slow.expect_delivery(1);
    slow.send(1, amqp::basic::cancel{"tag", false});
    slow.expect<amqp::basic::cancel_ok>(1);
    broker.advance(milliseconds{2100});
    EXPECT_EQ(broker.status("q").ready, 2U);
    EXPECT_EQ(broker.status("q").unacked, 1U);

    slow.ack(1, 0, true);

    EXPECT_EQ(broker.status("q").unacked, 0U);
    start_consumer(quick, 1, "q", "tag");
    EXPECT_EQ(quick.expect_bodies(1, 2), (bodies{"a", "b"}));
}

TEST_F(ConsumerTimeout, ChannelWithLateDeliveriesMayCloseAndItsQueueGo) {
    consume_one(slow);
    publish({"a"});
    slow.expect_delivery(1);
    broker.advance(milliseconds{timeout_ms + 100});
    quick.send(1, delete_queue("q"));
    quick.expect<amqp::queue::delete_ok>(1);

    slow.vanish();

    EXPECT_FALSE(broker.has_queue("q"));
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(ConsumerTimeout, ObeysTheDeliveryLimit) {
    declare(
        slow,
        "limited",
        {},
        {{"x-consumer-timeout", timeout_ms}, {"x-delivery-limit", std::int32_t{0}}});
    slow.publish(1, {"", "limited", "a"});
    start_consumer(slow, 1, "limited", "tag");
    slow.expect_delivery(1);

    broker.advance(milliseconds{timeout_ms + 100});

    EXPECT_EQ(broker.status("limited").ready + broker.status("limited").unacked, 0U);
}

TEST_F(ConsumerTimeout, GetHasNone) {
    publish({"a"});
    slow.send(1, get_from("q"));
    slow.expect_get_ok(1);
    broker.advance(milliseconds{10 * timeout_ms});
    EXPECT_EQ(broker.status("q").unacked, 1U);
}

TEST(ConsumerTimeoutOfTheBroker, HoldsForQueuesThatSayNothing) {
    engine_options options;
    options.consumer_timeout_ms = 1000;
    broker_under_test broker{options};
    client& peer = broker.connect();
    declare(peer, "plain");
    declare(peer, "own", {}, {{"x-consumer-timeout", timeout_ms}});
    start_consumer(peer, 1, "plain", "a");
    start_consumer(peer, 1, "own", "b");
    peer.publish(1, {"", "plain", "a"});
    peer.publish(1, {"", "own", "b"});
    peer.expect_bodies(1, 2);
    for (const char* tag : {"a", "b"}) {
        peer.send(1, amqp::basic::cancel{tag, false});
        peer.expect<amqp::basic::cancel_ok>(1);
    }

    broker.advance(milliseconds{1100});

    EXPECT_EQ(broker.status("plain").ready, 1U);
    EXPECT_EQ(broker.status("own").unacked, 1U);
}

}  // namespace
}  // namespace lovage::broker::test
