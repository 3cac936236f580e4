#include "framework/task/call.hpp"

#include "tests/framework/task/celery.hpp"
#include "tests/framework/task/shop.hpp"

#include <gtest/gtest.h>

using lovage::how;
using lovage::outgoing_message;
using lovage::task_message;
using lovage::wall_time;
using namespace std::chrono_literals;

namespace {

const wall_time now(1795166611688ms);  // 2026-11-20T09:23:31.688Z

outgoing_message sent(const lovage::any_signature& call, const how& way = how()) {
    return lovage::make_message(
        call,
        way,
        {.id = "f0f19590-aa4e-4561-9cbf-9128fd817b61",
         .reply_to = "replies",
         .origin = "gen16112@host1",
         .root_id = {},
         .parent_id = {},
         .now = now});
}

boost::json::value header(const outgoing_message& message, std::string_view name) {
    const auto* found = message.properties.headers->find(name);
    return found == nullptr ? boost::json::value("absent") : lovage::header_to_json(*found);
}

task_message received(const lovage::amqp::basic_properties& properties, std::string_view body) {
    task_message message;
    const auto refused = lovage::read_task_message(properties, body, message);
    EXPECT_FALSE(refused.has_value()) << refused->text;
    return message;
}

}  // namespace

TEST(MakeMessage, PlainCallIsWhatCelerySends) {
    const auto message = sent(shop::add.s(2, 3));

    auto expected = celery::properties();
    expected.headers->set("lang", "cpp");
    EXPECT_EQ(celery::json(*message.properties.headers), celery::json(*expected.headers));
    auto properties = message.properties;
    properties.headers = expected.headers;
    EXPECT_EQ(properties, expected);
    EXPECT_EQ(lovage::parse_json(message.body), lovage::parse_json(celery::add_body));
    EXPECT_EQ(message.queue, "");
    EXPECT_EQ(message.due, std::nullopt);
}

TEST(MakeMessage, OptionsOfTheTaskTravel) {
    const auto message = sent(shop::fragile.s("x"));
    EXPECT_EQ(message.queue, "money");
    EXPECT_EQ(header(message, "timelimit"), (boost::json::value{10, nullptr}));
    EXPECT_EQ(header(sent(shop::quiet.s()), "ignore_result"), true);
    EXPECT_EQ(sent(shop::resize.s("pic", 3)).queue, "pyq");
}

TEST(MakeMessage, DelayGoesIntoEtaAndIsReadable) {
    const auto message = sent(shop::add.s(2, 3), how().after(5s));
    EXPECT_EQ(message.due, now + 5s);
    EXPECT_EQ(header(message, "eta"), "2026-11-20T09:23:36.688000+00:00");
}

TEST(MakeMessage, HowOverridesTheTask) {
    const auto message = sent(
        shop::fragile.s("x"),
        how()
            .eta(now + 1min)
            .expires(2min)
            .priority(3)
            .queue("other")
            .id("my-own-id-1")
            .shadow("shown")
            .time_limit(1500ms)
            .ignore_result()
            .header("x_tenant", "acme")
            .header("x_d", {{"a", {1, "b", nullptr, 1.5}}}));

    EXPECT_EQ(message.queue, "other");
    EXPECT_EQ(message.due, now + 1min);
    EXPECT_EQ(message.properties.priority, 3);
    EXPECT_EQ(message.properties.expiration, "120000");
    EXPECT_EQ(message.properties.correlation_id, "my-own-id-1");
    EXPECT_EQ(header(message, "id"), "my-own-id-1");
    EXPECT_EQ(header(message, "root_id"), "my-own-id-1");
    EXPECT_EQ(header(message, "shadow"), "shown");
    EXPECT_EQ(header(message, "expires"), "2026-11-20T09:25:31.688000+00:00");
    EXPECT_EQ(header(message, "timelimit"), (boost::json::value{1.5, nullptr}));
    EXPECT_EQ(header(message, "ignore_result"), true);
    EXPECT_EQ(header(message, "x_tenant"), "acme");
    EXPECT_EQ(header(message, "x_d"), lovage::parse_json(R"({"a": [1, "b", null, 1.5]})"));
}

TEST(MakeMessage, CallFromATaskNamesItsTree) {
    const auto message = lovage::make_message(
        shop::add.s(2, 3),
        how(),
        {.id = "child",
         .reply_to = {},
         .origin = "o",
         .root_id = "root",
         .parent_id = "parent",
         .now = now});
    EXPECT_EQ(header(message, "root_id"), "root");
    EXPECT_EQ(header(message, "parent_id"), "parent");
    EXPECT_EQ(message.properties.reply_to, std::nullopt);
}

TEST(MakeMessage, RawCallTakesKeywordsAndItsQueue) {
    const auto message =
        sent(lovage::raw_call("py.task", {1, "x"}, {{"k", true}}, {.queue = "pyq"}));
    EXPECT_EQ(message.queue, "pyq");
    EXPECT_EQ(header(message, "argsrepr"), "(1, 'x')");
    EXPECT_EQ(header(message, "kwargsrepr"), "{'k': True}");
    const auto read = received(message.properties, message.body);
    EXPECT_EQ(read.args, (boost::json::array{1, "x"}));
    EXPECT_EQ(read.kwargs, (boost::json::object{{"k", true}}));
}

