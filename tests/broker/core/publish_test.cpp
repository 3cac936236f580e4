// Rows 180 to 198: publishing, returns, properties, publisher confirms.
#include "framework/amqp/table_codec.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using namespace std::string_view_literals;
using amqp::basic::ack;

constexpr amqp::method_id publish_id{60, 40};

class Publishing : public testing::Test {
protected:
    void confirm(client& whose) {
        whose.send(1, amqp::confirm::select{});
        whose.expect<amqp::confirm::select_ok>(1);
    }
    void refused(
        const amqp::basic_properties& properties,
        const std::string& text,
        where_t where = where_t::current()) {
        peer.publish(1, {"", "q", "m", properties});
        peer.expect_channel_error(1, publish_id, "406 " + text, where);
    }
    void SetUp() override {
        declare(peer, "q", durable);
        declare(peer, "t");
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Publishing, MissingExchangeIs404) {
    peer.publish(1, {"none", "k", "m"});
    peer.expect_channel_error(1, publish_id, "404 no exchange 'none' in vhost '/'");
}

TEST_F(Publishing, ImmediateIs540) {
    amqp::basic::publish m;
    m.immediate = true;
    peer.send(1, m);
    peer.expect_connection_error(publish_id, "540 immediate=true");
}

TEST_F(Publishing, UnroutableIsDroppedOrReturned) {
    peer.publish(1, {"amq.direct", "none", "m"});
    peer.expect_nothing();
    auto properties = persistent();
    properties.headers = amqp::table{{"b", std::int32_t{1}}, {"a", "x"}};
    peer.publish(1, {"amq.direct", "none", std::string(9000, 'm'), properties, true});
    const auto got = peer.expect_return(1);
    EXPECT_EQ(got.reply, "312 NO_ROUTE");
    EXPECT_EQ(got.exchange, "amq.direct");
    EXPECT_EQ(got.routing_key, "none");
    EXPECT_EQ(got.body, std::string(9000, 'm'));
    EXPECT_EQ(got.read(), properties);
}

TEST_F(Publishing, WrongExpirationIs406) {
    const auto expires = [](const std::string& text) {
        amqp::basic_properties p;
        p.expiration = text;
        return p;
    };
    for (const char* text : {"abc", "", " 5", "-", "+"}) {
        refused(expires(text), "invalid expiration '" + std::string(text) + "': no_integer");
    }
    refused(expires("1.5"), "invalid expiration '1.5': {leftover_string,\".5\"}");
    refused(expires("-1"), "invalid expiration '-1': {value_negative,-1}");
    refused(
        expires("315360000001"),
        "invalid expiration '315360000001': {value_too_large,315360000001}");
    refused(
        expires("99999999999999999999999"),
        "invalid expiration '99999999999999999999999': {value_too_large,99999999999999999999999}");
    for (const char* text : {"+5000", "005000", "315360000000"}) {
        peer.publish(1, {"", "t", "m", expires(text)});
        peer.send(1, get_from("t"));
        EXPECT_EQ(peer.expect_get_ok(1).read().expiration, text);
    }
}

TEST_F(Publishing, UserIdMustBeTheUsers) {
    amqp::basic_properties p;
    p.user_id = "someone";
    refused(p, "user_id property set to 'someone' but authenticated user was 'guest'");
    p.user_id = "";
    refused(p, "user_id property set to '' but authenticated user was 'guest'");
    p.user_id = "guest";
    peer.publish(1, {"", "q", "m", p});
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Publishing, UnknownDeliveryModeIs406) {
    amqp::basic_properties p;
    p.delivery_mode = std::uint8_t{3};
    refused(p, "invalid message: {delivery_mode_unknown,3}");
}

TEST_F(Publishing, BodyOverTheLimitIsTakenInAndRefused) {
    engine_options options;
    options.message_octets_max = 10'000;
    broker_under_test small{options};
    client& sender = small.connect();
    declare(sender, "q");
    sender.publish(1, {"", "q", std::string(10'001, 'x')});
    sender.expect_channel_error(
        1, publish_id, "406 message size 10001 is larger than configured max size 10000");
    sender.publish(1, {"", "q", std::string(10'000, 'x')});
    EXPECT_EQ(small.status("q").ready, 1U);
    EXPECT_LT(small.held_octets(), 11'000U);
}

TEST_F(Publishing, PropertiesAreDeliveredOctetForOctet) {
    // Headers in an odd order, twice the same name, every type letter, an unused flag bit.
    byte_buffer headers;
    amqp::table fields{
        {"z", true},
        {"a", std::int8_t{-1}},
        {"a", std::uint8_t{1}},
        {"s", std::int16_t{-2}},
        {"u", std::uint16_t{2}},
        {"I", std::int32_t{-3}},
        {"i", std::uint32_t{3}},
        {"l", std::int64_t{-4}},
        {"L", amqp::unsigned_long{4}},
        {"f", 1.5F},
        {"d", 2.5},
        {"D", amqp::decimal{2, 314}},
        {"S", "text"},
        {"x", amqp::byte_array{std::string("\0\1", 2)}},
        {"A", amqp::field_array{std::int32_t{1}, "two"}},
        {"F", amqp::table{{"in", amqp::timestamp{7}}}},
        {"V", amqp::field_value{}}};
    amqp::write_table(headers, fields);
    const std::string properties = std::string("\x30\x02", 2) + std::string(headers.view()) + "\2";
    byte_buffer out;
    amqp::basic::publish m;
    m.routing_key = "q";
    amqp::write_method(out, 1, m);
    amqp::write_content_header(out, 1, 0, properties);
    peer.send_octets(out.view());

    peer.send(1, get_from("q"));
    EXPECT_EQ(peer.expect_get_ok(1).properties, properties);
    peer.nack(1, 1, true);
    peer.send(1, get_from("q"));
    auto again = peer.expect_get_ok(1).read().headers;
    fields.add("x-delivery-count", std::int64_t{1});
    EXPECT_EQ(again, fields);
}

TEST_F(Publishing, PersistentIsConfirmedOnlyWhenDurable) {
    confirm(peer);
    broker.sync_at_once = false;
    peer.publish(1, {"", "q", "a", persistent()});
    const lsn first = broker.journal.last();
    peer.publish(1, {"", "q", "b", persistent()});
    peer.expect_nothing();
    broker.sync(first - 1);
    peer.expect_nothing();
    broker.sync(first);
    EXPECT_EQ(peer.expect<ack>(1), (ack{1, false}));
    peer.expect_nothing();
    broker.sync();
    EXPECT_EQ(peer.expect<ack>(1), (ack{2, false}));
}

TEST_F(Publishing, ManyAreConfirmedByOneMultiple) {
    confirm(peer);
    broker.sync_at_once = false;
    for (int i = 0; i < 5; ++i) {
        peer.publish(1, {"", "q", "m", persistent()});
    }
    broker.sync();
    EXPECT_EQ(peer.expect<ack>(1), (ack{5, true}));
    peer.expect_nothing();
}

TEST_F(Publishing, TransientAndUnroutableAreConfirmedAtOnce) {
    confirm(peer);
    broker.sync_at_once = false;
    peer.publish(1, {"", "q", "transient"});
    EXPECT_EQ(peer.expect<ack>(1), (ack{1, false}));
    peer.publish(1, {"", "t", "transient queue", persistent()});
    EXPECT_EQ(peer.expect<ack>(1), (ack{2, false}));
    peer.publish(1, {"", "none", "unroutable", persistent()});
    EXPECT_EQ(peer.expect<ack>(1), (ack{3, false}));
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Publishing, TransientIsConfirmedAloneWhileAPersistentWaits) {
    confirm(peer);
    broker.sync_at_once = false;
    peer.publish(1, {"", "q", "persistent", persistent()});
    peer.publish(1, {"", "q", "transient"});
    EXPECT_EQ(peer.expect<ack>(1), (ack{2, false}));
    broker.sync();
    EXPECT_EQ(peer.expect<ack>(1), (ack{1, false}));
    peer.publish(1, {"", "q", "transient"});
    EXPECT_EQ(peer.expect<ack>(1), (ack{3, false}));
}

TEST_F(Publishing, ReturnComesBeforeAck) {
    confirm(peer);
    peer.publish(1, {"", "none", "m", {}, true});
    peer.expect_return(1);
    EXPECT_EQ(peer.expect<ack>(1), (ack{1, false}));
}

TEST_F(Publishing, ConfirmsCountFromSelectOn) {
    peer.publish(1, {"", "q", "m"});
    confirm(peer);
    confirm(peer);
    peer.publish(1, {"", "q", "m"});
    EXPECT_EQ(peer.expect<ack>(1), (ack{1, false}));
}

TEST_F(Publishing, FailedPublishIsNotConfirmed) {
    confirm(peer);
    peer.publish(1, {"none", "k", "m"});
    peer.expect_channel_error(1, publish_id, "404 no exchange 'none' in vhost '/'");
    broker.sync();
    peer.expect_nothing();
}

TEST_F(Publishing, ConfirmForALostConnectionIsForgotten) {
    client& sender = broker.connect();
    confirm(sender);
    broker.sync_at_once = false;
    sender.publish(1, {"", "q", "m", persistent()});
    sender.vanish();
    broker.sync();
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Publishing, OneRecordHoweverManyQueues) {
    declare(peer, "r", durable);
    for (const octets queue : {"q", "r", "t"}) {
        peer.send(1, bind_queue(queue, "amq.fanout", ""));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    peer.publish(1, {"amq.fanout", "", "m", persistent()});
    EXPECT_EQ(broker.journal.count("published"), 1U);
    EXPECT_EQ(broker.journal.messages.begin()->second.holders.size(), 2U);
    for (const octets queue : {"t", "q", "r"}) {
        EXPECT_EQ(broker.journal.messages.size(), 1U);
        peer.send(1, get_from(queue, true));
        peer.expect_get_ok(1);
    }
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Publishing, DeclareOkWaitsForTheDiskAndLaterInputWithIt) {
    client& other = broker.connect();
    broker.sync_at_once = false;
    peer.send(1, declare_queue("new", durable));
    peer.publish(1, {"", "new", "m"});
    peer.send(1, get_from("new"));
    peer.expect_nothing();
    EXPECT_GT(peer.unread(), 0U);
    EXPECT_EQ(broker.status("new").ready, 0U);

    other.publish(1, {"", "t", "m"});  // another connection does not wait
    other.send(1, get_from("t"));
    EXPECT_EQ(other.expect_get_ok(1).body, "m");

    broker.sync();
    EXPECT_EQ(peer.expect<amqp::queue::declare_ok>(1).queue, "new");
    EXPECT_EQ(peer.expect_get_ok(1).body, "m");
    EXPECT_EQ(peer.unread(), 0U);
}

TEST_F(Publishing, DeliveriesDoNotWaitForTheDisk) {
    start_consumer(peer, 1, "q", "c");
    broker.sync_at_once = false;
    peer.publish(1, {"", "q", "m", persistent()});
    EXPECT_EQ(peer.expect_delivery(1).body, "m");
    peer.ack(1, 1);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Publishing, HeldReplyOfALostConnectionIsForgotten) {
    client& other = broker.connect();
    broker.sync_at_once = false;
    other.send(1, declare_queue("new", durable));
    other.vanish();
    broker.sync();
    EXPECT_TRUE(broker.has_queue("new"));
}

TEST_F(Publishing, ShutDownWhileAReplyIsHeldSendsOnlyTheClose) {
    broker.sync_at_once = false;
    peer.send(1, declare_queue("new", durable));
    broker.shut_down();
    broker.sync();
    peer.expect_connection_error(
        {0, 0}, "320 broker forced connection closure with reason 'shutdown'");
    peer.expect_nothing();
}

}  // namespace
}  // namespace lovage::broker::test
