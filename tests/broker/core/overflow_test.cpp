// Rows 197, 210 to 212 and 216: queues with a greatest length.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::table;
using bodies = std::vector<std::string>;

class Overflow : public testing::Test {
protected:
    void make(octets name, table arguments) { declare(peer, name, durable, std::move(arguments)); }
    void publish(octets queue, std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            peer.publish(1, {"", std::string(queue), text, persistent()});
        }
    }
    void confirm() {
        peer.send(1, amqp::confirm::select{});
        peer.expect<amqp::confirm::select_ok>(1);
    }
    /// Takes all that is ready.
    bodies drain(octets queue) {
        bodies taken;
        while (broker.status(queue).ready > 0) {
            peer.send(1, get_from(queue, true));
            taken.push_back(peer.expect_get_ok(1).body);
        }
        return taken;
    }
    received_message get(octets queue, where_t where = where_t::current()) {
        peer.send(1, get_from(queue));
        return peer.expect_get_ok(1, where);
    }

    broker_under_test broker;
    client& peer = broker.connect();
    client& other = broker.connect();
};

table limit(std::int32_t messages) {
    return {{"x-max-length", messages}};
}

table dead_lettering(table arguments, const std::string& to) {
    arguments.add("x-dead-letter-exchange", "");
    arguments.add("x-dead-letter-routing-key", to);
    return arguments;
}

table refusing(std::int32_t messages, const std::string& how = "reject-publish") {
    table arguments = limit(messages);
    arguments.add("x-overflow", how);
    return arguments;
}

TEST_F(Overflow, OldestReadyMessageGoes) {
    make("q", limit(2));
    confirm();
    publish("q", {"a", "b", "c", "d"});
    for (int i = 0; i < 4; ++i) {
        peer.expect<amqp::basic::ack>(1);
    }
    EXPECT_EQ(drain("q"), (bodies{"c", "d"}));
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, BytesCountBodies) {
    make("q", {{"x-max-length-bytes", std::int32_t{10}}});
    publish("q", {"12345", "12345"});
    EXPECT_EQ(broker.status("q").ready, 2U);
    publish("q", {"x"});
    EXPECT_EQ(drain("q"), (bodies{"12345", "x"}));
    publish("q", {"12345", "more than ten"});
    EXPECT_EQ(drain("q"), bodies{});
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, UnackedMessagesDoNotCount) {
    make("q", limit(1));
    publish("q", {"a"});
    get("q");
    publish("q", {"b"});
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.status("q").unacked, 1U);
}

TEST_F(Overflow, RequeuedMessagesAreTheFirstToGo) {
    make("q", limit(2));
    publish("q", {"a", "b"});
    get("q");
    get("q");
    publish("q", {"c"});
    peer.nack(1, 0, true, true);
    EXPECT_EQ(drain("q"), (bodies{"b", "c"}));
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, WhatAConsumerHasRoomForIsNotTooMuch) {
    make("q", limit(0));
    publish("q", {"nobody waits"});
    EXPECT_EQ(broker.status("q").ready, 0U);
    peer.send(1, prefetch(1));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "c");
    publish("q", {"a", "too much"});
    const auto got = peer.expect_delivery(1);
    EXPECT_EQ(got.body, "a");
    peer.ack(1, got.delivery_tag);
    publish("q", {"b"});
    EXPECT_EQ(peer.expect_delivery(1).body, "b");
    peer.expect_nothing();
}

TEST_F(Overflow, AckAndPublishInOnePieceReachTheConsumer) {
    make("q", limit(1));
    peer.send(1, prefetch(1));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "c");
    publish("q", {"a", "b"});
    const auto tag = peer.expect_delivery(1).delivery_tag;
    byte_buffer together;
    amqp::write_method(together, 1, amqp::basic::ack{tag, false});
    amqp::basic::publish method;
    method.routing_key = "q";
    amqp::write_method(together, 1, method);
    amqp::write_content_header(together, 1, 1, octets{"\0\0", 2});
    amqp::write_body(together, 1, "c", 4096);

    peer.send_octets(together.view());

    EXPECT_EQ(peer.expect_delivery(1).body, "b");
    EXPECT_EQ(drain("q"), bodies{"c"});
}

TEST_F(Overflow, DroppedMessageIsDeadLetteredWithItsReason) {
    make("dead", {});
    make("q", dead_lettering(limit(1), "dead"));
    publish("q", {"a", "b"});
    const auto got = get("dead");
    EXPECT_EQ(got.body, "a");
    const auto headers = got.read().headers;
    EXPECT_EQ(headers->find("x-first-death-reason")->text(), std::string_view{"maxlen"});
    EXPECT_EQ(headers->find("x-first-death-queue")->text(), std::string_view{"q"});
    EXPECT_EQ(drain("q"), bodies{"b"});
    peer.ack(1, 1);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, OneRecordMovesTheOneThatHadToGo) {
    make("dead", {});
    make("q", dead_lettering(limit(1), "dead"));
    publish("q", {"a"});
    broker.journal.records.clear();
    publish("q", {"b"});
    EXPECT_EQ(
        broker.journal.records,
        (bodies{"published 2 2", "published 3 1 instead of 2 1", "released 3"}));
}

