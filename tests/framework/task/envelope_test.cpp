#include "framework/task/envelope.hpp"

#include "tests/framework/task/celery.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

using lovage::read_task_message;
using lovage::refusal_reason;
using lovage::task_message;
using lovage::wall_time;
using lovage::amqp::basic_properties;
using namespace std::chrono_literals;

namespace {

const wall_time now(1795166611688ms);  // 2026-11-20T09:23:31.688Z

task_message accepted(const basic_properties& properties, std::string_view body) {
    task_message message;
    const auto refused = read_task_message(properties, body, message);
    EXPECT_FALSE(refused.has_value()) << refused->text;
    return message;
}

/// Celery's plain message with one header set to `value` (JSON).
basic_properties with_header(std::string_view name, std::string_view value) {
    basic_properties out = celery::properties();
    out.headers->set(name, lovage::header_from_json(lovage::parse_json(value)));
    return out;
}

std::optional<refusal_reason> reason_of(const basic_properties& properties, std::string_view body) {
    task_message message;
    const auto refused = read_task_message(properties, body, message);
    return refused.has_value() ? std::optional(refused->reason) : std::nullopt;
}

std::optional<refusal_reason> header_reason(std::string_view name, std::string_view value) {
    return reason_of(with_header(name, value), celery::add_body);
}

std::optional<refusal_reason> body_reason(std::string_view body) {
    return reason_of(celery::properties(), body);
}

}  // namespace

TEST(EnvelopeReader, CeleryMessageIsReadWhole) {
    const auto message = accepted(celery::properties(), celery::add_body);

    EXPECT_EQ(message.head.task, "demo.add");
    EXPECT_EQ(message.head.id, "f0f19590-aa4e-4561-9cbf-9128fd817b61");
    EXPECT_EQ(message.head.root_id, message.head.id);
    EXPECT_EQ(message.head.correlation_id, message.head.id);
    EXPECT_EQ(message.head.parent_id, "");
    EXPECT_EQ(message.head.reply_to, "replies");
    EXPECT_EQ(message.head.retries, 0);
    EXPECT_EQ(message.head.eta, std::nullopt);
    EXPECT_EQ(message.head.time_limit, std::nullopt);
    EXPECT_EQ(message.head.args_repr, "(2, 3)");
    EXPECT_EQ(message.head.origin, "gen16112@host1");
    EXPECT_EQ(message.head.lang, "py");
    EXPECT_EQ(message.head.priority, 0);
    EXPECT_FALSE(message.head.ignore_result);
    EXPECT_TRUE(message.head.headers.empty());
    EXPECT_EQ(message.args, (boost::json::array{2, 3}));
    EXPECT_TRUE(message.kwargs.empty());
    EXPECT_EQ(message.embed.size(), 4U);
    EXPECT_FALSE(message.protocol_1);
}

TEST(EnvelopeReader, TimesLimitsGroupsAndForeignHeadersAreRead) {
    auto properties = celery::properties(R"({"task": "t", "id": "my-own-id", "shadow": "shown",
        "eta": "2026-11-20T11:50:26.806754+02:00", "expires": "2026-11-20T09:50:59.534837+00:00",
        "timelimit": [30, 20.5], "group": "g", "group_index": 3, "retries": 2, "parent_id": "p",
        "root_id": "r", "ignore_result": true, "x_tenant": "acme", "stamps": {"a": [1, null]}})");
    const auto message = accepted(properties, celery::add_body);

    EXPECT_EQ(message.head.eta, wall_time(1795168226807ms)) << "rounded up: never early";
    EXPECT_EQ(message.head.expires, wall_time(1795168259535ms));
    EXPECT_EQ(message.head.time_limit, 30s);
    EXPECT_EQ(message.head.soft_time_limit, 20500ms);
    EXPECT_EQ(message.head.group, "g");
    EXPECT_EQ(message.head.group_index, 3);
    EXPECT_EQ(message.head.retries, 2);
    EXPECT_EQ(message.head.parent_id, "p");
    EXPECT_EQ(message.head.root_id, "r");
    EXPECT_EQ(message.head.shadow, "shown");
    EXPECT_TRUE(message.head.ignore_result);
    EXPECT_EQ(
        celery::json(message.head.headers),
        lovage::parse_json(R"({"x_tenant": "acme", "stamps": {"a": [1, null]}})"));
}

TEST(EnvelopeReader, TaskIdAndContentTypeAreEnough) {
    basic_properties least;
    least.content_type = "application/json";
    least.headers = celery::headers(R"({"task": "demo.add", "id": "x"})");
    const auto message = accepted(least, "[[1], {}, {}]");

    EXPECT_EQ(message.head.id, "x");
    EXPECT_EQ(message.head.reply_to, "");
    EXPECT_EQ(message.args.size(), 1U);
}

