// The clock of the machine is set: messages that expire do so sooner or later by as much, and
// nothing else changes.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds day{24 * 60 * 60 * 1000};
constexpr std::int32_t limit_ms = 60'000;
constexpr milliseconds limit{limit_ms};

class ClockJump : public testing::Test {
protected:
    void SetUp() override {
        declare(peer, "q", durable, {{"x-consumer-timeout", limit_ms}});
        declare(peer, "unused", {}, {{"x-expires", limit_ms}});
        publish("held", {});
        start_consumer(consumer, 1, "q", "tag");
        consumer.expect_delivery(1);
        declare(peer, "ttl", durable);
        publish("mortal", limit_ms, "ttl");
        publish("for ever", {}, "ttl");
        peer.send(1, amqp::confirm::select{});
        peer.expect<amqp::confirm::select_ok>(1);
        broker.sync_at_once = false;
        publish("waits for its confirm", {}, "ttl");
    }
    void publish(const char* body, std::optional<int> expiration, const char* to = "q") {
        auto properties = persistent();
        if (expiration) {
            properties.expiration = std::to_string(*expiration);
        }
        peer.publish(1, {"", to, body, properties});
    }
    [[nodiscard]] std::size_t ready(octets queue) const { return broker.status(queue).ready; }

    /// Whatever the clock says: confirm, delivery, consumer and queue are as they were, and end
    /// when their time has really passed.
    void expect_the_rest_untouched() {
        peer.expect_nothing();
        consumer.expect_nothing();
        EXPECT_FALSE(peer.dropped());
        EXPECT_TRUE(broker.has_queue("unused"));
        EXPECT_EQ(broker.status("q").unacked, 1U);
        broker.sync();
        EXPECT_EQ(peer.expect<amqp::basic::ack>(1).delivery_tag, 1U);

        broker.advance(limit - milliseconds{1});
        EXPECT_TRUE(broker.has_queue("unused"));
        EXPECT_EQ(broker.status("q").unacked, 1U);

        broker.advance(milliseconds{200});
        EXPECT_FALSE(broker.has_queue("unused"));
        EXPECT_EQ(broker.status("q").unacked, 0U) << "the consumer had it for too long";
        EXPECT_EQ(ready("q"), 1U);
    }

    broker_under_test broker;
    client& peer = broker.connect();
    client& consumer = broker.connect();
};

TEST_F(ClockJump, ForwardEndsWhatIsMortalAndNothingElse) {
    broker.set_wall_clock(day);

    EXPECT_EQ(ready("ttl"), 2U);
    expect_the_rest_untouched();
}

TEST_F(ClockJump, ForwardByLessThanATimeToLiveShortensItByThatMuch) {
    broker.set_wall_clock(limit / 2);
    EXPECT_EQ(ready("ttl"), 3U);
    broker.advance(limit / 2 - milliseconds{1});
    EXPECT_EQ(ready("ttl"), 3U);

    broker.advance(milliseconds{1});

    EXPECT_EQ(ready("ttl"), 2U);
}

TEST_F(ClockJump, BackLetsWhatIsMortalLiveLongerAndNothingElse) {
    broker.set_wall_clock(-day);
    EXPECT_EQ(ready("ttl"), 3U);

    expect_the_rest_untouched();

    EXPECT_EQ(ready("ttl"), 3U) << "its time would be over by now";
    broker.set_wall_clock(day);
    EXPECT_EQ(ready("ttl"), 2U);
}

TEST_F(ClockJump, MessagesThatComeAfterwardsLiveAsLongAsTheySay) {
    for (const milliseconds jump : {day, -3 * day}) {
        broker.set_wall_clock(jump);
        const auto before = ready("ttl");
        publish("after the jump", limit_ms, "ttl");
        broker.advance(limit - milliseconds{1});
        EXPECT_GE(ready("ttl"), before);
        const auto with_it = ready("ttl");

        broker.advance(milliseconds{1});

        EXPECT_EQ(ready("ttl"), with_it - 1);
    }
}

}  // namespace
}  // namespace lovage::broker::test