TEST_F(Overflow, FullQueuesInARingEnd) {
    for (int i = 0; i < 10; ++i) {
        const std::string next = "q" + std::to_string((i + 1) % 10);
        make("q" + std::to_string(i), dead_lettering(limit(0), next));
    }
    peer.publish(1, {"", "q0", "m", persistent()});
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_EQ(broker.held_octets(), 0U);
}

TEST_F(Overflow, MessageDiesOnlySoOften) {
    const auto chain = [&](const std::string& prefix, int length) {
        make(prefix + "0", {});
        for (int i = 1; i <= length; ++i) {
            make(
                prefix + std::to_string(i),
                dead_lettering(limit(0), prefix + std::to_string(i - 1)));
        }
        peer.publish(1, {"", prefix + std::to_string(length), "m", persistent()});
        return broker.status(prefix + "0").ready;
    };
    EXPECT_EQ(chain("short", 128), 1U);
    EXPECT_EQ(chain("long", 1000), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 1U);
    EXPECT_EQ(broker.log.back(), "dead_letter_dropped queue=long872");
}

TEST_F(Overflow, RejectPublishRefusesTheNewest) {
    make("q", refusing(2));
    confirm();
    publish("q", {"a", "b", "c"});
    peer.expect<amqp::basic::ack>(1);
    peer.expect<amqp::basic::ack>(1);
    const auto refused = peer.expect<amqp::basic::nack>(1);
    EXPECT_EQ(refused.delivery_tag, 3U);
    EXPECT_FALSE(refused.multiple);
    EXPECT_TRUE(refused.requeue);
    EXPECT_EQ(drain("q"), (bodies{"a", "b"}));
    publish("q", {"d"});
    EXPECT_EQ(peer.expect<amqp::basic::ack>(1).delivery_tag, 4U);
}

TEST_F(Overflow, RejectPublishIsSilentWithoutConfirms) {
    make("q", refusing(0));
    peer.publish(1, {"", "q", "m", persistent(), true});  // a route all the same
    peer.expect_nothing();
    EXPECT_EQ(broker.journal.count("published"), 0U);
}

TEST_F(Overflow, RejectPublishCountsBytes) {
    make("q", {{"x-max-length-bytes", std::int32_t{5}}, {"x-overflow", "reject-publish"}});
    publish("q", {"123", "456", "45"});
    EXPECT_EQ(drain("q"), (bodies{"123", "45"}));
}

