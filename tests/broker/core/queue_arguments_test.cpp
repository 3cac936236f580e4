// Rows 103 to 106 and 116 to 127: the arguments of queue.declare.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_value;

constexpr amqp::method_id declare_id{50, 10};

class QueueArguments : public testing::Test {
protected:
    void refused(
        const amqp::table& arguments,
        const std::string& text,
        where_t where = where_t::current()) {
        peer.send(1, declare_queue("q", {}, arguments));
        peer.expect_channel_error(1, declare_id, "406 " + text, where);
        EXPECT_FALSE(broker.has_queue("q"));
    }
    void invalid(
        octets name,
        const field_value& value,
        const std::string& why,
        where_t where = where_t::current()) {
        refused(
            {{std::string(name), value}},
            "invalid arg '" + std::string(name) + "' for queue 'q' in vhost '/': " + why,
            where);
    }
    void differs(
        const amqp::table& arguments,
        const std::string& text,
        where_t where = where_t::current()) {
        peer.send(1, declare_queue("q", {}, arguments));
        peer.expect_channel_error(1, declare_id, "406 inequivalent arg " + text, where);
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(QueueArguments, TimesMustBeIntegers) {
    for (const octets name : {"x-message-ttl", "x-expires"}) {
        invalid(name, "1000", "\"expected integer, got longstr\"");
        invalid(name, 1.5, "\"expected integer, got double\"");
        invalid(name, true, "\"expected integer, got bool\"");
        invalid(name, field_value{}, "\"expected integer, got void\"");
        invalid(name, amqp::table{}, "\"expected integer, got table\"");
        invalid(name, amqp::field_array{}, "\"expected integer, got array\"");
        invalid(name, amqp::timestamp{1}, "\"expected integer, got timestamp\"");
        invalid(name, amqp::decimal{0, 1}, "\"expected integer, got decimal\"");
    }
}

TEST_F(QueueArguments, TimesHaveBounds) {
    for (const octets name : {"x-message-ttl", "x-expires"}) {
        invalid(name, std::int32_t{-1}, "{value_negative,-1}");
        invalid(name, std::int64_t{315'360'000'001}, "{value_too_large,315360000001}");
        declare(peer, "q", {}, {{std::string(name), std::int64_t{315'360'000'000}}});
        peer.send(1, delete_queue("q"));
        peer.expect<amqp::queue::delete_ok>(1);
    }
    invalid("x-expires", std::int32_t{0}, "{value_zero,0}");
    declare(peer, "q", {}, {{"x-message-ttl", std::int32_t{0}}});
}

TEST_F(QueueArguments, EveryIntegerLetterIsAccepted) {
    for (const field_value& value : std::initializer_list<field_value>{
             std::int8_t{100},
             std::uint8_t{100},
             std::int16_t{100},
             std::uint16_t{100},
             std::int32_t{100},
             std::uint32_t{100},
             std::int64_t{100},
             amqp::unsigned_long{100}}) {
        // The same queue: widths are not compared.
        declare(peer, "q", {}, {{"x-message-ttl", value}});
    }
}

TEST_F(QueueArguments, DeadLetterArgumentsAreChecked) {
    refused(
        {{"x-dead-letter-exchange", std::int32_t{1}}},
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'");
    invalid("x-dead-letter-routing-key", std::int32_t{1}, "{unacceptable_type,signedint}");
    invalid("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined");
    const std::string too_long(256, 'k');
    peer.send(
        1,
        declare_queue(
            "q",
            {},
            {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", octets{too_long}}}));
    peer.expect_channel_error(
        1,
        {50, 10},
        "406 invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': "
        "routing_key_too_long");
    declare(
        peer, "q", {}, {{"x-dead-letter-exchange", "missing"}, {"x-dead-letter-routing-key", "k"}});
    declare(peer, "r", {}, {{"x-dead-letter-exchange", ""}});
}

TEST_F(QueueArguments, ModeAndTypeAreChecked) {
    invalid("x-queue-mode", "foo", "\"unsupported queue mode 'foo'\"");
    invalid("x-queue-type", "foo", "\"unsupported queue type 'foo'\"");
    invalid("x-queue-type", std::int32_t{1}, "{unacceptable_type,signedint}");
    declare(peer, "q", {}, {{"x-queue-mode", "lazy"}, {"x-queue-type", "classic"}});
}

TEST_F(QueueArguments, LengthsAndLimitsMustBeIntegersFromZeroOn) {
    for (const octets name :
         {"x-max-length", "x-max-length-bytes", "x-max-priority", "x-delivery-limit"}) {
        invalid(name, "5", "\"expected integer, got longstr\"");
        invalid(name, field_value{}, "\"expected integer, got void\"");
        invalid(name, std::int64_t{-5}, "{value_negative,-5}");
    }
    invalid("x-max-priority", std::int32_t{256}, "{max_value_exceeded,256}");
    declare(
        peer,
        "q",
        {},
        {{"x-max-length", std::int64_t{1} << 62},
         {"x-max-length-bytes", std::int64_t{1} << 40},
         {"x-max-priority", std::uint8_t{255}},
         {"x-delivery-limit", std::int32_t{0}}});
}

TEST_F(QueueArguments, OverflowAndSingleActiveConsumerAreChecked) {
    invalid("x-overflow", "drop-tail", "invalid_overflow");
    invalid("x-overflow", std::int32_t{1}, "{unacceptable_type,signedint}");
    invalid("x-single-active-consumer", "true", "{unacceptable_type,longstr}");
    declare(peer, "q", {}, {{"x-overflow", "drop-head"}, {"x-single-active-consumer", false}});
}

TEST_F(QueueArguments, LimitsAreComparedButTheDeliveryLimit) {
    declare(peer, "q", {}, {{"x-max-length", std::int32_t{5}}});
    declare(
        peer, "q", {}, {{"x-max-length", std::int64_t{5}}, {"x-delivery-limit", std::int8_t{1}}});
    differs(
        {{"x-max-length", std::int32_t{6}}},
        "'x-max-length' for queue 'q' in vhost '/': received '6' but current is '5'");
    differs(
        {{"x-max-length", std::int32_t{5}}, {"x-max-priority", std::int32_t{1}}},
        "'x-max-priority' for queue 'q' in vhost '/': received the value '1' of type 'signedint' "
        "but current is none");
    differs(
        {{"x-max-length", std::int32_t{5}}, {"x-overflow", "reject-publish"}},
        "'x-overflow' for queue 'q' in vhost '/': received the value 'reject-publish' of type "
        "'longstr' but current is none");
    differs(
        {{"x-max-length", std::int32_t{5}}, {"x-single-active-consumer", true}},
        "'x-single-active-consumer' for queue 'q' in vhost '/': received the value 'true' of type "
        "'bool' but current is none");
}

TEST_F(QueueArguments, UnknownAreIgnored) {
    declare(peer, "q", {}, {{"x-unknown", "a"}});
    declare(peer, "q", {}, {{"x-unknown", std::int32_t{1}}});
    declare(peer, "q");
}

TEST_F(QueueArguments, AddedChangedAndMissingAreNamed) {
    declare(peer, "q");
    differs(
        {{"x-message-ttl", std::int32_t{1000}}},
        "'x-message-ttl' for queue 'q' in vhost '/': received the value '1000' of type "
        "'signedint' but current is none");
    differs(
        {{"x-message-ttl", amqp::byte_array{"ab"}}},
        "'x-message-ttl' for queue 'q' in vhost '/': received the value 'ab' of type 'binary' but "
        "current is none");
    peer.send(1, delete_queue("q"));
    peer.expect<amqp::queue::delete_ok>(1);
    declare(peer, "q", {}, {{"x-message-ttl", std::int32_t{60000}}});
    differs(
        {{"x-message-ttl", std::int32_t{60001}}},
        "'x-message-ttl' for queue 'q' in vhost '/': received '60001' but current is '60000'");
    differs(
        {},
        "'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value "
        "'60000' of type 'signedint'");
}

TEST_F(QueueArguments, InvalidValueOnAnExistingQueueIsADifference) {
    declare(peer, "q");
    differs(
        {{"x-expires", "soon"}},
        "'x-expires' for queue 'q' in vhost '/': received the value 'soon' of type 'longstr' but "
        "current is none");
}

TEST_F(QueueArguments, ClassicTypeIsTheSameAsNone) {
    declare(peer, "q");
    declare(peer, "q", {}, {{"x-queue-type", "classic"}});
    differs(
        {{"x-queue-type", "quorum"}},
        "'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type "
        "'longstr' but current is none");
}

TEST_F(QueueArguments, FlagsAreComparedBeforeArguments) {
    declare(peer, "q");
    peer.send(1, declare_queue("q", durable, {{"x-message-ttl", std::int32_t{1}}}));
    peer.expect_channel_error(
        1,
        declare_id,
        "406 inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current "
        "is 'false'");
}

}  // namespace
}  // namespace lovage::broker::test
