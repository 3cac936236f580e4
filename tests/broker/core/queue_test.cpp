// Rows 97 to 115 and 128 to 136: queues, their names, owners, lifetimes.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

constexpr amqp::method_id declare_id{50, 10};

std::string locked(const std::string& queue) {
    return "405 cannot obtain exclusive access to locked queue '" + queue +
           "' in vhost '/'. It could be originally declared on another connection or the "
           "exclusive property value does not match that of the original declaration.";
}

class Queues : public testing::Test {
protected:
    broker_under_test broker;
    client& peer = broker.connect();
    client& other = broker.connect();
};

TEST_F(Queues, DeclareOkCountsReadyMessagesAndConsumers) {
    declare(peer, "q");
    for (int i = 0; i < 3; ++i) {
        peer.publish(1, {"", "q", "m"});
    }
    other.send(1, prefetch(1));
    other.expect<amqp::basic::qos_ok>(1);
    start_consumer(other, 1, "q", "c");
    other.expect_delivery(1);

    EXPECT_EQ(declare(peer, "q"), (amqp::queue::declare_ok{"q", 2, 1}));
    EXPECT_EQ(
        declare(peer, "q", {.passive = true, .durable = true}),
        (amqp::queue::declare_ok{"q", 2, 1}));
}

TEST_F(Queues, DeclareWithOtherFlagsIs406) {
    declare(peer, "q");
    peer.send(1, declare_queue("q", {.durable = true, .auto_delete = true}));
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current "
        "is 'false'");
    peer.send(1, declare_queue("q", {.auto_delete = true}));
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but "
        "current is 'false'");
}

TEST_F(Queues, ExclusiveDiffersIs405EvenForTheOwner) {
    declare(peer, "q");
    peer.send(1, declare_queue("q", {.exclusive = true}));
    peer.expect_channel_error(1, declare_id, locked("q"));
    declare(peer, "mine", {.exclusive = true});
    peer.send(1, declare_queue("mine", {.durable = true}));
    peer.expect_channel_error(1, declare_id, locked("mine"));
}

TEST_F(Queues, EverythingByOthersOnAnExclusiveQueueIs405) {
    declare(peer, "mine", {.exclusive = true});
    const auto refused = [&](const auto& method) {
        other.send(1, method);
        other.expect_channel_error(1, method.id, locked("mine"));
    };
    refused(declare_queue("mine", {.exclusive = true}));
    refused(declare_queue("mine", {.passive = true}));
    refused(bind_queue("mine", "amq.direct", "k"));
    refused(unbind_queue("mine", "amq.direct", "k"));
    refused(amqp::queue::purge{0, "mine", false});
    refused(delete_queue("mine"));
    refused(get_from("mine"));
    refused(consume("mine", "c"));
}

TEST_F(Queues, OthersMayPublishToAnExclusiveQueue) {
    declare(peer, "mine", {.exclusive = true});
    other.publish(1, {"", "mine", "m", {}, true});
    other.expect_nothing();
    EXPECT_EQ(broker.status("mine").ready, 1U);
}

TEST_F(Queues, OwnerMayDeclareItsExclusiveQueueWithAnotherDurable) {
    declare(peer, "mine", {.exclusive = true});
    declare(peer, "mine", {.durable = true, .exclusive = true});
}

