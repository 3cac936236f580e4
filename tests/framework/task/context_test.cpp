#include "framework/amqp/table.hpp"
#include "tests/framework/task/celery.hpp"
#include "tests/framework/task/shop.hpp"

#include <lovage/context.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using lovage::context;
using namespace std::chrono_literals;

namespace {

struct progress_recorder : lovage::progress_sink {
    std::vector<std::string> seen;
    void progress(std::string_view json) override { seen.emplace_back(json); }
};

}  // namespace

TEST(Context, EmptyOneIsAFirstAttemptWithoutLimits) {
    context ctx;
    EXPECT_EQ(ctx.id(), "");
    EXPECT_EQ(ctx.attempt(), 1);
    EXPECT_EQ(ctx.deadline(), std::nullopt);
    EXPECT_FALSE(ctx.stop_requested());
    EXPECT_EQ(ctx.header("x"), std::nullopt);
    ctx.progress(0.5);
}

TEST(Context, FactsOfTheWorkerAreShown) {
    std::stop_source stop;
    const std::chrono::steady_clock::time_point deadline(5s);
    lovage::context_facts facts;
    facts.task_id = "id";
    facts.task_name = "demo.add";
    facts.retries = 2;
    facts.delivery_count = 3;
    facts.crashes = 1;
    facts.redelivered = true;
    facts.deadline = deadline;
    facts.stop = stop.get_token();
    const context ctx(facts);

    EXPECT_EQ(ctx.id(), "id");
    EXPECT_EQ(ctx.name(), "demo.add");
    EXPECT_EQ(ctx.attempt(), 3);
    EXPECT_EQ(ctx.retries(), 2);
    EXPECT_EQ(ctx.delivery_count(), 3);
    EXPECT_EQ(ctx.crashes(), 1);
    EXPECT_TRUE(ctx.redelivered());
    EXPECT_EQ(ctx.deadline(), deadline);
    EXPECT_FALSE(ctx.stop_requested());
    stop.request_stop();
    EXPECT_TRUE(ctx.stop_requested());
    EXPECT_TRUE(ctx.stop().stop_requested());
}

TEST(Context, ProgressArrivesAsJson) {
    progress_recorder recorder;
    lovage::context_facts facts;
    facts.progress = &recorder;
    context ctx(facts);

    ctx.progress(0.5);
    ctx.progress(shop::item{"x", 2});
    EXPECT_THROW(ctx.progress(std::numeric_limits<double>::quiet_NaN()), lovage::encode_error);

    EXPECT_EQ(recorder.seen, (std::vector<std::string>{"0.5", R"({"sku":"x","quantity":2})"}));
}

TEST(Context, HeadersAreReadAsJson) {
    lovage::amqp::table headers = celery::headers(R"({"x_n": 5, "x_d": {"a": [1, null, 1.5]}})");
    headers.add("stamp", lovage::amqp::timestamp{9});
    headers.add("octets", lovage::amqp::byte_array{"\xff"});
    headers.add("price", lovage::amqp::decimal{2, 150});
    headers.add("small", std::int8_t{-3});
    headers.add("short", lovage::amqp::short_text{"s"});
    headers.add("nan", std::nan(""));
    lovage::context_facts facts;
    facts.headers = &headers;
    const context ctx(facts);

    EXPECT_EQ(ctx.header("x_n"), boost::json::value(5));
    EXPECT_EQ(ctx.header("x_d"), lovage::parse_json(R"({"a": [1, null, 1.5]})"));
    EXPECT_EQ(ctx.header("stamp"), boost::json::value(9U));
    EXPECT_EQ(ctx.header("octets"), boost::json::value(nullptr));
    EXPECT_EQ(ctx.header("price"), boost::json::value(1.5));
    EXPECT_EQ(ctx.header("small"), boost::json::value(-3));
    EXPECT_EQ(ctx.header("short"), boost::json::value("s"));
    EXPECT_EQ(ctx.header("nan"), boost::json::value(nullptr));
    EXPECT_EQ(ctx.header("missing"), std::nullopt);
}

TEST(HeaderValues, IntegersTakeTheSmallestCommonType) {
    EXPECT_NE(lovage::header_from_json(5).as<std::int32_t>(), nullptr);
    EXPECT_NE(lovage::header_from_json(1LL << 40U).as<std::int64_t>(), nullptr);
    EXPECT_NE(lovage::header_from_json(~0ULL).as<double>(), nullptr);
    EXPECT_TRUE(lovage::header_from_json(nullptr).is_void());
}
