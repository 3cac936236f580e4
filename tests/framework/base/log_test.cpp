#include "framework/base/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lovage {
namespace {

struct line {
    log_level level;
    std::string text;
    bool operator==(const line&) const = default;
};
std::vector<line> lines;

/// Without a sink again at the end, so that no test sees another's.
class LogSink : public ::testing::Test {
protected:
    LogSink() { lines.clear(); }
    ~LogSink() override { set_log_sink(nullptr, log_level::off); }

    static void collect(log_level level, std::string_view text) {
        lines.push_back({level, std::string(text)});
    }
};

TEST(LogLine, IsTheNameAloneWithoutFields) {
    EXPECT_EQ(format_log_line("broker.ready", {}), "broker.ready");
}

TEST(LogLine, HasFieldsInOrder) {
    const std::string name = "orders";

    EXPECT_EQ(
        format_log_line("queue.declared", {{"queue", name}, {"durable", true}, {"depth", 12}}),
        "queue.declared queue=orders durable=1 depth=12");
}

TEST(LogLine, WritesNumbersOfAnySign) {
    EXPECT_EQ(
        format_log_line("n", {{"a", -5}, {"b", 18446744073709551615ULL}, {"c", 1.5}}),
        "n a=-5 b=18446744073709551615 c=1.500000");
}

TEST(LogLine, QuotesValuesThatWouldEndEarly) {
    EXPECT_EQ(format_log_line("e", {{"v", "two words"}}), R"(e v="two words")");
    EXPECT_EQ(format_log_line("e", {{"v", "a=b"}}), R"(e v="a=b")");
    EXPECT_EQ(format_log_line("e", {{"v", ""}}), R"(e v="")");
}

TEST(LogLine, EscapesQuotesAndBackslashes) {
    EXPECT_EQ(format_log_line("e", {{"v", R"(say "\")"}}), R"(e v="say \"\\\"")");
}

TEST(LogLine, ShowsWhatATerminalWouldObey) {
    EXPECT_EQ(
        format_log_line("e", {{"v", std::string_view("a\x1b]0;x\x07\0\x7f", 9)}}),
        R"(e v="a\x1b]0;x\x07\x00\x7f")");
}

TEST(LogLine, StaysOneLine) {
    const std::string text = format_log_line("e", {{"v", "a\nb\rc\td"}});

    EXPECT_EQ(text, R"(e v="a\nb\rc\td")");
    EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos);
}

TEST_F(LogSink, GetsNothingBeforeItIsSet) {
    EXPECT_FALSE(log_enabled(log_level::error));
    log_event(log_level::error, "lost");
}

TEST_F(LogSink, GetsLinesFromTheLowestLevelOn) {
    set_log_sink(collect, log_level::info);

    log_event(log_level::debug, "too.low");
    log_event(log_level::info, "kept", {{"n", 1}});
    log_event(log_level::error, "failed");

    EXPECT_EQ(
        lines, (std::vector<line>{{log_level::info, "kept n=1"}, {log_level::error, "failed"}}));
}

TEST_F(LogSink, GetsNothingAtLevelOff) {
    set_log_sink(collect, log_level::off);

    log_event(log_level::error, "e");
    log_event(log_level::off, "e");

    EXPECT_FALSE(log_enabled(log_level::off));
    EXPECT_TRUE(lines.empty());
}

}  // namespace
}  // namespace lovage
