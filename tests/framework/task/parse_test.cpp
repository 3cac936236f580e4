#include "framework/task/json_parse.hpp"

#include <lovage/json.hpp>

#include <gtest/gtest.h>

#include <string>

namespace {

/// Why `text` is refused; empty if it is not.
std::string refusal_of(std::string_view text) {
    boost::json::value value;
    std::string reason;
    const bool good = lovage::try_parse_json(text, value, reason);
    EXPECT_EQ(good, reason.empty());
    return reason;
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST(JsonParse, NanAndInfinityOfPythonAreNamed) {
    EXPECT_EQ(refusal_of("[1, NaN]"), "NaN and Infinity are not JSON (byte 4)");
    EXPECT_EQ(refusal_of("Infinity"), "NaN and Infinity are not JSON (byte 0)");
    EXPECT_NE(refusal_of("[-Infinity]").find("NaN and Infinity are not JSON"), std::string::npos);
    EXPECT_EQ(refusal_of("[nil]").find("NaN"), std::string::npos);
}

TEST(JsonParse, DepthIsLimited) {
    EXPECT_EQ(refusal_of(nested(lovage::json_depth_max)), "");
    EXPECT_EQ(refusal_of(nested(lovage::json_depth_max + 1)), "nested deeper than 64 levels");
}

TEST(JsonParse, SizeIsLimitedBeforeParsing) {
    const std::string text(lovage::json_bytes_max + 1, ' ');
    EXPECT_EQ(refusal_of(text), "longer than 67108864 bytes");
}

TEST(JsonParse, WhatIsNotOneValueIsRefused) {
    for (const char* text :
         {"",
          " ",
          "[",
          "[1,]",
          "{\"a\"}",
          "[1] 2",
          "'x'",
          "\xef\xbb\xbf[1]",
          "\"\xff\"",
          "01",
          "\x01"}) {
        EXPECT_NE(refusal_of(text), "") << text;
    }
}

TEST(JsonParse, SurroundingBlanksAreFine) {
    EXPECT_EQ(refusal_of(" \n[1, 2]\t "), "");
}

TEST(JsonParse, PublicFunctionThrowsTheReason) {
    try {
        static_cast<void>(lovage::parse_json("[NaN]"));
        FAIL();
    } catch (const lovage::decode_error& problem) {
        EXPECT_STREQ(problem.what(), "not JSON: NaN and Infinity are not JSON (byte 1)");
    }
}
