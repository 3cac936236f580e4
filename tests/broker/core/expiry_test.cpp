// Messages that expire behind others that live on.
#include "tests/broker/core/harness.hpp"

#include <random>

namespace lovage::broker::test {
namespace {

using bodies = std::vector<std::string>;
using std::chrono::milliseconds;

class Expiry : public testing::Test {
protected:
    void SetUp() override {
        declare(peer, "dead", durable);
        declare(peer, "q", durable, dead_letters());
    }
    static amqp::table dead_letters(amqp::table more = {}) {
        more.set("x-dead-letter-exchange", "");
        more.set("x-dead-letter-routing-key", "dead");
        return more;
    }
    void publish(
        const std::string& body,
        std::optional<int> expiration,
        octets to = "q",
        std::uint8_t priority = 0) {
        auto properties = persistent();
        if (expiration) {
            properties.expiration = std::to_string(*expiration);
        }
        properties.priority = priority;
        peer.publish(1, {"", std::string(to), body, properties});
    }
    bodies drain(octets queue) {
        bodies out;
        while (broker.status(queue).ready != 0) {
            peer.send(1, get_from(queue, true));
            out.push_back(peer.expect_get_ok(1).body);
        }
        return out;
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Expiry, HappensBehindMessagesThatLiveLonger) {
    publish("for ever", {});
    publish("long", 60'000);
    publish("short", 100);
    publish("shorter", 50);
    EXPECT_EQ(broker.broker().next_expiry_ms(), broker.broker().wall_ms() + 50);

    broker.advance(milliseconds{100});

    EXPECT_EQ(drain("dead"), (bodies{"shorter", "short"}));
    EXPECT_EQ(drain("q"), (bodies{"for ever", "long"}));
}

TEST_F(Expiry, HappensInQueuesWithPrioritiesAndATimeToLive) {
    declare(
        peer,
        "p",
        durable,
        dead_letters({{"x-max-priority", std::int32_t{5}}, {"x-message-ttl", std::int32_t{1000}}}));
    publish("low", {}, "p", 1);
    broker.advance(milliseconds{500});
    publish("high", {}, "p", 9);

    broker.advance(milliseconds{500});

    EXPECT_EQ(drain("dead"), bodies{"low"});
    EXPECT_EQ(drain("p"), bodies{"high"});
}

TEST_F(Expiry, MessageThatCameBackStillExpires) {
    publish("first", {});
    publish("second", 1000);
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    peer.send(1, get_from("q"));
    const auto second = peer.expect_get_ok(1);
    broker.advance(milliseconds{500});
    peer.nack(1, second.delivery_tag - 1, true);
    peer.nack(1, second.delivery_tag, true);

    broker.advance(milliseconds{500});

    EXPECT_EQ(drain("dead"), bodies{"second"});
    EXPECT_EQ(drain("q"), bodies{"first"});
}

TEST_F(Expiry, DeadlinesOfMessagesThatAreGoneDoNotMatter) {
    std::mt19937 random{1};
    for (int round = 0; round < 2000; ++round) {
        publish("x", 1 + static_cast<int>(random() % 500));
        if (random() % 2 == 0) {
            peer.send(1, get_from("q", true));
            peer.discard();
        }
        if (random() % 10 == 0) {
            broker.advance(milliseconds{20});
            broker.broker().check_invariants();
        }
        if (random() % 400 == 0) {
            peer.send(1, amqp::queue::purge{0, "q", true});
        }
    }
    broker.advance(milliseconds{500});
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.broker().next_expiry_ms(), std::nullopt);
}

TEST_F(Expiry, ManyInTheMiddleGoTogetherInTheOrderOfTheirTimes) {
    publish("first", std::nullopt);
    for (int i = 0; i < 100; ++i) {
        publish(std::to_string(i), 1000 - i % 7);
        publish("stays", std::nullopt);
    }
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 101U);
    EXPECT_EQ(broker.status("dead").ready, 100U);
    const bodies dead = drain("dead");  // those with the shortest life first
    EXPECT_EQ(dead.front(), "6");
    EXPECT_EQ(dead.back(), "98");
    EXPECT_EQ(drain("q").size(), 101U);
}

TEST(ExpiryOfVeryMany, IsSpreadOverEvents) {
    engine_options options;
    options.expired_per_event = 20;
    broker_under_test broker{options};
    client& peer = broker.connect();
    declare(peer, "q");
    peer.publish(1, {"", "q", "first"});
    auto expiring = persistent();
    expiring.expiration = "10";
    for (int i = 0; i < 50; ++i) {
        peer.publish(1, {"", "q", "m", expiring});
    }
    broker.advance(milliseconds{10});
    EXPECT_EQ(broker.status("q").ready, 31U);
    // The next event may come at once.
    EXPECT_LE(
        *broker.broker().next_expiry_ms(),
        static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count()));
    broker.advance(milliseconds{0});
    broker.advance(milliseconds{0});
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.broker().next_expiry_ms(), std::nullopt);
}

TEST(ExpiryInALongQueue, ComesInStepsOfATenthOfASecond) {
    broker_under_test broker;
    client& peer = broker.connect();
    declare(peer, "q");
    for (int i = 0; i < 10'000; ++i) {
        peer.publish(1, {"", "q", ""});
    }
    auto expiring = persistent();
    expiring.expiration = "1";
    peer.publish(1, {"", "q", "m", expiring});
    const auto now = static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count());
    const auto next = broker.broker().next_expiry_ms();
    ASSERT_TRUE(next);
    EXPECT_EQ(*next % 100, 0U);
    EXPECT_LE(*next, now + 101);
    broker.advance(milliseconds{static_cast<std::int64_t>(*next - now)});
    EXPECT_EQ(broker.status("q").ready, 10'000U);
}

}  // namespace
}  // namespace lovage::broker::test
