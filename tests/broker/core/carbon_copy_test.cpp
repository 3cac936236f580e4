// Rows 152, 153 and 221: the headers CC and BCC.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;

class CarbonCopies : public testing::Test {
protected:
    CarbonCopies() {
        for (const octets name : {"q", "r", "s"}) {
            declare(peer, name, durable);
        }
    }
    static amqp::basic_properties with(table headers) {
        auto properties = persistent();
        properties.content_type = "text/plain";
        properties.reply_to = "somewhere";
        properties.headers = std::move(headers);
        return properties;
    }
    void bind(octets queue, octets exchange, octets key) {
        peer.send(1, bind_queue(queue, exchange, key));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    received_message get(octets queue, where_t where = where_t::current()) {
        peer.send(1, get_from(queue, true));
        return peer.expect_get_ok(1, where);
    }
    void expect_empty(octets queue, where_t where = where_t::current()) {
        peer.send(1, get_from(queue, true));
        peer.expect<amqp::basic::get_empty>(1, where);
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(CarbonCopies, GoToFurtherKeysAndBlindOnesAreTakenOut) {
    const table headers{
        {"first", "kept"}, {"BCC", field_array{"s"}}, {"CC", field_array{"r"}}, {"last", true}};
    peer.publish(1, {"", "q", "m", with(headers)});
    for (const octets queue : {"q", "r", "s"}) {
        const auto got = get(queue);
        EXPECT_EQ(got.routing_key, "q");
        EXPECT_EQ(got.read(), with({{"first", "kept"}, {"CC", field_array{"r"}}, {"last", true}}));
    }
    EXPECT_EQ(broker.journal.count("published"), 1U);
}

TEST_F(CarbonCopies, QueueGetsOneCopyWhateverItsKeys) {
    peer.publish(
        1, {"", "q", "m", with({{"CC", field_array{"q", "r", "r"}}, {"BCC", field_array{"q"}}})});
    get("q");
    expect_empty("q");
    get("r");
    expect_empty("r");
    bind("q", "amq.topic", "a.*");
    bind("q", "amq.topic", "b.*");
    peer.publish(1, {"amq.topic", "a.1", "m", with({{"CC", field_array{"b.1", "b.2"}}})});
    get("q");
    expect_empty("q");
}

TEST_F(CarbonCopies, CountForMandatory) {
    peer.publish(1, {"", "none", "m", with({{"CC", field_array{"r"}}}), true});
    peer.expect_nothing();
    peer.publish(1, {"", "none", "m", with({{"BCC", field_array{"none"}}, {"a", "b"}}), true});
    EXPECT_EQ(peer.expect_return(1).read(), with({{"a", "b"}}));
}

TEST_F(CarbonCopies, WhatIsNoStringIsSkipped) {
    peer.publish(
        1,
        {"", "q", "m", with({{"CC", field_array{std::int32_t{1}, "r", amqp::byte_array{"s"}}}})});
    get("r");
    expect_empty("s");
}

TEST_F(CarbonCopies, OtherTypesAre406) {
    peer.publish(1, {"", "q", "m", with({{"CC", "r"}})});
    peer.expect_channel_error(
        1, {60, 40}, "406 invalid message: {unacceptable_type_in_header,\"CC\",longstr}");
    peer.publish(1, {"", "q", "m", with({{"BCC", std::int32_t{1}}})});
    peer.expect_channel_error(
        1, {60, 40}, "406 invalid message: {unacceptable_type_in_header,\"BCC\",signedint}");
    expect_empty("q");
}

TEST_F(CarbonCopies, NamesInsideOfValuesAreNoCopies) {
    const auto properties = with({{"a", table{{"CC", "x"}, {"BCC", "y"}}}, {"b", "\2CC\3BCC"}});
    peer.publish(1, {"", "q", "m", properties});
    EXPECT_EQ(get("q").read(), properties);
}

TEST_F(CarbonCopies, RouteDeadLettersAgainWithoutAKeyOfTheQueuesOwn) {
    declare(peer, "dying", {}, {{"x-dead-letter-exchange", "amq.direct"}});
    bind("q", "amq.direct", "copy");
    bind("r", "amq.direct", "dying");
    peer.publish(1, {"", "dying", "m", with({{"CC", field_array{"copy"}}})});
    peer.send(1, get_from("dying"));
    peer.nack(1, peer.expect_get_ok(1).delivery_tag, false);
    get("r");
    const auto headers = get("q").read().headers;
    EXPECT_EQ(*headers->find("CC"), field_value(field_array{"copy"}));
    const auto death = headers->find("x-death")->as<field_array>()->front();
    EXPECT_EQ(*death.as<table>()->find("routing-keys"), field_value(field_array{"dying", "copy"}));
}

}  // namespace
}  // namespace lovage::broker::test
