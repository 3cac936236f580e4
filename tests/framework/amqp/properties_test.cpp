#include "framework/amqp/properties.hpp"

#include "framework/amqp/table_codec.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lovage::amqp {
namespace {

using namespace testing;

constexpr unsigned property_count = 14;

/// The properties whose bit is set in `which`, in the order of the specification.
basic_properties some_properties(unsigned which, const table& headers = {{"h", 1}, {"i", "j"}}) {
    basic_properties p;
    const auto has = [&](unsigned place) { return (which >> place & 1U) != 0; };
    const auto text = [&](unsigned place, std::optional<std::string>& field) {
        if (has(place)) {
            field = "property " + std::to_string(place);
        }
    };
    text(0, p.content_type);
    text(1, p.content_encoding);
    if (has(2)) {
        p.headers = headers;
    }
    if (has(3)) {
        p.delivery_mode = std::uint8_t{2};
    }
    if (has(4)) {
        p.priority = std::uint8_t{9};
    }
    text(5, p.correlation_id);
    text(6, p.reply_to);
    text(7, p.expiration);
    text(8, p.message_id);
    if (has(9)) {
        p.timestamp = 1577933365;
    }
    text(10, p.type);
    text(11, p.user_id);
    text(12, p.app_id);
    text(13, p.cluster_id);
    return p;
}

std::string encoded(const basic_properties& from) {
    byte_buffer out;
    write_properties(out, from);
    return std::string(out.view());
}
std::string table_content(const table& from) {
    byte_buffer out;
    write_table(out, from);
    return std::string(out.view().substr(4));
}

/// What scan_properties must say about properties that read_properties gave.
void expect_view(const properties_view& view, const basic_properties& p) {
    EXPECT_EQ(view.delivery_mode, p.delivery_mode.value_or(delivery_mode_transient));
    EXPECT_EQ(view.priority, p.priority);
    EXPECT_EQ(view.reply_to, p.reply_to);
    EXPECT_EQ(view.expiration, p.expiration);
    EXPECT_EQ(view.user_id, p.user_id);
    EXPECT_EQ(view.headers.has_value(), p.headers.has_value());
}

TEST(Properties, NoneAreTwoOctetsOfFlags) {
    EXPECT_EQ(to_hex(encoded({})), "0000");
    EXPECT_EQ(read_properties(encoded({})), basic_properties{});
}

TEST(Properties, StandInTheOrderOfTheSpecification) {
    EXPECT_EQ(
        encoded(some_properties(0x3fff, {})),
        from_hex("fffc") + "\x0aproperty 0\x0aproperty 1" + from_hex("00000000 02 09") +
            "\x0aproperty 5\x0aproperty 6\x0aproperty 7\x0aproperty 8" +
            from_hex("000000005e0d5a35") +
            "\x0bproperty 10\x0bproperty 11\x0bproperty 12\x0bproperty 13");
}

TEST(Properties, EverySubsetComesBackAsItWas) {
    for (unsigned which = 0; which < 1U << property_count; ++which) {
        const basic_properties sent = some_properties(which);
        const std::string bytes = encoded(sent);

        ASSERT_EQ(read_properties(bytes), sent) << which;
        const auto view = scan_properties(bytes);
        ASSERT_TRUE(view) << which;
        expect_view(*view, sent);
        ASSERT_FALSE(HasFailure()) << which;
    }
}

TEST(Properties, AnEmptyStringIsNotAMissingOne) {
    basic_properties sent;
    sent.reply_to = "";
    sent.headers = table{};

    const auto received = read_properties(encoded(sent));

    EXPECT_EQ(received, sent);
    EXPECT_NE(received, basic_properties{});
}

TEST(Properties, CutShortAnywhereAreRefused) {
    const std::string bytes = encoded(some_properties(0x3fff));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(read_properties(octets{bytes}.substr(0, size))) << size;
        EXPECT_FALSE(scan_properties(octets{bytes}.substr(0, size))) << size;
    }
}

