// Crashes and limits: what becomes of a task whose executor dies or is killed.
#include "tests/workers/core/support.hpp"

#include <gmock/gmock.h>

namespace lovage::workers::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class PoolCrash : public pool_fixture {};
class PoolCrashOfTwo : public pool_fixture {
protected:
    PoolCrashOfTwo() : pool_fixture(2) {}
};

TEST_F(PoolCrash, PublishesTheMessageAgainWithOneCrashMoreWhenItsProcessDies) {
    start();
    const auto tag = deliver(make_call("t.add"));

    pool_.executor_lost(0, "signal 11", now());

    ASSERT_EQ(count<publish_follow_up>(), 1U);
    const follow_up copy = all<publish_follow_up>()[0].message;
    EXPECT_EQ(copy.queue, "work");
    EXPECT_EQ(header_text(copy.properties, crash_count_header), "1");
    EXPECT_EQ(count<start_executor>(), 1U);
    EXPECT_THAT(notes(), Contains("task_crashed"));
    EXPECT_EQ(count<acknowledge>(), 0U);
    confirm_all();
    ASSERT_EQ(count<acknowledge>(), 1U);
    EXPECT_EQ(all<acknowledge>()[0].ref.tag, tag);
    EXPECT_EQ(count<requeue>(), 0U);
}

TEST_F(PoolCrash, BuriesATaskAfterTheLastAllowedCrash) {
    start();
    sent_message call = make_call("t.add");
    call.header(delivery_count_header, std::int64_t{2});
    deliver(call, true);
    ASSERT_EQ(count<run_job>(), 1U);

    pool_.executor_lost(0, "signal 11", now());
    confirm_all();
    EXPECT_THAT(last_result(), HasSubstr("WorkerLostError"));
    EXPECT_THAT(last_result(), HasSubstr("3 worker processes"));
    confirm_all();

    ASSERT_EQ(count<publish_follow_up>(), 1U);
    const follow_up dead = all<publish_follow_up>()[0].message;
    EXPECT_EQ(header_text(dead.properties, dead_reason_header), "worker_lost");
    EXPECT_EQ(header_text(dead.properties, dead_crashes_header), "3");
    EXPECT_EQ(count<requeue>(), 0U);
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(PoolCrash, BuriesWithoutRunningWhatKilledWholeWorkers) {
    start();
    sent_message call = make_call("t.fragile");
    call.header(delivery_count_header, std::int64_t{2});
    deliver(call, true);

    EXPECT_EQ(count<run_job>(), 0U);
    EXPECT_THAT(last_result(), HasSubstr("WorkerLostError"));
}

TEST_F(PoolCrash, DoesNotTakeForACrashWhatMayHaveBeenGivenBack) {
    losses_counted_ = false;
    start();
    sent_message call = make_call("t.fragile");
    deliver(call, true);
    EXPECT_EQ(count<run_job>(), 1U);
    answer_success(0);
    confirm_all();

    call.header(delivery_count_header, std::int64_t{9});  // of a quorum queue
    call.properties.correlation_id = "other";
    call.header("id", std::string("other"));
    deliver(call, true);
    EXPECT_EQ(count<run_job>(), 2U);
}

TEST_F(PoolCrash, RestartsAProcessLaterWhenItDiesAgainQuickly) {
    start();
    pool_.executor_lost(0, "exit 1", now());
    EXPECT_EQ(count<start_executor>(), 1U);
    pool_.executor_started(0, now());
    pool_.executor_lost(0, "exit 1", now());
    EXPECT_EQ(count<start_executor>(), 1U);
    ASSERT_TRUE(pool_.next_deadline().has_value());
    EXPECT_EQ(*pool_.next_deadline(), now_ + restart_delay_first);

    advance(restart_delay_first);

    EXPECT_EQ(count<start_executor>(), 2U);
}

TEST_F(PoolCrashOfTwo, DoesNotBlameATaskThatWasGivenToADeadProcess) {
    start();
    deliver(make_call("t.add"));

    pool_.executor_lost(0, "signal 9", now(), true);
    pool_.check_invariants();

    EXPECT_EQ(count<requeue>(), 0U);
    ASSERT_EQ(count<run_job>(), 2U);
    EXPECT_EQ(all<run_job>()[1].executor, 1U);
}

TEST_F(PoolCrash, KillsATaskAtItsTimeLimitAndReportsIt) {
    start();
    deliver(make_call("t.slow"));
    EXPECT_EQ(*pool_.next_deadline(), now_ + milliseconds(5000));
    advance(milliseconds(4999));
    EXPECT_EQ(count<kill_executor>(), 0U);

    advance(milliseconds(1));
    EXPECT_EQ(count<kill_executor>(), 1U);
    EXPECT_THAT(last_result(), HasSubstr("TimeLimitExceeded"));
    confirm_all();
    EXPECT_EQ(count<acknowledge>(), 1U);
    pool_.executor_lost(0, "signal 9", now());

    EXPECT_EQ(count<start_executor>(), 1U);
    EXPECT_EQ(count<requeue>(), 0U);
}

TEST_F(PoolCrash, IgnoresAnAnswerThatComesAfterTheTimeLimit) {
    start();
    deliver(make_call("t.slow"));
    advance(milliseconds(5000));

    answer_success(0);

    EXPECT_EQ(count<publish_result>(), 1U);
}

}  // namespace
}  // namespace lovage::workers::test