TEST(EnvelopeReader, EveryHeaderMayBeAbsentOrNull) {
    for (const char* name :
         {"lang",
          "shadow",
          "eta",
          "expires",
          "group",
          "group_index",
          "retries",
          "timelimit",
          "root_id",
          "parent_id",
          "argsrepr",
          "kwargsrepr",
          "origin",
          "ignore_result",
          "compression"}) {
        EXPECT_EQ(header_reason(name, "null"), std::nullopt) << name;
        auto without = celery::properties();
        without.headers->erase(name);
        EXPECT_EQ(reason_of(without, celery::add_body), std::nullopt) << name;
    }
}

TEST(EnvelopeReader, LenienciesOfCeleryAreKept) {
    EXPECT_EQ(accepted(with_header("retries", "\"1\""), celery::add_body).head.retries, 1);
    EXPECT_EQ(accepted(with_header("id", "77"), celery::add_body).head.id, "77");
    EXPECT_EQ(
        accepted(with_header("timelimit", R"(["10", "0.5"])"), celery::add_body).head.time_limit,
        10s);
    EXPECT_EQ(header_reason("timelimit", "[]"), std::nullopt);
    EXPECT_TRUE(
        accepted(with_header("ignore_result", "\"false\""), celery::add_body).head.ignore_result);
    auto stamped = celery::properties();
    stamped.headers->set("eta", lovage::amqp::timestamp{1795166611});
    EXPECT_EQ(accepted(stamped, celery::add_body).head.eta, wall_time(1795166611s));
    auto encoded = celery::properties();
    encoded.content_encoding = "nonsense";
    EXPECT_EQ(reason_of(encoded, celery::add_body), std::nullopt);
}

TEST(EnvelopeReader, BodyFormsOfCeleryAreRead) {
    EXPECT_EQ(body_reason("[[2, 3], {}, null]"), std::nullopt);
    EXPECT_EQ(body_reason("[[2, 3], {}, {}]"), std::nullopt);
    EXPECT_EQ(body_reason("[[], {\"a\": 2}, {\"unknown\": 1}]"), std::nullopt);
    EXPECT_EQ(body_reason("[[\"\u00e9\u2603\"], {}, {}]"), std::nullopt);
    const auto hybrid =
        accepted(celery::properties(), R"({"args": [2, 3], "chain": [{"task": "t"}]})");
    EXPECT_EQ(hybrid.args.size(), 2U);
    EXPECT_EQ(hybrid.embed.at("chain").as_array().size(), 1U);
    EXPECT_FALSE(hybrid.protocol_1);
}

TEST(EnvelopeReader, NullArgumentsAreNone) {
    const auto message = accepted(celery::properties(), "[null, null, null]");
    EXPECT_TRUE(message.args.empty());
    EXPECT_TRUE(message.kwargs.empty());
}

TEST(EnvelopeReader, ChainAndCallbacksAreKept) {
    const auto message = accepted(
        celery::properties(),
        R"([[1], {}, {"callbacks": [{"task": "c"}], "chain": [{"task": "b"}, {"task": "a"}]}])");
    EXPECT_EQ(message.embed.at("chain").as_array().size(), 2U);
    EXPECT_EQ(message.embed.at("callbacks").at(0).at("task").as_string(), "c");
}

TEST(EnvelopeReader, Protocol1IsReadFromTheBody) {
    basic_properties old;
    old.content_type = "application/json";
    old.correlation_id = "07b6115e";
    old.reply_to = "replies";
    const auto message = accepted(old, R"({"task": "demo.add", "id": "07b6115e", "args": [2, 3],
        "kwargs": {}, "group": null, "retries": 1, "eta": "2026-11-20T10:28:51.733355+00:00",
        "expires": null, "utc": true, "callbacks": [{"task": "tasks.on_done"}], "errbacks": null,
        "timelimit": [null, null], "taskset": "g", "chord": null})");

    EXPECT_TRUE(message.protocol_1);
    EXPECT_EQ(message.head.task, "demo.add");
    EXPECT_EQ(message.head.id, "07b6115e");
    EXPECT_EQ(message.head.retries, 1);
    EXPECT_EQ(message.head.group, "g");
    EXPECT_TRUE(message.head.eta.has_value());
    EXPECT_EQ(message.args, (boost::json::array{2, 3}));
    EXPECT_EQ(message.embed.at("callbacks").as_array().size(), 1U);
}

