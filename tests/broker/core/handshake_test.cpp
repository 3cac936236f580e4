// Rows 1 to 31 of the behaviour document: protocol header, login, tune and open.
#include "framework/amqp/table_codec.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using std::chrono::seconds;
using namespace std::string_view_literals;

constexpr amqp::method_id none{0, 0};
constexpr octets guest{"\0guest\0guest"sv};

class Handshake : public testing::Test {
protected:
    void start() {
        peer.send_octets(amqp::protocol_header);
        peer.expect<amqp::connection::start>(0);
    }
    void to_tune() {
        start();
        peer.send(0, plain_login(guest));
        peer.expect<amqp::connection::tune>(0);
    }
    void to_open() {
        to_tune();
        peer.send(0, amqp::connection::tune_ok{2047, 131072, 60});
    }
    void open(octets vhost) {
        amqp::connection::open m;
        m.virtual_host = vhost;
        peer.send(0, m);
    }

    broker_under_test broker;
    client& peer = broker.connect_raw();
};

TEST_F(Handshake, ProtocolHeaderIsAnsweredByStart) {
    peer.send_octets(amqp::protocol_header);

    const auto got = peer.expect<amqp::connection::start>(0);
    EXPECT_EQ(got.version_major, 0);
    EXPECT_EQ(got.version_minor, 9);
    EXPECT_EQ(got.mechanisms.value, "AMQPLAIN PLAIN");
    EXPECT_EQ(got.locales.value, "en_US");
    EXPECT_EQ(got.server_properties.find("product")->text(), "lovage");
    const auto* told = got.server_properties.find("capabilities")->as<amqp::table>();
    ASSERT_NE(told, nullptr);
    for (const char* name :
         {"publisher_confirms",
          "basic.nack",
          "consumer_cancel_notify",
          "connection.blocked",
          "authentication_failure_close",
          "per_consumer_qos",
          "lovage.ordered_store",
          "lovage.uncounted_requeue"}) {
        ASSERT_NE(told->find(name), nullptr) << name;
        EXPECT_EQ(*told->find(name), amqp::field_value(true));
    }
}

TEST_F(Handshake, OldProtocolHeadersAreAnsweredByStart) {
    client& first = broker.connect_raw();
    first.send_octets("AMQP\1\1\0\x09"sv);
    EXPECT_EQ(first.expect<amqp::connection::start>(0).version_minor, 9);
    for (const octets header : {"AMQP\1\1\x08\0"sv, "AMQP\1\1\x09\1"sv}) {
        client& old = broker.connect_raw();
        old.send_octets(header);
        const auto start = old.expect<amqp::connection::start>(0);
        EXPECT_EQ(start.version_major, 8);
        EXPECT_EQ(start.version_minor, 0);
    }
}

TEST_F(Handshake, OtherProtocolIsToldOursAndDropped) {
    for (const octets header :
         {"AMQP\0\0\x09\0"sv,
          "AMQP\0\0\x09\2"sv,
          "AMQP\0\1\0\0"sv,
          "AMQP\3\1\0\0"sv,
          "HTTP/1.1"sv,
          "GET / HTTP/1.1\r\n"sv,
          "\x16\3\1\2\0\1\0\1"sv}) {
        client& other = broker.connect_raw();
        other.send_octets(header);
        EXPECT_EQ(other.transcript(), amqp::protocol_header);
        EXPECT_TRUE(other.dropped());
    }
}

TEST_F(Handshake, SilenceIsDroppedAfterTenSeconds) {
    peer.send_octets("AMQP");
    peer.expect_silent_drop(seconds{10});
}

TEST_F(Handshake, SilenceAfterTuneIsDroppedAfterTenSeconds) {
    to_open();
    peer.expect_silent_drop(seconds{10});
}