TEST_F(Overflow, OneRefusalIsANackThoughOthersKeepIt) {
    make("full", refusing(0));
    make("q", {});
    for (const octets name : {"full", "q"}) {
        peer.send(1, bind_queue(name, "amq.fanout", ""));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    confirm();
    peer.publish(1, {"amq.fanout", "", "m", persistent()});
    EXPECT_EQ(peer.expect<amqp::basic::nack>(1).delivery_tag, 1U);
    EXPECT_EQ(drain("q"), bodies{"m"});
    EXPECT_EQ(drain("full"), bodies{});
}

TEST_F(Overflow, RequeuedMessagesAreKeptWherePublishesAreRefused) {
    make("q", refusing(1));
    publish("q", {"a"});
    get("q");
    publish("q", {"b"});
    peer.nack(1, 1, true);
    EXPECT_EQ(drain("q"), (bodies{"a", "b"}));
}

TEST_F(Overflow, RejectPublishDlxSendsTheRefusedOn) {
    make("dead", {});
    make("q", dead_lettering(refusing(1, "reject-publish-dlx"), "dead"));
    confirm();
    publish("q", {"a", "b"});
    peer.expect<amqp::basic::ack>(1);
    EXPECT_EQ(peer.expect<amqp::basic::nack>(1).delivery_tag, 2U);
    const auto got = get("dead");
    EXPECT_EQ(got.body, "b");
    EXPECT_EQ(got.read().headers->find("x-first-death-reason")->text(), std::string_view{"maxlen"});
    EXPECT_EQ(drain("q"), bodies{"a"});
    peer.ack(1, got.delivery_tag);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, RejectPublishDlxWithoutAnExchangeOnlyRefuses) {
    make("q", refusing(0, "reject-publish-dlx"));
    confirm();
    publish("q", {"a"});
    EXPECT_EQ(peer.expect<amqp::basic::nack>(1).delivery_tag, 1U);
    EXPECT_EQ(broker.held_octets(), 0U);
}

TEST_F(Overflow, RefusedDeadLetterVanishes) {
    make("full", refusing(0));
    make("q", dead_lettering(limit(1), "full"));
    publish("q", {"a", "b"});
    EXPECT_EQ(drain("q"), bodies{"b"});
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Overflow, RefusalInATransactionFailsTheCommit) {
    make("q", refusing(1));
    peer.send(1, amqp::tx::select{});
    peer.expect<amqp::tx::select_ok>(1);
    publish("q", {"a", "b"});
    peer.send(1, amqp::tx::commit{});
    peer.expect_channel_error(1, {90, 20}, "406 partial tx completion");
    EXPECT_EQ(drain("q"), bodies{"a"});
}

class Priorities : public Overflow {
protected:
    void publish_with(octets queue, int priority, const std::string& body) {
        auto properties = persistent();
        if (priority >= 0) {
            properties.priority = static_cast<std::uint8_t>(priority);
        }
        peer.publish(1, {"", std::string(queue), body, properties});
    }
};

table levels(std::int32_t highest) {
    return {{"x-max-priority", highest}};
}

TEST_F(Priorities, HigherComesFirstThenOlder) {
    make("q", levels(5));
    publish_with("q", 0, "low 1");
    publish_with("q", 5, "high 1");
    publish_with("q", -1, "none 2");
    publish_with("q", 3, "middle");
    publish_with("q", 9, "above 2");
    EXPECT_EQ(drain("q"), (bodies{"high 1", "above 2", "middle", "low 1", "none 2"}));
}

TEST_F(Priorities, AllLevelsWork) {
    make("q", levels(255));
    for (int priority = 0; priority < 256; ++priority) {
        publish_with("q", priority, std::to_string(priority));
    }
    for (int priority = 255; priority >= 0; --priority) {
        peer.send(1, get_from("q", true));
        const auto got = peer.expect_get_ok(1);
        EXPECT_EQ(got.body, std::to_string(priority));
        EXPECT_EQ(got.read().priority, priority);
        EXPECT_EQ(got.left, static_cast<unsigned>(priority));
    }
}

TEST_F(Priorities, RequeuedKeepTheirPlace) {
    make("q", levels(2));
    publish_with("q", 1, "a");
    publish_with("q", 1, "b");
    publish_with("q", 2, "top");
    get("q");
    get("q");
    get("q");
    peer.nack(1, 0, true, true);
    EXPECT_EQ(drain("q"), (bodies{"top", "a", "b"}));
}

TEST_F(Priorities, OverflowDropsTheOldestOfTheLowest) {
    table arguments = levels(2);
    arguments.add("x-max-length", std::int32_t{2});
    make("q", arguments);
    publish_with("q", 2, "top");
    publish_with("q", 0, "low 1");
    publish_with("q", 0, "low 2");
    EXPECT_EQ(drain("q"), (bodies{"top", "low 2"}));
    publish_with("q", 2, "top 1");
    publish_with("q", 2, "top 2");
    publish_with("q", 0, "low");
    EXPECT_EQ(drain("q"), (bodies{"top 1", "top 2"}));
}

TEST_F(Priorities, HeadOfTheQueueExpires) {
    table arguments = levels(1);
    arguments.add("x-message-ttl", std::int32_t{100});
    make("q", arguments);
    publish_with("q", 0, "low");
    broker.advance(milliseconds{50});
    publish_with("q", 1, "high");
    broker.advance(milliseconds{100});
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Priorities, AreIgnoredByOtherQueues) {
    make("q", levels(0));
    make("r", {});
    for (const octets name : {"q", "r"}) {
        publish_with(name, 0, "first");
        publish_with(name, 9, "second");
        EXPECT_EQ(drain(name), (bodies{"first", "second"}));
    }
}

TEST_F(Priorities, PurgeAndDeleteTakeAllLevels) {
    make("q", levels(3));
    for (int priority = 0; priority < 4; ++priority) {
        publish_with("q", priority, "m");
    }
    peer.send(1, amqp::queue::purge{0, "q", false});
    EXPECT_EQ(peer.expect<amqp::queue::purge_ok>(1).message_count, 4U);
    publish_with("q", 2, "m");
    peer.send(1, delete_queue("q"));
    EXPECT_EQ(peer.expect<amqp::queue::delete_ok>(1).message_count, 1U);
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Priorities, SurviveARewriteAndAReturnToTheLog) {
    make("q", levels(3));
    publish_with("q", 0, "low");
    publish_with("q", 3, "high");
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    EXPECT_EQ(drain("q"), (bodies{"high", "low"}));
}

TEST_F(Priorities, DeadLettersKeepThem) {
    make("dead", levels(3));
    make("q", dead_lettering(levels(3), "dead"));
    publish_with("q", 0, "low");
    publish_with("q", 3, "high");
    get("q");
    get("q");
    peer.nack(1, 2, false);
    peer.nack(1, 1, false);
    EXPECT_EQ(drain("dead"), (bodies{"high", "low"}));
}

}  // namespace
}  // namespace lovage::broker::test