TEST(EnvelopeReader, MissingIdIsTakenFromTheCorrelationId) {
    for (const char* id : {"null", "\"\"", "[]"}) {
        EXPECT_EQ(
            accepted(with_header("id", id), celery::add_body).head.id,
            "f0f19590-aa4e-4561-9cbf-9128fd817b61");
    }
    auto bare = with_header("id", "null");
    bare.correlation_id.reset();
    EXPECT_EQ(reason_of(bare, celery::add_body), refusal_reason::missing_id);
}

TEST(EnvelopeReader, MessageWithoutTaskIsRefused) {
    EXPECT_EQ(header_reason("task", "null"), refusal_reason::missing_task);
    EXPECT_EQ(header_reason("task", "\"\""), refusal_reason::missing_task);
    basic_properties bare = celery::properties();
    bare.headers.reset();
    EXPECT_EQ(reason_of(bare, celery::add_body), refusal_reason::missing_task);
    EXPECT_EQ(reason_of(bare, "{}"), refusal_reason::missing_task);
}

TEST(EnvelopeReader, OnlyJsonIsAccepted) {
    for (const char* good :
         {"application/json", "Application/JSON", "application/json; charset=utf-8"}) {
        auto properties = celery::properties();
        properties.content_type = good;
        EXPECT_EQ(reason_of(properties, celery::add_body), std::nullopt) << good;
    }
    for (const char* bad :
         {"json", "text/plain", "application/jsonp", "application/x-python-serialize", ""}) {
        auto properties = celery::properties();
        properties.content_type = bad;
        EXPECT_EQ(reason_of(properties, celery::add_body), refusal_reason::unsupported_content_type)
            << bad;
    }
    auto properties = celery::properties();
    properties.content_type.reset();
    EXPECT_EQ(reason_of(properties, celery::add_body), refusal_reason::unsupported_content_type);
}

TEST(EnvelopeReader, CompressionIsRefused) {
    EXPECT_EQ(
        header_reason("compression", "\"application/x-gzip\""),
        refusal_reason::unsupported_compression);
}

TEST(EnvelopeReader, BodiesThatAreNoJsonAreRefused) {
    for (const char* body :
         {"",
          "not json",
          "[[1], {}, {}",
          "[[\"\xff\xfe\", 3], {}, {}]",
          "\xef\xbb\xbf[[],{},{}]",
          "[[NaN], {}, {}]"}) {
        EXPECT_EQ(body_reason(body), refusal_reason::undecodable_body) << body;
    }
}

TEST(EnvelopeReader, BodiesOfAnotherFormAreRefused) {
    for (const char* body :
         {"null",
          "5",
          "[]",
          "[[2, 3], {}]",
          "[[2, 3], {}, {}, {}]",
          "[{}, {}, {}]",
          "[[], [], {}]",
          "[[], {}, []]",
          "[[], {}, 1]",
          R"({"args": 5})",
          R"({"kwargs": []})"}) {
        EXPECT_EQ(body_reason(body), refusal_reason::bad_body) << body;
    }
}

TEST(EnvelopeReader, HeadersThatMakeNoSenseAreRefused) {
    for (const char* value : {"\"soon\"", "\"\"", "1795168926", "[]", "true"}) {
        EXPECT_EQ(header_reason("eta", value), refusal_reason::bad_header) << value;
        EXPECT_EQ(header_reason("expires", value), refusal_reason::bad_header) << value;
    }
    for (const char* value :
         {"[5]", "[null, 5, 6]", "\"10\"", "[\"x\", null]", "[-1, null]", "[1e10, 1]", "5"}) {
        EXPECT_EQ(header_reason("timelimit", value), refusal_reason::bad_header) << value;
    }
    for (const char* value : {"-1", "\"x\"", "\"1x\"", "[]", "0.5"}) {
        EXPECT_EQ(header_reason("retries", value), refusal_reason::bad_header) << value;
    }
    EXPECT_EQ(header_reason("retries", "9223372036854775807"), refusal_reason::bad_header);
    EXPECT_EQ(header_reason("group_index", "\"x\""), refusal_reason::bad_header);
}

TEST(EnvelopeReader, HeadersMayHaveAnyType) {
    using namespace lovage::amqp;
    const std::vector<field_value> values{
        {},
        true,
        std::int8_t{-1},
        std::uint8_t{1},
        std::int16_t{1},
        std::uint16_t{1},
        std::int32_t{1},
        std::uint32_t{1},
        std::numeric_limits<std::int64_t>::min(),
        unsigned_long{std::numeric_limits<std::uint64_t>::max()},
        1.5F,
        std::numeric_limits<double>::infinity(),
        decimal{255, 1},
        "text",
        byte_array{"\xff"},
        short_text{"s"},
        timestamp{std::numeric_limits<std::uint64_t>::max()},
        field_array{{}, 1.5},
        table{{"a", {}}}};
    for (const auto& [name, unused] : celery::headers(celery::add_headers)) {
        for (const field_value& value : values) {
            auto properties = celery::properties();
            properties.headers->set(name, value);
            task_message message;
            static_cast<void>(read_task_message(properties, celery::add_body, message));
            EXPECT_GE(message.head.retries, 0) << name;
        }
    }
}

