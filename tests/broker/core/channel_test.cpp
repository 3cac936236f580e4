// Rows 49 to 64 and 73 to 78: channels, misplaced methods, closing.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using std::chrono::seconds;
using namespace std::string_view_literals;

constexpr amqp::method_id none{0, 0};

class Channels : public testing::Test {
protected:
    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Channels, SecondOpenIs504) {
    peer.send(1, amqp::channel::open{});
    peer.expect_connection_error({20, 10}, "504 second 'channel.open' seen");
    EXPECT_TRUE(peer.dropped());
}

TEST_F(Channels, OpenWhileAnErrorIsNotAnsweredIs504) {
    peer.send(1, amqp::basic::ack{1, false});
    peer.expect<amqp::channel::close>(1);
    peer.send(1, amqp::channel::open{});
    peer.expect_connection_error({20, 10}, "504 second 'channel.open' seen");
}

TEST_F(Channels, MethodOnAnUnopenedChannelIs504) {
    client& second = broker.connect();
    client& third = broker.connect();
    peer.send(2, declare_queue("q"));
    peer.expect_connection_error({50, 10}, "504 expected 'channel.open'");
    second.send(2, amqp::channel::close{200, "", 0, 0});
    second.expect_connection_error({20, 40}, "504 expected 'channel.open'");
    third.send(2, amqp::channel::close_ok{});
    third.expect_connection_error({20, 41}, "504 expected 'channel.open'");
}

TEST_F(Channels, ChannelMaxLimitsHowManyAreOpenNotTheirNumbers) {
    client& few = broker.connect({.channel_max = 2});
    few.open_channel(65535);
    few.send(2, amqp::channel::open{});
    few.expect_connection_error(
        none, "530 number of channels opened (2) has reached the negotiated channel_max (2)");
}

TEST_F(Channels, CloseFreesTheNumberAndGivesUnackedBack) {
    declare(peer, "q");
    peer.publish(1, {"", "q", "m"});
    start_consumer(peer, 1, "q", "c");
    peer.expect_delivery(1);

    peer.send(1, amqp::channel::close{200, "bye", 0, 0});

    peer.expect<amqp::channel::close_ok>(1);
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.status("q").consumers, 0U);
    peer.open_channel(1);
}

TEST_F(Channels, AfterAnErrorEverythingIsDroppedUntilCloseOk) {
    declare(peer, "q");
    peer.send(1, amqp::basic::ack{1, false});
    peer.expect<amqp::channel::close>(1);

    peer.send(1, declare_queue("other"));
    peer.publish(1, {"", "q", "lost"});
    peer.send_frame(3, 1, "stray");
    peer.expect_nothing();
    peer.send(1, amqp::channel::close_ok{});
    peer.open_channel(1);

    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_FALSE(broker.has_queue("other"));
}

TEST_F(Channels, ClientsCloseDuringTheBrokersIsAnswered) {
    peer.send(1, amqp::basic::ack{1, false});
    peer.expect<amqp::channel::close>(1);
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect<amqp::channel::close_ok>(1);
    peer.send(1, amqp::channel::close_ok{});
    peer.open_channel(1);
}

TEST_F(Channels, FlowOnIsAnsweredAndFlowOffIs540) {
    peer.send(1, amqp::channel::flow{true});
    EXPECT_TRUE(peer.expect<amqp::channel::flow_ok>(1).active);
    peer.send(1, amqp::channel::flow{false});
    peer.expect_connection_error({20, 20}, "540 active=false");
}

TEST_F(Channels, MethodsThatOnlyABrokerSendsAre503) {
    const auto refused = [&](const auto& method) {
        client& other = broker.connect();
        other.send(1, method);
        other.expect_connection_error(method.id, "503 unimplemented method");
    };
    refused(amqp::queue::declare_ok{});
    refused(amqp::basic::deliver{});
    refused(amqp::basic::get_empty{});
    refused(amqp::channel::close_ok{});
    refused(amqp::channel::flow_ok{});
    refused(amqp::connection::close{});
    refused(amqp::confirm::select_ok{});
}

