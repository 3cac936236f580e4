#include "framework/client/connection.hpp"

#include "tests/framework/client/scripted_broker.hpp"

#include <gtest/gtest.h>

namespace lovage::client {
namespace {

using std::chrono::seconds;
using test::scripted_broker;

const time_point start{seconds(1000)};

/// A connection and a scripted broker; `events` are those of the last exchange, as copies.
class pair {
public:
    explicit pair(connection_settings settings = {}) : client(named(std::move(settings))) {}

    static connection_settings named(connection_settings settings) {
        settings.where = "broker:5672";
        return settings;
    }
    std::vector<wire_event> exchange(time_point now = start) {
        std::vector<wire_event> events;
        for (int round = 0; round < 100; ++round) {
            const std::string sent(out.view());
            out.clear();
            broker.feed(sent, to_client);
            octets input = to_client.view();
            const std::size_t offered = input.size();
            wire_event event;
            while (client.next(input, event, out, now)) {
                bodies.emplace_back(event.body);
                events.push_back(event);
            }
            to_client.consume(offered - input.size());
            if (out.empty() && offered == input.size()) {
                break;
            }
        }
        return events;
    }
    std::vector<wire_event> open() {
        client.start(out, start);
        return exchange();
    }

    scripted_broker broker;
    connection client;
    byte_buffer out;
    byte_buffer to_client;
    std::vector<std::string> bodies;
};

TEST(Connection, HandshakeEndsInOpened) {
    connection_settings settings;
    settings.user = "anna";
    settings.password = "secret";
    settings.vhost = "shop";
    pair p(settings);

    const auto events = p.open();

    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, wire_event_kind::opened);
    EXPECT_TRUE(p.client.is_open());
    EXPECT_EQ(p.broker.log[0], std::string("login anna\0secret", 17));
    EXPECT_EQ(p.broker.log[2], "connection.open shop");
    EXPECT_NE(p.client.server_properties().find("product"), nullptr);
}

TEST(Connection, TuningTakesTheLowerOfBothLimits) {
    connection_settings settings;
    settings.channel_max = 100;
    settings.frame_max = 8192;
    settings.heartbeat_seconds = 20;
    pair p(settings);
    p.broker.channel_max = 50;
    p.broker.frame_max = 131072;
    p.broker.heartbeat = 60;

    p.open();

    EXPECT_EQ(p.broker.log[1], "tune 50 8192 20");
}

TEST(Connection, TuningTakesZeroForNoLimit) {
    connection_settings settings;
    settings.channel_max = 0;
    settings.frame_max = 0;
    settings.heartbeat_seconds = 30;
    pair p(settings);
    p.broker.channel_max = 50;
    p.broker.frame_max = 131072;
    p.broker.heartbeat = 0;

    p.open();

    EXPECT_EQ(p.broker.log[1], "tune 50 131072 30");
}

TEST(Connection, WithoutHeartbeatsNoneAreSentOrAwaited) {
    connection_settings settings;
    settings.heartbeat_seconds = 0;
    pair p(settings);
    p.open();

    wire_event event;
    const bool ended = p.client.tick(event, p.out, start + std::chrono::hours(10));

    EXPECT_FALSE(ended);
    EXPECT_TRUE(p.out.empty());
}

TEST(Connection, SendsAHeartbeatEveryHalfInterval) {
    connection_settings settings;
    settings.heartbeat_seconds = 10;
    pair p(settings);
    p.open();
    wire_event event;

    EXPECT_EQ(p.client.next_tick(), start + seconds(5));
    EXPECT_FALSE(p.client.tick(event, p.out, start + seconds(4)));
    EXPECT_TRUE(p.out.empty());
    EXPECT_FALSE(p.client.tick(event, p.out, start + seconds(5)));
    EXPECT_EQ(p.out.size(), amqp::frame_overhead);
}

TEST(Connection, ClosesWhenNothingIsHeardForTwoIntervals) {
    connection_settings settings;
    settings.heartbeat_seconds = 10;
    pair p(settings);
    p.open();
    wire_event event;

    EXPECT_FALSE(p.client.tick(event, p.out, start + seconds(19)));
    EXPECT_TRUE(p.client.tick(event, p.out, start + seconds(20)));

    EXPECT_EQ(event.kind, wire_event_kind::closed);
    EXPECT_EQ(event.error.code, broker_errc::connection_lost);
    EXPECT_NE(event.error.text.find("20 s"), std::string::npos) << event.error.text;
}

TEST(Connection, RefusedLoginNamesUserAndHostButNotThePassword) {
    connection_settings settings;
    settings.user = "anna";
    settings.password = "hunter2";
    pair p(settings);
    p.broker.refuse_login = 403;

    const auto events = p.open();

    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].error.code, broker_errc::access_denied);
    EXPECT_EQ(events[0].error.reply_code, 403);
    const std::string& text = events[0].error.text;
    EXPECT_NE(text.find("anna"), std::string::npos) << text;
    EXPECT_NE(text.find("broker:5672"), std::string::npos) << text;
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
}

TEST(Connection, PeerThatIsNoBrokerIsNamedAsSuch) {
    pair p;
    p.client.start(p.out, start);
    octets input = "HTTP/1.1 400 Bad Request\r\n\r\n";
    wire_event event;

    EXPECT_TRUE(p.client.next(input, event, p.out, start));

    EXPECT_EQ(event.error.code, broker_errc::connect_failed);
    EXPECT_NE(event.error.text.find("not an AMQP broker"), std::string::npos);
}

TEST(Connection, PeerOfAnotherVersionIsNamedAsSuch) {
    pair p;
    p.client.start(p.out, start);
    octets input{"AMQP\0\1\0\0", 8};
    wire_event event;

    EXPECT_TRUE(p.client.next(input, event, p.out, start));

    EXPECT_NE(event.error.text.find("0-9-1"), std::string::npos);
}

