#include "tests/framework/task/shop.hpp"

#include <lovage/json.hpp>

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <list>
#include <random>
#include <set>
#include <tuple>
#include <unordered_set>
#include <variant>

using lovage::from_json;
using lovage::parse_json;
using namespace std::chrono_literals;

namespace {

template <class T>
T read(std::string_view text) {
    return from_json<T>(parse_json(text));
}

/// The text of the decode_error that reading `text` as a T throws.
template <class T>
std::string read_error(std::string_view text) {
    try {
        static_cast<void>(read<T>(text));
        return "no error";
    } catch (const lovage::decode_error& problem) {
        EXPECT_EQ(problem.code(), lovage::errc::decode_failed);
        return problem.what();
    }
}

template <class T>
void expect_round_trip(const T& value) {
    EXPECT_EQ(read<T>(lovage::to_json_text(value)), value) << lovage::to_json_text(value);
}

}  // namespace

TEST(JsonRead, EveryTypeComesBackAsItWas) {
    expect_round_trip(true);
    expect_round_trip(std::numeric_limits<std::int64_t>::min());
    expect_round_trip(std::numeric_limits<std::uint64_t>::max());
    expect_round_trip(std::int8_t{-128});
    expect_round_trip(0.1);
    expect_round_trip(std::numeric_limits<double>::denorm_min());
    expect_round_trip(std::numeric_limits<double>::max());
    expect_round_trip(std::numeric_limits<float>::max());
    expect_round_trip(std::string("Zo\u00eb \u2603 \U0001D11E \t\"\\ \x01"));
    expect_round_trip(std::monostate{});
    expect_round_trip(std::optional<int>(3));
    expect_round_trip(std::optional<int>());
    expect_round_trip(std::vector<std::vector<int>>{{}, {1, 2}});
    expect_round_trip(std::vector<bool>{true, false});
    expect_round_trip(std::list<std::string>{"a", ""});
    expect_round_trip(std::set<int>{3, 1});
    expect_round_trip(std::unordered_set<std::string>{"a", "b"});
    expect_round_trip(std::array<int, 3>{1, 2, 3});
    expect_round_trip(std::tuple<int, std::string, bool>{1, "x", true});
    expect_round_trip(std::pair<int, std::optional<std::string>>{1, "y"});
    expect_round_trip(std::map<std::string, std::optional<double>>{{"a", 1.5}, {"b", {}}});
    expect_round_trip(shop::color::blue);
    expect_round_trip(shop::tree{"root", {{"left", {}}, {"right", {{"leaf", {}}}}}});
    expect_round_trip(1500ms);
    expect_round_trip(std::chrono::duration<double>(0.25));
    expect_round_trip(std::chrono::sys_time<std::chrono::microseconds>(1795166611688502us));
    shop::priority_order order;
    order.number = 18446744073709551615U;
    order.items = {{"x", 2}, {"\u00e9", -1}};
    order.note = "hi";
    order.paint = shop::color::red;
    order.prices = {{"a", 0.5}};
    order.level = 1;
    expect_round_trip(order);
}

TEST(JsonRead, IntegersAreExactAndRangeChecked) {
    EXPECT_EQ(read<int>("3.0"), 3);
    EXPECT_EQ(read<std::uint8_t>("255"), 255);
    EXPECT_EQ(read_error<int>("3.5"), "expected integer, got number 3.5");
    EXPECT_EQ(read_error<int>("true"), "expected integer, got true");
    EXPECT_EQ(read_error<std::uint8_t>("256"), "expected integer from 0 to 255, got integer 256");
    EXPECT_EQ(read_error<std::uint8_t>("-1"), "expected integer from 0 to 255, got integer -1");
    EXPECT_EQ(
        read_error<std::int8_t>("-129"), "expected integer from -128 to 127, got integer -129");
    EXPECT_EQ(
        read_error<std::int64_t>("9223372036854775808"),
        "expected integer from -9223372036854775808 to 9223372036854775807, "
        "got integer 9223372036854775808");
}

TEST(JsonRead, IntegerBeyond64BitsIsNeverRounded) {
    EXPECT_NE(read_error<std::uint64_t>("1180591620717411303424"), "no error");
    EXPECT_NE(read_error<std::int64_t>("-9223372036854775809"), "no error");
    EXPECT_DOUBLE_EQ(read<double>("1180591620717411303424"), 1180591620717411303424.0);
}

TEST(JsonRead, EveryDoubleComesBackBitForBit) {
    const std::uint64_t seed = 20261121;
    std::mt19937_64 random(seed);
    for (int i = 0; i < 20000; ++i) {
        const auto value = std::bit_cast<double>(random());
        const double ordinary = std::uniform_real_distribution<double>(-1000, 1000)(random);
        if (std::isfinite(value)) {
            ASSERT_EQ(read<double>(lovage::to_json_text(value)), value) << "seed " << seed;
        }
        ASSERT_EQ(read<double>(lovage::to_json_text(ordinary)), ordinary) << "seed " << seed;
    }
}

TEST(JsonRead, FloatingPointTakesAnyNumberWithinItsRange) {
    EXPECT_DOUBLE_EQ(read<double>("2"), 2.0);
    EXPECT_DOUBLE_EQ(read<double>("18446744073709551615"), 18446744073709551615.0);
    EXPECT_EQ(read_error<double>("1e400"), "number out of range");
    EXPECT_EQ(read_error<float>("1e39"), "number out of range");
    EXPECT_EQ(read_error<double>("\"2\""), "expected number, got string \"2\"");
    EXPECT_EQ(read_error<double>("true"), "expected number, got true");
}

