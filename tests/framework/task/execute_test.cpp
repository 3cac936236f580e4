#include "framework/task/execute.hpp"

#include "tests/framework/task/shop.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>

using lovage::execute;
using lovage::outcome;
using lovage::outcome_kind;
using lovage::reject_reason;
using lovage::task_message;
using namespace std::chrono_literals;

namespace {

constexpr auto throws_int = lovage::task<"demo.throws_int">([](int x) -> int { throw x; });
constexpr auto retries_after =
    lovage::task<"demo.retry_after">([]() -> int { throw lovage::retry_after(5s, "busy"); });
constexpr auto retries_often = lovage::task<"demo.retry_often">(
    []() -> int { throw lovage::retry_after(5s); },
    {.retries = {.max = 9}});
constexpr auto snoozes =
    lovage::task<"demo.snooze">([]() -> int { throw lovage::snooze(1min, "night"); });
constexpr auto sleepy = lovage::task<"demo.sleepy">([](int sign) -> int {
    throw lovage::snooze(sign > 0 ? std::chrono::milliseconds::max() : -5s);
});
constexpr auto cancels = lovage::task<"demo.cancel">(
    []() -> int { throw lovage::cancel("gave up"); },
    {.retries = {.max = 5}});
constexpr auto rejects = lovage::task<"demo.reject">(
    []() -> int { throw lovage::reject("poison"); },
    {.retries = {.max = 5}});
constexpr auto not_a_number =
    lovage::task<"demo.nan">([](double x) { return x / x; }, {.retries = {.max = 5}});
constexpr auto nested = lovage::task<"demo.nested">([] {
    try {
        throw std::invalid_argument("inner");
    } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
    }
});

const lovage::registry& tasks() {
    static const lovage::registry all(
        {shop::add,
         shop::fragile,
         shop::who,
         throws_int,
         retries_after,
         retries_often,
         snoozes,
         sleepy,
         cancels,
         rejects,
         not_a_number,
         nested});
    return all;
}

task_message message(std::string task, boost::json::array args = {}, std::int64_t retries = 0) {
    task_message out;
    out.head.task = std::move(task);
    out.head.id = "id-1";
    out.head.retries = retries;
    out.args = std::move(args);
    return out;
}

outcome ran(const task_message& what, std::uint64_t random = 0) {
    lovage::context ctx(lovage::context_of(what));
    return execute(tasks(), what, ctx, random);
}

}  // namespace

TEST(Execute, SuccessIsTheResultAsJson) {
    const auto result = ran(message("demo.add", {2, 3}));
    EXPECT_EQ(result.kind, outcome_kind::success);
    EXPECT_EQ(result.value, "5");
}

TEST(Execute, ContextShowsTheMessage) {
    EXPECT_EQ(ran(message("demo.who", {10}, 2)).value, "\"id-1 30\"");
}

TEST(Execute, UnknownTaskIsRejectedInCelerysWords) {
    const auto result = ran(message("no.such.task"));
    EXPECT_EQ(result.kind, outcome_kind::rejected);
    EXPECT_EQ(result.reason, reject_reason::unknown_task);
    EXPECT_EQ(
        result.problem,
        (lovage::failure{"NotRegistered", "no.such.task", "celery.exceptions", ""}));
    EXPECT_EQ(lovage::reject_name(result.reason), "unknown_task");
}

TEST(Execute, BadArgumentsAreRejectedNotRetried) {
    const auto result = ran(message("shop.fragile", {1}));
    EXPECT_EQ(result.kind, outcome_kind::rejected);
    EXPECT_EQ(result.reason, reject_reason::bad_arguments);
    EXPECT_EQ(result.problem.type, "TypeError");
    EXPECT_EQ(result.problem.message, "argument 0: expected string, got integer 1");
}

TEST(Execute, ExceptionIsRetriedUntilTheAttemptsAreUsedUp) {
    const auto first = ran(message("shop.fragile", {"x"}, 0), 123456789);
    EXPECT_EQ(first.kind, outcome_kind::retry);
    EXPECT_GE(first.delay, 0ms);
    EXPECT_LE(first.delay, 1s);
    EXPECT_TRUE(first.counts_attempt);
    EXPECT_EQ(first.problem.type, "shop::out_of_stock");
    const auto second = ran(message("shop.fragile", {"x"}, 1), 1999);
    EXPECT_EQ(second.kind, outcome_kind::retry);
    EXPECT_EQ(second.delay, 1999ms);
    const auto last = ran(message("shop.fragile", {"x"}, 2));
    EXPECT_EQ(last.kind, outcome_kind::failed);
    EXPECT_EQ(
        last.problem,
        (lovage::failure{"shop::out_of_stock", "x", "cpp", "shop::out_of_stock: x\n"}));
}

