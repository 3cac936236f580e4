// The order of things: result, follow-ups, acknowledgement; crashes, limits, lost connections,
// drain.
#include "tests/workers/core/support.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace lovage::workers::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class Pool : public pool_fixture {};
class PoolOfTwo : public pool_fixture {
protected:
    PoolOfTwo() : pool_fixture(2) {}
};

TEST_F(Pool, RunsADeliveryWhenItsExecutorIsReady) {
    pool_.start();
    deliver(make_call("t.add"));
    EXPECT_EQ(count<run_job>(), 0U);

    pool_.executor_started(0, now());

    EXPECT_EQ(count<run_job>(), 1U);
    const auto job = read_job(std::string_view(pool_.job_frame(0)).substr(frame_length_octets));
    ASSERT_TRUE(job.has_value());
    EXPECT_EQ(job->facts.random, 42U);
}

TEST_F(Pool, AcknowledgesOnlyAfterTheResultIsConfirmed) {
    start();
    const auto tag = deliver(make_call("t.add"));

    answer_success(0, "12");
    EXPECT_EQ(count<publish_result>(), 1U);
    EXPECT_THAT(last_result(), HasSubstr("\"result\":12"));
    EXPECT_EQ(count<acknowledge>(), 0U);

    confirm_all();
    ASSERT_EQ(count<acknowledge>(), 1U);
    EXPECT_EQ(all<acknowledge>()[0].ref.tag, tag);
    EXPECT_EQ(pool_.active(), 0U);
}

TEST_F(Pool, RunsTheNextTaskWhileAResultIsUnconfirmed) {
    start();
    deliver(make_call("t.add", "a"));
    deliver(make_call("t.add", "b"));
    EXPECT_EQ(count<run_job>(), 1U);

    answer_success(0);

    EXPECT_EQ(count<run_job>(), 2U);
    EXPECT_EQ(count<acknowledge>(), 0U);
}

TEST_F(Pool, AcknowledgesAtOnceWhenNobodyWaitsForTheResult) {
    start();
    deliver(make_call("t.add", "a", how().ignore_result()));

    answer_success(0);

    EXPECT_EQ(count<publish_result>(), 0U);
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, PublishesARetryAfterItsResultAndBeforeTheAcknowledgement) {
    start();
    deliver(make_call("t.add"));
    outcome again;
    again.kind = outcome_kind::retry;
    again.delay = milliseconds(1500);
    again.problem = {"X", "busy", "cpp", {}};

    answer_outcome(0, again);
    EXPECT_EQ(count<publish_follow_up>(), 0U);
    confirm_all();
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    const follow_up retry = all<publish_follow_up>()[0].message;
    EXPECT_EQ(retry.queue, "work");
    EXPECT_EQ(retry.delay, milliseconds(1500));
    EXPECT_EQ(header_text(retry.properties, "retries"), "1");
    EXPECT_EQ(count<acknowledge>(), 0U);
    confirm_all();

    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, GivesTheMessageBackWhenAFollowUpIsNotTaken) {
    start();
    deliver(make_call("t.add"));
    outcome again;
    again.kind = outcome_kind::retry;
    answer_outcome(0, again);
    confirm_all();

    pool_.follow_up_published(0, true, now());
    EXPECT_EQ(count<requeue>(), 0U);
    advance(publish_failure_pause);

    EXPECT_EQ(count<requeue>(), 1U);
    EXPECT_EQ(count<acknowledge>(), 0U);
    EXPECT_EQ(pool_.active(), 0U);
}

TEST_F(Pool, AnswersAnExpiredTaskWithoutRunningIt) {
    start();
    deliver(make_call("t.add", "a", how().expires(epoch - milliseconds(1))));

    EXPECT_EQ(count<run_job>(), 0U);
    EXPECT_THAT(last_result(), HasSubstr("REVOKED"));
    confirm_all();
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, NeverHoldsATaskThatIsNotDue) {
    start();
    deliver(make_call("t.add", "a", how().eta(epoch + milliseconds(4000))));

    EXPECT_EQ(count<run_job>(), 0U);
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    EXPECT_EQ(all<publish_follow_up>()[0].message.delay, milliseconds(4000));
    confirm_all();
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, PassesAnUnknownTaskToPeersThenBuriesItAndTellsTheCaller) {
    start();
    sent_message call = make_call("t.other");
    for (std::size_t tries = 0; tries < unknown_task_delays.size(); ++tries) {
        clear();
        deliver(call);
        ASSERT_EQ(count<publish_follow_up>(), 1U);
        const follow_up copy = all<publish_follow_up>()[0].message;
        EXPECT_EQ(copy.queue, "work");
        EXPECT_EQ(copy.delay, unknown_task_delays[tries]);
        EXPECT_EQ(count<publish_result>(), 0U);
        confirm_all();
        EXPECT_EQ(count<acknowledge>(), 1U);
        call.properties = *amqp::read_properties(copy.properties);
    }

    deliver(call);
    EXPECT_THAT(last_result(), HasSubstr("NotRegistered"));
    clear();
    confirm_all();
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    const follow_up dead = all<publish_follow_up>()[0].message;
    EXPECT_EQ(dead.queue, "work.dead");
    EXPECT_EQ(header_text(dead.properties, dead_reason_header), "unknown_task");
    EXPECT_EQ(header_text(dead.properties, dead_queue_header), "work");
    EXPECT_EQ(header_text(dead.properties, "task"), "t.other");
    EXPECT_EQ(count<acknowledge>(), 0U);
    confirm_all();
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, BuriesAMessageThatIsNoTask) {
    start();
    sent_message junk = make_call("t.add");
    junk.properties.content_type = "text/plain";
    deliver(junk);

    EXPECT_THAT(last_result(), HasSubstr("FAILURE"));
    confirm_all();
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    EXPECT_EQ(
        header_text(all<publish_follow_up>()[0].message.properties, dead_reason_header),
        "unsupported_content_type");
}