TEST_F(Handshake, LargeFrameBeforeTuneOkIsDroppedInSilence) {
    start();
    const std::string padding(4500, 'x');
    auto m = plain_login(guest);
    m.client_properties.add("padding", padding);
    peer.send(0, m);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, HeartbeatBeforeStartOkIsIgnored) {
    start();
    peer.send_frame(8, 0, "");
    peer.send(0, plain_login(guest));
    peer.expect<amqp::connection::tune>(0);
}

TEST_F(Handshake, MethodOutOfOrderIsDroppedInSilence) {
    start();
    peer.send(0, amqp::connection::tune_ok{2047, 131072, 60});
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, CloseDuringHandshakeIsDroppedInSilence) {
    to_tune();
    peer.send(0, amqp::connection::close{200, "bye", 0, 0});
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, UndecodableStartOkIsDroppedInSilence) {
    start();
    peer.send_frame(1, 0, "\0\x0a\0\x0bgarbage"sv);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, BadFrameEndIsDroppedInSilence) {
    start();
    peer.send_octets("\1\0\0\0\0\0\4\0\x0a\0\x0b\0"sv);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, ChannelOpenInsteadOfConnectionOpenIs505) {
    to_open();
    peer.send(1, amqp::channel::open{});
    peer.expect_connection_error(none, "505 type 1, all octets = <<0,20,0,10,0>>");
    EXPECT_TRUE(peer.dropped());
}

TEST_F(Handshake, AmqplainLogsIn) {
    start();
    byte_buffer fields;
    amqp::write_table(fields, {{"LOGIN", "guest"}, {"PASSWORD", "guest"}, {"more", true}});
    auto m = plain_login(fields.view().substr(4));
    m.mechanism = "AMQPLAIN";
    peer.send(0, m);
    peer.expect<amqp::connection::tune>(0);
}

TEST_F(Handshake, AmqplainWithLengthInFrontIsDroppedInSilence) {
    start();
    byte_buffer fields;
    amqp::write_table(fields, {{"LOGIN", "guest"}, {"PASSWORD", "guest"}});
    auto m = plain_login(fields.view());
    m.mechanism = "AMQPLAIN";
    peer.send(0, m);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, AmqplainWithoutPasswordIsDroppedInSilence) {
    start();
    byte_buffer fields;
    amqp::write_table(fields, {{"LOGIN", "guest"}});
    auto m = plain_login(fields.view().substr(4));
    m.mechanism = "AMQPLAIN";
    peer.send(0, m);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, WrongPasswordIs403) {
    for (const octets response :
         {"\0guest\0wrong"sv, "\0nobody\0guest"sv, "\0\0guest"sv, "\0guest\0"sv, "\0\0"sv}) {
        client& other = broker.connect_raw();
        other.send_octets(amqp::protocol_header);
        other.expect<amqp::connection::start>(0);
        other.send(0, plain_login(response));
        other.expect_connection_error(
            none,
            "403 Login was refused using authentication mechanism PLAIN. For details see the "
            "broker logfile.");
        EXPECT_TRUE(other.dropped());
    }
}

TEST_F(Handshake, RefusedLoginIsDroppedAfterThreeSecondsWithoutCloseOk) {
    start();
    peer.send(0, plain_login("\0guest\0wrong"sv));
    peer.expect<amqp::connection::close>(0);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, WrongPasswordWithoutCapabilityIsDroppedInSilence) {
    start();
    auto m = plain_login("\0guest\0wrong"sv);
    m.client_properties = {};
    peer.send(0, m);
    peer.expect_silent_drop(seconds{3});
}

TEST_F(Handshake, UnknownMechanismIsDroppedInSilence) {
    for (const octets mechanism : {"plain"sv, "EXTERNAL"sv, ""sv}) {
        client& other = broker.connect_raw();
        other.send_octets(amqp::protocol_header);
        other.expect<amqp::connection::start>(0);
        auto m = plain_login(guest);
        m.mechanism = mechanism;
        other.send(0, m);
        other.expect_silent_drop(seconds{3});
    }
}

