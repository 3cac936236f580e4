// A session and messages: connecting, publishing, closing. Requests and consumers are in
// session_requests_test.cpp.
#include "framework/client/session.hpp"

#include "framework/amqp/capabilities.hpp"
#include "tests/framework/client/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lovage::client {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::world;

declare_queue queue(const std::string& name) {
    declare_queue made;
    made.name = name;
    return made;
}

TEST(Session, PublishedMessageIsConfirmed) {
    world w;
    w.broker.queues["orders"];

    w.publish("orders", "hello", 7);
    w.run();

    ASSERT_NE(w.publish_of(7), nullptr);
    EXPECT_FALSE(w.publish_of(7)->failed);
    EXPECT_EQ(w.broker.stored_bodies, std::vector<std::string>{"hello"});
}

TEST(Session, MessagesWaitForTheDeclarationMadeBeforeThem) {
    world w;

    w.session.ask(queue("orders"), 1, w.now + minutes(1));
    w.publish("orders", "hello", 2);
    w.run();

    EXPECT_FALSE(w.publish_of(2)->failed);
    EXPECT_EQ(w.broker.log[3], "queue.declare orders");
    EXPECT_EQ(w.broker.log[4], "basic.publish orders hello");
}

TEST(Session, UnroutableMessageFailsAndSaysWhatToDo) {
    world w;

    w.publish("nowhere", "hello", 7);
    w.run();

    ASSERT_NE(w.publish_of(7), nullptr);
    EXPECT_EQ(w.publish_of(7)->error.code, broker_errc::unroutable);
    EXPECT_EQ(w.publish_of(7)->error.reply_code, 312);
    const std::string& text = w.publish_of(7)->error.text;
    EXPECT_NE(text.find("\"nowhere\""), std::string::npos) << text;
    EXPECT_NE(text.find("broker:5672"), std::string::npos) << text;
    EXPECT_NE(text.find("declare the queue"), std::string::npos) << text;
}

TEST(Session, NackedMessageFails) {
    world w;
    w.broker.queues["orders"];
    w.broker.nacks = true;

    w.publish("orders", "hello", 7);
    w.run();

    EXPECT_EQ(w.publish_of(7)->error.code, broker_errc::not_accepted);
}

TEST(Session, UnconfirmedMessagesAreSentAgainAfterAReconnectInOrder) {
    world w;
    w.broker.queues["orders"];
    w.broker.confirms = false;
    w.publish("orders", "1", 1);
    w.publish("orders", "2", 2);
    w.publish("orders", "3", 3);
    w.run();
    w.broker.confirm(w.to_client, 2, false);
    w.run();
    EXPECT_EQ(w.of(event_kind::published).size(), 1U);

    w.cut();
    w.broker.confirms = true;
    w.run();

    EXPECT_EQ(w.of(event_kind::published).size(), 3U);
    const std::vector<std::string> expected{"1", "2", "3", "1", "3"};
    EXPECT_EQ(w.broker.stored_bodies, expected);
}

TEST(Session, MessageThatIsNotConfirmedInTimeFailsAndIsNotSentAgain) {
    world w;
    w.broker.queues["orders"];
    w.broker.confirms = false;
    w.publish("orders", "1", 1);
    w.run();

    w.wait(seconds(59));
    EXPECT_EQ(w.publish_of(1), nullptr);
    w.wait(seconds(1));
    ASSERT_NE(w.publish_of(1), nullptr);
    EXPECT_EQ(w.publish_of(1)->error.code, broker_errc::timeout);
    w.cut();
    w.run();

    EXPECT_EQ(w.broker.stored_bodies.size(), 1U);
}

TEST(Session, TimeoutWhileDisconnectedNamesTheConnectionProblem) {
    world w;
    w.reachable = false;
    w.publish("orders", "1", 1);
    w.run();

    for (int i = 0; i < 60; ++i) {
        w.wait(seconds(1));
    }

    ASSERT_NE(w.publish_of(1), nullptr);
    EXPECT_NE(w.publish_of(1)->error.text.find("connection refused"), std::string::npos)
        << w.publish_of(1)->error.text;
}

TEST(Session, WrongPasswordFailsWhatWaitsAtOnce) {
    world w;
    w.broker.refuse_login = 403;
    w.publish("orders", "1", 1);
    w.session.ask(queue("orders"), 2, w.now + minutes(1));

    w.run();

    ASSERT_NE(w.publish_of(1), nullptr);
    EXPECT_EQ(w.publish_of(1)->error.code, broker_errc::access_denied);
    EXPECT_EQ(w.answer_to(2)->error.code, broker_errc::access_denied);
}

