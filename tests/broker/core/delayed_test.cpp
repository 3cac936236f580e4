// Exchanges of type x-delayed-message: what waits, how long, and what becomes of it.
#include "broker/core/delay_line.hpp"
#include "tests/broker/core/harness.hpp"

#include <cmath>
#include <limits>

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;

constexpr amqp::method_id declare_id{40, 10};
constexpr std::int64_t hour_ms = 3'600'000;

class Delayed : public testing::Test {
protected:
    void send_declare(octets name, table arguments, declare_flags flags = durable) {
        auto method = declare_exchange(name, "x-delayed-message", flags);
        method.arguments = std::move(arguments);
        peer.send(1, method);
    }
    void make(octets name, const std::string& type = "direct", declare_flags flags = durable) {
        send_declare(name, {{"x-delayed-type", type}}, flags);
        peer.expect<amqp::exchange::declare_ok>(1);
    }
    void make_bound() {
        make("x");
        declare(peer, "q", durable);
        bind("q", "x", "k");
    }
    void bind(octets queue, octets exchange, octets key) {
        peer.send(1, bind_queue(queue, exchange, key));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    void publish(const std::string& body, table headers, const std::string& key = "k") {
        auto properties = persistent();
        properties.headers = std::move(headers);
        peer.publish(1, {"x", key, body, properties});
    }
    std::string next(octets queue = "q") {
        if (broker.status(queue).ready == 0) {
            return "nothing";
        }
        return get(queue).body;
    }
    received_message get(octets queue) {
        peer.send(1, get_from(queue, true));
        return peer.expect_get_ok(1);
    }
    std::size_t waiting(octets exchange = "x") {
        for (const exchange_status& each : broker.broker().exchange_statuses()) {
            if (each.name == exchange) {
                return each.delayed.value_or(0);
            }
        }
        return 0;
    }
    [[nodiscard]] std::int64_t now_ms() const {
        return broker.now().wall.time_since_epoch().count();
    }
    /// As the log's driver does after a restart.
    void restart() {
        const auto messages = broker.journal.messages;
        const auto queues = broker.journal.queues;
        broker.restart();
        engine& again = broker.broker();
        vhost& home = again.restore_vhost("/");
        exchange& x =
            home.restore_exchange({"x", exchange_type::direct, true, false, false, {}, true}, {});
        for (const auto& [id, found] : queues) {
            if (found.name.empty()) {
                home.restore_delay_line(x, id, found.location);
                continue;
            }
            queue_settings settings;
            settings.name = found.name;
            settings.durable = true;
            queue& q = home.restore_queue(id, settings, found.location, 0);
            home.restore_binding(x, q, "k", encode_table({}), {});
        }
        for (const auto& [id, held] : messages) {
            engine::found_message found;
            found.id = id;
            found.parts = {held.exchange, held.routing_key, held.properties, held.body};
            found.published_at_ms = held.published_at_ms;
            found.due_ms = held.due_ms;
            found.location = held.location;
            for (const auto& [holder, how] : held.holders) {
                found.holdings.push_back(how);
            }
            again.restore_message(found);
        }
        again.restore_next_ids(100, 1000);
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Delayed, MessageIsRoutedWhenItsDelayIsOver) {
    make_bound();
    publish("m", {{"x-delay", std::int32_t{1000}}});
    EXPECT_EQ(waiting(), 1U);
    EXPECT_EQ(next(), "nothing");
    EXPECT_EQ(broker.broker().next_expiry_ms(), static_cast<std::uint64_t>(now_ms()) + 1000);

    broker.advance(milliseconds{999});
    EXPECT_EQ(next(), "nothing");
    broker.advance(milliseconds{1});

    EXPECT_EQ(waiting(), 0U);
    const auto got = get("q");
    EXPECT_EQ(got.body, "m");
    EXPECT_EQ(got.exchange, "x");
    EXPECT_EQ(got.routing_key, "k");
    EXPECT_FALSE(got.redelivered);
    EXPECT_EQ(*got.read().headers->find("x-delay"), field_value(std::int32_t{-1000}));
    EXPECT_FALSE(broker.broker().next_expiry_ms());
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Delayed, WhatHasNoDelayIsRoutedAtOnceAndUnchanged) {
    make_bound();
    publish("none", {{"other", std::int32_t{1}}});
    publish("zero", {{"x-delay", std::int32_t{0}}});
    publish("negative", {{"x-delay", std::int32_t{-5}}});
    publish("word", {{"x-delay", "soon"}});
    publish("flag", {{"x-delay", true}});
    publish("past", {{"x-lovage-due", now_ms()}});
    for (const char* body : {"none", "zero", "negative", "word", "flag", "past"}) {
        EXPECT_EQ(next(), body);
    }
    publish("m", {{"x-delay", std::int32_t{-5}}});
    EXPECT_EQ(*get("q").read().headers->find("x-delay"), field_value(std::int32_t{-5}));
}

TEST_F(Delayed, DelaysMayBeAnyKindOfNumber) {
    make_bound();
    publish("byte", {{"x-delay", std::int8_t{100}}});
    publish("short", {{"x-delay", std::int16_t{101}}});
    publish("long", {{"x-delay", std::int64_t{102}}});
    publish("text", {{"x-delay", "103"}});
    publish("fraction", {{"x-delay", 104.9}});
    for (const char* body : {"byte", "short", "long", "text", "fraction"}) {
        EXPECT_EQ(next(), "nothing");
        broker.advance(milliseconds{body == std::string("byte") ? 100 : 1});
        EXPECT_EQ(next(), body);
    }
}

TEST_F(Delayed, OrderIsThatOfTheDueTimesAndThenOfPublishing) {
    make_bound();
    publish("late", {{"x-delay", std::int32_t{300}}});
    publish("early", {{"x-delay", std::int32_t{100}}});
    publish("same", {{"x-delay", std::int32_t{100}}});
    publish("middle", {{"x-lovage-due", now_ms() + 200}});
    broker.advance(milliseconds{1000});
    for (const char* body : {"early", "same", "middle", "late"}) {
        EXPECT_EQ(next(), body);
    }
}

TEST_F(Delayed, DueTimesOfSeveralExchangesAreOneOrder) {
    make_bound();
    make("y");
    bind("q", "y", "k");
    for (const std::int32_t delay : {400, 200}) {
        publish("x" + std::to_string(delay), {{"x-delay", delay}});
        auto properties = persistent();
        properties.headers = table{{"x-delay", delay - 100}};
        peer.publish(1, {"y", "k", "y" + std::to_string(delay - 100), properties});
    }
    broker.advance(milliseconds{1000});
    for (const char* body : {"y100", "x200", "y300", "x400"}) {
        EXPECT_EQ(next(), body);
    }
}

TEST_F(Delayed, AbsoluteDueTimeGoesBeforeTheDelay) {
    make_bound();
    publish("m", {{"x-delay", std::int32_t{10}}, {"x-lovage-due", now_ms() + 5000}});
    broker.advance(milliseconds{4999});
    EXPECT_EQ(next(), "nothing");
    broker.advance(milliseconds{1});
    const auto headers = *get("q").read().headers;
    EXPECT_EQ(*headers.find("x-delay"), field_value(std::int32_t{-10}));
    EXPECT_EQ(headers.find("x-lovage-due")->integer(), now_ms());
}

TEST_F(Delayed, DelaysOfYearsAndWithoutEndWait) {
    make_bound();
    publish("years", {{"x-delay", 20 * 365 * 24 * hour_ms}});
    publish("never", {{"x-delay", std::numeric_limits<std::int64_t>::max()}});
    publish("never", {{"x-lovage-due", std::numeric_limits<std::int64_t>::max()}});
    broker.advance(milliseconds{20 * 365 * 24 * hour_ms - 1});
    EXPECT_EQ(next(), "nothing");
    broker.advance(milliseconds{1});
    const auto got = get("q");
    EXPECT_EQ(got.body, "years");
    EXPECT_EQ(got.read().headers->find("x-delay")->integer(), -20 * 365 * 24 * hour_ms);
    EXPECT_EQ(waiting(), 2U);
}

TEST_F(Delayed, WhatIsBeyondAllNumbersWaitsForEver) {
    make_bound();
    publish("infinite", {{"x-delay", std::numeric_limits<double>::infinity()}});
    publish("text", {{"x-delay", "99999999999999999999"}});
    publish(
        "unsigned", {{"x-delay", amqp::unsigned_long{std::numeric_limits<std::uint64_t>::max()}}});
    EXPECT_EQ(waiting(), 3U);
    publish("no number", {{"x-delay", std::numeric_limits<double>::quiet_NaN()}});
    publish("long ago", {{"x-delay", "-99999999999999999999"}});
    publish("no text", {{"x-delay", "99999999999999999999x"}});
    EXPECT_EQ(waiting(), 3U);
    broker.advance(milliseconds{100 * 365 * 24 * hour_ms});
    EXPECT_EQ(waiting(), 3U);
}

TEST_F(Delayed, RoutesByTheTypeThatItStandsFor) {
    make("x", "topic");
    declare(peer, "q", durable);
    bind("q", "x", "a.*");
    publish("yes", {{"x-delay", std::int32_t{10}}}, "a.b");
    publish("no", {{"x-delay", std::int32_t{10}}}, "b.a");
    broker.advance(milliseconds{10});
    EXPECT_EQ(next(), "yes");
    EXPECT_EQ(next(), "nothing");
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Delayed, BindingsCountAtTheTimeWhenItIsDue) {
    make("x");
    publish("m", {{"x-delay", std::int32_t{10}}});
    declare(peer, "q", durable);
    bind("q", "x", "k");
    broker.advance(milliseconds{10});
    EXPECT_EQ(next(), "m");
}

TEST_F(Delayed, TypeMustNameAnotherType) {
    const octets text = "406 Invalid argument, 'x-delayed-type' must be an existing exchange "
                        "type";
    for (const table& arguments :
         {table{},
          table{{"x-delayed-type", std::int32_t{1}}},
          table{{"x-delayed-type", "x-delayed-message"}}}) {
        send_declare("x", arguments);
        peer.expect_channel_error(1, declare_id, text);
    }
    send_declare("x", {{"x-delayed-type", "no-such"}});
    peer.expect_connection_error(declare_id, "503 unknown exchange type 'no-such'");
}

TEST_F(Delayed, DeclaredAgainItMustBeTheSame) {
    make("x");
    make("x");
    send_declare("x", {{"x-delayed-type", "fanout"}});
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'x-delayed-type' for exchange 'x' in vhost '/': "
        "received 'fanout' but current is 'direct'");
    peer.send(1, declare_exchange("x", "direct", durable));
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'type' for exchange 'x' in vhost '/': received "
        "'direct' but current is 'x-delayed-message'");
}