TEST_F(Handshake, MalformedPlainResponseIsDroppedInSilence) {
    for (const octets response :
         {""sv, "guest"sv, "\0guest"sv, "x\0guest\0guest"sv, "\0guest\0guest\0"sv}) {
        client& other = broker.connect_raw();
        other.send_octets(amqp::protocol_header);
        other.expect<amqp::connection::start>(0);
        other.send(0, plain_login(response));
        other.expect_silent_drop(seconds{3});
    }
}

TEST_F(Handshake, EmptyClientPropertiesAndAnyLocaleAreAccepted) {
    start();
    auto m = plain_login(guest);
    m.client_properties = {};
    m.locale = "";
    peer.send(0, m);
    peer.expect<amqp::connection::tune>(0);
}

TEST_F(Handshake, LoopbackOnlyUserIsRefusedFromElsewhere) {
    client& far = broker.connect_raw(false);
    far.send_octets(amqp::protocol_header);
    far.expect<amqp::connection::start>(0);
    far.send(0, plain_login(guest));
    far.expect_connection_error(
        none,
        "403 Login was refused using authentication mechanism PLAIN. For details see the broker "
        "logfile.");
}

TEST_F(Handshake, TuneOffersLimits) {
    start();
    peer.send(0, plain_login(guest));
    const auto got = peer.expect<amqp::connection::tune>(0);
    EXPECT_EQ(got, (amqp::connection::tune{2047, 131072, 60}));
}

TEST_F(Handshake, TuneOkOutsideTheOfferIsDroppedInSilence) {
    using amqp::connection::tune_ok;
    for (const tune_ok answer :
         {tune_ok{0, 131072, 60},
          tune_ok{2048, 131072, 60},
          tune_ok{2047, 0, 60},
          tune_ok{2047, 131073, 60},
          tune_ok{2047, 4095, 60}}) {
        client& other = broker.connect_raw();
        other.send_octets(amqp::protocol_header);
        other.expect<amqp::connection::start>(0);
        other.send(0, plain_login(guest));
        other.expect<amqp::connection::tune>(0);
        other.send(0, answer);
        other.expect_silent_drop(seconds{3});
    }
}

TEST_F(Handshake, SmallestLimitsAreAccepted) {
    broker.connect({.channel_max = 1, .frame_max = 4096, .heartbeat = 65535});
}

TEST_F(Handshake, OpenIsAnsweredByOpenOk) {
    to_open();
    open("/");
    EXPECT_EQ(peer.expect<amqp::connection::open_ok>(0).reserved_1, "");
}

TEST_F(Handshake, UnknownVhostIs530) {
    for (const octets vhost : {""sv, "//"sv, "nowhere"sv}) {
        client& other = broker.connect_raw();
        other.send_octets(amqp::protocol_header);
        other.expect<amqp::connection::start>(0);
        other.send(0, plain_login(guest));
        other.expect<amqp::connection::tune>(0);
        other.send(0, amqp::connection::tune_ok{2047, 131072, 60});
        amqp::connection::open m;
        m.virtual_host = vhost;
        other.send(0, m);
        other.expect_connection_error({10, 40}, "530 vhost " + std::string(vhost) + " not found");
        EXPECT_TRUE(other.dropped());
    }
}

TEST_F(Handshake, PipelinedFromTheFirstOctetIsAnswered) {
    byte_buffer all;
    all.append(amqp::protocol_header);
    amqp::write_method(all, 0, plain_login(guest));
    amqp::write_method(all, 0, amqp::connection::tune_ok{2047, 131072, 60});
    amqp::connection::open m;
    m.virtual_host = "/";
    amqp::write_method(all, 0, m);
    amqp::write_method(all, 1, amqp::channel::open{});

    peer.send_octets(all.view());

    peer.expect<amqp::connection::start>(0);
    peer.expect<amqp::connection::tune>(0);
    peer.expect<amqp::connection::open_ok>(0);
    peer.expect<amqp::channel::open_ok>(1);
}

}  // namespace
}  // namespace lovage::broker::test
