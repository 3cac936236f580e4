// Rows 225 to 233: direct reply-to.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

constexpr amqp::method_id declare_id{50, 10};
constexpr amqp::method_id consume_id{60, 20};
constexpr amqp::method_id publish_id{60, 40};
const std::string reply_to = "amq.rabbitmq.reply-to";

class DirectReply : public testing::Test {
protected:
    DirectReply() { declare(peer, "requests"); }

    void listen(octets tag = "r") { start_consumer(peer, 1, reply_to, tag, {.no_ack = true}); }
    /// Sends a request; returns the address that its taker sees.
    std::string ask(where_t where = where_t::current()) {
        amqp::basic_properties properties;
        properties.reply_to = reply_to;
        properties.correlation_id = "7";
        properties.headers = amqp::table{{"h", "kept"}};
        peer.publish(1, {"", "requests", "question", properties});
        server.send(1, get_from("requests", true));
        const auto got = server.expect_get_ok(1, where).read();
        EXPECT_EQ(got.correlation_id, "7");
        EXPECT_EQ(got.headers, properties.headers);
        return got.reply_to.value_or("");
    }

    broker_under_test broker;
    client& peer = broker.connect();
    client& server = broker.connect();
};

TEST_F(DirectReply, RequestGetsItsReplyWithoutAQueue) {
    listen();
    const std::string address = ask();
    EXPECT_TRUE(address.starts_with(reply_to + ".")) << address;
    EXPECT_EQ(address.size(), reply_to.size() + 1 + 22);

    amqp::basic_properties properties;
    properties.correlation_id = "7";
    server.publish(1, {"", address, "answer", properties});

    const auto got = peer.expect_delivery(1);
    EXPECT_EQ(got.consumer_tag, "r");
    EXPECT_FALSE(got.redelivered);
    EXPECT_EQ(got.exchange, "");
    EXPECT_EQ(got.routing_key, address);
    EXPECT_EQ(got.body, "answer");
    EXPECT_EQ(got.read().correlation_id, "7");
    EXPECT_EQ(broker.status("requests").ready, 0U);
}

TEST_F(DirectReply, AddressesDifferFromConsumerToConsumer) {
    listen();
    const std::string first = ask();
    EXPECT_EQ(ask(), first);
    peer.send(1, amqp::basic::cancel{"r", false});
    peer.expect<amqp::basic::cancel_ok>(1);
    listen();
    EXPECT_NE(ask(), first);
    server.publish(1, {"", first, "late"});
    peer.expect_nothing();
}

TEST_F(DirectReply, EmptyTagIsMade) {
    peer.send(1, consume(reply_to, "", {.no_ack = true, .exclusive = true}));
    const std::string tag{peer.expect<amqp::basic::consume_ok>(1).consumer_tag};
    EXPECT_TRUE(tag.starts_with("amq.ctag-"));
    server.publish(1, {"", ask(), "answer"});
    EXPECT_EQ(peer.expect_delivery(1).consumer_tag, tag);
}

TEST_F(DirectReply, NeedsNoAck) {
    peer.send(1, consume(reply_to, "r"));
    peer.expect_channel_error(1, consume_id, "406 reply consumer cannot acknowledge");
}

TEST_F(DirectReply, IsThereOnceAChannel) {
    listen();
    peer.send(1, consume(reply_to, "s", {.no_ack = true}));
    peer.expect_channel_error(1, consume_id, "406 reply consumer already set");
    listen();  // it went with the channel
}

TEST_F(DirectReply, TagsAreSharedWithOtherConsumers) {
    listen("t");
    peer.send(1, consume("requests", "t"));
    peer.expect_connection_error(consume_id, "530 attempt to reuse consumer tag 't'");
    start_consumer(server, 1, "requests", "u");
    server.send(1, consume(reply_to, "u", {.no_ack = true}));
    server.expect_connection_error(consume_id, "530 attempt to reuse consumer tag 'u'");
}

TEST_F(DirectReply, RequestWithoutAConsumerOnTheChannelIs406) {
    listen();
    peer.open_channel(2);
    amqp::basic_properties properties;
    properties.reply_to = reply_to;
    peer.publish(2, {"", "requests", "m", properties});
    peer.expect_channel_error(2, publish_id, "406 fast reply consumer does not exist");
    EXPECT_EQ(broker.status("requests").ready, 0U);
}

