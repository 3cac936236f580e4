#include "framework/client/publish_window.hpp"

#include <gtest/gtest.h>

namespace lovage::client {
namespace {

using std::chrono::seconds;

const time_point start{seconds(1000)};

/// A window with messages 1, 2, ... `count`, of which `on_wire` are sent.
class filled_window {
public:
    explicit filled_window(int count, int on_wire, window_limits limits = {}) : window(limits) {
        for (int i = 1; i <= count; ++i) {
            EXPECT_TRUE(push(i));
        }
        send(on_wire);
    }
    bool push(int number, seconds life = seconds(30)) {
        publication message;
        message.routing_key = "q";
        message.body = std::to_string(number);
        return window.push(message, static_cast<std::uint64_t>(number), start + life);
    }
    int send(int most) {
        int count = 0;
        while (count < most && window.next() != nullptr) {
            window.sent();
            ++count;
        }
        window.check_invariants();
        return count;
    }
    std::vector<std::uint64_t> tokens() {
        window.check_invariants();
        std::vector<std::uint64_t> found;
        for (const settled& one : out) {
            found.push_back(one.token);
        }
        out.clear();
        return found;
    }

    publish_window window;
    std::vector<settled> out;
};

using tokens = std::vector<std::uint64_t>;

TEST(PublishWindow, ConfirmSettlesOneMessage) {
    filled_window f(3, 3);

    EXPECT_TRUE(f.window.confirm(2, false, true, f.out));

    ASSERT_EQ(f.out.size(), 1U);
    EXPECT_TRUE(f.out[0].confirmed);
    EXPECT_EQ(f.tokens(), tokens({2}));
    EXPECT_EQ(f.window.unsettled(), 2U);
}

TEST(PublishWindow, MultipleConfirmSettlesAllUpToItsTagOnce) {
    filled_window f(5, 5);
    EXPECT_TRUE(f.window.confirm(2, false, true, f.out));
    f.out.clear();

    EXPECT_TRUE(f.window.confirm(4, true, true, f.out));

    EXPECT_EQ(f.tokens(), tokens({1, 3, 4}));
}

TEST(PublishWindow, MultipleConfirmOfTagZeroMeansAll) {
    filled_window f(3, 2);

    EXPECT_TRUE(f.window.confirm(0, true, true, f.out));

    EXPECT_EQ(f.tokens(), tokens({1, 2}));
}

TEST(PublishWindow, TagThatIsNotOnTheWireIsRefused) {
    filled_window f(3, 2);

    EXPECT_FALSE(f.window.confirm(3, false, true, f.out));

    EXPECT_TRUE(f.out.empty());
}

TEST(PublishWindow, NackSettlesAsNotAccepted) {
    filled_window f(1, 1);

    EXPECT_TRUE(f.window.confirm(1, false, false, f.out));

    ASSERT_EQ(f.out.size(), 1U);
    EXPECT_FALSE(f.out[0].confirmed);
    EXPECT_EQ(f.out[0].error.code, broker_errc::not_accepted);
}

TEST(PublishWindow, ReturnBeforeConfirmSettlesAsUnroutable) {
    filled_window f(2, 2);

    f.window.returned({"", "q", "", "2"}, {broker_errc::unroutable, 312, "NO_ROUTE"});
    EXPECT_TRUE(f.window.confirm(2, true, true, f.out));

    ASSERT_EQ(f.out.size(), 2U);
    EXPECT_TRUE(f.out[0].confirmed);
    EXPECT_FALSE(f.out[1].confirmed);
    EXPECT_EQ(f.out[1].error.reply_code, 312);
    ASSERT_NE(f.out[1].message, nullptr);
    EXPECT_EQ(f.out[1].message->body, "2");
}

TEST(PublishWindow, DuplicateIsAProblemUnlessItMayBeOneOfItself) {
    const problem why{broker_errc::duplicate, 208, "DUPLICATE"};
    filled_window f(2, 1);
    f.window.restart();
    f.send(2);

    f.window.returned({"", "q", "", "1"}, why);  // was on the wire before
    f.window.returned({"", "q", "", "2"}, why);
    EXPECT_TRUE(f.window.confirm(2, true, true, f.out));

    ASSERT_EQ(f.out.size(), 2U);
    EXPECT_TRUE(f.out[0].confirmed);
    EXPECT_FALSE(f.out[1].confirmed);
    EXPECT_EQ(f.out[1].error.code, broker_errc::duplicate);
}

TEST(PublishWindow, ReturnIsOfTheMandatoryMessageWithTheSameProperties) {
    const problem why{broker_errc::unroutable, 312, "NO_ROUTE"};
    filled_window f(0, 0);
    const auto push = [&](std::uint64_t token, const char* properties, bool mandatory) {
        publication message;
        message.routing_key = "q";
        message.properties = properties;
        message.body = "same";
        message.mandatory = mandatory;
        EXPECT_TRUE(f.window.push(message, token, start + seconds(30)));
    };
    push(1, "b", false);
    push(2, "a", true);
    push(3, "b", true);
    f.send(3);

    f.window.returned({"", "q", "b", "same"}, why);
    EXPECT_TRUE(f.window.confirm(3, false, true, f.out));
    ASSERT_EQ(f.out.size(), 1U);
    EXPECT_FALSE(f.out[0].confirmed);
    f.out.clear();

    // Properties that the broker wrote in another order.
    f.window.returned({"", "q", "c", "same"}, why);
    EXPECT_TRUE(f.window.confirm(2, true, true, f.out));
    ASSERT_EQ(f.out.size(), 2U);
    EXPECT_TRUE(f.out[0].confirmed);
    EXPECT_FALSE(f.out[1].confirmed);
}

TEST(PublishWindow, OverdueMessageOnTheWireKeepsItsPlaceUntilItsConfirm) {
    filled_window f(0, 0);
    ASSERT_TRUE(f.push(1, seconds(5)));
    ASSERT_TRUE(f.push(2, seconds(50)));
    f.send(2);

    f.window.expire(start + seconds(10), f.out);
    EXPECT_EQ(f.tokens(), tokens({1}));
    EXPECT_EQ(f.window.on_wire(), 2U);
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));