TEST_F(Delayed, MandatoryIsNotReturnedWhileItWaits) {
    make("x");
    auto properties = persistent();
    properties.headers = table{{"x-delay", std::int32_t{10}}};
    peer.publish(1, {"x", "nowhere", "m", properties, true});
    peer.expect_nothing(1);
    peer.publish(1, {"x", "nowhere", "m", persistent(), true});
    EXPECT_EQ(peer.expect_return(1).reply, "312 NO_ROUTE");
}

TEST_F(Delayed, ConfirmWaitsForTheDiskWhereTheMessageIsKept) {
    make("x");
    make("transient", "direct", {});
    peer.send(1, amqp::confirm::select{});
    peer.expect<amqp::confirm::select_ok>(1);
    broker.sync_at_once = false;

    publish("m", {{"x-delay", std::int32_t{10}}});
    peer.expect_nothing(1);
    broker.sync();
    EXPECT_EQ(peer.expect<amqp::basic::ack>(1).delivery_tag, 1U);

    auto properties = persistent();
    properties.headers = table{{"x-delay", std::int32_t{10}}};
    peer.publish(1, {"transient", "k", "m", properties});
    EXPECT_EQ(peer.expect<amqp::basic::ack>(1).delivery_tag, 2U);
    properties.delivery_mode = amqp::delivery_mode_transient;
    peer.publish(1, {"x", "k", "m", properties});
    EXPECT_EQ(peer.expect<amqp::basic::ack>(1).delivery_tag, 3U);
}