TEST_F(DirectReply, MandatoryReplyIsDeliveredAndReturned) {
    listen();
    server.publish(1, {"", ask(), "answer", {}, true});
    EXPECT_EQ(peer.expect_delivery(1).body, "answer");
    EXPECT_EQ(server.expect_return(1).reply, "312 NO_ROUTE");
}

TEST_F(DirectReply, CopiesReachAnAddressOnce) {
    listen();
    const std::string address = ask();
    amqp::basic_properties properties;
    properties.headers = amqp::table{{"CC", amqp::field_array{address, address}}};
    server.publish(1, {"", address, "answer", properties});
    peer.expect_delivery(1);
    peer.expect_nothing();
}

TEST_F(DirectReply, DeclaringTheNameOrALiveAddressIsAnswered) {
    listen();
    const std::string address = ask();
    for (const octets name : {octets{reply_to}, octets{address}}) {
        for (const bool passive : {true, false}) {
            const auto ok = declare(server, name, {.passive = passive});
            EXPECT_EQ(ok.queue, name);
            EXPECT_EQ(ok.message_count, 0U);
            EXPECT_EQ(ok.consumer_count, 1U);
        }
    }
    EXPECT_FALSE(broker.has_queue(address));
}

TEST_F(DirectReply, DeadOrGuessedAddressIsNotFound) {
    listen();
    const std::string address = ask();
    peer.vanish();
    for (const std::string& name : {address, reply_to + ".guessed", reply_to + "x"}) {
        server.send(1, declare_queue(name, {.passive = true}));
        server.expect_channel_error(1, declare_id, "404 no queue '" + name + "' in vhost '/'");
        server.publish(1, {"", name, "m", {}, true});
        EXPECT_EQ(server.expect_return(1).reply, "312 NO_ROUTE");
    }
}

TEST_F(DirectReply, AddressIsNoQueue) {
    listen();
    const std::string address = ask();
    const std::string missing = "404 no queue '" + address + "' in vhost '/'";
    server.send(1, get_from(address));
    server.expect_channel_error(1, {60, 70}, missing);
    server.send(1, consume(address, "c"));
    server.expect_channel_error(1, consume_id, missing);
    server.send(1, bind_queue(address, "amq.direct", "k"));
    server.expect_channel_error(1, {50, 20}, missing);
    server.send(1, amqp::queue::purge{0, address, false});
    server.expect_channel_error(1, {50, 30}, missing);
    server.send(1, delete_queue(address));
    EXPECT_EQ(server.expect<amqp::queue::delete_ok>(1).message_count, 0U);
}

TEST_F(DirectReply, ReplyToAClosedChannelVanishesAndIsConfirmed) {
    listen();
    const std::string address = ask();
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect<amqp::channel::close_ok>(1);
    server.send(1, amqp::confirm::select{});
    server.expect<amqp::confirm::select_ok>(1);
    server.publish(1, {"", address, "answer", persistent()});
    EXPECT_EQ(server.expect<amqp::basic::ack>(1).delivery_tag, 1U);
    peer.expect_nothing();
}

TEST_F(DirectReply, RepliesToAClientThatDoesNotReadAreBounded) {
    engine_options options;
    options.output_octets_high = 1000;
    broker_under_test small{options};
    client& slow = small.connect();
    client& eager = small.connect();
    declare(eager, "requests");
    start_consumer(slow, 1, reply_to, "r", {.no_ack = true});
    amqp::basic_properties properties;
    properties.reply_to = reply_to;
    slow.publish(1, {"", "requests", "question", properties});
    eager.send(1, get_from("requests", true));
    const std::string address = *eager.expect_get_ok(1).read().reply_to;
    slow.reads = false;
    for (int i = 0; i < 100; ++i) {
        eager.publish(1, {"", address, std::string(1000, 'x')});
    }
    EXPECT_GT(slow.output_waiting(), 10'000U);
    EXPECT_LT(slow.output_waiting(), 20'000U);
}

}  // namespace
}  // namespace lovage::broker::test