    EXPECT_TRUE(f.out.empty());
    EXPECT_EQ(f.window.on_wire(), 1U);
    EXPECT_TRUE(f.window.confirm(2, false, true, f.out));
    EXPECT_EQ(f.tokens(), tokens({2}));
    EXPECT_EQ(f.window.on_wire(), 0U);
}

TEST(PublishWindow, RefusalIsNotBlamedOnTheNeighbourOfAnOverdueMessage) {
    filled_window f(0, 0);
    ASSERT_TRUE(f.push(1, seconds(5)));
    ASSERT_TRUE(f.push(2, seconds(50)));
    f.send(2);
    f.window.expire(start + seconds(10), f.out);
    EXPECT_EQ(f.tokens(), tokens({1}));

    f.window.refused({broker_errc::refused, 406, "poison"}, f.out);

    EXPECT_TRUE(f.out.empty());
    EXPECT_EQ(f.send(10), 1);
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));
    ASSERT_EQ(f.out.size(), 1U);
    EXPECT_TRUE(f.out[0].confirmed);
    EXPECT_EQ(f.tokens(), tokens({2}));
}

TEST(PublishWindow, ManyMessagesAreLookedThroughLessOften) {
    filled_window f(0, 0);
    constexpr int count = 20'000;
    for (int i = 1; i <= count; ++i) {
        publication message;
        message.body = "x";
        EXPECT_TRUE(f.window.push(
            message,
            static_cast<std::uint64_t>(i),
            start + seconds(5) + std::chrono::microseconds(10 * i)));
    }

    time_point now = start;
    int looks = 0;
    while (f.window.unsettled() != 0) {
        now = f.window.earliest_deadline();
        f.window.expire(now, f.out);
        ++looks;
    }

    EXPECT_EQ(f.out.size(), static_cast<std::size_t>(count));
    EXPECT_LT(looks, 1000);
    EXPECT_LT(now, start + seconds(6));
}

TEST(PublishWindow, RestartSendsTheUnconfirmedAgainInOrderWithNewTags) {
    filled_window f(4, 3);
    EXPECT_TRUE(f.window.confirm(2, false, true, f.out));
    f.out.clear();

    f.window.restart();

    std::string sent;
    while (const publication* message = f.window.next()) {
        sent += message->body;
        f.window.sent();
    }
    EXPECT_EQ(sent, "134");
    EXPECT_TRUE(f.window.confirm(3, true, true, f.out));
    EXPECT_EQ(f.tokens(), tokens({1, 3, 4}));
}