TEST(Connection, AnswersComeWithTheTokensOfTheirRequestsInOrder) {
    pair p;
    p.open();
    p.client.call(p.out, 1, amqp::channel::open{}, 7);
    amqp::queue::declare declare;
    declare.queue = "orders";
    p.client.call(p.out, 1, declare, 8);

    const auto events = p.exchange();

    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].token, 7U);
    EXPECT_EQ(events[1].token, 8U);
    EXPECT_TRUE(std::holds_alternative<amqp::queue::declare_ok>(events[1].method));
}

TEST(Connection, ChannelClosedByTheBrokerSaysWhyAndCanBeOpenedAgain) {
    pair p;
    p.open();
    p.broker.refused_queues.insert("orders");
    p.client.call(p.out, 1, amqp::channel::open{}, 1);
    amqp::queue::declare declare;
    declare.queue = "orders";
    p.client.call(p.out, 1, declare, 2);
    p.client.call(p.out, 1, declare, 3);

    const auto events = p.exchange();
    p.client.call(p.out, 1, amqp::channel::open{}, 4);
    const auto again = p.exchange();

    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[1].kind, wire_event_kind::channel_closed);
    EXPECT_EQ(events[1].error.reply_code, 406);
    EXPECT_EQ(events[1].refused, amqp::queue::declare::id);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].token, 4U);
}

TEST(Connection, BodyIsSplitByTheFrameSizeAndPutTogetherAgain) {
    connection_settings settings;
    settings.frame_max = 4096;
    pair p(settings);
    p.broker.frame_max = 4096;
    p.broker.queues["q"];
    p.open();
    p.client.call(p.out, 1, amqp::channel::open{}, 1);
    p.client.call(p.out, 2, amqp::channel::open{}, 1);
    amqp::basic::consume consume;
    consume.queue = "q";
    p.client.call(p.out, 1, consume, 2);
    p.exchange();
    publication message;
    message.routing_key = "q";
    message.properties = std::string(2, '\0');
    message.body = std::string(10'000, 'x');
    p.client.publish(p.out, 2, message);

    const auto events = p.exchange();

    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, wire_event_kind::confirmed);
    EXPECT_EQ(events[1].kind, wire_event_kind::delivered);
    EXPECT_EQ(p.bodies.back(), message.body);
}

TEST(Connection, EventsAreTheSameHoweverTheOctetsAreCut) {
    pair p;
    p.broker.queues["q"].push_back({std::string(2, '\0'), "hello"});
    p.open();
    p.client.call(p.out, 1, amqp::channel::open{}, 1);
    amqp::basic::consume consume;
    consume.queue = "q";
    p.client.call(p.out, 1, consume, 2);
    p.broker.feed(p.out.view(), p.to_client);
    const std::string answers(p.to_client.view());

    std::vector<wire_event_kind> kinds;
    std::string held;
    std::string body;
    for (const char octet : answers) {
        held += octet;
        octets input = held;
        wire_event event;
        while (p.client.next(input, event, p.out, start)) {
            kinds.push_back(event.kind);
            body = event.body;
        }
        held.erase(0, held.size() - input.size());
    }

    const std::vector<wire_event_kind> expected{
        wire_event_kind::answered, wire_event_kind::answered, wire_event_kind::delivered};
    EXPECT_EQ(kinds, expected);
    EXPECT_EQ(body, "hello");
}

TEST(Connection, FrameThatIsNoFrameClosesWithFrameError) {
    pair p;
    p.open();
    octets input{"\1\0\0\0\0\0\0\x55", 8};
    wire_event event;

    EXPECT_TRUE(p.client.next(input, event, p.out, start));

    EXPECT_EQ(event.kind, wire_event_kind::closed);
    EXPECT_EQ(event.error.reply_code, 501);
    EXPECT_FALSE(p.out.empty());
    octets more = "anything";
    EXPECT_FALSE(p.client.next(more, event, p.out, start));
}

TEST(Connection, AnswerThatNobodyAskedForClosesWithCommandInvalid) {
    pair p;
    p.open();
    p.client.call(p.out, 1, amqp::channel::open{}, 1);
    p.exchange();
    byte_buffer wrong;
    amqp::write_method(wrong, 1, amqp::queue::bind_ok{});
    octets input = wrong.view();
    wire_event event;

    EXPECT_TRUE(p.client.next(input, event, p.out, start));

    EXPECT_EQ(event.error.reply_code, 503);
}

TEST(Connection, CloseIsAnsweredAndEnds) {
    pair p;
    p.open();
    p.client.close(p.out);

    const auto events = p.exchange();

    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, wire_event_kind::closed);
    EXPECT_EQ(events[0].error.code, broker_errc::stopped);
}

TEST(Connection, CloseByTheBrokerIsAnsweredWithCloseOk) {
    pair p;
    p.open();
    p.broker.close_connection(p.to_client, 320, "CONNECTION_FORCED - going down");
    octets input = p.to_client.view();
    wire_event event;

    EXPECT_TRUE(p.client.next(input, event, p.out, start));

    EXPECT_EQ(event.error.code, broker_errc::connection_lost);
    EXPECT_EQ(event.error.reply_code, 320);
    octets sent = p.out.view();
    amqp::frame frame;
    std::uint32_t size = 0;
    ASSERT_EQ(amqp::next_frame(sent, frame, 4096, size), amqp::frame_status::complete);
    amqp::method method;
    amqp::method_id id;
    ASSERT_EQ(amqp::read_method(frame.payload, id, method), amqp::method_error::none);
    EXPECT_EQ(id, amqp::connection::close_ok::id);
}

}  // namespace
}  // namespace lovage::client