TEST(EnvelopeReader, MutatedBodiesNeverDoHarm) {
    const std::string whole =
        R"([[1, "\u00e9", 1.5e3], {"k": [null, true]}, {"chain": [{"task": "t"}], "chord": null}])";
    for (std::uint32_t seed = 0; seed < 5000; ++seed) {
        std::mt19937 random(seed);
        std::string body = whole;
        for (int i = 0; i < 3; ++i) {
            body[random() % body.size()] = static_cast<char>(random());
        }
        body.resize(random() % 4 == 0 ? random() % body.size() : body.size());
        task_message message;
        const auto refused = read_task_message(celery::properties(), body, message);
        EXPECT_EQ(message.head.task, "demo.add") << "seed " << seed;
        EXPECT_TRUE(!refused.has_value() || !refused->text.empty()) << "seed " << seed;
    }
}

TEST(EnvelopeReader, RefusalLeavesWhatIsNeededToAnswer) {
    task_message message;
    const auto refused = read_task_message(celery::properties(), "garbage", message);

    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->reason, refusal_reason::undecodable_body);
    EXPECT_NE(refused->text.find("not JSON"), std::string::npos);
    EXPECT_EQ(lovage::refusal_name(refused->reason), "undecodable_body");
    EXPECT_EQ(message.head.task, "demo.add");
    EXPECT_EQ(message.head.id, "f0f19590-aa4e-4561-9cbf-9128fd817b61");
    EXPECT_EQ(message.head.reply_to, "replies");
}

TEST(EnvelopeWriter, ReadMessageIsWrittenWithTheSameFacts) {
    auto message = accepted(celery::properties(), celery::add_body);
    const std::string body = lovage::write_body(message);
    const auto properties = lovage::write_envelope(std::move(message.head), now);

    auto expected = celery::properties();
    EXPECT_EQ(celery::json(*properties.headers), celery::json(*expected.headers));
    EXPECT_EQ(lovage::parse_json(body), lovage::parse_json(celery::add_body));
    auto without_headers = properties;
    without_headers.headers = expected.headers;
    EXPECT_EQ(without_headers, expected);
}

TEST(EnvelopeWriter, RareHeadersKeepCelerysTypes) {
    lovage::envelope head;
    head.task = "t";
    head.id = "1";
    head.parent_id = "p";
    head.root_id = "r";
    head.group = "g";
    head.group_index = 2;
    head.retries = 3;
    head.eta = now + 5s;
    head.expires = now + 30s;
    head.time_limit = 30s;
    head.soft_time_limit = 20500ms;
    head.priority = 7;
    head.ignore_result = true;
    head.headers.add("x_tenant", "acme");
    const auto properties = lovage::write_envelope(std::move(head), now);

    EXPECT_EQ(properties.expiration, "30000");
    EXPECT_EQ(properties.priority, 7);
    EXPECT_EQ(properties.reply_to, std::nullopt);
    EXPECT_EQ(properties.correlation_id, "1");
    EXPECT_EQ(celery::json(*properties.headers), lovage::parse_json(R"({"lang": "cpp", "task": "t",
            "id": "1", "shadow": null, "eta": "2026-11-20T09:23:36.688000+00:00",
            "expires": "2026-11-20T09:24:01.688000+00:00", "group": "g", "group_index": 2,
            "retries": 3, "timelimit": [30, 20.5], "root_id": "r", "parent_id": "p",
            "argsrepr": "", "kwargsrepr": "", "origin": "", "ignore_result": true,
            "x_tenant": "acme"})"));
    EXPECT_NE(properties.headers->find("retries")->as<std::int32_t>(), nullptr);
    EXPECT_NE(properties.headers->find("ignore_result")->as<bool>(), nullptr);
}

TEST(EnvelopeWriter, ExpiryInThePastIsExpirationZero) {
    lovage::envelope head;
    head.task = "t";
    head.id = "1";
    head.expires = now - 5s;
    EXPECT_EQ(lovage::write_envelope(std::move(head), now).expiration, "0");
}

TEST(EnvelopeWriter, BodyHasAllFourKeysOfTheEmbed) {
    EXPECT_EQ(
        lovage::parse_json(lovage::write_body("[1]", R"({"a":2})")),
        lovage::parse_json(
            R"([[1], {"a": 2}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}])"));
}