TEST_F(Pool, BuriesAMessageThatTheExecutorCannotDecode) {
    start();
    deliver(make_call("t.add"));
    answer refused;
    refused.kind = answer_kind::refused;
    refused.problem = {refusal_reason::undecodable_body, "no JSON"};

    pool_.answered(0, std::move(refused), now());
    confirm_all();
    confirm_all();

    EXPECT_THAT(last_result(), HasSubstr("DecodeError"));
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    EXPECT_EQ(all<publish_follow_up>()[0].message.queue, "work.dead");
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, BuriesAMessageThatIsTooLongForItsSockets) {
    start();
    sent_message call = make_call("t.add");
    call.body.assign(body_octets_max + 1, ' ');
    deliver(call);

    EXPECT_EQ(count<run_job>(), 0U);
    EXPECT_THAT(last_result(), HasSubstr("are the most"));
    confirm_all();
    ASSERT_EQ(count<publish_follow_up>(), 1U);
    EXPECT_TRUE(all<publish_follow_up>()[0].message.dead);
}

TEST_F(Pool, DoesNotRunWhatHasExpiredWhileItWaited) {
    start();
    deliver(make_call("t.add", "a"));
    deliver(make_call("t.add", "b", how().expires(epoch + milliseconds(1000))));
    deliver(make_call("t.add", "c"));
    advance(milliseconds(1000));
    answer_success(0);
    collect();

    EXPECT_THAT(last_result(), HasSubstr("REVOKED"));
    EXPECT_EQ(count<run_job>(), 2U);
    EXPECT_EQ(pool_.running(), 1U);
    EXPECT_EQ(pool_.waiting(), 0U);
}

TEST_F(Pool, DropsTheAcknowledgementOfALostDelivery) {
    start();
    deliver(make_call("t.add"));
    pool_.consumer_lost(1);

    answer_success(0);
    confirm_all();

    EXPECT_EQ(count<publish_result>(), 1U);
    EXPECT_EQ(count<acknowledge>(), 0U);
    EXPECT_EQ(pool_.active(), 0U);
}

TEST_F(Pool, AdoptsTheRedeliveryOfATaskThatStillRuns) {
    start();
    deliver(make_call("t.add"));
    pool_.consumer_lost(1);
    sent_message again = make_call("t.add");
    again.header(delivery_count_header, std::int64_t{1});

    const auto tag = deliver(again, true);
    EXPECT_EQ(count<run_job>(), 1U);
    answer_success(0);
    confirm_all();

    ASSERT_EQ(count<acknowledge>(), 1U);
    EXPECT_EQ(all<acknowledge>()[0].ref.tag, tag);
}

TEST_F(Pool, AnswersAFinishedTaskFromMemoryWhenItComesBack) {
    start();
    deliver(make_call("t.add"));
    answer_success(0, "99");
    confirm_all();
    clear();

    deliver(make_call("t.add"), true);

    EXPECT_EQ(count<run_job>(), 0U);
    ASSERT_EQ(count<publish_result>(), 1U);
    EXPECT_THAT(last_result(), HasSubstr("\"result\":99"));
    confirm_all();
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, RunsAFinishedTaskAgainWhenItIsPublishedAgain) {
    start();
    deliver(make_call("t.add"));
    answer_success(0);
    confirm_all();
    clear();

    deliver(make_call("t.add"), false);
    EXPECT_EQ(count<run_job>(), 1U);
    pool_.executor_lost(0, "signal 9", now());
    pool_.executor_started(0, now());
    deliver(make_call("t.add"), true);

    EXPECT_EQ(count<run_job>(), 2U);
}