TEST_F(Queues, PassiveDeclareOfAMissingOneIs404) {
    peer.send(1, declare_queue("q", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no queue 'q' in vhost '/'");
    peer.send(1, declare_queue("", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no queue '' in vhost '/'");
    peer.send(1, declare_queue("amq.mine", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no queue 'amq.mine' in vhost '/'");
}

TEST_F(Queues, ReservedPrefixIs403) {
    peer.send(1, declare_queue("amq.mine"));
    peer.expect_channel_error(
        1, declare_id, "403 queue name 'amq.mine' contains reserved prefix 'amq.*'");
}

TEST_F(Queues, ServerNamedQueueCanBeDeclaredAgain) {
    // RabbitMQ refuses it unless passive (row 109); nobody is known to depend on that.
    const std::string name{declare(peer, "").queue};
    EXPECT_EQ(declare(peer, name, {.passive = true}).queue, name);
    EXPECT_EQ(declare(peer, name).queue, name);
}

TEST_F(Queues, EmptyNameMakesANewNameEachTime) {
    const std::string first{declare(peer, "").queue};
    const std::string second{declare(peer, "").queue};
    EXPECT_TRUE(first.starts_with("amq.gen-"));
    EXPECT_EQ(first.size(), 8U + 22U);
    EXPECT_NE(first, second);
    EXPECT_EQ(
        first.find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", 0),
        std::string::npos);
}

TEST_F(Queues, EmptyNameMeansTheLastDeclaredOnTheChannel) {
    declare(peer, "first");
    declare(peer, "last");
    declare(peer, "first", {.passive = true});
    peer.send(1, bind_queue("", "amq.direct", "k"));
    peer.expect<amqp::queue::bind_ok>(1);
    peer.publish(1, {"amq.direct", "k", "m"});
    EXPECT_EQ(broker.status("first").ready, 1U);

    peer.send(1, get_from(""));
    EXPECT_EQ(peer.expect_get_ok(1).body, "m");
    peer.send(1, unbind_queue("", "amq.direct", "k"));
    peer.expect<amqp::queue::unbind_ok>(1);
    peer.send(1, amqp::queue::purge{});
    peer.expect<amqp::queue::purge_ok>(1);
    start_consumer(peer, 1, "", "c");
    peer.send(1, delete_queue(""));
    peer.expect<amqp::queue::delete_ok>(1);
    peer.expect<amqp::basic::cancel>(1);
    EXPECT_FALSE(broker.has_queue("first"));
    EXPECT_TRUE(broker.has_queue("last"));
}

TEST_F(Queues, EmptyNameWithoutADeclareIs404) {
    const auto refused = [&](const auto& method) {
        peer.send(1, method);
        peer.expect_channel_error(1, method.id, "404 no previously declared queue");
    };
    refused(bind_queue("", "amq.direct", "k"));
    refused(unbind_queue("", "amq.direct", "k"));
    refused(amqp::queue::purge{});
    refused(delete_queue(""));
    refused(get_from(""));
    refused(consume("", "c"));
}

TEST_F(Queues, EmptyNameOfADeletedQueueIs404) {
    declare(peer, "q");
    other.send(1, delete_queue("q"));
    other.expect<amqp::queue::delete_ok>(1);
    peer.send(1, get_from(""));
    peer.expect_channel_error(1, {60, 70}, "404 no queue 'q' in vhost '/'");
}

TEST_F(Queues, EmptyNameAndKeyBindByTheQueuesName) {
    declare(peer, "q");
    peer.send(1, bind_queue("", "amq.direct", ""));
    peer.expect<amqp::queue::bind_ok>(1);
    peer.publish(1, {"amq.direct", "q", "m"});
    EXPECT_EQ(broker.status("q").ready, 1U);
    peer.send(1, unbind_queue("", "amq.direct", ""));
    peer.expect<amqp::queue::unbind_ok>(1);
    peer.send(1, bind_queue("q", "amq.direct", ""));
    peer.expect<amqp::queue::bind_ok>(1);
    peer.publish(1, {"amq.direct", "q", "m"});
    peer.publish(1, {"amq.direct", "", "m"});
    EXPECT_EQ(broker.status("q").ready, 2U);
}

TEST_F(Queues, NowaitIsNotAnsweredButErrorsAre) {
    peer.send(1, declare_queue("q", {.no_wait = true}));
    auto bound = bind_queue("q", "amq.direct", "k");
    bound.no_wait = true;
    peer.send(1, bound);
    peer.send(1, consume("q", "c", {.no_wait = true}));
    peer.send(1, amqp::basic::cancel{"c", true});
    peer.send(1, amqp::queue::purge{0, "q", true});
    peer.send(1, amqp::confirm::select{true});
    peer.expect_nothing();
    EXPECT_TRUE(broker.has_queue("q"));
    peer.send(1, amqp::queue::delete_{0, "q", false, false, true});
    peer.expect_nothing();
    EXPECT_FALSE(broker.has_queue("q"));
    peer.send(1, declare_queue("amq.x", {.no_wait = true}));
    peer.expect_channel_error(
        1, declare_id, "403 queue name 'amq.x' contains reserved prefix 'amq.*'");
}

TEST_F(Queues, ExclusiveQueueSurvivesItsChannelNotItsConnection) {
    declare(peer, "mine", {.durable = true, .exclusive = true});
    EXPECT_EQ(broker.journal.records.size(), 0U);
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect<amqp::channel::close_ok>(1);
    EXPECT_TRUE(broker.has_queue("mine"));
    peer.vanish();
    EXPECT_FALSE(broker.has_queue("mine"));
}

TEST_F(Queues, AutoDeleteQueueGoesWithItsLastConsumer) {
    declare(peer, "q", {.durable = true, .auto_delete = true});
    peer.send(1, get_from("q"));
    peer.expect<amqp::basic::get_empty>(1);
    start_consumer(peer, 1, "q", "a");
    start_consumer(other, 1, "q", "b");

    peer.send(1, amqp::basic::cancel{"a", false});
    peer.expect<amqp::basic::cancel_ok>(1);
    EXPECT_TRUE(broker.has_queue("q"));
    other.send(1, amqp::basic::cancel{"b", false});

    other.expect<amqp::basic::cancel_ok>(1);
    EXPECT_FALSE(broker.has_queue("q"));
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Queues, AutoDeleteQueueGoesWithItsLastConsumersConnection) {
    declare(peer, "q", {.auto_delete = true});
    start_consumer(other, 1, "q", "c");
    peer.publish(1, {"", "q", "m"});
    other.expect_delivery(1);
    other.vanish();
    EXPECT_FALSE(broker.has_queue("q"));
}

TEST_F(Queues, UnusedQueueExpires) {
    declare(peer, "q", durable, {{"x-expires", std::int32_t{1000}}});
    broker.advance(milliseconds{999});
    peer.publish(1, {"", "q", "m", persistent()});
    EXPECT_TRUE(broker.has_queue("q"));
    broker.advance(milliseconds{1});
    EXPECT_FALSE(broker.has_queue("q"));
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Queues, DeclareAndGetRenewAndConsumersHoldAnExpiringQueue) {
    declare(peer, "q", {}, {{"x-expires", std::int32_t{1000}}});
    broker.advance(milliseconds{900});
    declare(peer, "q", {.passive = true});
    broker.advance(milliseconds{900});
    peer.send(1, get_from("q"));
    peer.expect<amqp::basic::get_empty>(1);
    broker.advance(milliseconds{900});
    start_consumer(peer, 1, "q", "c");
    broker.advance(milliseconds{9000});
    EXPECT_TRUE(broker.has_queue("q"));
    peer.send(1, amqp::basic::cancel{"c", false});
    broker.advance(milliseconds{999});
    EXPECT_TRUE(broker.has_queue("q"));
    broker.advance(milliseconds{1});
    EXPECT_FALSE(broker.has_queue("q"));
}

TEST_F(Queues, DeleteAnswersWithReadyMessages) {
    declare(peer, "q", durable);
    for (int i = 0; i < 3; ++i) {
        peer.publish(1, {"", "q", "m", persistent()});
    }
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);

    other.send(1, delete_queue("q"));

    EXPECT_EQ(other.expect<amqp::queue::delete_ok>(1).message_count, 2U);
    EXPECT_EQ(broker.journal.messages.size(), 1U);  // released when it is settled
    peer.ack(1, 1);
    peer.expect_nothing();
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Queues, DeleteOfAMissingOneIsAnswered) {
    peer.send(1, delete_queue("none", true, true));
    EXPECT_EQ(peer.expect<amqp::queue::delete_ok>(1).message_count, 0U);
}

TEST_F(Queues, DeleteIfEmptyIsCheckedBeforeIfUnused) {
    declare(peer, "q");
    peer.send(1, prefetch(1));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "c");
    for (int i = 0; i < 2; ++i) {
        peer.publish(1, {"", "q", "m"});
    }
    other.send(1, delete_queue("q", true, true));
    other.expect_channel_error(1, {50, 40}, "406 queue 'q' in vhost '/' not empty");
    other.send(1, delete_queue("q", true, false));
    other.expect_channel_error(1, {50, 40}, "406 queue 'q' in vhost '/' in use");
    other.send(1, get_from("q"));
    other.expect_get_ok(1);
    // What is not acknowledged yet does not count.
    other.send(1, delete_queue("q", false, true));
    other.expect<amqp::queue::delete_ok>(1);
}

TEST_F(Queues, DeleteIfEmptyWithReadyMessagesIs406) {
    declare(peer, "q");
    peer.publish(1, {"", "q", "m"});
    peer.send(1, delete_queue("q", true, true));
    peer.expect_channel_error(1, {50, 40}, "406 queue 'q' in vhost '/' not empty");
}

TEST_F(Queues, PurgeLeavesUnacked) {
    declare(peer, "q", durable);
    for (int i = 0; i < 3; ++i) {
        peer.publish(1, {"", "q", "m", persistent()});
    }
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    peer.send(1, amqp::queue::purge{0, "q", false});
    EXPECT_EQ(peer.expect<amqp::queue::purge_ok>(1).message_count, 2U);
    peer.nack(1, 1, true);
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.journal.messages.size(), 1U);
    peer.send(1, amqp::queue::purge{0, "none", false});
    peer.expect_channel_error(1, {50, 30}, "404 no queue 'none' in vhost '/'");
}

TEST_F(Queues, NameOfADeletedQueueWithUnackedIsFree) {
    declare(peer, "q", durable);
    peer.publish(1, {"", "q", "old", persistent()});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    other.send(1, delete_queue("q"));
    other.expect<amqp::queue::delete_ok>(1);
    declare(other, "q", durable);
    other.publish(1, {"", "q", "new", persistent()});

    peer.nack(1, 1, true);

    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.status("q").unacked, 0U);
}

}  // namespace
}  // namespace lovage::broker::test
