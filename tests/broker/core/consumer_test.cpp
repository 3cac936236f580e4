// Rows 157, 159, 160, 234 to 241: consumer priorities, single active consumer, quorum queues,
// delivery limits.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::table;

constexpr amqp::method_id consume_id{60, 20};
constexpr amqp::method_id declare_id{50, 10};

class Consumers : public testing::Test {
protected:
    void start(client& by, octets queue, octets tag, table arguments = {}) {
        auto method = consume(queue, tag);
        method.arguments = std::move(arguments);
        by.send(1, method);
        by.expect<amqp::basic::consume_ok>(1);
    }
    void limit(client& whose, std::uint16_t count) {
        whose.send(1, prefetch(count));
        whose.expect<amqp::basic::qos_ok>(1);
    }
    void publish(octets queue, std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            other.publish(1, {"", std::string(queue), text, persistent()});
        }
    }
    /// Tags of the consumers that get the next messages.
    std::vector<std::string> takers(client& whose, std::size_t count) {
        std::vector<std::string> tags;
        for (std::size_t i = 0; i < count; ++i) {
            tags.push_back(whose.expect_delivery(1).consumer_tag);
        }
        return tags;
    }
    void cancel(client& whose, octets tag) {
        whose.send(1, amqp::basic::cancel{tag, false});
        whose.expect<amqp::basic::cancel_ok>(1);
    }
    /// Has the head delivered and sent back.
    received_message bounce(octets queue, where_t where = where_t::current()) {
        peer.send(1, get_from(queue));
        auto got = peer.expect_get_ok(1, where);
        peer.nack(1, got.delivery_tag, true);
        return got;
    }

    broker_under_test broker;
    client& peer = broker.connect();
    client& other = broker.connect();
};

using tags = std::vector<std::string>;

TEST_F(Consumers, ChannelOfAConnectionThatEndsGetsNothingOfWhatAnotherOneGivesBack) {
    declare(peer, "q");
    publish("q", {"one"});
    other.send(1, get_from("q"));
    other.expect_get_ok(1);
    other.open_channel(2);
    auto without_acks = consume("q", "greedy");
    without_acks.no_ack = true;
    other.send(2, without_acks);
    other.expect<amqp::basic::consume_ok>(2);
    other.vanish();
    const received_message back = bounce("q");
    EXPECT_EQ(back.body, "one");
    EXPECT_TRUE(back.redelivered);
}

TEST_F(Consumers, HigherPriorityComesFirstWhileItHasRoom) {
    declare(peer, "q");
    limit(peer, 2);
    start(peer, "q", "low", {{"x-priority", std::int32_t{-1}}});
    start(peer, "q", "high", {{"x-priority", std::int64_t{5}}});
    start(peer, "q", "middle");
    publish("q", {"1", "2", "3", "4", "5"});
    EXPECT_EQ(takers(peer, 5), (tags{"high", "high", "middle", "middle", "low"}));
    peer.ack(1, 1);
    publish("q", {"6", "7"});
    EXPECT_EQ(takers(peer, 2), (tags{"high", "low"}));
}

TEST_F(Consumers, EqualPrioritiesTakeTurns) {
    declare(peer, "q");
    start(peer, "q", "a", {{"x-priority", std::int8_t{1}}});
    start(peer, "q", "b", {{"x-priority", std::uint16_t{1}}});
    start(peer, "q", "c");
    publish("q", {"1", "2", "3", "4"});
    EXPECT_EQ(takers(peer, 4), (tags{"a", "b", "a", "b"}));
}

TEST_F(Consumers, PriorityMustBeAnInteger) {
    declare(peer, "q");
    auto method = consume("q", "c");
    method.arguments = {{"x-priority", "5"}};
    peer.send(1, method);
    peer.expect_channel_error(
        1,
        consume_id,
        "406 invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got "
        "longstr\"");
}

TEST_F(Consumers, OnlyTheActiveOneGetsMessages) {
    declare(peer, "q", {}, {{"x-single-active-consumer", true}});
    start(peer, "q", "first");
    start(peer, "q", "second");
    start(peer, "q", "third");
    publish("q", {"1", "2"});
    EXPECT_EQ(takers(peer, 2), (tags{"first", "first"}));
    cancel(peer, "second");
    publish("q", {"3"});
    EXPECT_EQ(takers(peer, 1), tags{"first"});
    cancel(peer, "first");
    publish("q", {"4"});
    EXPECT_EQ(takers(peer, 1), tags{"third"});
    cancel(peer, "third");
    publish("q", {"5"});
    start(peer, "q", "fourth");
    EXPECT_EQ(takers(peer, 1), tags{"fourth"});
}

TEST_F(Consumers, NextActiveGetsWhatTheLostOneHad) {
    declare(peer, "q", {}, {{"x-single-active-consumer", true}});
    start(peer, "q", "first");
    start(other, "q", "second");
    publish("q", {"1", "2"});
    takers(peer, 2);
    other.expect_nothing();

    peer.vanish();

    for (const char* body : {"1", "2"}) {
        const auto got = other.expect_delivery(1);
        EXPECT_EQ(got.body, body);
        EXPECT_TRUE(got.redelivered);
    }
}

TEST_F(Consumers, ActiveOneWithoutRoomIsWaitedFor) {
    declare(peer, "q", {}, {{"x-single-active-consumer", true}});
    limit(peer, 1);
    start(peer, "q", "first");
    start(other, "q", "second");
    publish("q", {"1", "2"});
    const auto got = peer.expect_delivery(1);
    other.expect_nothing();
    peer.ack(1, got.delivery_tag);
    EXPECT_EQ(peer.expect_delivery(1).body, "2");
    other.expect_nothing();
}