TEST(Execute, WithoutPolicyTheFirstExceptionIsFinal) {
    const auto result = ran(message("demo.throws_int", {5}));
    EXPECT_EQ(result.kind, outcome_kind::failed);
    EXPECT_EQ(result.problem.type, "int");
    EXPECT_EQ(result.problem.module, "cpp");
}

TEST(Execute, NestedExceptionsMakeTheTraceback) {
    const auto result = ran(message("demo.nested"));
    EXPECT_EQ(result.kind, outcome_kind::failed);
    EXPECT_EQ(result.problem.message, "outer");
    EXPECT_NE(
        result.problem.traceback.find("\ncaused by std::invalid_argument: inner\n"),
        std::string::npos);
}

TEST(Execute, RetryAfterCostsAnAttempt) {
    const auto result = ran(message("demo.retry_after", {}, 2));
    EXPECT_EQ(result.kind, outcome_kind::retry);
    EXPECT_EQ(result.delay, 5s);
    EXPECT_TRUE(result.counts_attempt);
    EXPECT_EQ(result.problem.message, "busy");
    const auto last = ran(message("demo.retry_after", {}, 3));
    EXPECT_EQ(last.kind, outcome_kind::failed);
    EXPECT_EQ(
        last.problem,
        (lovage::failure{"MaxRetriesExceededError", "busy", "celery.exceptions", ""}));
}

TEST(Execute, RetryAfterIsLimitedByThePolicyWhereThereIsOne) {
    EXPECT_EQ(ran(message("demo.retry_often", {}, 8)).kind, outcome_kind::retry);
    EXPECT_EQ(ran(message("demo.retry_often", {}, 9)).kind, outcome_kind::failed);
}

TEST(Execute, SnoozeCostsNoAttempt) {
    const auto result = ran(message("demo.snooze", {}, 1000));
    EXPECT_EQ(result.kind, outcome_kind::retry);
    EXPECT_EQ(result.delay, 1min);
    EXPECT_FALSE(result.counts_attempt);
}

TEST(Execute, DelaysBeyondAllReasonAreCut) {
    EXPECT_EQ(ran(message("demo.sleepy", {1})).delay, lovage::delay_max);
    EXPECT_EQ(ran(message("demo.sleepy", {-1})).delay, 0ms);
}

TEST(Execute, CancelIsTerminal) {
    const auto result = ran(message("demo.cancel"));
    EXPECT_EQ(result.kind, outcome_kind::cancelled);
    EXPECT_EQ(
        result.problem, (lovage::failure{"TaskRevokedError", "gave up", "celery.exceptions", ""}));
}

TEST(Execute, RejectIsTerminal) {
    const auto result = ran(message("demo.reject"));
    EXPECT_EQ(result.kind, outcome_kind::rejected);
    EXPECT_EQ(result.reason, reject_reason::by_task);
    EXPECT_EQ(result.problem, (lovage::failure{"Reject", "poison", "celery.exceptions", ""}));
}

TEST(Execute, ResultWithoutJsonFormFailsAsInCelery) {
    const auto result = ran(message("demo.nan", {0}));
    EXPECT_EQ(result.kind, outcome_kind::failed) << "not retried: it would end the same way";
    EXPECT_EQ(result.problem.type, "EncodeError");
    EXPECT_EQ(result.problem.module, "kombu.exceptions");
}

TEST(Execute, TaskThatKillsWorkersIsGivenUp) {
    const auto what = message("demo.add", {2, 3});
    auto facts = lovage::context_of(what);
    facts.crashes = 2;
    lovage::context twice(facts);
    EXPECT_EQ(execute(tasks(), what, twice, 0).kind, outcome_kind::success);
    facts.crashes = 3;
    lovage::context thrice(facts);
    const auto result = execute(tasks(), what, thrice, 0);
    EXPECT_EQ(result.kind, outcome_kind::rejected);
    EXPECT_EQ(result.reason, reject_reason::crashed);
    EXPECT_EQ(result.problem.type, "WorkerLostError");
}

TEST(Failures, AreSpelledAsCelerySpellsThem) {
    EXPECT_EQ(
        lovage::time_limit_failure(1s),
        (lovage::failure{"TimeLimitExceeded", "1", "billiard.exceptions", ""}));
    EXPECT_EQ(lovage::time_limit_failure(1050ms).message, "1.050");
    EXPECT_EQ(lovage::worker_lost_failure("signal 9").module, "billiard.exceptions");
}
