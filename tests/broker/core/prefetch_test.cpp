// How many deliveries may be open: basic.qos with RabbitMQ's meaning and with the standard's.
#include "tests/broker/core/one_queue.hpp"

namespace lovage::broker::test {
namespace {

using bodies = std::vector<std::string>;

class PrefetchCount : public one_queue {};

TEST_F(PrefetchCount, PrefetchHoldsForConsumersStartedAfterwards) {
    start_consumer(peer, 1, "q", "before");
    limit(peer, 1);
    peer.send(1, consume("q", "after"));
    peer.expect<amqp::basic::consume_ok>(1);
    publish({"a", "b", "c", "d"});
    std::map<std::string, int> count;
    for (int i = 0; i < 4; ++i) {
        ++count[peer.expect_delivery(1).consumer_tag];
    }
    EXPECT_EQ(count["after"], 1);
    EXPECT_EQ(count["before"], 3);
}

TEST_F(PrefetchCount, PrefetchOfKombuIsForTheChannelAsItDeducesFromTheProduct) {
    client& kombu = broker.connect({.product = "py-amqp"});
    declare(peer, "r");
    limit(kombu, 2);
    start_consumer(kombu, 1, "q", "one");
    start_consumer(kombu, 1, "r", "other");
    publish({"a", "b", "c"});
    publish({"d"}, "r");
    EXPECT_EQ(kombu.expect_bodies(1, 2), (bodies{"a", "b"}));
    kombu.expect_nothing();

    limit(kombu, 3);
    kombu.expect_delivery(1);
    kombu.expect_nothing();
    limit(kombu, 2);
    kombu.ack(1, 1);
    kombu.expect_nothing();
    kombu.ack(1, 2);
    kombu.expect_delivery(1);
}

TEST(PrefetchCountAlone, OfKombuIsRabbitMqsOnABrokerThatCallsItselfRabbitMq) {
    engine_options options;
    options.product = "RabbitMQ";
    options.version = "3.10.8";
    broker_under_test broker{options};
    client& kombu = broker.connect({.product = "py-amqp"});
    declare(kombu, "q");
    start_consumer(kombu, 1, "q", "tag");
    kombu.send(1, prefetch(1, false));
    kombu.expect<amqp::basic::qos_ok>(1);
    for (const char* text : {"a", "b"}) {
        kombu.publish(1, {"", "q", text});
    }

    EXPECT_EQ(kombu.expect_bodies(1, 2), (bodies{"a", "b"}));
}

TEST_F(PrefetchCount, PrefetchOneGivesOneAtATime) {
    limit(peer, 1);
    start_consumer(peer, 1, "q", "tag");
    publish({"a", "b", "c"});
    EXPECT_EQ(peer.expect_delivery(1).body, "a");
    peer.expect_nothing();
    peer.ack(1, 1);
    EXPECT_EQ(peer.expect_delivery(1).body, "b");
    peer.nack(1, 2, true);
    EXPECT_EQ(peer.expect_delivery(1).body, "b");
    peer.expect_nothing();
}

TEST_F(PrefetchCount, NoAckConsumersAreNotLimited) {
    limit(peer, 1);
    limit(peer, 1, true);
    start_consumer(peer, 1, "q", "tag", {.no_ack = true});
    publish({"a", "b", "c"});
    EXPECT_EQ(peer.expect_bodies(1, 3), (bodies{"a", "b", "c"}));
    EXPECT_EQ(broker.status("q").unacked, 0U);
}

TEST_F(PrefetchCount, GlobalPrefetchLimitsTheChannelAtOnce) {
    declare(peer, "r");
    start_consumer(peer, 1, "q", "tag");
    start_consumer(peer, 1, "r", "other");
    limit(peer, 2, true);
    publish({"a", "b", "c"});
    publish({"d"}, "r");
    EXPECT_EQ(peer.expect_bodies(1, 2), (bodies{"a", "b"}));
    peer.expect_nothing();
    limit(peer, 3, true);
    peer.expect_delivery(1);
    peer.expect_nothing();
    limit(peer, 0, true);
    peer.expect_delivery(1);
}

TEST_F(PrefetchCount, LaterPrefetchOfConsumersLiftsTheGlobalOne) {
    limit(peer, 3);
    limit(peer, 2, true);
    start_consumer(peer, 1, "q", "tag");
    publish({"a", "b", "c", "d"});
    EXPECT_EQ(peer.expect_bodies(1, 2), (bodies{"a", "b"}));
    peer.expect_nothing();
    limit(peer, 1);
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"c"});
    peer.expect_nothing();
}

TEST_F(PrefetchCount, GlobalPrefetchIsReleasedForTheOtherConsumers) {
    declare(peer, "r");
    limit(peer, 1, true);
    start_consumer(peer, 1, "q", "tag");
    start_consumer(peer, 1, "r", "other");
    publish({"a"});
    publish({"b"}, "r");
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"a"});
    peer.ack(1, 1);
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"b"});
}

TEST_F(PrefetchCount, PrefetchSizeIs540) {
    peer.send(1, amqp::basic::qos{100, 0, false});
    peer.expect_connection_error({60, 10}, "540 prefetch_size!=0 (100)");
}

}  // namespace
}  // namespace lovage::broker::test