TEST_F(Channels, OtherMethodsOnChannelZeroAre504) {
    const auto refused = [&](const auto& method) {
        client& other = broker.connect();
        other.send(0, method);
        other.expect_connection_error(
            method.id, "504 unexpected method in connection state running");
    };
    refused(amqp::channel::open{});
    refused(declare_queue("q"));
    refused(amqp::connection::tune_ok{2047, 131072, 0});
    refused(amqp::connection::open{});
    refused(amqp::connection::close_ok{});
    refused(amqp::connection::blocked{});
    refused(amqp::connection::start_ok{});
}

TEST_F(Channels, AccessRequestIsAnsweredWithTicketOne) {
    amqp::access::request m;
    m.realm = "/data";
    peer.send(1, m);
    EXPECT_EQ(peer.expect<amqp::access::request_ok>(1).ticket, 1);
}

TEST_F(Channels, UpdateSecretIsAnswered) {
    peer.send(0, amqp::connection::update_secret{{"new"}, "why"});
    peer.expect<amqp::connection::update_secret_ok>(0);
}

TEST_F(Channels, LongReplyTextIsCut) {
    const std::string name(255, 'n');
    peer.send(1, declare_queue(name, {.passive = true}));
    const auto close = peer.expect<amqp::channel::close>(1);
    EXPECT_EQ(close.reply_text, "NOT_FOUND - no queue '" + std::string(230, 'n') + "...");
    EXPECT_EQ(close.reply_text.size(), 255U);
}

TEST_F(Channels, ConnectionCloseIsAnsweredAndTheClientClosesTheSocket) {
    declare(peer, "mine", {.exclusive = true});

    peer.send(0, amqp::connection::close{200, "bye", 0, 0});

    peer.expect<amqp::connection::close_ok>(0);
    EXPECT_FALSE(broker.has_queue("mine"));
    peer.send(1, declare_queue("late"));
    peer.expect_silent_drop(seconds{30});
    EXPECT_FALSE(broker.has_queue("late"));
}

TEST_F(Channels, AfterTheBrokersCloseFramesAreIgnoredUntilCloseOk) {
    peer.send(1, amqp::channel::open{});
    peer.expect<amqp::connection::close>(0);

    peer.send(1, declare_queue("late"));
    peer.send_frame(77, 3, "nonsense");
    EXPECT_FALSE(peer.dropped());
    peer.send(0, amqp::connection::close_ok{});

    EXPECT_TRUE(peer.dropped());
    EXPECT_FALSE(broker.has_queue("late"));
}

TEST_F(Channels, ClosesThatCrossAreBothAnswered) {
    peer.send(1, amqp::channel::open{});
    peer.expect<amqp::connection::close>(0);
    peer.send(0, amqp::connection::close{200, "", 0, 0});
    peer.expect<amqp::connection::close_ok>(0);
    peer.send(0, amqp::connection::close_ok{});
    EXPECT_TRUE(peer.dropped());
}

TEST_F(Channels, MissingCloseOkDropsTheSocketAfterThirtySeconds) {
    peer.send(1, amqp::channel::open{});
    peer.expect<amqp::connection::close>(0);
    peer.expect_silent_drop(seconds{30});
}

TEST_F(Channels, ShutDownIsTold) {
    client& raw = broker.connect_raw();

    broker.shut_down();

    peer.expect_connection_error(
        none, "320 broker forced connection closure with reason 'shutdown'");
    EXPECT_TRUE(peer.dropped());
    EXPECT_TRUE(raw.dropped());
}

TEST_F(Channels, ChannelsOfOneConnectionAreIndependent) {
    peer.open_channel(2);
    declare(peer, "q");
    start_consumer(peer, 2, "q", "c");

    peer.send(1, amqp::basic::ack{9, false});
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag 9");
    peer.publish(1, {"", "q", "m"});

    EXPECT_EQ(peer.expect_delivery(2).body, "m");
}

}  // namespace
}  // namespace lovage::broker::test
