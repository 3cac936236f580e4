// Rows 32 to 48 and 65 to 72: heartbeats, frames, and the order of content frames.
#include "framework/amqp/table_codec.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using std::chrono::seconds;
using namespace std::string_view_literals;

constexpr amqp::method_id none{0, 0};
constexpr amqp::method_id publish_id{60, 40};

class Frames : public testing::Test {
protected:
    amqp::basic::publish begin_publish() {
        amqp::basic::publish m;
        m.routing_key = "q";
        peer.send(1, m);
        return m;
    }
    void send_header(std::uint16_t channel, std::uint64_t size) {
        byte_buffer out;
        amqp::write_content_header(out, channel, size, "\0\0"sv);
        peer.send_octets(out.view());
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST(Heartbeats, AreSentEveryHalfInterval) {
    broker_under_test broker;
    client& peer = broker.connect({.heartbeat = 10});

    broker.advance(milliseconds{4999});
    peer.expect_nothing();
    broker.advance(milliseconds{1});
    peer.expect_heartbeat();
    broker.advance(milliseconds{4999});
    peer.expect_nothing();
    broker.advance(milliseconds{1});
    peer.expect_heartbeat();
}

TEST(Heartbeats, AreNotSentWhileOtherFramesAre) {
    broker_under_test broker;
    client& peer = broker.connect({.heartbeat = 10});

    broker.advance(seconds{4});
    peer.send(1, amqp::channel::flow{true});
    peer.expect<amqp::channel::flow_ok>(1);
    broker.advance(seconds{4});

    peer.expect_nothing();
}

TEST(Heartbeats, SilentClientIsDroppedAfterThreeIntervals) {
    broker_under_test broker;
    client& peer = broker.connect({.heartbeat = 10});

    broker.advance(milliseconds{29'999});
    EXPECT_FALSE(peer.dropped());
    broker.advance(milliseconds{1});

    EXPECT_TRUE(peer.dropped());
    peer.expect_heartbeat();
    peer.expect_nothing();
}

TEST(Heartbeats, SilentClientGetsNothingMore) {
    broker_under_test broker;
    client& silent = broker.connect({.heartbeat = 10});
    client& other = broker.connect();
    declare(other, "q");
    start_consumer(silent, 1, "q", "tag");
    broker.advance(seconds{30});
    ASSERT_TRUE(silent.dropped());

    other.publish(1, {"", "q", "m"});

    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.status("q").consumers, 0U);
}

TEST(Heartbeats, SilenceCountsAgainAfterAReplyThatWaitedForTheDisk) {
    broker_under_test broker;
    broker.sync_at_once = false;
    client& peer = broker.connect({.heartbeat = 10});
    peer.send(1, declare_queue("q", durable));
    broker.advance(seconds{60});
    EXPECT_FALSE(peer.dropped());
    broker.sync();
    peer.expect<amqp::queue::declare_ok>(1);

    broker.advance(milliseconds{29'999});
    EXPECT_FALSE(peer.dropped());
    broker.advance(milliseconds{1});

    EXPECT_TRUE(peer.dropped());
}

TEST(Heartbeats, ClientHeartbeatsKeepTheConnection) {
    broker_under_test broker;
    client& peer = broker.connect({.heartbeat = 10});

    for (int i = 0; i < 10; ++i) {
        broker.advance(seconds{29});
        peer.send_frame(8, 0, "");
    }

    EXPECT_FALSE(peer.dropped());
}

TEST(Heartbeats, ZeroDisablesBothDirections) {
    broker_under_test broker;
    client& peer = broker.connect({.heartbeat = 0});

    broker.advance(std::chrono::hours{24});

    EXPECT_FALSE(peer.dropped());
    peer.expect_nothing();
}

TEST_F(Frames, HeartbeatWithPayloadIs501) {
    peer.send_frame(8, 0, "ab");
    peer.expect_connection_error(none, R"(501 type 8, all octets = <<"ab">>: unknown_frame)");
}

TEST_F(Frames, HeartbeatOnAChannelIs505) {
    for (const std::uint16_t channel : {std::uint16_t{1}, std::uint16_t{7}}) {
        client& other = broker.connect();
        other.send_frame(8, channel, "");
        other.expect_connection_error(none, "505 type 8, all octets = <<>>");
    }
}

TEST_F(Frames, PayloadUpToFrameMaxIsTaken) {
    client& small = broker.connect({.frame_max = 4096});
    declare(small, "q");
    amqp::basic::publish m;
    m.routing_key = "q";
    small.send(1, m);
    byte_buffer header;
    amqp::write_content_header(header, 1, 4096, "\0\0"sv);
    small.send_octets(header.view());
    small.send_frame(3, 1, std::string(4096, 'x'));

    small.send(1, get_from("q"));
    EXPECT_EQ(small.expect_get_ok(1).body.size(), 4096U);
}

TEST_F(Frames, LargerPayloadIs501FromItsHeaderAlone) {
    client& small = broker.connect({.frame_max = 4096});
    small.send_octets("\3\0\1\0\0\x10\1"sv);
    small.expect_connection_error(
        none, "501 type 3, all octets = <<>>: {frame_too_large,4097,4088}");
    broker.advance(seconds{3});
    EXPECT_TRUE(small.dropped());
}

TEST_F(Frames, WrongFrameEndIs501AndNothingIsReadFurther) {
    peer.send_octets("\1\0\1\0\0\0\5\0\x14\0\x14\1\0"sv);
    const auto close = peer.expect<amqp::connection::close>(0);
    EXPECT_EQ(close.reply_code, 501);
    EXPECT_EQ(
        close.reply_text,
        "FRAME_ERROR - type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,0}");
    broker.advance(milliseconds{2999});
    EXPECT_FALSE(peer.dropped());
    broker.advance(milliseconds{1});
    EXPECT_TRUE(peer.dropped());
}

TEST_F(Frames, UnknownFrameTypeIs501) {
    for (const std::uint8_t type :
         {std::uint8_t{0}, std::uint8_t{4}, std::uint8_t{9}, std::uint8_t{255}}) {
        client& other = broker.connect();
        other.send_frame(type, 0, "ab");
        other.expect_connection_error(
            none, "501 type " + std::to_string(type) + R"(, all octets = <<"ab">>: unknown_frame)");
    }
}

TEST_F(Frames, LongPayloadIsPrintedInPart) {
    peer.send_frame(9, 1, "abcdefghijklmnopqrstuvwxyz");
    peer.expect_connection_error(
        none, R"(501 type 9, first 16 octets = <<"abcdefghijklmnop">>: unknown_frame)");
}

TEST_F(Frames, MethodFrameWithoutIdsIs501) {
    for (const std::uint16_t channel : {std::uint16_t{0}, std::uint16_t{1}}) {
        client& other = broker.connect();
        other.send_frame(1, channel, "\0\x32\0"sv);
        other.expect_connection_error(none, "501 type 1, all octets = <<0,50,0>>: unknown_frame");
    }
}

TEST_F(Frames, ShortContentHeaderIs501) {
    declare(peer, "q");
    begin_publish();
    peer.send_frame(2, 1, "\0\x3c\0"sv);
    peer.expect_connection_error(none, "501 type 2, all octets = <<0,60,0>>: unknown_frame");
}

TEST_F(Frames, ArgumentsCutShortAre501) {
    peer.send_frame(1, 1, "\0\x32\0\x0a\0\0\5ab"sv);
    peer.expect_connection_error({50, 10}, "501 cannot decode <<0,0,5,97,98>>");
}

TEST_F(Frames, ArgumentsCutShortAre501OnAnUnopenedChannel) {
    peer.send_frame(1, 9, "\0\x14\0\x0a\5"sv);
    peer.expect_connection_error({20, 10}, "501 cannot decode <<5>>");
}

TEST_F(Frames, StrayOctetsAfterArgumentsAre501) {
    peer.send_frame(1, 1, "\0\x14\0\x14\1\1"sv);
    peer.expect_connection_error({20, 20}, "501 cannot decode <<1,1>>");
}

TEST_F(Frames, NameThatIsNotUtf8Is501) {
    peer.send(1, declare_queue("\xff\xfe"));
    peer.expect_connection_error(none, "501 Malformed UTF-8 in shortstr");
}

TEST_F(Frames, UnknownMethodDropsTheSocketInSilence) {
    peer.send_frame(1, 1, "\0\x3c\0\x63"sv);
    peer.expect_nothing();
    EXPECT_TRUE(peer.dropped());
}

TEST_F(Frames, UndecodablePropertiesAre541) {
    for (const octets properties : {"\x80\0\5ab"sv, "\0\0x"sv, "\x20\0\0\0\0\3\1aC"sv, "\0\1"sv}) {
        client& other = broker.connect();
        declare(other, "q");
        amqp::basic::publish m;
        m.routing_key = "q";
        other.send(1, m);
        byte_buffer out;
        amqp::write_content_header(out, 1, 0, properties);
        other.send_octets(out.view());
        other.expect_connection_error(none, "541");
    }
}

TEST_F(Frames, UnusedPropertyFlagIsIgnored) {
    declare(peer, "q");
    begin_publish();
    byte_buffer out;
    amqp::write_content_header(out, 1, 0, "\0\2"sv);
    peer.send_octets(out.view());
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
}

TEST_F(Frames, ContentWithoutPublishIs505) {
    for (const std::uint8_t type : {std::uint8_t{2}, std::uint8_t{3}}) {
        client& other = broker.connect();
        other.send_frame(type, 1, "\0\x3c\0\0\0\0\0\0\0\0\0\0\0\0"sv);
        other.expect_connection_error(
            none, "505 expected method frame, got non method frame instead");
    }
}

TEST_F(Frames, ContentOnAnUnopenedChannelIs505) {
    peer.send_frame(3, 5, "zz");
    peer.expect_connection_error(none, "505 expected method frame, got non method frame instead");
}

TEST_F(Frames, ContentOnChannelZeroIs505) {
    peer.send_frame(3, 0, "zz");
    peer.expect_connection_error(none, R"(505 type 3, all octets = <<"zz">>)");
}

TEST_F(Frames, BodyAfterTheLastOctetIs505) {
    begin_publish();
    send_header(1, 2);
    peer.send_frame(3, 1, "ab");
    peer.send_frame(3, 1, "c");
    peer.expect_connection_error(none, "505 expected method frame, got non method frame instead");
}

TEST_F(Frames, EmptyBodyFrameAfterSizeZeroIs505) {
    begin_publish();
    send_header(1, 0);
    peer.send_frame(3, 1, "");
    peer.expect_connection_error(none, "505 expected method frame, got non method frame instead");
}

TEST_F(Frames, BodyInsteadOfHeaderIs505) {
    begin_publish();
    peer.send_frame(3, 1, "ab");
    peer.expect_connection_error(
        publish_id,
        "505 expected content header for class 60, got non content header frame instead");
}

TEST_F(Frames, MethodInsteadOfHeaderIs505) {
    begin_publish();
    begin_publish();
    peer.expect_connection_error(
        publish_id,
        "505 expected content header for class 60, got non content header frame instead");
}

TEST_F(Frames, HeaderWithWeightIs505) {
    begin_publish();
    peer.send_frame(2, 1, "\0\x3c\0\1\0\0\0\0\0\0\0\0\0\0"sv);
    peer.expect_connection_error(
        publish_id,
        "505 expected content header for class 60, got non content header frame instead");
}

TEST_F(Frames, HeaderOfAnotherClassIs505) {
    begin_publish();
    peer.send_frame(2, 1, "\0\x32\0\0\0\0\0\0\0\0\0\0\0\0"sv);
    peer.expect_connection_error(
        publish_id, "505 expected content header for class 60, got one for class 50 instead");
}

TEST_F(Frames, MethodInsteadOfBodyIs505) {
    begin_publish();
    send_header(1, 10);
    peer.send_frame(3, 1, "ab");
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect_connection_error(
        publish_id, "505 expected content body, got non content body frame instead");
}

TEST_F(Frames, SecondHeaderInsteadOfBodyIs505) {
    begin_publish();
    send_header(1, 10);
    send_header(1, 10);
    peer.expect_connection_error(
        publish_id, "505 expected content body, got non content body frame instead");
}

TEST_F(Frames, MoreBodyThanAnnouncedIs501) {
    // RabbitMQ does not notice; what follows would be misread.
    begin_publish();
    send_header(1, 2);
    peer.send_frame(3, 1, "abc");
    peer.expect_connection_error(none, "501 body larger than announced");
}

TEST_F(Frames, EmptyBodiesHeartbeatsAndOtherChannelsMayComeInBetween) {
    declare(peer, "q");
    peer.open_channel(2);
    begin_publish();
    peer.send_frame(8, 0, "");
    send_header(1, 4);
    peer.send_frame(3, 1, "");
    peer.send_frame(3, 1, "ab");
    peer.publish(2, {"", "q", "other"});
    peer.send_frame(3, 1, "");
    peer.send_frame(8, 0, "");
    peer.send_frame(3, 1, "cd");

    start_consumer(peer, 1, "q", "c");
    EXPECT_EQ(peer.expect_bodies(1, 2), (std::vector<std::string>{"other", "abcd"}));
}

TEST_F(Frames, ConnectionCloseInTheMiddleOfContentIsAnswered) {
    begin_publish();
    send_header(1, 10);
    peer.send(0, amqp::connection::close{200, "", 0, 0});
    peer.expect<amqp::connection::close_ok>(0);
}

TEST_F(Frames, BodyIsSentInFramesThatTheReceiverTakes) {
    client& small = broker.connect({.frame_max = 4096});
    declare(peer, "q");
    start_consumer(small, 1, "q", "c");
    const std::size_t before = small.transcript().size();

    peer.publish(1, {"", "q", std::string(10'000, 'x')});

    EXPECT_EQ(small.expect_delivery(1).body.size(), 10'000U);
    octets sent = octets{small.transcript()}.substr(before);
    std::vector<std::size_t> sizes;
    amqp::frame in;
    std::uint32_t size = 0;
    while (amqp::next_frame(sent, in, 1U << 20, size) == amqp::frame_status::complete) {
        if (in.type == 3) {
            sizes.push_back(in.payload.size());
        }
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{4088, 4088, 1824}));
}

}  // namespace
}  // namespace lovage::broker::test
