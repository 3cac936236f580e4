#include "tests/bench/confirm_window.hpp"
#include "tests/bench/depth_rates.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/stats.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace lovage::bench {
namespace {

TEST(ConfirmWindow, CountsConfirmsOfOneMessageEach) {
    confirm_window window(3);
    window.publish(3);

    EXPECT_TRUE(window.confirm(1, false));
    EXPECT_TRUE(window.confirm(2, false));

    EXPECT_EQ(window.confirmed(), 2U);
    EXPECT_EQ(window.room(), 2U);
}

TEST(ConfirmWindow, CountsEachMessageOnceWhenMultipleCoversSingleConfirms) {
    confirm_window window(10);
    window.publish(10);

    EXPECT_TRUE(window.confirm(3, false));
    EXPECT_TRUE(window.confirm(5, false));
    EXPECT_TRUE(window.confirm(4, true));

    EXPECT_EQ(window.confirmed(), 5U);
    EXPECT_EQ(window.room(), 5U);
}

TEST(ConfirmWindow, MakesNoRoomBehindAGap) {
    confirm_window window(2);
    window.publish(2);

    EXPECT_TRUE(window.confirm(2, false));
    EXPECT_EQ(window.room(), 0U);
    EXPECT_EQ(window.outstanding(), 1U);

    EXPECT_TRUE(window.confirm(1, false));
    EXPECT_EQ(window.room(), 2U);
}

TEST(ConfirmWindow, RefusesATagTwiceOrBeforeItsMessage) {
    confirm_window window(4);
    window.publish(3);

    EXPECT_FALSE(window.confirm(4, false));
    EXPECT_FALSE(window.confirm(0, true));
    EXPECT_TRUE(window.confirm(2, false));
    EXPECT_FALSE(window.confirm(2, false));
    EXPECT_TRUE(window.confirm(2, true));
    EXPECT_FALSE(window.confirm(1, false));
    EXPECT_EQ(window.confirmed(), 2U);
}

TEST(ConfirmWindow, ForgetsEarlyConfirmsWhenTagsWrapAroundItsMemory) {
    confirm_window window(3);
    for (std::uint64_t tag = 1; tag <= 90; tag += 3) {
        window.publish(3);

        EXPECT_TRUE(window.confirm(tag + 2, false));
        EXPECT_TRUE(window.confirm(tag, false));
        EXPECT_TRUE(window.confirm(tag + 1, false));

        EXPECT_EQ(window.outstanding(), 0U);
        EXPECT_EQ(window.room(), 3U);
    }
}

TEST(DepthRates, TellTheFirstMiddleAndLastTenth) {
    depth_rates rates(1000);
    double seconds = 0;
    for (std::uint64_t done = 0; done <= 1000; done += 10) {
        rates.note(done, seconds);
        seconds += done < 500 ? 0.1 : 1;
    }

    EXPECT_NEAR(rates.rate(0), 100, 1e-6);
    EXPECT_NEAR(rates.rate(1), 100 / (5 * 0.1 + 5), 1e-6);
    EXPECT_NEAR(rates.rate(2), 10, 1e-6);
}

TEST(DepthRates, CountWhatWasDoneBetweenTheNotesThatTheyHave) {
    depth_rates rates(100);
    rates.note(0, 10);
    rates.note(46, 12);  // the first tenth ended with it
    rates.note(60, 14);

    EXPECT_EQ(rates.rate(0), 23);
    EXPECT_EQ(rates.rate(1), 7);
    EXPECT_EQ(rates.rate(2), 0);  // not reached
}

TEST(DepthRates, ARunAtOneStrokeHasNone) {
    depth_rates rates(100);
    rates.note(0, 1);
    rates.note(100, 1);

    EXPECT_EQ(rates.rate(0), 0);
    EXPECT_EQ(rates.rate(2), 0);
}

TEST(Stats, MedianIsTheMiddleOrTheMeanOfTheTwoInTheMiddle) {
    EXPECT_EQ(median({9, 1, 5}), 5);
    EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
    EXPECT_EQ(median({}), 0);
}

TEST(Stats, PercentileIsTheSmallestValueThatCoversTheShare) {
    std::vector<double> values;
    for (int i = 100; i >= 1; --i) {
        values.push_back(i);
    }

    EXPECT_EQ(percentile(values, 0.5), 50);
    EXPECT_EQ(percentile(values, 0.99), 99);
    EXPECT_EQ(percentile(values, 1.0), 100);
    EXPECT_EQ(percentile(values, 0.0), 1);
}

TEST(Stats, MedianOfRunsKeepsFiguresThatSomeRunsLack) {
    const std::vector<figures> runs{
        {{"n", 10}, {"rate", 3}}, {{"n", 30}, {"rate", 1}, {"syncs", 7}}, {{"n", 20}, {"rate", 2}}};

    const figures all = median_of_runs(runs);

    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].name, "n");
    EXPECT_EQ(*find_figure(all, "n"), 20);
    EXPECT_EQ(*find_figure(all, "rate"), 2);
    EXPECT_EQ(*find_figure(all, "syncs"), 7);
    EXPECT_EQ(find_figure(all, "absent"), nullptr);
}

TEST(Report, NumbersHaveThreeDigitsOrSeparators) {
    EXPECT_EQ(format_number(1234567.8), "1,234,568");
    EXPECT_EQ(format_number(1000), "1,000");
    EXPECT_EQ(format_number(999), "999");
    EXPECT_EQ(format_number(12.345), "12.3");
    EXPECT_EQ(format_number(1.5), "1.50");
    EXPECT_EQ(format_number(0.01234), "0.0123");
    EXPECT_EQ(format_number(-1234), "-1,234");
}

TEST(Report, RatiosSayHowManyTimesMoreOrLess) {
    EXPECT_EQ(format_ratio(16.24), "16.2x");
    EXPECT_EQ(format_ratio(1), "1.0x");
    EXPECT_EQ(format_ratio(0.04), "1/25.0");
}

workload_result two_sides() {
    return {
        "echo",
        "size=1",
        {{"lovage 1", {{{"n", 100}, {"rate", 500}, {"cpu", 2}, {"syncs", 3}}}},
         {"Other 2", {{{"n", 40}, {"rate", 50}, {"cpu", 8}}}}}};
}

TEST(Report, TableAlignsColumnsAndDividesOursByTheirs) {
    EXPECT_EQ(
        format_table(two_sides()),
        "# echo: size=1\n"
        "workload  broker      n   rate    cpu  syncs\n"
        "echo      lovage 1  100    500      2      3\n"
        "echo      Other 2    40     50      8      -\n"
        "echo      ratio          10.0x  1/4.0\n");
}

TEST(Report, TableOfOneSideHasNoRatio) {
    workload_result alone = two_sides();
    alone.sides.pop_back();

    EXPECT_EQ(format_table(alone).find("ratio"), std::string::npos);
}

TEST(Report, JsonHasRunsMediansAndRatios) {
    const boost::json::value all = boost::json::parse(format_json({two_sides()}));

    const boost::json::value& echo = all.at("workloads").at(0);
    EXPECT_EQ(echo.at("workload"), "echo");
    EXPECT_EQ(echo.at("sides").at(0).at("median").at("rate"), 500.0);
    EXPECT_EQ(echo.at("sides").at(1).at("runs").at(0).at("n"), 40.0);
    EXPECT_EQ(echo.at("ratio").at("cpu"), 0.25);
    EXPECT_FALSE(echo.at("ratio").as_object().contains("syncs"));
    EXPECT_FALSE(echo.at("ratio").as_object().contains("n"));
}

}  // namespace
}  // namespace lovage::bench
