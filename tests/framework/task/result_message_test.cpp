#include "framework/task/result_message.hpp"

#include "tests/framework/task/celery.hpp"

#include <gtest/gtest.h>

#include <array>

using lovage::outcome;
using lovage::outcome_kind;
using lovage::parse_json;
using lovage::read_result;
using lovage::task_result;
using lovage::task_state;

namespace {

lovage::amqp::basic_properties json_properties() {
    lovage::amqp::basic_properties out;
    out.content_type = "application/json";
    return out;
}

task_result read(std::string_view body) {
    std::string reason;
    const auto result = read_result(json_properties(), body, reason);
    EXPECT_TRUE(result.has_value()) << reason;
    return result.value_or(task_result{});
}

std::string refusal_of(std::string_view body) {
    std::string reason;
    EXPECT_FALSE(read_result(json_properties(), body, reason).has_value());
    return reason;
}

outcome ended(outcome_kind kind, lovage::failure problem) {
    outcome out;
    out.kind = kind;
    out.problem = std::move(problem);
    return out;
}

}  // namespace

TEST(ResultWriter, SuccessIsWhatCelerySends) {
    outcome result;
    result.value = "5";
    const auto message = lovage::write_result(result, {.task_id = "id-1", .correlation_id = "c-1"});

    EXPECT_EQ(parse_json(message.body), parse_json(R"({"task_id": "id-1", "status": "SUCCESS",
            "result": 5, "traceback": null, "children": []})"));
    EXPECT_EQ(message.properties.content_type, "application/json");
    EXPECT_EQ(message.properties.content_encoding, "utf-8");
    EXPECT_EQ(message.properties.delivery_mode, 1);
    EXPECT_EQ(message.properties.priority, 0);
    EXPECT_EQ(message.properties.correlation_id, "c-1");
    ASSERT_TRUE(message.properties.headers.has_value());
    EXPECT_TRUE(message.properties.headers->empty());
}

TEST(ResultWriter, CorrelationIdIsTheTaskIdWhereNoneWasGiven) {
    const auto message =
        lovage::write_state("STARTED", "{}", {.task_id = "id-1", .correlation_id = ""});
    EXPECT_EQ(message.properties.correlation_id, "id-1");
}

TEST(ResultWriter, FailureIsAnExceptionObject) {
    const auto result =
        ended(outcome_kind::failed, {"std::runtime_error", "boom \u2603", "cpp", "t\n"});
    const auto message = lovage::write_result(result, {.task_id = "id-1", .correlation_id = "c-1"});
    EXPECT_EQ(parse_json(message.body), parse_json(R"({"task_id": "id-1", "status": "FAILURE",
            "result": {"exc_type": "std::runtime_error", "exc_message": ["boom \u2603"],
            "exc_module": "cpp"}, "traceback": "t\n", "children": []})"));
}

TEST(ResultWriter, EveryOutcomeHasItsState) {
    const auto status = [](outcome_kind kind) {
        const auto message = lovage::write_result(
            ended(kind, {"X", "", "", ""}), {.task_id = "id-1", .correlation_id = ""});
        return std::string(parse_json(message.body).at("status").as_string());
    };
    EXPECT_EQ(status(outcome_kind::failed), "FAILURE");
    EXPECT_EQ(status(outcome_kind::rejected), "FAILURE");
    EXPECT_EQ(status(outcome_kind::retry), "RETRY");
    EXPECT_EQ(status(outcome_kind::cancelled), "REVOKED");
}

TEST(ResultWriter, RevokedIsWhatCelerySends) {
    const auto message = lovage::write_result(
        ended(outcome_kind::cancelled, lovage::revoked_failure("expired")),
        {.task_id = "id-1", .correlation_id = ""});
    EXPECT_EQ(
        parse_json(message.body).at("result"),
        parse_json(R"({"exc_type": "TaskRevokedError", "exc_message": ["expired"],
            "exc_module": "celery.exceptions"})"));
}

TEST(ResultWriter, ChildrenAndWorkerAreListed) {
    const std::array<std::string, 2> children{"a", "b"};
    outcome result;
    result.value = "null";
    const auto message = lovage::write_result(
        result,
        {.task_id = "id-1", .correlation_id = "", .worker = "w1@host1", .children = children});
    const auto json = parse_json(message.body);
    EXPECT_EQ(json.at("children"), parse_json(R"([[["a", null], null], [["b", null], null]])"));
    EXPECT_EQ(json.at("worker"), "w1@host1");
}

TEST(ResultWriter, TextThatIsNotUtf8IsReplacedSoThatTheAnswerArrives) {
    const auto message = lovage::write_result(
        ended(outcome_kind::failed, {"X", "a\xff\xfe\u2603", "cpp", ""}),
        {.task_id = "id-1", .correlation_id = ""});
    EXPECT_EQ(parse_json(message.body).at("result").at("exc_message").at(0), "a??\u2603");
}

