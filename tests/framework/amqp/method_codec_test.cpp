#include "framework/amqp/method_codec.hpp"

#include "framework/amqp/frame.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::amqp {
namespace {

using namespace testing;

constexpr std::uint64_t rounds = 8;
constexpr auto dialects = {dialect::rabbitmq, dialect::specification};

TEST(MethodCodec, EveryMethodComesBackAsItWas) {
    for_each_method([]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        for (const auto as : dialects) {
            for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
                SCOPED_TRACE(seed);
                random_source random{seed};
                arena kept;
                const auto sent = any_method<Method>(random, kept, as);
                const std::string payload = payload_of(sent, as);

                method_id id;
                method received;
                ASSERT_EQ(read_method(payload, id, received, as), method_error::none);

                EXPECT_EQ(id, Method::id);
                ASSERT_TRUE(std::holds_alternative<Method>(received));
                EXPECT_EQ(std::get<Method>(received), sent);
                EXPECT_EQ(payload_of(std::get<Method>(received), as), payload);
            }
        }
    });
}

TEST(MethodCodec, DefaultsComeBackToo) {
    for_each_method([]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        const std::string payload = payload_of(Method{});

        method_id id;
        method received;
        ASSERT_EQ(read_method(payload, id, received), method_error::none);

        EXPECT_EQ(std::get<Method>(received), Method{});
    });
}

TEST(MethodCodec, AMethodCutShortAnywhereIsMalformed) {
    for_each_method([]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
            random_source random{seed};
            arena kept;
            const std::string payload = payload_of(any_method<Method>(random, kept));
            for (std::size_t size = 0; size < payload.size(); ++size) {
                method_id id;
                method received;
                ASSERT_EQ(
                    read_method(octets{payload}.substr(0, size), id, received),
                    method_error::malformed)
                    << "seed " << seed << ", " << size << " of " << payload.size();
            }
        }
    });
}

TEST(MethodCodec, OctetsLeftOverAreMalformed) {
    for_each_method([]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
            random_source random{seed};
            arena kept;
            std::string payload = payload_of(any_method<Method>(random, kept));
            payload += static_cast<char>(random.bits());

            method_id id;
            method received;
            EXPECT_EQ(read_method(payload, id, received), method_error::malformed) << seed;
        }
    });
}

/// Turns the n-th short string of a method into one that is no UTF-8.
struct text_breaker {
    int wanted;
    int seen = 0;

    void operator()(octets& field) {
        if (seen++ == wanted) {
            field = "ab\xff";
        }
    }
    void operator()(auto&) {}
};

TEST(MethodCodec, EveryShortStringMustBeUtf8ButThoseOfMessages) {
    int broken = 0;
    for_each_method([&]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        for (int wanted = 0;; ++wanted) {
            Method sent;
            text_breaker breaker{wanted};
            visit_fields(sent, breaker);
            if (breaker.seen <= wanted) {
                break;
            }
            const std::string payload = payload_of(sent);
            method_id id;
            method received;
            const auto expected =
                names_are_text<Method> ? method_error::not_utf8 : method_error::none;
            EXPECT_EQ(read_method(payload, id, received), expected) << wanted;
            EXPECT_EQ(id, Method::id);
            ++broken;
        }
    });
    EXPECT_GT(broken, 40);
}

TEST(MethodCodec, NamesOfMessagesAreAnyOctets) {
    static_assert(!names_are_text<basic::publish> && !names_are_text<basic::deliver>);
    static_assert(!names_are_text<basic::get_ok> && !names_are_text<basic::return_>);
    static_assert(names_are_text<queue::bind> && names_are_text<basic::get>);
    basic::publish sent;
    sent.routing_key = "\xff\xfe";
    method_id id;
    method received;
    const std::string payload = payload_of(sent);
    ASSERT_EQ(read_method(payload, id, received), method_error::none);
    EXPECT_EQ(std::get<basic::publish>(received).routing_key, "\xff\xfe");
}

TEST(MethodCodec, MalformedWinsOverNotUtf8) {
    std::string payload = payload_of(basic::cancel_ok{.consumer_tag = "\xff"});
    payload += 'x';

    method_id id;
    method received;
    EXPECT_EQ(read_method(payload, id, received), method_error::malformed);
}

TEST(MethodCodec, LongStringsMayHoldAnyOctets) {
    const std::string payload = payload_of(connection::secure_ok{.response = {"\xff\xfe"}});

    method_id id;
    method received;
    ASSERT_EQ(read_method(payload, id, received), method_error::none);

    EXPECT_EQ(std::get<connection::secure_ok>(received).response.value, "\xff\xfe");
}

TEST(MethodCodec, UnknownIdsAreTold) {
    for (const auto* text : {"00000000", "000a000c", "003c0000", "ffffffff", "00140014ff0a"}) {
        const std::string payload = from_hex(text);
        method_id id;
        method received;
        const auto expected = payload.size() == 4 ? method_error::unknown : method_error::malformed;
        EXPECT_EQ(read_method(payload, id, received), expected) << text;
    }
}