TEST(Session, ReconnectsAtOnceAndThenWithGrowingPauses) {
    world w;
    w.reachable = false;
    w.random = ~std::uint64_t{0};

    w.run();

    // The first failure is followed by a second attempt at the same time; then there is a pause.
    const auto downs = w.of(event_kind::down);
    ASSERT_EQ(downs.size(), 2U);
    EXPECT_GT(w.session.connect_at(), w.now);
    EXPECT_LE(w.session.connect_at(), w.now + backoff_base);
    for (int i = 0; i < 200; ++i) {
        w.wait(milliseconds(100));
    }
    EXPECT_LE(w.session.connect_at() - w.now, backoff_cap);
    w.reachable = true;
    w.wait(backoff_cap);
    EXPECT_TRUE(w.session.is_up());
}

TEST(Session, BlockedByTheBrokerHoldsMessagesBackUntilUnblocked) {
    world w;
    w.broker.queues["orders"];
    w.publish("orders", "1", 1);
    w.run();
    w.broker.block(w.to_client, true);
    w.run();

    w.publish("orders", "2", 2);
    w.run();
    EXPECT_EQ(w.broker.stored_bodies.size(), 1U);
    EXPECT_EQ(w.of(event_kind::blocked).at(0).error.text, "low on memory");
    w.broker.block(w.to_client, false);
    w.run();

    EXPECT_FALSE(w.publish_of(2)->failed);
}

TEST(Session, KnowsWhetherTheBrokersStoreIsOrderedWhileConnected) {
    world plain;
    plain.publish("orders", "1", 1);
    plain.run();
    world ordered;
    ordered.broker.capability = amqp::ordered_store_capability;
    EXPECT_FALSE(ordered.session.store_is_ordered());
    ordered.publish("orders", "1", 1);
    ordered.run();

    EXPECT_FALSE(plain.session.store_is_ordered());
    EXPECT_TRUE(ordered.session.store_is_ordered());
    ordered.cut();
    EXPECT_FALSE(ordered.session.store_is_ordered());
}

TEST(Session, PublishesAtOnceUnlessSomethingHoldsMessagesBack) {
    session_settings settings;
    settings.window.wire_messages = 2;
    settings.window.wire_octets = 100;
    world w{settings};
    w.broker.queues["orders"];
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "not connected";
    w.publish("orders", "1", 1);
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "confirm mode is not granted";
    w.run();
    EXPECT_TRUE(w.session.publishes_at_once(1));

    w.broker.block(w.to_client, true);
    w.run();
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "blocked";
    w.broker.block(w.to_client, false);
    w.run();

    w.session.ask(queue("orders"), 2, w.now + minutes(1));
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "a request comes first";
    w.run();

    w.broker.confirms = false;
    w.publish("orders", "1234", 3);
    EXPECT_TRUE(w.session.publishes_at_once(1));
    EXPECT_FALSE(w.session.publishes_at_once(100)) << "octets on the wire";
    w.publish("orders", "1", 4);
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "messages on the wire";
    w.cut();
    EXPECT_FALSE(w.session.publishes_at_once(1)) << "disconnected";
}

TEST(Session, WhatIsPublishedAtOnceIsOnTheWireBeforeTheNextAck) {
    world w;
    w.broker.queues["orders"];
    w.broker.queues["results"];
    w.publish("results", "first", 1);
    subscription wanted;
    wanted.queue = "orders";
    w.session.consume(std::move(wanted));
    w.run();
    w.broker.put(w.to_client, "orders", "job");
    w.run();
    ASSERT_TRUE(w.session.publishes_at_once(6));

    w.publish("results", "result", 2);
    w.session.ack(w.of(event_kind::delivered).at(0).ref, false);
    w.run();

    const auto& log = w.broker.log;
    const auto published = std::ranges::find(log, "basic.publish results result");
    ASSERT_NE(published, log.end());
    ASSERT_NE(std::next(published), log.end());
    EXPECT_TRUE(std::next(published)->starts_with("basic.ack")) << *std::next(published);
}

