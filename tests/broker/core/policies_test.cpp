// Policies in a running broker: what follows at once for queues and exchanges that are there.
#include "tests/broker/core/policies_fixture.hpp"

namespace lovage::broker::test {
namespace {

using amqp::table;
using bodies = std::vector<std::string>;
using std::chrono::milliseconds;

using Policies = policies_fixture;

TEST_F(Policies, LowerLengthDropsAtOnce) {
    declare(*peer, "q", durable);
    publish("q", {"a", "b", "c", "d"});

    set("p", "^q$", {{"max-length", number(2)}});

    EXPECT_EQ(drain("q"), (bodies{"c", "d"}));
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Policies, LowerLengthInOctetsDropsAtOnce) {
    declare(*peer, "q", durable);
    publish("q", {"12345", "12345", "1"});

    set("p", "", {{"max-length-bytes", number(6)}});

    EXPECT_EQ(drain("q"), (bodies{"12345", "1"}));
}

TEST_F(Policies, WhatIsDroppedGoesToTheDeadLetterExchangeOfTheSamePolicy) {
    declare(*peer, "q", durable);
    declare(*peer, "dead", durable);
    publish("q", {"a", "b", "c"});

    set("p",
        "^q$",
        {{"max-length", number(1)},
         {"dead-letter-exchange", ""},
         {"dead-letter-routing-key", "dead"}});

    EXPECT_EQ(drain("dead"), (bodies{"a", "b"}));
    EXPECT_EQ(drain("q"), bodies{"c"});
}

TEST_F(Policies, RejectingQueueKeepsWhatItHas) {
    declare(*peer, "q", durable, {{"x-overflow", "reject-publish"}});
    publish("q", {"a", "b", "c"});

    set("p", "", {{"max-length", number(1)}});
    publish("q", {"d"});

    EXPECT_EQ(drain("q"), (bodies{"a", "b", "c"}));
}

TEST_F(Policies, OverflowCanBeSetToo) {
    declare(*peer, "q", durable);
    set("p", "", {{"max-length", number(1)}, {"overflow", "reject-publish"}});
    publish("q", {"a", "b"});
    EXPECT_EQ(drain("q"), bodies{"a"});
}

TEST_F(Policies, TimeToLiveCountsFromWhenMessagesCame) {
    declare(*peer, "q", durable);
    publish("q", {"old"});
    broker.advance(milliseconds{600});
    publish("q", {"new"});

    set("p", "", {{"message-ttl", number(1000)}});
    broker.advance(milliseconds{400});
    EXPECT_EQ(broker.status("q").ready, 1U);
    broker.advance(milliseconds{599});
    EXPECT_EQ(broker.status("q").ready, 1U);
    broker.advance(milliseconds{1});
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
}

TEST_F(Policies, MessagesThatAreTooOldGoAtOnce) {
    declare(*peer, "q", durable);
    publish("q", {"old"});
    broker.advance(milliseconds{600});
    set("p", "", {{"message-ttl", number(500)}});
    EXPECT_LE(broker.broker().next_expiry_ms(), broker.broker().wall_ms());
    broker.advance(milliseconds{0});
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Policies, LongerTimeToLiveHoldsForWhatIsThere) {
    declare(*peer, "q", durable, {{"x-max-priority", std::int32_t{3}}});
    set("p", "", {{"message-ttl", number(500)}});
    publish("q", {"m"});
    set("p", "", {{"message-ttl", number(1000)}});
    broker.advance(milliseconds{999});
    EXPECT_EQ(broker.status("q").ready, 1U);
    broker.advance(milliseconds{1});
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Policies, TimeToLiveReachesEveryPriority) {
    declare(*peer, "q", durable, {{"x-max-priority", std::int32_t{3}}});
    for (const std::uint8_t priority : {std::uint8_t{1}, std::uint8_t{3}, std::uint8_t{2}}) {
        auto properties = persistent();
        properties.priority = priority;
        peer->publish(1, {"", "q", "m", properties});
        broker.advance(milliseconds{100});
    }
    set("p", "", {{"message-ttl", number(500)}});
    broker.advance(milliseconds{200});
    EXPECT_EQ(broker.status("q").ready, 2U);
    broker.advance(milliseconds{100});
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_TRUE(clear("p"));
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
}

TEST_F(Policies, UnusedQueueGoesSoLongAfterThePolicyCame) {
    declare(*peer, "q", durable);
    broker.advance(milliseconds{5000});
    set("p", "", {{"expires", number(1000)}});
    broker.advance(milliseconds{999});
    EXPECT_TRUE(broker.has_queue("q"));
    broker.advance(milliseconds{1});
    EXPECT_FALSE(broker.has_queue("q"));
}

TEST_F(Policies, QueueStaysWhenThePolicyGoesInTime) {
    declare(*peer, "q", durable);
    set("p", "", {{"expires", number(1000)}});
    broker.advance(milliseconds{500});
    EXPECT_TRUE(clear("p"));
    broker.advance(milliseconds{5000});
    EXPECT_TRUE(broker.has_queue("q"));
    peer->send(1, delete_queue("q"));
    peer->expect<amqp::queue::delete_ok>(1);
}

TEST_F(Policies, DeadLetterExchangeHoldsForWhatIsRefused) {
    declare(*peer, "q", durable);
    declare(*peer, "dead", durable);
    publish("q", {"m"});
    set("p", "^q$", {{"dead-letter-exchange", ""}, {"dead-letter-routing-key", "dead"}});
    peer->send(1, get_from("q"));
    peer->nack(1, peer->expect_get_ok(1).delivery_tag, false);
    EXPECT_EQ(drain("dead"), bodies{"m"});
}

TEST_F(Policies, DeliveryLimitHoldsOnEveryQueue) {
    declare(*peer, "q", durable);
    publish("q", {"m"});
    set("p", "", {{"delivery-limit", number(0)}});
    peer->send(1, get_from("q"));
    peer->nack(1, peer->expect_get_ok(1).delivery_tag, true);
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Policies, QuorumQueuesHaveTheirOwnDeliveryLimitOnlyWhereNoneIsSet) {
    declare(*peer, "q", durable, {{"x-queue-type", "quorum"}});
    const queue* q = broker.broker().find_vhost("/")->find_queue("q");
    EXPECT_EQ(q->rules().delivery_limit, 20U);
    set("p", "", {{"delivery-limit", number(30)}});
    EXPECT_EQ(q->rules().delivery_limit, 30U);
    set("o", "", {{"delivery-limit", number(25)}}, 0, policy_kind::operators);
    EXPECT_EQ(q->rules().delivery_limit, 25U);
}

TEST_F(Policies, ConsumerTimeoutHoldsForTheNextDelivery) {
    declare(*peer, "q", durable);
    set("p", "", {{"consumer-timeout", number(1000)}});
    start_consumer(*peer, 1, "q", "tag");
    publish("q", {"m"});
    EXPECT_FALSE(peer->expect_delivery(1).redelivered);
    broker.advance(milliseconds{1100});
    EXPECT_TRUE(peer->expect_delivery(1).redelivered);
}

TEST_F(Policies, AlternateExchangeHoldsWhileThePolicyDoes) {
    declare_alternates("x", "fanout");
    declare_alternates("other", "fanout");
    declare(*peer, "q", durable);
    bind("q", "other");

    set("p", "^x$", {{"alternate-exchange", "other"}});
    peer->publish(1, {"x", "k", "a", persistent()});
    EXPECT_TRUE(clear("p"));
    peer->publish(1, {"x", "k", "b", persistent()});

    EXPECT_EQ(drain("q"), bodies{"a"});
}

TEST_F(Policies, ReachPredeclaredExchangesAndThoseThatCome) {
    declare(*peer, "q", durable);
    bind("q", "amq.fanout");
    set("p", "x|amq.direct", {{"alternate-exchange", "amq.fanout"}});
    declare_alternates("x", "direct");

    peer->publish(1, {"amq.direct", "nowhere", "a", persistent()});
    peer->publish(1, {"x", "nowhere", "b", persistent()});

    EXPECT_EQ(drain("q"), (bodies{"a", "b"}));
}

}  // namespace
}  // namespace lovage::broker::test
