#include "broker/core/access_rule.hpp"

#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

bool matches(octets pattern, octets name) {
    std::string problem;
    const auto rule = access_rule::compile(pattern, problem);
    EXPECT_TRUE(rule.has_value()) << pattern << " " << problem;
    return rule && rule->matches(name);
}

TEST(AccessRule, FindsThePatternAnywhereInTheName) {
    EXPECT_TRUE(matches("b", "abc"));
    EXPECT_FALSE(matches("^b", "abc"));
    EXPECT_TRUE(matches("^(a|b)\\.", "b.c"));
    EXPECT_TRUE(matches(".*", "line\nbreak"));
    EXPECT_TRUE(matches(".*", ""));
}

TEST(AccessRule, EmptyPatternFitsTheEmptyNameOnly) {
    EXPECT_FALSE(matches("", "a"));
    EXPECT_TRUE(matches("", ""));
    EXPECT_FALSE(access_rule{}.matches("a"));
}

TEST(AccessRule, RefusesWhatCannotBeBounded) {
    for (const octets text : {octets{"("}, octets{"(?!a)b"}, octets{"(a)\\1"}}) {
        std::string problem;
        EXPECT_FALSE(access_rule::compile(text, problem)) << text;
        EXPECT_NE(problem, "") << text;
    }
}

TEST(AccessRule, TopicPatternsTakeNamesAsTheyAre) {
    EXPECT_EQ(expanded_topic_pattern("^{username}.{vhost}$", "joe", "shop"), "^joe.shop$");
    const std::string expanded = expanded_topic_pattern("^{username}\\.", ".*", "/");
    EXPECT_TRUE(matches(expanded, ".*.orders"));
    EXPECT_FALSE(matches(expanded, "others.orders"));
    EXPECT_EQ(expanded_topic_pattern("{username}{vhost}", "{vhost}", "x"), "\\{vhost\\}x");
}

}  // namespace
}  // namespace lovage::broker::test
