// Rows 79 to 96 and 137 to 150: exchanges, bindings and routing.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

constexpr amqp::method_id declare_id{40, 10};
constexpr amqp::method_id delete_id{40, 20};
constexpr amqp::method_id bind_id{50, 20};
constexpr amqp::method_id unbind_id{50, 50};

class Exchanges : public testing::Test {
protected:
    void make(
        octets name,
        octets type,
        declare_flags flags = {},
        where_t where = where_t::current()) {
        peer.send(1, declare_exchange(name, type, flags));
        peer.expect<amqp::exchange::declare_ok>(1, where);
    }
    void remove(octets name, bool if_unused = false) {
        peer.send(1, amqp::exchange::delete_{0, name, if_unused, false});
    }
    void bind(octets queue, octets exchange, octets key, amqp::table args = {}) {
        peer.send(1, bind_queue(queue, exchange, key, std::move(args)));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    void unbind(octets queue, octets exchange, octets key, amqp::table args = {}) {
        peer.send(1, unbind_queue(queue, exchange, key, std::move(args)));
        peer.expect<amqp::queue::unbind_ok>(1);
    }
    /// How many copies of a message a queue gets.
    std::size_t copies(const std::string& exchange, const std::string& key, octets queue) {
        const std::size_t before = broker.status(queue).ready;
        peer.publish(1, {exchange, key, "m"});
        return broker.status(queue).ready - before;
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Exchanges, PredeclaredAreThere) {
    for (const char* type : {"direct", "fanout", "topic"}) {
        make("amq." + std::string(type), type, durable);
        make("amq." + std::string(type), "", {.passive = true});
    }
    EXPECT_EQ(broker.journal.records.size(), 0U);
}

TEST_F(Exchanges, DeclareAgainEqualIsAnswered) {
    make("x", "direct", {.durable = true, .auto_delete = true, .internal = true});
    make("x", "direct", {.durable = true, .auto_delete = true, .internal = true});
    EXPECT_EQ(broker.journal.count("exchange_declared x"), 1U);
}

TEST_F(Exchanges, DeclareNowaitIsNotAnswered) {
    peer.send(1, declare_exchange("x", "direct", {.no_wait = true}));
    peer.expect_nothing();
    make("x", "direct");
}

TEST_F(Exchanges, DeclareDifferentlyNamesTheFirstDifference) {
    make("x", "direct");
    const auto differs = [&](octets type, declare_flags flags, const std::string& text) {
        peer.send(1, declare_exchange("x", type, flags));
        peer.expect_channel_error(1, declare_id, "406 inequivalent arg " + text);
    };
    differs(
        "fanout",
        durable,
        "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'");
    differs(
        "direct",
        {.durable = true, .auto_delete = true},
        "'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'");
    differs(
        "direct",
        {.auto_delete = true, .internal = true},
        "'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'");
    differs(
        "direct",
        {.internal = true},
        "'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'");
}

TEST_F(Exchanges, UnknownTypeIs503) {
    for (const octets type : {"Direct", "", "bogus"}) {
        client& other = broker.connect();
        other.send(1, declare_exchange("x", type));
        other.expect_connection_error(
            declare_id, "503 unknown exchange type '" + std::string(type) + "'");
    }
}

TEST_F(Exchanges, PassiveDeclareOfAMissingOneIs404) {
    peer.send(1, declare_exchange("x", "direct", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no exchange 'x' in vhost '/'");
    peer.send(1, declare_exchange("amq.mine", "direct", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no exchange 'amq.mine' in vhost '/'");
}

TEST_F(Exchanges, PassiveDeclareLooksAtTheNameOnly) {
    make("x", "direct", durable);
    make("x", "bogus", {.passive = true, .internal = true});
}

TEST_F(Exchanges, ReservedPrefixIs403) {
    peer.send(1, declare_exchange("amq.mine", "direct"));
    peer.expect_channel_error(
        1, declare_id, "403 exchange name 'amq.mine' contains reserved prefix 'amq.*'");
}

TEST_F(Exchanges, PredeclaredDifferentlyIs406) {
    peer.send(1, declare_exchange("amq.direct", "direct"));
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'durable' for exchange 'amq.direct' in vhost '/': received 'false' "
        "but current is 'true'");
}

TEST_F(Exchanges, DefaultExchangeMustNotBeTouched) {
    const octets text = "403 operation not permitted on the default exchange";
    declare(peer, "q");
    peer.send(1, declare_exchange("", "direct"));
    peer.expect_channel_error(1, declare_id, text);
    peer.send(1, declare_exchange("", "direct", {.passive = true}));
    peer.expect_channel_error(1, declare_id, text);
    remove("");
    peer.expect_channel_error(1, delete_id, text);
    peer.send(1, bind_queue("q", "", "k"));
    peer.expect_channel_error(1, bind_id, text);
    peer.send(1, unbind_queue("q", "", "k"));
    peer.expect_channel_error(1, unbind_id, text);
}

TEST_F(Exchanges, DeleteOfAMissingOneIsAnswered) {
    remove("x");
    peer.expect<amqp::exchange::delete_ok>(1);
    remove("x", true);
    peer.expect<amqp::exchange::delete_ok>(1);
}

TEST_F(Exchanges, DeleteOfASystemExchangeIs403) {
    for (const char* name : {"amq.direct", "amq.nothing"}) {
        remove(name);
        peer.expect_channel_error(
            1,
            delete_id,
            "403 deletion of system exchange '" + std::string(name) + "' in vhost '/' not allowed");
    }
}

TEST_F(Exchanges, DeleteIfUnusedLooksAtBindings) {
    make("x", "direct");
    declare(peer, "q");
    bind("q", "x", "k");
    remove("x", true);
    peer.expect_channel_error(1, delete_id, "406 exchange 'x' in vhost '/' in use");
    unbind("q", "x", "k");
    remove("x", true);
    peer.expect<amqp::exchange::delete_ok>(1);
}

TEST_F(Exchanges, DeleteTakesBindingsAlong) {
    make("x", "direct", durable);
    declare(peer, "q", durable);
    bind("q", "x", "k");

    remove("x");
    peer.expect<amqp::exchange::delete_ok>(1);

    make("x", "direct", durable);
    EXPECT_EQ(copies("x", "k", "q"), 0U);
    EXPECT_EQ(broker.journal.count("unbound x q k"), 1U);
    EXPECT_EQ(broker.journal.live(), 2U);
}

TEST_F(Exchanges, PublishToAnInternalOneIs403) {
    make("x", "fanout", {.internal = true});
    peer.publish(1, {"x", "k", "m"});
    peer.expect_channel_error(
        1, {60, 40}, "403 cannot publish to internal exchange 'x' in vhost '/'");
}

TEST_F(Exchanges, AutoDeleteGoesWithTheLastBinding) {
    make("x", "direct", {.durable = true, .auto_delete = true});
    declare(peer, "q", durable);
    bind("q", "x", "a");
    bind("q", "x", "b");

    unbind("q", "x", "a");
    make("x", "direct", {.passive = true});
    unbind("q", "x", "b");

    peer.send(1, declare_exchange("x", "direct", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no exchange 'x' in vhost '/'");
    EXPECT_EQ(broker.journal.live(), 1U);
}

TEST_F(Exchanges, AutoDeleteGoesWithTheLastQueue) {
    make("x", "topic", {.durable = true, .auto_delete = true});
    declare(peer, "q", durable);
    bind("q", "x", "a.#");
    bind("q", "x", "b");

    peer.send(1, delete_queue("q"));
    peer.expect<amqp::queue::delete_ok>(1);

    peer.send(1, declare_exchange("x", "topic", {.passive = true}));
    peer.expect_channel_error(1, declare_id, "404 no exchange 'x' in vhost '/'");
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Exchanges, LineBreaksAreTakenOutOfNames) {
    make("a\r\nb", "direct");
    make("ab", "", {.passive = true});
    EXPECT_EQ(declare(peer, "q\n1").queue, "q1");
    bind("q\r1", "a\nb", "k");
    EXPECT_EQ(copies("ab", "k", "q1"), 1U);
}

TEST_F(Exchanges, BindNamesWhatIsMissing) {
    declare(peer, "q");
    peer.send(1, bind_queue("none", "amq.direct", "k"));
    peer.expect_channel_error(1, bind_id, "404 no queue 'none' in vhost '/'");
    peer.send(1, bind_queue("q", "none", "k"));
    peer.expect_channel_error(1, bind_id, "404 no exchange 'none' in vhost '/'");
    peer.send(1, bind_queue("none", "none too", "k"));
    peer.expect_channel_error(1, bind_id, "404 no exchange 'none too' in vhost '/'");
}

TEST_F(Exchanges, UnbindOfAnythingMissingIsAnswered) {
    declare(peer, "q");
    unbind("none", "amq.direct", "k");
    unbind("q", "none", "k");
    unbind("q", "amq.direct", "k");
}

TEST_F(Exchanges, SameBindingTwiceIsOne) {
    declare(peer, "q", durable);
    bind("q", "amq.direct", "k");
    bind("q", "amq.direct", "k");
    EXPECT_EQ(copies("amq.direct", "k", "q"), 1U);
    EXPECT_EQ(broker.journal.count("bound"), 1U);

    unbind("q", "amq.direct", "k");

    EXPECT_EQ(copies("amq.direct", "k", "q"), 0U);
}

TEST_F(Exchanges, BindingsWithOtherArgumentsAreOthers) {
    for (const octets exchange : {"amq.direct", "amq.fanout", "amq.topic"}) {
        declare(peer, "q", durable);
        bind("q", exchange, "k");
        bind("q", exchange, "k", {{"x", std::int32_t{1}}});
        EXPECT_EQ(copies(std::string(exchange), "k", "q"), 1U);
        unbind("q", exchange, "k");
        EXPECT_EQ(copies(std::string(exchange), "k", "q"), 1U);
        unbind("q", exchange, "k", {{"x", std::int32_t{1}}});
        EXPECT_EQ(copies(std::string(exchange), "k", "q"), 0U);
    }
}

TEST_F(Exchanges, SeveralMatchingBindingsGiveOneCopy) {
    declare(peer, "q");
    bind("q", "amq.topic", "#");
    bind("q", "amq.topic", "a.*");
    bind("q", "amq.topic", "*.b");
    EXPECT_EQ(copies("amq.topic", "a.b", "q"), 1U);
}

TEST_F(Exchanges, DefaultExchangeRoutesByQueueName) {
    declare(peer, "q");
    EXPECT_EQ(copies("", "q", "q"), 1U);
    EXPECT_EQ(copies("", "", "q"), 0U);
    EXPECT_EQ(copies("", "Q", "q"), 0U);
}

TEST_F(Exchanges, DirectAndFanoutRoute) {
    declare(peer, "a");
    declare(peer, "b");
    bind("a", "amq.direct", "k");
    bind("b", "amq.direct", "k");
    bind("b", "amq.direct", "l");
    bind("a", "amq.fanout", "ignored");
    peer.publish(1, {"amq.direct", "k", "1"});
    peer.publish(1, {"amq.direct", "l", "2"});
    peer.publish(1, {"amq.direct", "", "3"});
    peer.publish(1, {"amq.fanout", "any", "4"});
    EXPECT_EQ(broker.status("a").ready, 2U);
    EXPECT_EQ(broker.status("b").ready, 2U);
}

TEST_F(Exchanges, QueueThatIsGoneIsNoTarget) {
    for (const octets exchange : {"amq.direct", "amq.fanout", "amq.topic"}) {
        declare(peer, "gone");
        bind("gone", exchange, "k");
        peer.send(1, delete_queue("gone"));
        peer.expect<amqp::queue::delete_ok>(1);
        peer.publish(1, {std::string(exchange), "k", "m", {}, true});
        EXPECT_EQ(peer.expect_return(1).reply, "312 NO_ROUTE");
    }
}

TEST_F(Exchanges, BindingOfADurableQueueToATransientExchangeIsNotKept) {
    make("x", "direct");
    declare(peer, "q", durable);
    bind("q", "x", "k");
    EXPECT_EQ(broker.journal.count("bound"), 0U);
    unbind("q", "x", "k");
    EXPECT_EQ(broker.journal.count("unbound"), 0U);
}

}  // namespace
}  // namespace lovage::broker::test