TEST_F(Delayed, TimeToLiveBeginsWhenItIsDue) {
    make_bound();
    auto properties = persistent();
    properties.headers = table{{"x-delay", std::int32_t{1000}}};
    properties.expiration = "100";
    peer.publish(1, {"x", "k", "m", properties});
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 1U);
    broker.advance(milliseconds{100});
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST_F(Delayed, HiddenKeysStayHiddenAndRouteInTheEnd) {
    make_bound();
    declare(peer, "r", durable);
    bind("r", "x", "hidden");
    publish(
        "m",
        {{"x-delay", std::int32_t{10}},
         {"CC", field_array{"other"}},
         {"BCC", field_array{"hidden"}}},
        "open");
    broker.advance(milliseconds{10});
    EXPECT_EQ(next("q"), "nothing");
    const auto headers = *get("r").read().headers;
    EXPECT_EQ(headers.find("BCC"), nullptr);
    EXPECT_NE(headers.find("CC"), nullptr);
}

TEST_F(Delayed, BehindAnotherExchangeItWaitsTooAndOnlyOnce) {
    make_bound();
    make("second", "fanout");
    peer.send(1, declare_exchange("first", "fanout", durable));
    peer.expect<amqp::exchange::declare_ok>(1);
    declare(peer, "direct", durable);
    declare(peer, "end", durable);
    bind("direct", "first", "");
    bind("end", "second", "");
    peer.send(1, amqp::exchange::bind{0, "x", "first", "", false, {}});
    peer.expect<amqp::exchange::bind_ok>(1);
    peer.send(1, amqp::exchange::bind{0, "second", "x", "k", false, {}});
    peer.expect<amqp::exchange::bind_ok>(1);
    auto properties = persistent();
    properties.headers = table{{"x-delay", std::int32_t{10}}};

    peer.publish(1, {"first", "k", "m", properties});

    EXPECT_EQ(next("direct"), "m");
    EXPECT_EQ(next("q"), "nothing");
    broker.advance(milliseconds{10});
    EXPECT_EQ(next("q"), "m");
    EXPECT_EQ(next("end"), "m");
}