TEST(PublishWindow, WireHoldsNoMoreThanItsLimits) {
    window_limits limits;
    limits.wire_messages = 2;
    filled_window f(5, 10, limits);

    EXPECT_EQ(f.window.on_wire(), 2U);
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));
    EXPECT_EQ(f.send(10), 1);

    limits = {};
    limits.wire_octets = 3;
    filled_window g(5, 10, limits);
    EXPECT_EQ(g.window.on_wire(), 3U);
}

TEST(PublishWindow, MessagesBeyondTheTotalAreRefused) {
    window_limits limits;
    limits.total_messages = 2;
    filled_window f(2, 2, limits);

    EXPECT_FALSE(f.push(3));
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));
    EXPECT_TRUE(f.push(3));
}

TEST(PublishWindow, MessageLargerThanTheOctetLimitIsTakenAlone) {
    window_limits limits;
    limits.total_octets = 1;
    limits.wire_octets = 1;
    publish_window window(limits);
    publication large;
    large.body = "large";
    publication other;
    other.body = "other";

    EXPECT_TRUE(window.push(large, 1, start));
    EXPECT_NE(window.next(), nullptr);
    EXPECT_FALSE(window.push(other, 2, start));
}

TEST(PublishWindow, OverdueMessagesAreReportedAndNotSentAgain) {
    filled_window f(0, 0);
    ASSERT_TRUE(f.push(1, seconds(5)));
    ASSERT_TRUE(f.push(2, seconds(50)));
    ASSERT_TRUE(f.push(3, seconds(5)));
    f.send(2);

    f.window.expire(start + seconds(10), f.out);

    ASSERT_EQ(f.out.size(), 2U);
    EXPECT_EQ(f.out[0].error.code, broker_errc::timeout);
    EXPECT_EQ(f.tokens(), tokens({1, 3}));
    EXPECT_EQ(f.window.earliest_deadline(), start + seconds(50));
    f.window.restart();
    ASSERT_NE(f.window.next(), nullptr);
    EXPECT_EQ(f.window.next()->body, "2");
}

TEST(PublishWindow, LateConfirmOfAnOverdueMessageIsConsumed) {
    filled_window f(2, 2);
    f.window.expire(start + seconds(100), f.out);
    f.out.clear();

    EXPECT_TRUE(f.window.confirm(2, true, true, f.out));

    EXPECT_TRUE(f.out.empty());
    EXPECT_EQ(f.window.on_wire(), 0U);
}

TEST(PublishWindow, RefusedMessageIsFoundBySendingOneAtATime) {
    filled_window f(4, 4);
    const problem why{broker_errc::refused, 406, "poison"};

    f.window.refused(why, f.out);  // one of four
    EXPECT_TRUE(f.out.empty());
    EXPECT_EQ(f.send(10), 1);
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));
    EXPECT_EQ(f.tokens(), tokens({1}));
    EXPECT_EQ(f.send(10), 1);
    f.window.refused(why, f.out);  // it is the second

    ASSERT_EQ(f.out.size(), 1U);
    EXPECT_EQ(f.out[0].error.reply_code, 406);
    EXPECT_EQ(f.tokens(), tokens({2}));
    EXPECT_EQ(f.send(10), 1);
    EXPECT_TRUE(f.window.confirm(1, false, true, f.out));
    EXPECT_EQ(f.send(10), 1);
    EXPECT_TRUE(f.window.confirm(2, false, true, f.out));
    EXPECT_EQ(f.tokens(), tokens({3, 4}));
    f.push(5);
    f.push(6);
    EXPECT_EQ(f.send(10), 2);  // all suspects are settled: full speed again
}

TEST(PublishWindow, FailAllSettlesEverything) {
    filled_window f(3, 2);

    f.window.fail_all({broker_errc::stopped, 0, "stopped"}, f.out);

    EXPECT_EQ(f.tokens(), tokens({1, 2, 3}));
    EXPECT_EQ(f.window.unsettled(), 0U);
    EXPECT_EQ(f.window.next(), nullptr);
}

}  // namespace
}  // namespace lovage::client