TEST(Properties, OctetsLeftOverAreRefused) {
    for (const unsigned which : {0U, 1U, 4U, 0x3fffU}) {
        const std::string bytes = encoded(some_properties(which)) + '\0';
        EXPECT_FALSE(read_properties(bytes)) << which;
        EXPECT_FALSE(scan_properties(bytes)) << which;
    }
}

TEST(Properties, ContinuationFlagsAreRefused) {
    for (const auto* text : {"0001", "0001 0000", "1001 0000 02", "ffff"}) {
        EXPECT_FALSE(read_properties(from_hex(text))) << text;
        EXPECT_FALSE(scan_properties(from_hex(text))) << text;
    }
}

TEST(Properties, ABadHeaderTableIsRefused) {
    std::string bytes = encoded(some_properties(4, {{"h", true}}));
    bytes[bytes.rfind('t')] = '?';

    EXPECT_FALSE(read_properties(bytes));
    EXPECT_FALSE(scan_properties(bytes));
}

TEST(PropertiesView, HeadersAreTheTableWithoutItsLength) {
    const table headers{{"h", 1}, {"list", field_array{"a"}}};
    for (const unsigned which : {4U, 0x3fffU}) {
        const std::string bytes = encoded(some_properties(which, headers));

        const auto view = scan_properties(bytes);

        ASSERT_TRUE(view && view->headers);
        EXPECT_EQ(*view->headers, table_content(headers));
    }
    const std::string none = encoded(some_properties(4, {}));
    EXPECT_EQ(scan_properties(none)->headers, "");
}

TEST(PropertiesWithHeaders, ReplaceThoseOfEverySubset) {
    const table headers{{"x-death", field_array{table{{"count", std::int64_t{1}}}}}};
    for (unsigned which = 0; which < 1U << property_count; ++which) {
        const basic_properties before = some_properties(which);
        byte_buffer out;
        out.append("kept");

        write_properties_with_headers(out, encoded(before), table_content(headers));

        basic_properties expected = before;
        expected.headers = headers;
        ASSERT_EQ(out.view().substr(0, 4), "kept");
        ASSERT_EQ(read_properties(out.view().substr(4)), expected) << which;
    }
}

TEST(PropertiesWithHeaders, MayBecomeEmpty) {
    byte_buffer out;

    write_properties_with_headers(out, encoded(some_properties(0x3fff)), {});

    EXPECT_EQ(read_properties(out.view()), some_properties(0x3fff, {}));
}

TEST(Properties, CorruptedOnesAreReadAndScannedAlike) {
    int accepted = 0;
    int refused = 0;
    for (std::uint64_t seed = 1; seed <= 8000; ++seed) {
        SCOPED_TRACE(seed);
        random_source random{seed};
        const auto which = static_cast<unsigned>(random.below(1U << property_count));
        const table headers = random.any_table(dialect::rabbitmq);
        const std::string bytes = random.corrupted(encoded(some_properties(which, headers)));

        const auto received = read_properties(bytes);
        const auto view = scan_properties(bytes);

        ASSERT_EQ(view.has_value(), received.has_value()) << to_hex(bytes);
        if (!received) {
            ++refused;
            continue;
        }
        ++accepted;
        expect_view(*view, *received);
        byte_buffer out;
        write_properties_with_headers(out, bytes, "\x01hV");
        const auto replaced = read_properties(out.view());
        ASSERT_TRUE(replaced) << to_hex(bytes);
        EXPECT_EQ(replaced->headers, (table{{"h", {}}}));
        EXPECT_EQ(replaced->message_id, received->message_id);
        EXPECT_EQ(replaced->content_type, received->content_type);
        ASSERT_FALSE(HasFailure()) << to_hex(bytes);
    }
    EXPECT_GT(accepted, 500);
    EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace lovage::amqp
