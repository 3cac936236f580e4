#include "framework/amqp/table.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace lovage::amqp {
namespace {

TEST(Table, KeepsOrderAndDuplicates) {
    table t{{"b", 1}, {"a", 2}};
    t.add("b", 3);

    std::string names;
    for (const auto& [name, value] : t) {
        names += name;
    }

    EXPECT_EQ(names, "bab");
    EXPECT_EQ(t.size(), 3U);
    EXPECT_EQ(*t.find("b"), field_value{1});
}

TEST(Table, FindGivesNullForAMissingName) {
    const table t{{"a", true}};

    EXPECT_EQ(t.find("A"), nullptr);
    EXPECT_EQ(t.find(""), nullptr);
    EXPECT_NE(t.find("a"), nullptr);
}

TEST(Table, SetReplacesTheFirstOrAddsAtTheEnd) {
    table t{{"a", 1}, {"b", 2}, {"a", 3}};

    t.set("a", "one");
    t.set("c", 4);

    EXPECT_EQ(t, (table{{"a", "one"}, {"b", 2}, {"a", 3}, {"c", 4}}));
}

TEST(Table, EraseRemovesEveryValueOfTheName) {
    table t{{"a", 1}, {"b", 2}, {"a", 3}};

    t.erase("a");
    t.erase("missing");

    EXPECT_EQ(t, (table{{"b", 2}}));
}

TEST(Table, EqualityLooksAtOrderTypeAndValue) {
    EXPECT_EQ((table{{"a", 1}}), (table{{"a", 1}}));
    EXPECT_NE((table{{"a", 1}}), (table{{"a", std::int64_t{1}}}));
    EXPECT_NE((table{{"a", 1}}), (table{{"a", 2}}));
    EXPECT_NE((table{{"a", 1}, {"b", 1}}), (table{{"b", 1}, {"a", 1}}));
    EXPECT_TRUE(table{}.empty());
}

TEST(FieldValue, KeepsTheTypeItWasMadeOf) {
    EXPECT_NE(field_value{true}.as<bool>(), nullptr);
    EXPECT_EQ(field_value{1}.as<bool>(), nullptr);
    EXPECT_NE(field_value{1}.as<std::int32_t>(), nullptr);
    EXPECT_NE(field_value{1U}.as<std::uint32_t>(), nullptr);
    EXPECT_NE(field_value{std::int8_t{1}}.as<std::int8_t>(), nullptr);
    EXPECT_NE(field_value{1.0F}.as<float>(), nullptr);
    EXPECT_NE(field_value{"text"}.as<std::string>(), nullptr);
    EXPECT_NE(field_value{std::string_view{"text"}}.as<std::string>(), nullptr);
    EXPECT_NE(field_value{table{}}.as<table>(), nullptr);
    EXPECT_NE(field_value{field_array{}}.as<field_array>(), nullptr);
    EXPECT_TRUE(field_value{}.is_void());
    EXPECT_FALSE(field_value{false}.is_void());
}

TEST(FieldValue, TextIsThatOfLongAndShortStrings) {
    EXPECT_EQ(field_value{"long"}.text(), "long");
    EXPECT_EQ(field_value{short_text{"short"}}.text(), "short");
    EXPECT_EQ(field_value{byte_array{"octets"}}.text(), std::nullopt);
    EXPECT_EQ(field_value{7}.text(), std::nullopt);
    EXPECT_EQ(field_value{}.text(), std::nullopt);
}

TEST(FieldValue, IntegerIsThatOfEveryIntegerLetter) {
    EXPECT_EQ(field_value{std::int8_t{-128}}.integer(), -128);
    EXPECT_EQ(field_value{std::uint8_t{255}}.integer(), 255);
    EXPECT_EQ(field_value{std::int16_t{-32768}}.integer(), -32768);
    EXPECT_EQ(field_value{std::uint16_t{65535}}.integer(), 65535);
    EXPECT_EQ(field_value{std::numeric_limits<std::int32_t>::min()}.integer(), -2147483648LL);
    EXPECT_EQ(field_value{std::uint32_t{4294967295U}}.integer(), 4294967295LL);
    EXPECT_EQ(field_value{std::int64_t{-1}}.integer(), -1);
    EXPECT_EQ(field_value{unsigned_long{5}}.integer(), 5);
    EXPECT_EQ(field_value{unsigned_long{~0ULL}}.integer(), -1);
}

TEST(FieldValue, IntegerIsNothingForTheOthers) {
    EXPECT_EQ(field_value{}.integer(), std::nullopt);
    EXPECT_EQ(field_value{true}.integer(), std::nullopt);
    EXPECT_EQ(field_value{1.0}.integer(), std::nullopt);
    EXPECT_EQ(field_value{"1"}.integer(), std::nullopt);
    EXPECT_EQ(field_value{timestamp{1}}.integer(), std::nullopt);
    EXPECT_EQ((field_value{decimal{0, 1}}.integer()), std::nullopt);
}

TEST(FieldValue, TypeNamesAreThoseOfTheAlternatives) {
    EXPECT_EQ(field_value{}.type_name(), "void");
    EXPECT_EQ(field_value{true}.type_name(), "bool");
    EXPECT_EQ(field_value{std::int8_t{}}.type_name(), "byte");
    EXPECT_EQ(field_value{std::uint8_t{}}.type_name(), "unsignedbyte");
    EXPECT_EQ(field_value{std::int16_t{}}.type_name(), "short");
    EXPECT_EQ(field_value{std::uint16_t{}}.type_name(), "unsignedshort");
    EXPECT_EQ(field_value{std::int32_t{}}.type_name(), "signedint");
    EXPECT_EQ(field_value{std::uint32_t{}}.type_name(), "unsignedint");
    EXPECT_EQ(field_value{std::int64_t{}}.type_name(), "long");
    EXPECT_EQ(field_value{unsigned_long{}}.type_name(), "long");
    EXPECT_EQ(field_value{0.0F}.type_name(), "float");
    EXPECT_EQ(field_value{0.0}.type_name(), "double");
    EXPECT_EQ(field_value{decimal{}}.type_name(), "decimal");
    EXPECT_EQ(field_value{""}.type_name(), "longstr");
    EXPECT_EQ(field_value{byte_array{}}.type_name(), "binary");
    EXPECT_EQ(field_value{timestamp{}}.type_name(), "timestamp");
    EXPECT_EQ(field_value{field_array{}}.type_name(), "array");
    EXPECT_EQ(field_value{table{}}.type_name(), "table");
}

}  // namespace
}  // namespace lovage::amqp
