// Rows 79 to 95 and 143 to 151: headers exchanges, bindings between exchanges, alternate exchanges.
#include "broker/core/headers_router.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;

constexpr amqp::method_id declare_id{40, 10};
constexpr amqp::method_id exchange_bind_id{40, 30};
constexpr amqp::method_id exchange_unbind_id{40, 40};
constexpr amqp::method_id queue_bind_id{50, 20};

class Routing : public testing::Test {
protected:
    void make(
        octets name,
        octets type,
        declare_flags flags = {},
        table arguments = {},
        where_t where = where_t::current()) {
        auto method = declare_exchange(name, type, flags);
        method.arguments = std::move(arguments);
        peer.send(1, method);
        peer.expect<amqp::exchange::declare_ok>(1, where);
    }
    /// Found again by a passive declaration.
    bool there(octets name) { return broker.broker().find_vhost("/")->find_exchange(name); }
    void remove(octets name) {
        peer.send(1, amqp::exchange::delete_{0, name, false, false});
        peer.expect<amqp::exchange::delete_ok>(1);
    }
    void bind(octets queue, octets exchange, octets key = "", table args = {}) {
        peer.send(1, bind_queue(queue, exchange, key, std::move(args)));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    void unbind(octets queue, octets exchange, octets key = "", table args = {}) {
        peer.send(1, unbind_queue(queue, exchange, key, std::move(args)));
        peer.expect<amqp::queue::unbind_ok>(1);
    }
    void join(octets source, octets target, octets key = "", table args = {}) {
        peer.send(1, amqp::exchange::bind{0, target, source, key, false, std::move(args)});
        peer.expect<amqp::exchange::bind_ok>(1);
    }
    void part(octets source, octets target, octets key = "") {
        peer.send(1, amqp::exchange::unbind{0, target, source, key, false, {}});
        peer.expect<amqp::exchange::unbind_ok>(1);
    }
    /// How many copies of a message the queue "q" gets.
    std::size_t copies(const std::string& exchange, const std::string& key, table headers = {}) {
        amqp::basic_properties properties;
        if (!headers.empty()) {
            properties.headers = std::move(headers);
        }
        const std::size_t before = broker.status("q").ready;
        peer.publish(1, {exchange, key, "m", properties});
        return broker.status("q").ready - before;
    }
    /// Does a headers exchange with this binding let these headers through?
    bool lets_through(const table& arguments, const table& headers) {
        bind("q", "amq.headers", "", arguments);
        const bool through = copies("amq.headers", "any", headers) == 1;
        unbind("q", "amq.headers", "", arguments);
        return through;
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

class HeadersExchange : public Routing {
protected:
    HeadersExchange() { declare(peer, "q"); }
};

TEST_F(HeadersExchange, PredeclaredAreThere) {
    make("amq.headers", "headers", durable);
    make("amq.match", "headers", durable);
    make("amq.rabbitmq.trace", "topic", {.durable = true, .internal = true});
    EXPECT_EQ(broker.journal.records.size(), 0U);
}

TEST_F(HeadersExchange, AllWantsEveryArgument) {
    const table wanted{{"x-match", "all"}, {"format", "pdf"}, {"n", std::int32_t{5}}};
    EXPECT_TRUE(lets_through(wanted, {{"n", std::int32_t{5}}, {"format", "pdf"}, {"more", true}}));
    EXPECT_FALSE(lets_through(wanted, {{"format", "pdf"}}));
    EXPECT_FALSE(lets_through(wanted, {{"format", "zip"}, {"n", std::int32_t{5}}}));
    EXPECT_FALSE(lets_through(wanted, {}));
    EXPECT_TRUE(lets_through({{"format", "pdf"}}, {{"format", "pdf"}}));  // without x-match
}

TEST_F(HeadersExchange, AnyWantsOneArgument) {
    const table wanted{{"x-match", "any"}, {"format", "pdf"}, {"n", std::int32_t{5}}};
    EXPECT_TRUE(lets_through(wanted, {{"format", "zip"}, {"n", std::int32_t{5}}}));
    EXPECT_TRUE(lets_through(wanted, {{"format", "pdf"}}));
    EXPECT_FALSE(lets_through(wanted, {{"format", "zip"}, {"n", std::int32_t{6}}}));
    EXPECT_FALSE(lets_through(wanted, {}));
}

TEST_F(HeadersExchange, NothingToCompareIsAllOfItAndNotAnyOfIt) {
    for (const table& arguments : {table{}, table{{"x-match", "all"}}, table{{"x-foo", "bar"}}}) {
        EXPECT_TRUE(lets_through(arguments, {}));
        EXPECT_TRUE(lets_through(arguments, {{"a", true}}));
    }
    EXPECT_FALSE(lets_through({{"x-match", "any"}, {"x-foo", "bar"}}, {{"x-foo", "bar"}}));
}

TEST_F(HeadersExchange, ArgumentsWithXAreComparedOnlyWhenAskedFor) {
    const table headers{{"x-a", "1"}, {"b", "2"}};
    EXPECT_TRUE(lets_through({{"x-match", "all"}, {"x-a", "other"}, {"b", "2"}}, headers));
    EXPECT_FALSE(lets_through({{"x-match", "all-with-x"}, {"x-a", "other"}, {"b", "2"}}, headers));
    EXPECT_TRUE(lets_through({{"x-match", "all-with-x"}, {"x-a", "1"}, {"b", "2"}}, headers));
    EXPECT_FALSE(lets_through({{"x-match", "any"}, {"x-a", "1"}, {"b", "3"}}, headers));
    EXPECT_TRUE(lets_through({{"x-match", "any-with-x"}, {"x-a", "1"}, {"b", "3"}}, headers));
}

TEST_F(HeadersExchange, FirstOfRepeatedHeadersCounts) {
    table headers;
    headers.add("a", "first");
    headers.add("a", "second");
    EXPECT_TRUE(lets_through({{"a", "first"}}, headers));
    EXPECT_FALSE(lets_through({{"a", "second"}}, headers));
}

TEST_F(HeadersExchange, BindingsDifferByArgumentsAndKeys) {
    bind("q", "amq.headers", "one", {{"a", "1"}});
    bind("q", "amq.headers", "two", {{"a", "1"}});
    bind("q", "amq.headers", "one", {{"b", "1"}});
    EXPECT_EQ(copies("amq.headers", "", {{"a", "1"}, {"b", "1"}}), 1U);
    unbind("q", "amq.headers", "one", {{"a", "1"}});
    EXPECT_EQ(copies("amq.headers", "", {{"a", "1"}}), 1U);
    unbind("q", "amq.headers", "two", {{"a", "1"}});
    EXPECT_EQ(copies("amq.headers", "", {{"a", "1"}}), 0U);
    EXPECT_EQ(copies("amq.headers", "", {{"b", "1"}}), 1U);
}

TEST_F(HeadersExchange, WrongMatchIs406) {
    peer.send(1, bind_queue("q", "amq.headers", "", {{"x-match", "foo"}}));
    peer.expect_channel_error(
        1,
        queue_bind_id,
        "406 Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or "
        "any-with-x");
    peer.send(1, bind_queue("q", "amq.headers", "", {{"x-match", std::int32_t{3}}}));
    peer.expect_channel_error(
        1, queue_bind_id, "406 Invalid x-match field type signedint (value 3); expected longstr");
    peer.send(
        1, amqp::exchange::bind{0, "amq.fanout", "amq.headers", "", false, {{"x-match", "none"}}});
    peer.expect_channel_error(
        1,
        exchange_bind_id,
        "406 Invalid x-match field value <<\"none\">>; expected all, any, all-with-x, or "
        "any-with-x");
    bind("q", "amq.fanout", "", {{"x-match", "foo"}});  // no concern of other exchanges
}

TEST(HeaderMatch, ComparesByValue) {
    const auto equal = [](const field_value& a, const field_value& b) {
        EXPECT_EQ(header_matches(a, b), header_matches(b, a));
        return header_matches(a, b);
    };
    EXPECT_TRUE(equal(std::int8_t{1}, amqp::unsigned_long{1}));
    EXPECT_TRUE(equal(std::int32_t{1}, 1.0));
    EXPECT_TRUE(equal(1.5F, 1.5));
    EXPECT_FALSE(equal(std::int32_t{1}, 1.5));
    EXPECT_FALSE(equal(std::int64_t{9007199254740993}, 9007199254740992.0));
    EXPECT_TRUE(equal("text", amqp::byte_array{"text"}));
    EXPECT_FALSE(equal("1", std::int32_t{1}));
    EXPECT_FALSE(equal(true, std::int32_t{1}));
    EXPECT_TRUE(equal(true, true));
    EXPECT_TRUE(equal(field_array{"a", true}, field_array{"a", true}));
    EXPECT_FALSE(equal(field_array{"a"}, field_array{"a", true}));
    EXPECT_TRUE(equal(table{{"a", "b"}}, table{{"a", "b"}}));
    EXPECT_TRUE(header_matches(field_value{}, "anything"));
    EXPECT_FALSE(header_matches("anything", field_value{}));
}

class ExchangeBindings : public Routing {
protected:
    ExchangeBindings() { declare(peer, "q", durable); }
};

TEST_F(ExchangeBindings, MessageGoesOnByTheSecondExchangesRules) {
    make("first", "topic");
    make("second", "direct");
    join("first", "second", "a.#");
    bind("q", "second", "a.b");
    EXPECT_EQ(copies("first", "a.b"), 1U);
    EXPECT_EQ(copies("first", "a.c"), 0U);
    EXPECT_EQ(copies("first", "b"), 0U);

    peer.send(1, get_from("q", true));
    const auto got = peer.expect_get_ok(1);
    EXPECT_EQ(got.exchange, "first");
    EXPECT_EQ(got.routing_key, "a.b");

    part("first", "second", "a.#");
    EXPECT_EQ(copies("first", "a.b"), 0U);
}

TEST_F(ExchangeBindings, CyclesEndWithOneCopy) {
    for (const octets name : {"a", "b", "c"}) {
        make(name, "fanout");
        bind("q", name);
    }
    for (const octets source : {"a", "b", "c"}) {
        for (const octets target : {"a", "b", "c"}) {
            join(source, target);
        }
    }
    EXPECT_EQ(copies("a", ""), 1U);
}

TEST_F(ExchangeBindings, HeadersAreLookedAtAlongTheWay) {
    join("amq.fanout", "amq.headers");
    bind("q", "amq.headers", "", {{"a", "1"}});
    EXPECT_EQ(copies("amq.fanout", "", {{"a", "1"}}), 1U);
    EXPECT_EQ(copies("amq.fanout", "", {{"a", "2"}}), 0U);
}

TEST_F(ExchangeBindings, InternalExchangeIsReachedByBindingsOnly) {
    make("inside", "fanout", {.internal = true});
    bind("q", "inside");
    join("amq.direct", "inside", "k");
    EXPECT_EQ(copies("amq.direct", "k"), 1U);
    peer.publish(1, {"inside", "", "m"});
    peer.expect_channel_error(
        1, {60, 40}, "403 cannot publish to internal exchange 'inside' in vhost '/'");
}

TEST_F(ExchangeBindings, QueueAndExchangeOfOneNameAreTwoTargets) {
    make("q", "fanout");
    declare(peer, "r");
    bind("r", "q");
    bind("q", "amq.direct", "k");
    join("amq.direct", "q", "k");
    EXPECT_EQ(copies("amq.direct", "k"), 1U);
    EXPECT_EQ(broker.status("r").ready, 1U);
    unbind("q", "amq.direct", "k");
    EXPECT_EQ(copies("amq.direct", "k"), 0U);
    EXPECT_EQ(broker.status("r").ready, 2U);
}

TEST_F(ExchangeBindings, ErrorsNameWhatIsWrong) {
    const auto refused = [&](octets source, octets target, const std::string& text) {
        peer.send(1, amqp::exchange::bind{0, target, source, "", false, {}});
        peer.expect_channel_error(1, exchange_bind_id, text);
    };
    refused("none", "amq.fanout", "404 no exchange 'none' in vhost '/'");
    refused("amq.fanout", "none", "404 no exchange 'none' in vhost '/'");
    refused("none", "nothing", "404 no exchange 'none' in vhost '/'");
    const octets forbidden = "403 operation not permitted on the default exchange";
    refused("", "amq.fanout", std::string(forbidden));
    refused("amq.fanout", "", std::string(forbidden));
    part("none", "amq.fanout");
    part("amq.fanout", "none");
    part("amq.fanout", "amq.direct");
    peer.send(1, amqp::exchange::unbind{0, "amq.fanout", "", "", false, {}});
    peer.expect_channel_error(1, exchange_unbind_id, forbidden);
}

TEST_F(ExchangeBindings, NowaitIsNotAnswered) {
    peer.send(1, amqp::exchange::bind{0, "amq.fanout", "amq.direct", "k", true, {}});
    bind("q", "amq.fanout");
    EXPECT_EQ(copies("amq.direct", "k"), 1U);
    peer.send(1, amqp::exchange::unbind{0, "amq.fanout", "amq.direct", "k", true, {}});
    EXPECT_EQ(copies("amq.direct", "k"), 0U);
    peer.expect_nothing();
}

TEST_F(ExchangeBindings, DurableOnesAreWrittenOnceAndTakenBack) {
    make("kept", "fanout", durable);
    make("lost", "fanout");
    join("amq.direct", "kept", "k");
    join("amq.direct", "kept", "k");
    join("amq.direct", "lost", "k");
    join("lost", "kept");
    EXPECT_EQ(broker.journal.count("bound"), 1U);
    EXPECT_EQ(broker.journal.count("bound amq.direct kept k"), 1U);
    const std::size_t live = broker.journal.live();

    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    EXPECT_EQ(broker.journal.live(), live);

    part("amq.direct", "kept", "k");
    EXPECT_EQ(broker.journal.count("unbound amq.direct kept k"), 1U);
    EXPECT_EQ(broker.journal.live(), live - 1);
}

TEST_F(ExchangeBindings, DeletedExchangeTakesBothSidesAlong) {
    make("middle", "fanout", durable);
    join("amq.direct", "middle", "k");
    join("middle", "amq.fanout");
    bind("q", "amq.fanout");
    EXPECT_EQ(copies("amq.direct", "k"), 1U);
    const std::size_t live = broker.journal.live();

    remove("middle");

    EXPECT_EQ(copies("amq.direct", "k"), 0U);
    EXPECT_EQ(broker.journal.live(), live - 3);
    make("middle", "fanout", durable);
    EXPECT_EQ(copies("amq.direct", "k"), 0U);
}

TEST_F(ExchangeBindings, DeleteIfUnusedLooksAtBindingsFromItOnly) {
    make("x", "fanout");
    join("amq.direct", "x", "k");
    peer.send(1, amqp::exchange::delete_{0, "x", true, false});
    peer.expect<amqp::exchange::delete_ok>(1);
    make("x", "fanout");
    join("x", "amq.direct", "k");
    peer.send(1, amqp::exchange::delete_{0, "x", true, false});
    peer.expect_channel_error(1, {40, 20}, "406 exchange 'x' in vhost '/' in use");
}

TEST_F(ExchangeBindings, AutoDeleteGoesWithItsLastBindingAsSource) {
    make("x", "fanout", {.auto_delete = true});
    make("y", "fanout", {.auto_delete = true});
    join("amq.direct", "x", "k");  // leads to it: does not count
    join("x", "y");
    bind("q", "y");
    part("amq.direct", "x", "k");
    EXPECT_TRUE(there("x"));

    unbind("q", "y");  // y goes, and with it x's only binding

    EXPECT_FALSE(there("y"));
    EXPECT_FALSE(there("x"));
}

TEST_F(ExchangeBindings, LongChainOfAutoDeleteExchangesGoesAtOnce) {
    constexpr int length = 20'000;
    std::string before = "amq.fanout";
    std::vector<std::string> names;
    for (int i = 0; i < length; ++i) {
        names.push_back("x" + std::to_string(i));
        peer.send(
            1, declare_exchange(names.back(), "fanout", {.auto_delete = true, .no_wait = true}));
        if (i > 0) {
            peer.send(
                1, amqp::exchange::bind{0, names.back(), names[names.size() - 2], "", true, {}});
        }
    }
    bind("q", names.back());
    EXPECT_EQ(copies(names.front(), ""), 1U);

    peer.send(1, delete_queue("q"));
    peer.expect<amqp::queue::delete_ok>(1);

    EXPECT_FALSE(there(names.front()));
    EXPECT_FALSE(there(names.back()));
}

TEST_F(ExchangeBindings, AreRestored) {
    vhost& home = *broker.broker().find_vhost("/");
    exchange& target = home.restore_exchange({"x", exchange_type::headers, true, {}, {}, {}}, {});
    home.restore_binding(*home.find_exchange("amq.direct"), target, "k", encode_table({}), {});
    home.restore_binding(target, *home.find_queue("q"), "", encode_table({{"a", "1"}}), {});
    EXPECT_EQ(copies("amq.direct", "k", {{"a", "1"}}), 1U);
    EXPECT_EQ(copies("amq.direct", "k", {{"a", "2"}}), 0U);
}

class AlternateExchange : public Routing {
protected:
    AlternateExchange() {
        declare(peer, "q");
        declare(peer, "other");
    }
};

TEST_F(AlternateExchange, TakesWhatHasNoRoute) {
    make("x", "direct", {}, {{"alternate-exchange", "amq.fanout"}});
    bind("other", "x", "known");
    bind("q", "amq.fanout");
    EXPECT_EQ(copies("x", "known"), 0U);
    EXPECT_EQ(copies("x", "unknown"), 1U);
    peer.send(1, get_from("q", true));
    EXPECT_EQ(peer.expect_get_ok(1).exchange, "x");
    peer.publish(1, {"x", "unknown", "m", {}, true});
    peer.expect_nothing();
}

TEST_F(AlternateExchange, MayBeMissingAndComeLater) {
    make("x", "direct", {}, {{"alternate-exchange", "later"}});
    peer.publish(1, {"x", "k", "m", {}, true});
    const auto back = peer.expect_return(1);
    EXPECT_EQ(back.reply, "312 NO_ROUTE");
    EXPECT_EQ(back.exchange, "x");
    make("later", "fanout", {.internal = true});
    peer.publish(1, {"x", "k", "m", {}, true});
    EXPECT_EQ(peer.expect_return(1).exchange, "x");
    bind("q", "later");
    EXPECT_EQ(copies("x", "k"), 1U);
}

TEST_F(AlternateExchange, CyclesEnd) {
    make("x", "direct", {}, {{"alternate-exchange", "y"}});
    make("y", "direct", {}, {{"alternate-exchange", "x"}});
    make("self", "direct", {}, {{"alternate-exchange", "self"}});
    EXPECT_EQ(copies("x", "k"), 0U);
    EXPECT_EQ(copies("self", "k"), 0U);
    bind("q", "y", "k");
    EXPECT_EQ(copies("x", "k"), 1U);
}

TEST_F(AlternateExchange, IsComparedOnRedeclaration) {
    make("x", "direct", {}, {{"alternate-exchange", "a"}});
    make("x", "direct", {}, {{"alternate-exchange", "a"}, {"x-other", true}});
    make("plain", "direct");
    const auto differs = [&](octets name, table arguments, const std::string& text) {
        auto method = declare_exchange(name, "direct");
        method.arguments = std::move(arguments);
        peer.send(1, method);
        peer.expect_channel_error(
            1,
            declare_id,
            "406 inequivalent arg 'alternate-exchange' for exchange '" + std::string(name) +
                "' in vhost '/': " + text);
    };
    differs("x", {{"alternate-exchange", "b"}}, "received 'b' but current is 'a'");
    differs("x", {}, "received none but current is the value 'a' of type 'longstr'");
    differs(
        "plain",
        {{"alternate-exchange", "a"}},
        "received the value 'a' of type 'longstr' but current is none");
}

TEST_F(AlternateExchange, MustBeAString) {
    auto method = declare_exchange("x", "direct");
    method.arguments = {{"alternate-exchange", std::int32_t{1}}};
    peer.send(1, method);
    peer.expect_channel_error(
        1,
        declare_id,
        "406 invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'");
    EXPECT_FALSE(there("x"));
}

}  // namespace
}  // namespace lovage::broker::test