TEST(JsonRead, ErrorNamesThePathToThePart) {
    const auto text =
        R"({"number":1,"items":[{"sku":"a","quantity":1},{"sku":"b","quantity":"x"}]})";
    EXPECT_EQ(
        read_error<shop::order>(text), ".items[1].quantity: expected integer, got string \"x\"");
    EXPECT_EQ(
        read_error<shop::order>(R"({"number":1,"items":[],"prices":{"vat":null}})"),
        ".prices.vat: expected number, got null");
    EXPECT_EQ(
        (read_error<std::tuple<int, std::vector<bool>>>("[1,[true,0]]")),
        "[1][1]: expected boolean, got integer 0");
}

TEST(JsonRead, ErrorQuotesOnlyTheFrontOfALongText) {
    const std::string text = "\"" + std::string(39, 'a') + "\u00e9" + std::string(500, 'b') + "\"";
    EXPECT_EQ(
        read_error<int>(text), "expected integer, got string \"" + std::string(39, 'a') + "...\"");
}

TEST(JsonRead, WrongKindsAreNamed) {
    EXPECT_EQ(read_error<std::string>("[1,2]"), "expected string, got a list of 2");
    EXPECT_EQ(read_error<std::vector<int>>("{}"), "expected list, got an object");
    EXPECT_EQ(read_error<std::set<int>>("1"), "expected list, got integer 1");
    EXPECT_EQ((read_error<std::map<std::string, int>>("[]")), "expected object, got a list of 0");
    EXPECT_EQ(read_error<shop::item>("null"), "expected object, got null");
    EXPECT_EQ((read_error<std::array<int, 2>>("[1]")), "expected list of 2, got a list of 1");
    EXPECT_EQ(read_error<std::monostate>("0"), "expected null, got integer 0");
    EXPECT_EQ(read_error<bool>("1"), "expected boolean, got integer 1");
}

TEST(JsonRead, EnumTakesOnlyItsNames) {
    EXPECT_EQ(read<shop::color>("\"red\""), shop::color::red);
    EXPECT_EQ(
        read_error<shop::color>("\"pink\""),
        "expected one of red, green, blue, got string \"pink\"");
    EXPECT_EQ(read_error<shop::color>("0"), "expected one of red, green, blue, got integer 0");
}

TEST(JsonRead, UnknownMembersAreIgnored) {
    const auto value = read<shop::item>(R"({"sku":"x","added_later":[1],"quantity":2})");
    EXPECT_EQ(value, (shop::item{"x", 2}));
}

TEST(JsonRead, MissingOptionalAndDefaultedMembersKeepTheirDefaults) {
    const auto value = read<shop::priority_order>(R"({"number":4,"items":[]})");
    EXPECT_EQ(value.note, std::nullopt);
    EXPECT_EQ(value.paint, shop::color::green);
    EXPECT_EQ(value.prices, (std::map<std::string, double>{{"base", 1.5}}));
    EXPECT_EQ(value.level, 7);
}

TEST(JsonRead, MissingMemberWithoutDefaultIsAnError) {
    EXPECT_EQ(read_error<shop::item>(R"({"sku":"x"})"), ".quantity: missing");
    EXPECT_EQ(
        read_error<shop::order>(R"({"number":1,"items":[{"quantity":1}]})"),
        ".items[0].sku: missing");
}

TEST(JsonRead, TolerantStructMayMissAnyMember) {
    EXPECT_EQ(read<shop::loose>("{}"), shop::loose{});
    EXPECT_EQ(read<shop::loose>(R"({"b":"x"})"), (shop::loose{0, "x"}));
    EXPECT_EQ(read_error<shop::loose>(R"({"a":"x"})"), ".a: expected integer, got string \"x\"");
}

TEST(JsonRead, GivenContainerReplacesTheDefault) {
    const auto value = read<shop::order>(R"({"number":1,"items":[],"prices":{"a":2}})");
    EXPECT_EQ(value.prices, (std::map<std::string, double>{{"a", 2.0}}));
}

TEST(JsonRead, DurationIsCheckedAgainstItsRange) {
    EXPECT_EQ(read<std::chrono::milliseconds>("0.25"), 250ms);
    EXPECT_EQ(read<std::chrono::seconds>("2"), 2s);
    EXPECT_EQ(read_error<std::chrono::nanoseconds>("1e12"), "number out of range");
    EXPECT_EQ(read_error<std::chrono::seconds>("\"1s\""), "expected number, got string \"1s\"");
}

TEST(JsonRead, TimeIsIsoText) {
    using time = std::chrono::sys_time<std::chrono::seconds>;
    EXPECT_EQ(read<time>("\"2026-11-20T09:23:31Z\""), time(1795166611s));
    using system_time = std::chrono::system_clock::time_point;
    EXPECT_EQ(read<system_time>("\"2026-11-20T09:23:31Z\""), system_time(1795166611s));
    EXPECT_EQ(read_error<system_time>("\"9999-01-01\""), "time out of range");
    EXPECT_EQ(read_error<time>("\"soon\""), "expected ISO 8601 time, got string \"soon\"");
}
