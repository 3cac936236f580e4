#include <lovage/error.hpp>
#include <lovage/result.hpp>

#include <gtest/gtest.h>

#include <string>

using lovage::errc;
using lovage::task_result;
using lovage::task_state;

namespace {

task_result ended(task_state state, const std::string& type, const std::string& message) {
    task_result result;
    result.task_id = "id-1";
    result.state = state;
    result.problem = {type, message, "cpp", "trace"};
    result.worker = "w1@host1";
    return result;
}

/// The exception that value_of<int> throws, as an Exception.
template <class Exception>
Exception thrown(const task_result& result) {
    try {
        static_cast<void>(lovage::value_of<int>(result));
    } catch (const Exception& problem) {
        return problem;
    }
    throw std::logic_error("nothing was thrown");
}

}  // namespace

TEST(TaskErrors, EveryCodeHasATextOfItsOwn) {
    std::string before;
    for (int value = 1; value <= static_cast<int>(errc::invalid_registration); ++value) {
        const boost::system::error_code code = static_cast<errc>(value);
        EXPECT_STREQ(code.category().name(), "lovage.task");
        EXPECT_EQ(code.message().find("unknown error"), std::string::npos) << value;
        EXPECT_NE(code.message(), before);
        before = code.message();
    }
    EXPECT_EQ(lovage::task_category().message(99), "unknown error 99");
}

TEST(TaskErrors, FailureIsThrownWithAllItsFacts) {
    const auto problem =
        thrown<lovage::task_failed>(ended(task_state::failed, "std::runtime_error", "boom"));
    EXPECT_EQ(problem.code(), errc::task_failed);
    EXPECT_STREQ(problem.what(), "std::runtime_error: boom");
    EXPECT_EQ(problem.type(), "std::runtime_error");
    EXPECT_EQ(problem.message(), "boom");
    EXPECT_EQ(problem.module(), "cpp");
    EXPECT_EQ(problem.traceback(), "trace");
    EXPECT_EQ(problem.task_id(), "id-1");
    EXPECT_EQ(problem.worker(), "w1@host1");
}

TEST(TaskErrors, SpecialFailuresHaveTheirOwnTypes) {
    const auto unknown =
        thrown<lovage::unknown_task>(ended(task_state::failed, "NotRegistered", "no.such.task"));
    EXPECT_EQ(unknown.code(), errc::unknown_task);
    EXPECT_EQ(unknown.message(), "no.such.task");
    const auto late =
        thrown<lovage::task_timeout>(ended(task_state::failed, "TimeLimitExceeded", "1"));
    EXPECT_EQ(late.code(), errc::time_limit_exceeded);
    const auto revoked =
        thrown<lovage::task_revoked>(ended(task_state::revoked, "TaskRevokedError", "expired"));
    EXPECT_EQ(revoked.code(), errc::task_revoked);
    EXPECT_EQ(revoked.reason(), "expired");
    EXPECT_EQ(thrown<lovage::task_revoked>(ended(task_state::revoked, "", "")).reason(), "revoked");
}

TEST(TaskErrors, SuccessGivesTheTypedValue) {
    task_result result;
    result.state = task_state::succeeded;
    result.value = 5;
    EXPECT_EQ(lovage::value_of<int>(result), 5);
    EXPECT_DOUBLE_EQ(lovage::value_of<double>(result), 5.0);
    lovage::value_of<void>(result);
    EXPECT_THROW(static_cast<void>(lovage::value_of<std::string>(result)), lovage::decode_error);
}

TEST(TaskErrors, WaitTimeoutNamesTheTask) {
    const lovage::wait_timeout problem("id-1");
    EXPECT_EQ(problem.code(), errc::wait_timeout);
    EXPECT_EQ(problem.task_id(), "id-1");
    EXPECT_NE(std::string(problem.what()).find("id-1"), std::string::npos);
}

TEST(TaskState, NamesAreCelerysAndOwnStatesAreProgress) {
    for (const auto state :
         {task_state::received,
          task_state::started,
          task_state::retrying,
          task_state::progress,
          task_state::succeeded,
          task_state::failed,
          task_state::revoked}) {
        EXPECT_EQ(lovage::state_of(lovage::state_name(state)), state);
    }
    EXPECT_EQ(lovage::state_of("HALFWAY"), task_state::progress);
    EXPECT_EQ(lovage::state_of("success"), task_state::progress) << "states are in capitals";
    EXPECT_TRUE(lovage::terminal(task_state::revoked));
    EXPECT_FALSE(lovage::terminal(task_state::retrying));
}