TEST_F(Delayed, TransactionsDelayAtTheCommit) {
    make_bound();
    peer.send(1, amqp::tx::select{});
    peer.expect<amqp::tx::select_ok>(1);
    publish("m", {{"x-delay", std::int32_t{10}}, {"BCC", field_array{"k"}}}, "other");
    EXPECT_EQ(waiting(), 0U);
    peer.send(1, amqp::tx::commit{});
    peer.expect<amqp::tx::commit_ok>(1);
    EXPECT_EQ(waiting(), 1U);
    broker.advance(milliseconds{10});
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Delayed, DeletingTheExchangeDropsWhatWaits) {
    make_bound();
    const std::size_t live = broker.journal.live();
    const std::uint64_t memory = broker.held_octets();
    publish("m", {{"x-delay", std::int32_t{10}}});
    EXPECT_GT(broker.held_octets(), memory);
    peer.send(1, amqp::exchange::delete_{0, "x", false, false});
    peer.expect<amqp::exchange::delete_ok>(1);

    EXPECT_EQ(broker.journal.live(), live - 2);  // exchange and binding
    EXPECT_EQ(broker.held_octets(), memory);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
    make("x");
    bind("q", "x", "k");
    broker.advance(milliseconds{10});
    EXPECT_EQ(next(), "nothing");
}