TEST(ResultReader, WrittenResultsAreReadBack) {
    outcome success;
    success.value = R"({"a":[1,"x"]})";
    const auto good = read(
        lovage::write_result(success, {.task_id = "1", .correlation_id = "", .worker = "w1"}).body);
    EXPECT_EQ(good.task_id, "1");
    EXPECT_EQ(good.state, task_state::succeeded);
    EXPECT_EQ(good.status, "SUCCESS");
    EXPECT_EQ(good.value, parse_json(success.value));
    EXPECT_EQ(good.worker, "w1");

    const lovage::failure problem{"std::runtime_error", "boom", "cpp", "trace"};
    for (const auto kind :
         {outcome_kind::failed,
          outcome_kind::rejected,
          outcome_kind::retry,
          outcome_kind::cancelled}) {
        const auto bad =
            read(lovage::write_result(ended(kind, problem), {.task_id = "1", .correlation_id = ""})
                     .body);
        EXPECT_EQ(bad.problem, problem);
        EXPECT_EQ(lovage::terminal(bad.state), kind != outcome_kind::retry);
    }
    const auto half =
        read(lovage::write_state("PROGRESS", "0.5", {.task_id = "1", .correlation_id = ""}).body);
    EXPECT_EQ(half.state, task_state::progress);
    EXPECT_EQ(half.value, 0.5);
}

TEST(ResultReader, CeleryResultIsRead) {
    const auto result = read(R"({"task_id": "ad8e", "status": "RETRY", "result":
        {"exc_type": "ConnectionError", "exc_message": ["not yet: 0"], "exc_module": "builtins"},
        "traceback": "Traceback ...", "children": [[["ad8e", null], null]]})");
    EXPECT_EQ(result.state, task_state::retrying);
    EXPECT_EQ(
        result.problem,
        (lovage::failure{"ConnectionError", "not yet: 0", "builtins", "Traceback ..."}));
    EXPECT_EQ(result.children, std::vector<std::string>{"ad8e"});
    EXPECT_EQ(result.worker, "");
}

TEST(ResultReader, OnlyTaskIdAndStatusAreNeeded) {
    const auto result = read(R"({"task_id": "1", "status": "SUCCESS", "date_done": "x"})");
    EXPECT_TRUE(result.value.is_null());
    EXPECT_TRUE(result.children.empty());
    EXPECT_EQ(refusal_of(R"({"status": "SUCCESS", "result": 1})"), "no task_id");
    EXPECT_EQ(refusal_of(R"({"task_id": "1", "status": null})"), "no status");
    EXPECT_EQ(refusal_of("[]"), "not an object");
    EXPECT_NE(refusal_of("x").find("syntax"), std::string::npos);
}

TEST(ResultReader, OtherContentTypesAreRefused) {
    std::string reason;
    EXPECT_FALSE(read_result({}, "{}", reason).has_value());
    EXPECT_EQ(reason, "content type \"\"");
}

TEST(ResultReader, ContentTypeMayHaveParametersAndCapitals) {
    lovage::amqp::basic_properties properties;
    for (const char* type : {"application/json; charset=utf-8", "Application/JSON"}) {
        properties.content_type = type;
        std::string reason;
        EXPECT_TRUE(
            read_result(properties, R"({"task_id": "1", "status": "SUCCESS", "result": 1})", reason)
                .has_value())
            << type << ": " << reason;
    }
    properties.content_type = "application/jsonx";
    std::string reason;
    EXPECT_FALSE(read_result(properties, "{}", reason).has_value());
}

TEST(ResultReader, UnreadableResultIsAFailureThatSaysWhy) {
    const task_result result = lovage::unreadable_result("1", "content type \"x\"");

    EXPECT_EQ(result.task_id, "1");
    EXPECT_EQ(result.state, task_state::failed);
    EXPECT_EQ(result.status, "FAILURE");
    EXPECT_EQ(result.problem.type, "UnreadableResult");
    EXPECT_NE(result.problem.message.find("content type \"x\""), std::string::npos);
    EXPECT_THROW(throw_problem(result), lovage::task_failed);
}

TEST(ResultReader, ExceptionMessageMayHaveAnyForm) {
    const auto message = [](std::string_view text) {
        return read(
                   R"({"task_id": "1", "status": "FAILURE", "result": {"exc_type": "E")" +
                   std::string(text) + "}}")
            .problem.message;
    };
    EXPECT_EQ(message(""), "");
    EXPECT_EQ(message(R"(, "exc_message": null)"), "");
    EXPECT_EQ(message(R"(, "exc_message": [])"), "");
    EXPECT_EQ(message(R"(, "exc_message": "boom")"), "boom");
    EXPECT_EQ(message(R"(, "exc_message": ["boom"])"), "boom");
    EXPECT_EQ(message(R"(, "exc_message": [1])"), "1");
    EXPECT_EQ(message(R"(, "exc_message": [42, "no stock"])"), R"([42,"no stock"])");
}

TEST(ResultReader, FailureWithoutExceptionIsStillAFailure) {
    for (const char* body :
         {R"({"task_id": "1", "status": "FAILURE"})",
          R"({"task_id": "1", "status": "FAILURE", "result": null})",
          R"({"task_id": "1", "status": "FAILURE", "result": "boom"})",
          R"({"task_id": "1", "status": "FAILURE", "result": {"exc_message": ["x"]}})"}) {
        const auto result = read(body);
        EXPECT_EQ(result.state, task_state::failed);
        EXPECT_EQ(result.problem.type, "Exception") << body;
    }
    EXPECT_EQ(
        read(R"({"task_id": "1", "status": "REVOKED", "result": null})").state,
        task_state::revoked);
}
