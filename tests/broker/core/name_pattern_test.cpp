#include "broker/core/name_pattern.hpp"

#include <gtest/gtest.h>

namespace lovage::broker {
namespace {

bool fits(octets pattern, octets name) {
    std::string problem;
    const auto compiled = name_pattern::compile(pattern, problem);
    EXPECT_TRUE(compiled) << problem;
    return compiled && compiled->matches(name);
}

std::string problem_of(octets pattern) {
    std::string problem;
    EXPECT_FALSE(name_pattern::compile(pattern, problem));
    return problem;
}

TEST(NamePattern, FitsAnywhereUnlessAnchored) {
    EXPECT_TRUE(fits("orders", "my-orders-1"));
    EXPECT_FALSE(fits("^orders", "my-orders-1"));
    EXPECT_TRUE(fits("^(amq\\.gen.*|q[0-9]+)$", "amq.gen-xyz"));
    EXPECT_FALSE(fits("^$", "q"));
    EXPECT_TRUE(fits("^$", ""));
    EXPECT_TRUE(fits("", "anything"));
}

TEST(NamePattern, ComparesOctetsSoThatNoNameIsAnError) {
    EXPECT_TRUE(fits(
        "^gr\xc3\xbc\xc3\x9f"
        "e$",
        "gr\xc3\xbc\xc3\x9f"
        "e"));
    EXPECT_TRUE(fits(".*", "\xff\xfe"));
    EXPECT_TRUE(fits("^a.b$", octets{"a\0b", 3}));
}

TEST(NamePattern, RefusesWhatIsNoExpressionOrCannotBeBounded) {
    EXPECT_NE(problem_of("(a"), "");
    EXPECT_NE(problem_of("(a)\\1"), "");
    EXPECT_NE(problem_of("(?=a)b"), "");
    EXPECT_NE(problem_of("((a{1000}){1000}){1000}"), "");
    EXPECT_EQ(problem_of("(?:[bc]?.?){1000}x").substr(0, 14), "is too complex");
    EXPECT_EQ(problem_of(std::string(4097, 'a')), "is longer than 4096 octets");
}

TEST(NamePattern, DoesNotBacktrack) {
    // With a backtracking matcher this would not end.
    EXPECT_FALSE(fits("^(a+)+$", std::string(255, 'a') + "b"));
}

}  // namespace
}  // namespace lovage::broker