TEST_F(Delayed, OneEventRoutesSoMany) {
    engine_options options;
    options.due_messages_per_event = 2;
    broker_under_test small{options};
    client& user = small.connect();
    auto method = declare_exchange("x", "x-delayed-message");
    method.arguments = {{"x-delayed-type", "fanout"}};
    user.send(1, method);
    user.expect<amqp::exchange::declare_ok>(1);
    declare(user, "q");
    user.send(1, bind_queue("q", "x", ""));
    user.expect<amqp::queue::bind_ok>(1);
    amqp::basic_properties properties;
    properties.headers = table{{"x-delay", std::int32_t{10}}};
    for (int i = 0; i < 5; ++i) {
        user.publish(1, {"x", "", "m", properties});
    }

    small.advance(milliseconds{20});

    EXPECT_EQ(small.status("q").ready, 2U);
    const auto now = static_cast<std::uint64_t>(small.now().wall.time_since_epoch().count());
    EXPECT_LE(small.broker().next_expiry_ms(), now);
    small.advance(milliseconds{0});
    small.advance(milliseconds{0});
    EXPECT_EQ(small.status("q").ready, 5U);
}

TEST_F(Delayed, RestartKeepsWhatWaitsAndWhen) {
    make_bound();
    publish("second", {{"x-delay", std::int32_t{2000}}});
    publish("first", {{"x-delay", std::int32_t{1000}}});
    auto transient = persistent();
    transient.delivery_mode = amqp::delivery_mode_transient;
    transient.headers = table{{"x-delay", std::int32_t{10}}};
    peer.publish(1, {"x", "k", "lost", transient});
    broker.advance(milliseconds{5});

    restart();

    EXPECT_EQ(waiting(), 2U);
    broker.advance(milliseconds{994});
    EXPECT_EQ(broker.status("q").ready, 0U);
    broker.advance(milliseconds{1});
    EXPECT_EQ(broker.status("q").ready, 1U);
    broker.advance(milliseconds{1000});
    client& other = broker.connect();
    for (const char* body : {"first", "second"}) {
        other.send(1, get_from("q", true));
        EXPECT_EQ(other.expect_get_ok(1).body, body);
    }
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Delayed, WhatFellDueWhileTheBrokerWasDownIsRoutedAtTheFirstTick) {
    make_bound();
    publish("m", {{"x-delay", std::int32_t{1000}}});
    restart();
    broker.advance(milliseconds{hour_ms});
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Delayed, RewriteMovesWhatWaitsOutOfTheFile) {
    make_bound();
    publish("m", {{"x-delay", std::int32_t{1000}}});
    broker.journal.file = 2;

    broker.rewrite(1);

    EXPECT_EQ(broker.journal.live_in(1), 0U);
    EXPECT_EQ(
        broker.journal.messages.begin()->second.due_ms,
        static_cast<std::uint64_t>(now_ms()) + 1000);
    broker.advance(milliseconds{1000});
    EXPECT_EQ(next(), "m");
}

TEST(DelayLine, GivesTheEarliestFirst) {
    std::uint64_t account = 0;
    broker_under_test broker;
    vhost& home = broker.broker().restore_vhost("/");
    exchange& owner =
        home.restore_exchange({"x", exchange_type::direct, true, false, false, {}, true}, {});
    {
        delay_line line{home, owner};
        std::uint64_t random = 1;
        for (message_id id = 1; id <= 1000; ++id) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            line.add(message_ptr{message::create(id, {"x", "k", {}, {}}, account)}, random >> 58U);
            line.check_invariants();
        }
        std::pair<std::uint64_t, message_id> last{0, 0};
        while (line.size() != 0) {
            const std::uint64_t due = *line.next_due_ms();
            const std::pair<std::uint64_t, message_id> taken{due, (*line.pop(due))->id()};
            EXPECT_LT(last, taken);
            last = taken;
        }
    }
    EXPECT_EQ(account, 0U);
}

}  // namespace
}  // namespace lovage::broker::test