TEST(MethodCodec, SetsTheIdOfAnUnknownMethod) {
    const std::string payload = from_hex("0102 0304 ff");
    method_id id;
    method received;

    EXPECT_EQ(read_method(payload, id, received), method_error::unknown);
    EXPECT_EQ(id, (method_id{0x0102, 0x0304}));
}

TEST(MethodCodec, ABadTableIsMalformed) {
    queue::declare sent;
    sent.arguments.set("k", true);
    std::string payload = payload_of(sent);
    const auto letter = payload.rfind('t');
    payload[letter] = '?';

    method_id id;
    method received;
    EXPECT_EQ(read_method(payload, id, received), method_error::malformed);
}

TEST(MethodBits, ShareOneOctetFromTheLowestBitOn) {
    const auto bits_of = [](std::initializer_list<bool exchange::declare::*> set) {
        exchange::declare method;
        for (const auto field : set) {
            method.*field = true;
        }
        // Behind the bits stand four octets, the empty table.
        const std::string payload = payload_of(method);
        return static_cast<unsigned>(static_cast<unsigned char>(payload[payload.size() - 5]));
    };
    using declare = exchange::declare;

    EXPECT_EQ(bits_of({}), 0U);
    EXPECT_EQ(bits_of({&declare::passive}), 1U);
    EXPECT_EQ(bits_of({&declare::durable}), 2U);
    EXPECT_EQ(bits_of({&declare::auto_delete}), 4U);
    EXPECT_EQ(bits_of({&declare::internal}), 8U);
    EXPECT_EQ(bits_of({&declare::no_wait}), 16U);
    EXPECT_EQ(bits_of({&declare::passive, &declare::internal, &declare::no_wait}), 25U);
}

TEST(MethodBits, UnusedOnesAreIgnored) {
    const std::string payload = from_hex("003c 006e fe");

    method_id id;
    method received;
    ASSERT_EQ(read_method(payload, id, received), method_error::none);

    EXPECT_FALSE(std::get<basic::recover>(received).requeue);
}

/// More bits than one octet has, and bits on both sides of a number; no method has either.
struct many_bits {
    bool a = false, b = false, c = false, d = false, e = false, f = false, g = false, h = false;
    bool ninth = false;
    std::uint8_t between = 0;
    bool after = false;
    static constexpr auto fields() {
        return std::tuple{
            &many_bits::a,
            &many_bits::b,
            &many_bits::c,
            &many_bits::d,
            &many_bits::e,
            &many_bits::f,
            &many_bits::g,
            &many_bits::h,
            &many_bits::ninth,
            &many_bits::between,
            &many_bits::after};
    }
    bool operator==(const many_bits&) const = default;
};

TEST(MethodBits, GoOnInTheNextOctetAfterEight) {
    const many_bits sent{.a = true, .h = true, .ninth = true, .between = 0x55, .after = true};
    byte_buffer out;

    write_arguments(out, sent);
    many_bits received;
    const auto result = read_arguments(out.view(), received);

    EXPECT_EQ(to_hex(out.view()), "81015501");
    EXPECT_EQ(result, method_error::none);
    EXPECT_EQ(received, sent);
}

TEST(MethodFrame, HasHeaderSizeAndEnd) {
    byte_buffer out;
    out.append("before");

    write_method(out, 0x1234, basic::ack{.delivery_tag = 5, .multiple = true});

    EXPECT_EQ(
        to_hex(out.view().substr(6)),
        "01"
        "1234"
        "0000000d"
        "003c0050"
        "000000000000000501"
        "ce");
}

TEST(MethodFrame, EveryMethodsFrameIsOneThatNextFrameTakes) {
    for_each_method([]<class Method>() {
        SCOPED_TRACE(name_of(Method::id));
        random_source random{1};
        arena kept;
        const auto sent = any_method<Method>(random, kept);
        byte_buffer out;
        write_method(out, 7, sent);

        octets input = out.view();
        frame taken;
        std::uint32_t size = 0;
        ASSERT_EQ(next_frame(input, taken, 1U << 20U, size), frame_status::complete);

        EXPECT_TRUE(input.empty());
        EXPECT_EQ(taken.type, static_cast<std::uint8_t>(frame_type::method));
        EXPECT_EQ(taken.channel, 7);
        EXPECT_EQ(taken.payload, payload_of(sent));
    });
}

TEST(MethodCodec, RandomOctetsNeverComeBackChanged) {
    int accepted = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        random_source random{seed};
        for_each_method([&]<class Method>() {
            for (int i = 0; i < 40; ++i) {
                arena kept;
                const std::string payload =
                    random.corrupted(payload_of(any_method<Method>(random, kept)));
                method_id id;
                method received;
                if (read_method(payload, id, received) != method_error::none) {
                    continue;
                }
                ++accepted;
                // Written again it may differ (unused bits, a boolean of 2), but only once.
                const auto encoded = [](const auto& m) {
                    if constexpr (requires { m.id; }) {
                        return payload_of(m);
                    }
                    return std::string{};
                };
                const std::string again = std::visit(encoded, received);
                method second;
                ASSERT_EQ(read_method(again, id, second), method_error::none)
                    << "seed " << seed << ' ' << to_hex(payload);
                ASSERT_EQ(std::visit(encoded, second), again) << to_hex(payload);
            }
        });
    }
    EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace lovage::amqp