TEST_F(Pool, PublishesADelayedTaskOnlyOnceWhenItsAcknowledgementWasLost) {
    start();
    const sent_message later = make_call("t.add", "a", how().eta(epoch + milliseconds(4000)));
    deliver(later);
    confirm_all();
    clear();

    deliver(later, true);
    EXPECT_EQ(count<publish_follow_up>(), 0U);
    EXPECT_EQ(count<acknowledge>(), 1U);

    advance(milliseconds(4000));
    deliver(later);
    EXPECT_EQ(count<run_job>(), 1U);
}

TEST_F(Pool, PublishesProgressOfARunningTask) {
    start();
    deliver(make_call("t.add"));
    answer progress;
    progress.kind = answer_kind::progress;
    progress.text = "{\"done\":3}";

    pool_.answered(0, std::move(progress), now());

    ASSERT_EQ(count<publish_progress>(), 1U);
    EXPECT_EQ(all<publish_progress>()[0].queue, "replies");
    EXPECT_EQ(pool_.running(), 1U);
}

TEST_F(Pool, DrainGivesBackWhatHasNotStartedAndWaitsForTheRest) {
    start();
    deliver(make_call("t.add", "runs"));
    const auto waiting = deliver(make_call("t.add", "waits"));

    pool_.drain(std::chrono::seconds(30), now());
    EXPECT_EQ(count<stop_consuming>(), 1U);
    ASSERT_EQ(count<requeue>(), 1U);
    EXPECT_EQ(all<requeue>()[0].ref.tag, waiting);
    const auto late = deliver(make_call("t.add", "late"));
    EXPECT_EQ(all<requeue>()[1].ref.tag, late);
    answer_success(0);
    EXPECT_EQ(count<pool_finished>(), 0U);
    confirm_all();

    ASSERT_EQ(count<pool_finished>(), 1U);
    EXPECT_TRUE(all<pool_finished>()[0].clean);
    EXPECT_EQ(count<acknowledge>(), 1U);
}

TEST_F(Pool, DrainOfAnIdleWorkerIsOverAtOnce) {
    start();
    pool_.drain(std::chrono::seconds(30), now());
    EXPECT_EQ(count<pool_finished>(), 1U);
}

TEST_F(Pool, DrainEndsTasksByForceWhenTheGracePeriodIsOver) {
    start();
    const auto tag = deliver(make_call("t.add"));
    pool_.drain(milliseconds(500), now());

    advance(milliseconds(500));

    EXPECT_EQ(count<kill_executor>(), 1U);
    ASSERT_EQ(count<requeue>(), 1U);
    EXPECT_EQ(all<requeue>()[0].ref.tag, tag);
    ASSERT_EQ(count<pool_finished>(), 1U);
    EXPECT_FALSE(all<pool_finished>()[0].clean);
}

TEST_F(Pool, DrainDoesNotWaitForeverForConfirms) {
    start();
    deliver(make_call("t.add"));
    answer_success(0);
    pool_.drain(milliseconds(500), now());
    advance(milliseconds(500));
    EXPECT_EQ(count<pool_finished>(), 0U);

    advance(reporting_grace);

    EXPECT_EQ(count<pool_finished>(), 1U);
    EXPECT_EQ(count<requeue>(), 1U);
}

TEST_F(PoolOfTwo, StopGivesEverythingBackAtOnce) {
    start();
    deliver(make_call("t.add", "a"));
    deliver(make_call("t.add", "b"));
    deliver(make_call("t.add", "c"));
    answer_success(0);

    pool_.stop();
    pool_.check_invariants();

    EXPECT_EQ(count<requeue>(), 3U);
    EXPECT_EQ(count<kill_executor>(), 2U);
    const auto gives_back = [](const effect& one) { return std::holds_alternative<requeue>(one); };
    const auto kills = [](const effect& one) { return std::holds_alternative<kill_executor>(one); };
    const auto first = std::ranges::find_if(seen_, gives_back);
    EXPECT_EQ(std::find_if(first, seen_.end(), kills), seen_.end())
        << "nobody may get a message while its task still runs here";
    EXPECT_EQ(count<pool_finished>(), 1U);
    EXPECT_EQ(pool_.active(), 0U);
    EXPECT_FALSE(pool_.next_deadline().has_value());
}

TEST_F(PoolOfTwo, UsesEveryIdleExecutor) {
    start();
    deliver(make_call("t.add", "a"));
    deliver(make_call("t.add", "b"));

    ASSERT_EQ(count<run_job>(), 2U);
    EXPECT_NE(all<run_job>()[0].executor, all<run_job>()[1].executor);
}

}  // namespace
}  // namespace lovage::workers::test
