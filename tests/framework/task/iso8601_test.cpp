#include "framework/task/iso8601.hpp"

#include <gtest/gtest.h>

using lovage::format_iso8601;
using lovage::iso_time;
using lovage::parse_iso8601;
using namespace std::chrono_literals;

namespace {
const iso_time captured(1795166611688502us);
}

TEST(Iso8601, TimeIsWrittenWithSixDigitsAndOffset) {
    EXPECT_EQ(format_iso8601(captured), "2026-11-20T09:23:31.688502+00:00");
    EXPECT_EQ(format_iso8601(iso_time(0us)), "1970-01-01T00:00:00.000000+00:00");
    EXPECT_EQ(format_iso8601(iso_time(-1us)), "1969-12-31T23:59:59.999999+00:00");
}

TEST(Iso8601, TimesOutsideOfPythonsYearsAreHeld) {
    EXPECT_EQ(format_iso8601(iso_time::max()), "9999-12-31T23:59:59.999999+00:00");
    EXPECT_EQ(format_iso8601(iso_time::min()), "0001-01-01T00:00:00.000000+00:00");
}

TEST(Iso8601, EveryFormOfTheSameTimeIsRead) {
    for (const char* text :
         {"2026-11-20T09:23:31.688502+00:00",
          "2026-11-20T09:23:31.688502Z",
          "2026-11-20T09:23:31.688502",
          "2026-11-20 09:23:31.688502",
          "2026-11-20T11:23:31.688502+02:00",
          "2026-11-20T11:23:31.688502+0200",
          "2026-11-20T11:23:31.688502+02",
          "2026-11-20T03:53:31.688502-05:30",
          "2026-11-20T09:23:31.688502999Z"}) {
        EXPECT_EQ(parse_iso8601(text), captured) << text;
    }
}

TEST(Iso8601, FractionIsDecimal) {
    EXPECT_EQ(parse_iso8601("1970-01-01T00:00:00.5"), iso_time(500ms));
    EXPECT_EQ(parse_iso8601("1970-01-01T00:00:00.000005"), iso_time(5us));
}

TEST(Iso8601, ShorterFormsAreRead) {
    EXPECT_EQ(parse_iso8601("1970-01-02"), iso_time(24h));
    EXPECT_EQ(parse_iso8601("1970-01-01T01:02"), iso_time(62min));
    EXPECT_EQ(parse_iso8601("1970-01-01T01:02:03"), iso_time(3723s));
}

TEST(Iso8601, WhatIsNoTimeIsRefused) {
    for (const char* text :
         {"",
          "soon",
          "1970",
          "1970-13-01",
          "1970-02-30",
          "0000-01-01",
          "1970-01-01T",
          "1970-01-01T24:00",
          "1970-01-01T00:60",
          "1970-01-01T00:00:60",
          "1970-01-01T00:00:00.",
          "1970-01-01T00:00:00+",
          "1970-01-01T00:00:00+1",
          "1970-01-01T00:00:00Zx",
          "1970-01-01X00:00:00",
          "+970-01-01",
          "0001-01-01T00:00:00+01:00",
          "9999-12-31T23:59:59-01:00",
          "1970-01-0a"}) {
        EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
    }
}

TEST(Iso8601, WrittenTimesAreReadBack) {
    for (std::int64_t micros = -62135596800000000; micros < 253402300800000000;
         micros += 1234567890123457) {
        const iso_time time{std::chrono::microseconds(micros)};
        EXPECT_EQ(parse_iso8601(format_iso8601(time)), time);
    }
}