TEST(MakeMessage, TimesBeyondAllReasonAreCut) {
    const auto message = sent(
        shop::add.s(2, 3), how().after(std::chrono::milliseconds::max()).expires(wall_time::max()));
    EXPECT_EQ(message.due, now + lovage::delay_max);
    EXPECT_EQ(header(message, "expires"), "9999-12-31T23:59:59.999000+00:00");
    EXPECT_EQ(message.properties.expiration, std::nullopt) << "RabbitMQ refuses more than 10 years";
    EXPECT_EQ(sent(shop::add.s(2, 3), how().eta(wall_time::min())).due, wall_time::min());
}

TEST(MakeMessage, OwnMessageIsReadBack) {
    shop::order order{7, {{"sk\u00fc", 2}}, "note", shop::color::red, {}};
    const auto message = sent(shop::total.s(order), how().after(5s).expires(1min));
    const auto read = received(message.properties, message.body);

    EXPECT_EQ(read.head.task, "shop.total");
    EXPECT_EQ(read.head.eta, now + 5s);
    EXPECT_EQ(read.head.expires, now + 1min);
    EXPECT_EQ(read.head.reply_to, "replies");
    EXPECT_EQ(lovage::from_json<shop::order>(read.args.at(0)), order);
}

TEST(MakeRetry, MessageIsTheSameButForRetriesAndEta) {
    auto properties = celery::properties();
    properties.headers->set("timelimit", lovage::amqp::field_array{std::int32_t{30}, {}});
    properties.headers->set("parent_id", "parent");
    properties.headers->set("group", "g");
    properties.headers->add("x_tenant", "acme");
    properties.headers->add("stamps", lovage::amqp::table{});
    const std::string body =
        R"([[1180591620717411303424], {"k": 0.1}, {"chain": [{"task": "next"}], "chord": null}])";
    const auto message = received(properties, body);
    const auto retry = lovage::make_retry(
        message, body, {.delay = 10s, .counts_attempt = true, .now = now, .origin = {}});

    auto expected = properties;
    expected.headers->set("retries", std::int32_t{1});
    expected.headers->set("eta", "2026-11-20T09:23:41.688000+00:00");
    EXPECT_EQ(celery::json(*retry.properties.headers), celery::json(*expected.headers));
    EXPECT_EQ(retry.properties.correlation_id, properties.correlation_id);
    EXPECT_EQ(retry.properties.reply_to, properties.reply_to);
    EXPECT_EQ(retry.body, body) << "every digit is kept";
    EXPECT_EQ(retry.due, now + 10s);
}

TEST(MakeRetry, CorrelationIdOfItsOwnIsKept) {
    auto properties = celery::properties();
    properties.correlation_id = "other";
    const auto message = received(properties, celery::add_body);
    const auto retry = lovage::make_retry(
        message,
        celery::add_body,
        {.delay = 1s, .counts_attempt = true, .now = now, .origin = "w1"});
    EXPECT_EQ(retry.properties.correlation_id, "other");
    EXPECT_EQ(header(retry, "origin"), "w1");
}

TEST(MakeRetry, SnoozeCountsNoAttempt) {
    const auto message = received(celery::properties(), celery::add_body);
    const auto retry = lovage::make_retry(
        message,
        celery::add_body,
        {.delay = 1s, .counts_attempt = false, .now = now, .origin = {}});
    EXPECT_EQ(header(retry, "retries"), 0);
    EXPECT_EQ(retry.due, now + 1s);
}

TEST(MakeRetry, HeadersOfTheDeliveryAreLeftOut) {
    auto properties = celery::properties();
    for (const char* name :
         {"x-death",
          "x-first-death-queue",
          "x-last-death-reason",
          "x-delivery-count",
          "x-delay",
          "x-acquired-count",
          "x-lovage-crashes"}) {
        properties.headers->add(name, std::int32_t{1});
    }
    properties.headers->add("x-tenant", "kept");
    const auto message = received(properties, celery::add_body);
    const auto retry = lovage::make_retry(
        message, celery::add_body, {.delay = 1s, .counts_attempt = true, .now = now, .origin = {}});
    EXPECT_EQ(retry.properties.headers->size(), 17U);
    EXPECT_EQ(header(retry, "x-tenant"), "kept");
}

TEST(MakeRetry, Protocol1BecomesProtocol2) {
    lovage::amqp::basic_properties old;
    old.content_type = "application/json";
    old.reply_to = "replies";
    const std::string body =
        R"({"task": "demo.add", "id": "7", "args": [2, 3], "callbacks": [{"task": "c"}]})";
    const auto message = received(old, body);
    const auto retry = lovage::make_retry(
        message, body, {.delay = 1s, .counts_attempt = true, .now = now, .origin = {}});

    const auto again = received(retry.properties, retry.body);
    EXPECT_FALSE(again.protocol_1);
    EXPECT_EQ(again.head.task, "demo.add");
    EXPECT_EQ(again.head.id, "7");
    EXPECT_EQ(again.head.retries, 1);
    EXPECT_EQ(again.args, message.args);
    EXPECT_EQ(again.embed.at("callbacks"), message.embed.at("callbacks"));
    EXPECT_EQ(again.embed.size(), 4U);
}
