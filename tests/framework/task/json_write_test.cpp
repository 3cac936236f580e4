#include "tests/framework/task/shop.hpp"

#include <lovage/json.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>
#include <variant>

using lovage::to_json_text;
using namespace std::chrono_literals;

namespace {

/// The text of the encode_error that writing `value` throws.
template <class T>
std::string write_error(const T& value) {
    try {
        return "no error: " + to_json_text(value);
    } catch (const lovage::encode_error& problem) {
        EXPECT_EQ(problem.code(), lovage::errc::encode_failed);
        return problem.what();
    }
}

}  // namespace

TEST(JsonWrite, ScalarsHaveTheirShortestExactText) {
    EXPECT_EQ(to_json_text(true), "true");
    EXPECT_EQ(to_json_text(-7), "-7");
    EXPECT_EQ(to_json_text(std::uint8_t{200}), "200");
    EXPECT_EQ(to_json_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(to_json_text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(to_json_text(0.1), "0.1");
    EXPECT_EQ(to_json_text(0.1F), "0.1");
    EXPECT_EQ(to_json_text(1e300), "1e+300");
    EXPECT_EQ(to_json_text(std::monostate{}), "null");
}

TEST(JsonWrite, WholeDoubleKeepsAPointSoThatPythonSeesAFloat) {
    EXPECT_EQ(to_json_text(2.0), "2.0");
    EXPECT_EQ(to_json_text(-0.0), "-0.0");
}

TEST(JsonWrite, NanAndInfinityAreRefusedWithTheirPath) {
    const auto nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(write_error(nan), "NaN and infinity have no JSON form");
    const std::map<std::string, std::vector<double>> nested{{"x", {1.0, nan}}};
    EXPECT_EQ(write_error(nested), ".x[1]: NaN and infinity have no JSON form");
    EXPECT_EQ(
        write_error(boost::json::value{{"deep", {1, -INFINITY}}}),
        ".deep[1]: NaN and infinity have no JSON form");
}

TEST(JsonWrite, TextIsEscapedAndUnicodeStaysReadable) {
    EXPECT_EQ(
        to_json_text(std::string("tab\t\"q\" \\ nl\n nul\x01 Zo\u00eb \u2603 \U0001D11E")),
        "\"tab\\t\\\"q\\\" \\\\ nl\\n nul\\u0001 Zo\u00eb \u2603 \U0001D11E\"");
}

TEST(JsonWrite, TextThatIsNotUtf8IsRefused) {
    for (const std::string bad :
         {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "x\xe2\x98", "\x80"}) {
        EXPECT_EQ(write_error(bad), "text that is not UTF-8");
    }
}

TEST(JsonWrite, ContainersAreListsAndObjects) {
    EXPECT_EQ(to_json_text(std::vector<int>{}), "[]");
    EXPECT_EQ(to_json_text(std::vector<bool>{true, false}), "[true,false]");
    EXPECT_EQ(to_json_text(std::deque<int>{1, 2}), "[1,2]");
    EXPECT_EQ(to_json_text(std::set<std::string>{"b", "a"}), R"(["a","b"])");
    EXPECT_EQ(to_json_text(std::array<int, 2>{3, 4}), "[3,4]");
    EXPECT_EQ(to_json_text(std::tuple(1, std::string("x"), 2.5)), R"([1,"x",2.5])");
    EXPECT_EQ(to_json_text(std::tuple<>()), "[]");
    EXPECT_EQ(to_json_text(std::pair(1, std::optional<int>())), "[1,null]");
    EXPECT_EQ(to_json_text(std::map<std::string, int>{{"\"", 2}, {"a", 1}}), R"({"\"":2,"a":1})");
    EXPECT_EQ(to_json_text(std::unordered_map<std::string, int>{{"a", 1}}), R"({"a":1})");
}

TEST(JsonWrite, DescribedStructIsAnObjectOfAllMembersBasesFirst) {
    shop::priority_order value;
    value.number = 5;
    value.items = {{"x", 2}};
    EXPECT_EQ(
        to_json_text(value),
        R"({"number":5,"items":[{"sku":"x","quantity":2}],"note":null,"paint":"green",)"
        R"("prices":{"base":1.5},"level":7})");
}

TEST(JsonWrite, EnumeratorIsItsName) {
    EXPECT_EQ(to_json_text(shop::color::blue), "\"blue\"");
    EXPECT_EQ(
        write_error(static_cast<shop::color>(9)), "a value of the enumeration that has no name");
}

TEST(JsonWrite, DurationIsSecondsAndTimeIsIsoText) {
    EXPECT_EQ(to_json_text(90s), "90");
    EXPECT_EQ(to_json_text(1500ms), "1.5");
    EXPECT_EQ(to_json_text(std::chrono::hours(-1)), "-3600");
    EXPECT_EQ(to_json_text(std::chrono::hours::max()).substr(0, 6), "3.3204") << "no overflow";
    EXPECT_EQ(
        write_error(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
        "NaN and infinity have no JSON form");
    EXPECT_EQ(write_error(std::chrono::sys_days::max()), "a time outside of the years 1 to 9999");
    const std::chrono::sys_time<std::chrono::milliseconds> time(1795166611688ms);
    EXPECT_EQ(to_json_text(time), "\"2026-11-20T09:23:31.688000+00:00\"");
}

TEST(JsonWrite, ValueOfBoostJsonIsWrittenAsItIs) {
    const auto json = lovage::parse_json(R"({"a":[1,null,true,"x",18446744073709551615,0.5]})");
    EXPECT_EQ(to_json_text(json), R"({"a":[1,null,true,"x",18446744073709551615,0.5]})");
    EXPECT_EQ(
        to_json_text(json.at("a").as_array()), R"([1,null,true,"x",18446744073709551615,0.5])");
}
