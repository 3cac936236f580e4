// Rows 206 to 209 and 216 to 224: times to live and dead letters.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;

class DeadLetters : public testing::Test {
protected:
    void bind(octets queue, octets exchange, octets key) {
        peer.send(1, bind_queue(queue, exchange, key));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    void refuse(octets queue) {
        peer.send(1, get_from(queue));
        peer.nack(1, peer.expect_get_ok(1).delivery_tag, false);
    }
    received_message get(octets queue, where_t where = where_t::current()) {
        peer.send(1, get_from(queue, true));
        return peer.expect_get_ok(1, where);
    }
    table headers(octets queue) { return get(queue).read().headers.value_or(table{}); }
    static amqp::basic_properties expires(const std::string& ms) {
        auto p = persistent();
        p.expiration = ms;
        return p;
    }
    void declare_dying_into(declare_flags dead) {
        declare(peer, "dead", dead);
        declare(
            peer,
            "q",
            durable,
            {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
    }
    std::size_t ready(octets queue) { return broker.status(queue).ready; }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(DeadLetters, QueuesTimeToLiveRemovesMessages) {
    declare(peer, "q", durable, {{"x-message-ttl", std::int32_t{1000}}});
    peer.publish(1, {"", "q", "m", persistent()});
    EXPECT_EQ(
        broker.broker().next_expiry_ms(),
        static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count()) + 1000);
    broker.advance(milliseconds{999});
    EXPECT_EQ(ready("q"), 1U);
    broker.advance(milliseconds{1});
    EXPECT_EQ(ready("q"), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
}

TEST_F(DeadLetters, SmallerTimeToLiveCounts) {
    declare(peer, "q", {}, {{"x-message-ttl", std::int32_t{1000}}});
    peer.publish(1, {"", "q", "m", expires("500")});
    broker.advance(milliseconds{500});
    EXPECT_EQ(ready("q"), 0U);
    peer.publish(1, {"", "q", "m", expires("5000")});
    broker.advance(milliseconds{1000});
    EXPECT_EQ(ready("q"), 0U);
}

TEST_F(DeadLetters, ExpiredIsNeverDeliveredLate) {
    declare(peer, "q");
    peer.publish(1, {"", "q", "keeps", {}});
    peer.publish(1, {"", "q", "expires", expires("100")});
    broker.advance(milliseconds{500});
    EXPECT_EQ(ready("q"), 1U);
    EXPECT_EQ(get("q").body, "keeps");
    peer.send(1, get_from("q"));
    peer.expect<amqp::basic::get_empty>(1);
}

TEST_F(DeadLetters, ExpiredWhileUnackedStaysWithTheConsumer) {
    declare(peer, "q", durable, {{"x-message-ttl", std::int32_t{100}}});
    start_consumer(peer, 1, "q", "c");
    peer.publish(1, {"", "q", "m", persistent()});
    peer.expect_delivery(1);
    broker.advance(milliseconds{500});
    EXPECT_EQ(broker.status("q").unacked, 1U);
    peer.nack(1, 1, true);
    peer.expect_nothing();
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(DeadLetters, TimeToLiveZeroReachesOnlyAWaitingConsumer) {
    declare(peer, "q", {}, {{"x-message-ttl", std::int32_t{0}}});
    peer.publish(1, {"", "q", "lost", {}, true});
    peer.send(1, get_from("q"));
    peer.expect<amqp::basic::get_empty>(1);
    start_consumer(peer, 1, "q", "c");
    peer.publish(1, {"", "q", "taken"});
    EXPECT_EQ(peer.expect_delivery(1).body, "taken");
}

TEST_F(DeadLetters, RejectedGoesOnWithItsHistory) {
    declare(peer, "dead", durable);
    bind("dead", "amq.topic", "#");
    declare(peer, "q", durable, {{"x-dead-letter-exchange", "amq.topic"}});
    bind("q", "amq.direct", "k");
    auto properties = expires("60000");
    properties.headers = table{{"zz", "kept"}};
    properties.correlation_id = "id";
    peer.publish(1, {"amq.direct", "k", "m", properties});
    const auto seconds =
        static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count() / 1000);

    refuse("q");

    const auto got = get("dead");
    EXPECT_EQ(got.exchange, "amq.topic");
    EXPECT_EQ(got.routing_key, "k");
    EXPECT_FALSE(got.redelivered);
    EXPECT_EQ(got.body, "m");
    const auto p = got.read();
    EXPECT_FALSE(p.expiration);
    EXPECT_EQ(p.delivery_mode, 2);
    EXPECT_EQ(p.correlation_id, "id");
    const table death{
        {"count", std::int64_t{1}},
        {"reason", "rejected"},
        {"queue", "q"},
        {"time", amqp::timestamp{seconds}},
        {"exchange", "amq.direct"},
        {"routing-keys", field_array{"k"}},
        {"original-expiration", "60000"}};
    const table wanted{
        {"x-death", field_array{death}},
        {"x-first-death-exchange", "amq.direct"},
        {"x-first-death-queue", "q"},
        {"x-first-death-reason", "rejected"},
        {"zz", "kept"}};
    EXPECT_EQ(p.headers, wanted);
}

TEST_F(DeadLetters, OwnRoutingKeyTakesCcOff) {
    declare(peer, "dead");
    declare(peer, "q", {}, {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
    amqp::basic_properties p;
    p.headers = table{{"CC", field_array{"x"}}};
    peer.publish(1, {"", "q", "m", p});
    refuse("q");
    EXPECT_EQ(headers("dead").find("CC"), nullptr);
}

TEST_F(DeadLetters, ExpiredGoesOn) {
    declare(peer, "dead", durable);
    declare(
        peer,
        "q",
        durable,
        {{"x-message-ttl", std::int32_t{100}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "dead"}});
    start_consumer(peer, 1, "dead", "c");
    peer.publish(1, {"", "q", "m", persistent()});
    broker.advance(milliseconds{100});
    const auto got = peer.expect_delivery(1);
    EXPECT_EQ(
        got.read().headers->find("x-first-death-reason")->text(), std::string_view{"expired"});
    peer.ack(1, 1);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(DeadLetters, SameQueueAndReasonAgainCountsUp) {
    // The usual retry: refused, waits in a queue with a time to live, comes back.
    declare(
        peer,
        "work",
        durable,
        {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "wait"}});
    declare(
        peer,
        "wait",
        durable,
        {{"x-message-ttl", std::int32_t{1000}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "work"}});
    peer.publish(1, {"", "work", "m", persistent()});
    for (int round = 0; round < 3; ++round) {
        refuse("work");
        broker.advance(milliseconds{1000});
    }
    const auto deaths = *headers("work").find("x-death")->as<field_array>();
    ASSERT_EQ(deaths.size(), 2U);
    const auto& newest = *deaths[0].as<table>();
    EXPECT_EQ(newest.find("reason")->text(), std::string_view{"expired"});
    EXPECT_EQ(*newest.find("count"), field_value(std::int64_t{3}));
    EXPECT_EQ(*newest.find("time"), field_value(amqp::timestamp{1'700'000'001}));
    EXPECT_EQ(*deaths[1].as<table>()->find("count"), field_value(std::int64_t{3}));
}

TEST_F(DeadLetters, CountOfAPublishersOwnMakingStaysANumber) {
    declare(
        peer,
        "work",
        durable,
        {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "kept"}});
    declare(peer, "kept", durable);
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    for (const auto& [given, expected] :
         {std::pair{most, most}, {std::int64_t{-7}, std::int64_t{1}}}) {
        amqp::table entry{{"queue", "work"}, {"reason", "rejected"}, {"count", given}};
        amqp::basic_properties properties;
        properties.headers.emplace();
        properties.headers->add("x-death", field_array{field_value(std::move(entry))});
        peer.publish(1, {"", "work", "m", properties});
        refuse("work");
        const auto deaths = *headers("kept").find("x-death")->as<field_array>();
        EXPECT_EQ(*deaths.at(0).as<table>()->find("count"), field_value(expected));
    }
}

TEST_F(DeadLetters, AutomaticCycleIsDropped) {
    const table back{
        {"x-message-ttl", std::int32_t{10}},
        {"x-dead-letter-exchange", ""},
        {"x-dead-letter-routing-key", "b"}};
    const table forth{
        {"x-message-ttl", std::int32_t{0}},
        {"x-dead-letter-exchange", ""},
        {"x-dead-letter-routing-key", "a"}};
    declare(peer, "a", durable, back);
    declare(peer, "b", durable, forth);
    peer.publish(1, {"", "a", "m", persistent()});
    for (int i = 0; i < 10; ++i) {
        broker.advance(milliseconds{10});
    }
    EXPECT_EQ(ready("a") + ready("b"), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(DeadLetters, ManyQueuesExpireInOneTickIntoQueuesThatExpireAtOnce) {
    // Queues that a dead letter makes due come in front of the queue being worked off.
    for (int i = 0; i < 20; ++i) {
        const std::string name = "q" + std::to_string(i);
        const std::string next = "q" + std::to_string((i * 7 + 1) % 20);
        declare(
            peer,
            name,
            durable,
            {{"x-message-ttl", std::int32_t{i % 2 == 0 ? 10 : 0}},
             {"x-dead-letter-exchange", ""},
             {"x-dead-letter-routing-key", next}});
        peer.publish(1, {"", name, "m", persistent()});
    }
    for (int i = 0; i < 50; ++i) {
        broker.advance(milliseconds{10});
    }
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
}

TEST_F(DeadLetters, MissingExchangeOrRouteDropsTheMessage) {
    declare(peer, "q", durable, {{"x-dead-letter-exchange", "none"}});
    declare(peer, "r", durable, {{"x-dead-letter-exchange", "amq.direct"}});
    peer.publish(1, {"", "q", "m", persistent()});
    peer.publish(1, {"", "r", "m", persistent()});
    refuse("q");
    refuse("r");
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(DeadLetters, XDeathThatIsNoArrayIsReplaced) {
    declare(peer, "dead");
    declare(peer, "q", {}, {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
    amqp::basic_properties p;
    p.headers = table{{"x-death", "nonsense"}};
    peer.publish(1, {"", "q", "m", p});
    refuse("q");
    EXPECT_NE(headers("dead").find("x-death")->as<field_array>(), nullptr);
}

TEST_F(DeadLetters, NackMultipleKeepsTheOrder) {
    declare(peer, "dead");
    declare(peer, "q", {}, {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
    start_consumer(peer, 1, "q", "c");
    for (const char* body : {"a", "b", "c"}) {
        peer.publish(1, {"", "q", body});
        peer.expect_delivery(1);
    }
    peer.nack(1, 3, false, true);
    EXPECT_EQ(get("dead").body, "a");
    EXPECT_EQ(get("dead").body, "b");
    EXPECT_EQ(get("dead").body, "c");
}

TEST_F(DeadLetters, OneRecordMovesWhatWasRefused) {
    declare_dying_into(durable);
    peer.publish(1, {"", "q", "m", persistent()});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    broker.journal.records.clear();
    peer.nack(1, 1, false);
    EXPECT_EQ(broker.journal.records.at(0), "published 2 1 instead of 2 1");
    EXPECT_EQ(broker.journal.count("settled"), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 1U);
}

TEST_F(DeadLetters, OneRecordMovesWhatHasExpired) {
    declare_dying_into(durable);
    peer.publish(1, {"", "q", "m", expires("5")});
    broker.journal.records.clear();
    broker.advance(milliseconds{5});
    EXPECT_EQ(broker.journal.records.at(0), "published 2 1 instead of 2 1");
    EXPECT_EQ(broker.journal.count("settled"), 0U);
}

TEST_F(DeadLetters, WhatGoesWhereNothingLastsIsSettledByItself) {
    declare_dying_into({});
    peer.publish(1, {"", "q", "m", persistent()});
    refuse("q");
    EXPECT_EQ(broker.journal.count("settled 2 1"), 1U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_EQ(ready("dead"), 1U);
}

TEST_F(DeadLetters, WhatNothingHeldTakesNoPlace) {
    declare_dying_into(durable);
    peer.publish(1, {"", "q", "m"});
    refuse("q");
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    declare(
        peer,
        "full",
        durable,
        {{"x-max-length", std::int32_t{0}},
         {"x-overflow", "reject-publish-dlx"},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "dead"}});
    peer.publish(1, {"", "full", "m", persistent()});
    EXPECT_EQ(ready("dead"), 2U);
    EXPECT_EQ(broker.journal.count("settled"), 0U);
}

TEST_F(DeadLetters, OneRecordMovesToADelayedExchangeAndOutOfIt) {
    auto later = declare_exchange("later", "x-delayed-message", durable);
    later.arguments = table{{"x-delayed-type", "fanout"}};
    peer.send(1, later);
    peer.expect<amqp::exchange::declare_ok>(1);
    declare(peer, "q", durable, {{"x-dead-letter-exchange", "later"}});
    bind("q", "later", "");
    auto delayed = persistent();
    delayed.headers = table{{"x-delay", std::int32_t{100}}};
    peer.publish(1, {"", "q", "m", delayed});
    refuse("q");
    EXPECT_EQ(broker.journal.count("published 2 2 instead of 1 1"), 1U);

    broker.advance(milliseconds{100});

    EXPECT_EQ(broker.journal.count("published 3 1 instead of 2 2"), 1U);
    EXPECT_EQ(broker.journal.count("settled"), 0U);
    EXPECT_EQ(get("q").body, "m");
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(DeadLetters, ComesBehindOlderMessagesThatGoBackTogetherWithIt) {
    declare(peer, "r");
    declare(
        peer,
        "q",
        {},
        {{"x-delivery-limit", std::int32_t{0}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "r"}});
    client& lost = broker.connect();
    for (const char* queue : {"r", "q"}) {
        peer.publish(1, {"", queue, std::string("from ") + queue});
        lost.send(1, get_from(queue));
        lost.expect_get_ok(1);
    }
    start_consumer(peer, 1, "r", "tag");

    lost.vanish();

    EXPECT_EQ(peer.expect_bodies(1, 2), (std::vector<std::string>{"from r", "from q"}));
}

TEST_F(DeadLetters, PurgeAndDeleteDeadLetterNothing) {
    declare(peer, "dead");
    for (const octets name : {"q", "r"}) {
        declare(
            peer,
            name,
            {},
            {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
        peer.publish(1, {"", std::string(name), "m"});
    }
    peer.send(1, amqp::queue::purge{0, "q", false});
    peer.expect<amqp::queue::purge_ok>(1);
    peer.send(1, delete_queue("r"));
    peer.expect<amqp::queue::delete_ok>(1);
    EXPECT_EQ(ready("dead"), 0U);
}

}  // namespace
}  // namespace lovage::broker::test