TEST_F(Consumers, ExclusiveIsRefusedWhereOneIsActiveAnyway) {
    declare(peer, "q", {}, {{"x-single-active-consumer", true}});
    peer.send(1, consume("q", "c", {.exclusive = true}));
    peer.expect_channel_error(1, consume_id, "403 queue 'q' in vhost '/' in exclusive use");
}

TEST_F(Consumers, DeliveryLimitDropsWhatComesBackOnceMore) {
    declare(peer, "q", durable, {{"x-delivery-limit", std::int32_t{2}}});
    publish("q", {"m"});
    EXPECT_FALSE(bounce("q").redelivered);
    EXPECT_TRUE(bounce("q").redelivered);
    EXPECT_EQ(broker.status("q").ready, 1U);
    bounce("q");
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.status("q").unacked, 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Consumers, DeliveryLimitDeadLettersWithItsReason) {
    declare(peer, "dead", durable);
    declare(
        peer,
        "q",
        durable,
        {{"x-delivery-limit", std::int32_t{0}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "dead"}});
    publish("q", {"m"});
    bounce("q");
    peer.send(1, get_from("dead", true));
    const auto headers = peer.expect_get_ok(1).read().headers;
    EXPECT_EQ(headers->find("x-first-death-reason")->text(), std::string_view{"delivery_limit"});
    EXPECT_EQ(headers->find("x-delivery-count"), nullptr);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Consumers, DeliveryLimitCountsLostChannelsAndConnections) {
    declare(peer, "q", durable, {{"x-delivery-limit", std::int32_t{1}}});
    publish("q", {"m"});
    start(peer, "q", "c");
    peer.expect_delivery(1);
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect<amqp::channel::close_ok>(1);
    EXPECT_EQ(broker.status("q").ready, 1U);
    peer.open_channel(1);
    start(peer, "q", "c");
    peer.expect_delivery(1);
    peer.vanish();
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Consumers, DeliveryLimitIsNotReachedByWhatIsNotCounted) {
    declare(peer, "q", durable, {{"x-delivery-limit", std::int32_t{1}}});
    publish("q", {"m"});
    start(peer, "q", "c", {{"x-uncounted-requeue", true}});
    for (int i = 0; i < 5; ++i) {
        peer.nack(1, peer.expect_delivery(1).delivery_tag, true);
    }
    const auto got = peer.expect_delivery(1);
    EXPECT_EQ(got.body, "m");
    peer.ack(1, got.delivery_tag);
}

class Quorum : public Consumers {
protected:
    table quorum(table more = {}) {
        more.add("x-queue-type", "quorum");
        return more;
    }
    void refused(octets name, declare_flags flags, table arguments, const std::string& text) {
        peer.send(1, declare_queue(name, flags, std::move(arguments)));
        peer.expect_channel_error(1, declare_id, "406 " + text);
    }
};

TEST_F(Quorum, IsADurableQueueWithADeliveryLimit) {
    declare(peer, "q", durable, quorum());
    declare(peer, "q", durable, quorum());
    publish("q", {"m"});
    for (int i = 0; i < 20; ++i) {
        bounce("q");
    }
    EXPECT_EQ(broker.status("q").ready, 1U);
    bounce("q");
    EXPECT_EQ(broker.status("q").ready, 0U);
    declare(peer, "patient", durable, quorum({{"x-delivery-limit", std::int32_t{100}}}));
    publish("patient", {"m"});
    for (int i = 0; i < 50; ++i) {
        bounce("patient");
    }
    EXPECT_EQ(broker.status("patient").ready, 1U);
}

TEST_F(Quorum, FlagsThatDoNotGoWithItAreRefused) {
    const std::string place = " for queue 'q' in vhost '/'";
    refused("q", {}, quorum(), "invalid property 'non-durable'" + place);
    refused(
        "q",
        {.durable = true, .exclusive = true},
        quorum(),
        "invalid property 'exclusive-owner'" + place);
    refused(
        "q",
        {.durable = true, .auto_delete = true},
        quorum(),
        "invalid property 'auto-delete'" + place);
    refused(
        "", durable, quorum(), "Cannot declare a server-named queue for type rabbit_quorum_queue");
    EXPECT_EQ(broker.broker().queue_statuses().size(), 0U);
}

TEST_F(Quorum, ArgumentsOfOtherTypesAreRefused) {
    const auto wrong = [&](const char* name, const amqp::field_value& value) {
        refused(
            "q",
            durable,
            quorum({{name, value}}),
            "invalid arg '" + std::string(name) +
                "' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue");
    };
    wrong("x-max-priority", std::int32_t{5});
    wrong("x-queue-mode", "lazy");
    wrong("x-queue-version", std::int32_t{2});
    wrong("x-max-age", "1D");
    refused(
        "q",
        durable,
        {{"x-max-age", "1D"}},
        "invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type rabbit_classic_queue");
    refused(
        "q",
        durable,
        {{"x-queue-leader-locator", "balanced"}},
        "invalid arg 'x-queue-leader-locator' for queue 'q' in vhost '/' of queue type "
        "rabbit_classic_queue");
}

TEST_F(Quorum, IsAnotherQueueThanAClassicOne) {
    declare(peer, "q", durable);
    refused(
        "q",
        durable,
        quorum(),
        "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' "
        "of type 'longstr' but current is none");
}

}  // namespace
}  // namespace lovage::broker::test