TEST(Session, TimeoutWhileBlockedNamesTheBrokersReason) {
    world w;
    w.broker.queues["orders"];
    w.publish("orders", "1", 1);
    w.run();
    w.broker.block(w.to_client, true);
    w.run();

    w.publish("orders", "2", 2);
    w.wait(minutes(1));

    EXPECT_NE(w.publish_of(2)->error.text.find("low on memory"), std::string::npos);
}

TEST(Session, PoisonousMessageFailsAloneAndTheOthersArrive) {
    world w;
    w.broker.queues["orders"];
    w.broker.poison_body = "poison";
    w.broker.confirms = false;

    w.publish("orders", "1", 1);
    w.publish("orders", "poison", 2);
    w.publish("orders", "3", 3);
    w.broker.confirms = true;
    w.run();

    EXPECT_FALSE(w.publish_of(1)->failed);
    EXPECT_EQ(w.publish_of(2)->error.reply_code, 406);
    EXPECT_FALSE(w.publish_of(3)->failed);
}

TEST(Session, CloseFailsWhatIsOutstandingSaysGoodbyeAndEnds) {
    world w;
    w.broker.queues["orders"];
    w.broker.confirms = false;
    w.publish("orders", "1", 1);
    w.run();

    w.session.close();
    w.session.close();
    w.run();

    EXPECT_EQ(w.publish_of(1)->error.code, broker_errc::stopped);
    EXPECT_EQ(w.count("connection.close"), 1U);
    EXPECT_EQ(w.of(event_kind::closed).size(), 1U);
    w.publish("orders", "2", 2);
    w.run();
    EXPECT_EQ(w.publish_of(2)->error.code, broker_errc::stopped);
}

TEST(Session, CloseBeforeTheFirstConnectionEndsAtOnce) {
    world w;

    w.session.close();
    w.run();

    EXPECT_EQ(w.of(event_kind::closed).size(), 1U);
    EXPECT_TRUE(w.broker.log.empty());
}

TEST(Session, SilentBrokerIsGivenUpAndConnectedAgain) {
    session_settings settings;
    settings.connection.heartbeat_seconds = 10;
    world w(settings);
    w.run();
    ASSERT_TRUE(w.session.is_up());

    w.now += seconds(20);
    w.session.tick(w.now, 0);
    w.run();

    EXPECT_EQ(w.of(event_kind::down).size(), 1U);
    EXPECT_EQ(w.of(event_kind::up).size(), 2U);
}

TEST(Session, MessageWhosePropertiesDoNotFitIntoAFrameFailsAlone) {
    world w;
    w.broker.frame_max = 4096;
    w.broker.queues["orders"];
    publication large;
    large.routing_key = "orders";
    large.body = "large";

    w.publish("orders", "1", 1);
    large.properties = std::string(4096 - 8 - 12 + 1, '\0');
    w.session.publish(std::move(large), 2, w.now + minutes(1));
    w.publish("orders", std::string(10'000, 'x'), 3);
    w.run();

    EXPECT_FALSE(w.publish_of(1)->failed);
    ASSERT_NE(w.publish_of(2), nullptr);
    EXPECT_EQ(w.publish_of(2)->error.code, broker_errc::invalid_argument);
    EXPECT_NE(w.publish_of(2)->error.text.find("4096"), std::string::npos);
    EXPECT_FALSE(w.publish_of(3)->failed);
    EXPECT_EQ(w.broker.stored_bodies.size(), 2U);
    EXPECT_TRUE(w.session.is_up());
    EXPECT_TRUE(w.of(event_kind::down).empty());
}

TEST(Session, NamesThatAmqpCannotCarryAreRefusedBeforeTheyAreSent) {
    world w;
    w.publish(std::string(256, 'x'), "1", 1);
    w.session.ask(queue("\xFF"), 2, w.now + minutes(1));
    amqp::table inner;
    inner.set(std::string(256, 'x'), std::int32_t{1});
    amqp::field_array list;
    list.emplace_back(inner);
    declare_queue deep = queue("deep");
    deep.arguments.set("x", list);
    w.session.ask(deep, 3, w.now + minutes(1));

    w.run();

    EXPECT_EQ(w.publish_of(1)->error.code, broker_errc::invalid_argument);
    EXPECT_EQ(w.answer_to(2)->error.code, broker_errc::invalid_argument);
    EXPECT_EQ(w.answer_to(3)->error.code, broker_errc::invalid_argument);
}

}  // namespace
}  // namespace lovage::client
