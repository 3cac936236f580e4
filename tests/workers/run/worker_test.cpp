// Workers as real processes, in both pools: results, failures, retries, draining, lost brokers.
#include "tests/workers/run/setup.hpp"

#include <gmock/gmock.h>

#include <csignal>

namespace lovage::workers::test {
namespace {

using ::testing::HasSubstr;

/// The parameter is the kind of pool.
class Worker : public worker_fixture, public ::testing::WithParamInterface<const char*> {
protected:
    std::unique_ptr<process> start(std::vector<std::string> options = {}) {
        options.insert(options.end(), {"--pool", GetParam()});
        return start_worker(std::move(options));
    }
};
INSTANTIATE_TEST_SUITE_P(
    Pools,
    Worker,
    ::testing::Values("prefork", "threads"),
    [](const auto& what) { return std::string(what.param); });

TEST_P(Worker, ReturnsResults) {
    const auto worker = start({"-c", "2"});

    EXPECT_EQ(caller().delay(add, 20, 22).get(), 42);
    EXPECT_EQ(
        caller().send_raw("demo.echo", R"([{"a":[1,2.5,null,"ü"]}])").get(),
        parse_json(R"({"a":[1,2.5,null,"ü"]})"));
}

TEST_P(Worker, ReportsFailuresWithTypeAndText) {
    const auto worker = start();

    try {
        caller().delay(fail, "boom").get();
        FAIL() << "no exception";
    } catch (const task_failed& problem) {
        EXPECT_EQ(problem.type(), "std::runtime_error");
        EXPECT_EQ(problem.message(), "boom");
    }
}

TEST_P(Worker, RepeatsATaskUntilItSucceeds) {
    const auto worker = start();

    EXPECT_EQ(caller().delay(flaky, 3).get(), 4);
}

TEST_P(Worker, ReportsProgress) {
    const auto worker = start();
    const auto call = caller().delay(progress, 20);

    EXPECT_TRUE(eventually([&] { return call.state() == task_state::progress; }));
    EXPECT_EQ(call.get(), 20);
}

TEST_P(Worker, RunsADelayedTaskNotBeforeItsTime) {
    const auto worker = start();
    const auto begin = std::chrono::steady_clock::now();

    EXPECT_EQ(caller().send(add.s(1, 2), how().after(700ms)).get(), 3);

    EXPECT_GE(std::chrono::steady_clock::now() - begin, 690ms);
}

TEST_P(Worker, EndsATaskAtItsTimeLimitAndGoesOn) {
    const auto worker = start({"-c", "1"});

    const auto call = caller().send(sleep_for.s(600), how().time_limit(300ms));

    EXPECT_THROW(call.get(), task_timeout);
    EXPECT_EQ(caller().delay(add, 1, 1).get(), 2);
}

TEST_P(Worker, RevokesAnExpiredTask) {
    const auto worker = start();
    connection broker{connection_options(broker_.url())};
    broker.declare_queue("answers");
    message late("[[1,2],{},{}]", "application/json");
    late.headers = {{"task", "demo.add"}, {"id", "late"}, {"expires", "2020-01-01T00:00:00+00:00"}};
    late.reply_to = "answers";

    broker.publish("", "demo", late);

    const boost::json::value answer = parse_json(take("answers").message.body);
    EXPECT_EQ(answer.at("status"), "REVOKED");
    EXPECT_EQ(answer.at("task_id"), "late");
}

TEST_P(Worker, RefusesArgumentsThatDoNotFitAndKeepsTheMessage) {
    const auto worker = start();

    const auto call = caller().send_raw("demo.add", R"(["x",2])");

    EXPECT_THROW(call.get(), task_failed);
    const delivery dead = take("demo.dead");
    EXPECT_EQ(dead.message.headers.at("x-lovage-dead-reason"), "bad_arguments");
    EXPECT_EQ(dead.message.headers.at("x-lovage-dead-queue"), "demo");
}

TEST_P(Worker, BuriesAnUnknownTaskAndTellsTheCaller) {
    const auto worker = start();

    const auto call = caller().send_raw("demo.nowhere", "[]");

    EXPECT_THROW(call.get(), unknown_task);
    EXPECT_EQ(take("demo.dead").message.headers.at("x-lovage-dead-reason"), "unknown_task");
}

TEST_P(Worker, BuriesWhatIsNoTask) {
    const auto worker = start();
    connection broker{connection_options(broker_.url())};

    broker.publish("", "demo", message("junk", "text/plain"));

    const delivery dead = take("demo.dead");
    EXPECT_EQ(dead.message.body, "junk");
    EXPECT_EQ(dead.message.headers.at("x-lovage-dead-reason"), "unsupported_content_type");
    EXPECT_EQ(caller().delay(add, 1, 1).get(), 2);
}

TEST_P(Worker, ConsumesSeveralQueues) {
    const auto worker = start({"-Q", "one,two", "-Q", "demo", "-c", "2"});

    EXPECT_EQ(caller().send(add.s(1, 2), how().queue("one")).get(), 3);
    EXPECT_EQ(caller().send(add.s(1, 3), how().queue("two")).get(), 4);
    EXPECT_EQ(caller().send(add.s(1, 4)).get(), 5);
}

TEST_P(Worker, DrainsOnSigtermWithoutLosingATask) {
    auto first = start({"-c", "4", "--prefetch", "3"});
    const std::vector<signature<double>> calls(120, sleep_for.s(0.02));
    const auto sent = caller().send_all(calls);
    ASSERT_TRUE(eventually([&] { return sent[10].ready(); }));

    first->signal(SIGTERM);
    EXPECT_EQ(first->wait(), 0) << first->stderr_text();
    const auto second = start({"-c", "4"});

    for (const auto& call : sent) {
        EXPECT_EQ(call.get(), 0.02);
    }
    EXPECT_EQ(ready("demo.dead"), 0U);
}

TEST_P(Worker, StoppingWorkersIsNoCrashOfWhatTheyGiveBack) {
    const auto running = caller().delay(progress, 1'000'000);
    const auto waiting = caller().delay(add, 1, 2);
    for (int stops = 0; stops < 5; ++stops) {
        auto worker = start({"-c", "1", "--prefetch", "2", "--grace", "0.1"});
        ASSERT_TRUE(eventually([&] { return running.state() == task_state::progress; }));
        worker->signal(stops % 2 == 0 ? SIGTERM : SIGQUIT);
        ASSERT_EQ(worker->wait(), 1);
    }

    const auto worker = start({"-c", "2"});

    EXPECT_EQ(waiting.get(), 3);
    EXPECT_EQ(ready("demo.dead"), 0U);
}

TEST_P(Worker, FinishesItsTaskWhileItDrains) {
    auto worker = start({"-c", "1"});
    const auto call = caller().delay(progress, 10);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));

    worker->signal(SIGTERM);

    EXPECT_EQ(worker->wait(), 0);
    EXPECT_EQ(call.get(5s), 10);
}

TEST_P(Worker, GivesTheTaskBackWhenTheGracePeriodIsOver) {
    auto worker = start({"-c", "1", "--grace", "0.2"});
    const auto call = caller().delay(progress, 10000);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));

    worker->signal(SIGTERM);

    EXPECT_EQ(worker->wait(), 1);
    EXPECT_TRUE(eventually([&] { return ready("demo") == 1; }));
}

TEST_P(Worker, StopsAtOnceOnSigquit) {
    auto worker = start({"-c", "1"});
    const auto call = caller().delay(progress, 10000);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));

    worker->signal(SIGQUIT);

    EXPECT_EQ(worker->wait(), 1);
    EXPECT_TRUE(eventually([&] { return ready("demo") == 1; }));
}

TEST_P(Worker, StopsAtOnceOnTheSecondSigterm) {
    auto worker = start({"-c", "1", "--grace", "300"});
    const auto call = caller().delay(progress, 10000);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));

    worker->signal(SIGTERM);
    ASSERT_TRUE(eventually(
        [&] { return worker->stderr_text().find("worker_draining") != std::string::npos; }));
    worker->signal(SIGTERM);

    EXPECT_EQ(worker->wait(), 1);
    EXPECT_TRUE(eventually([&] { return ready("demo") == 1; }));
}

TEST_P(Worker, FinishesEveryTaskThoughTheBrokerIsKilledAndRestarted) {
    const auto worker = start({"-c", "4"});
    const std::vector<signature<double>> calls(500, sleep_for.s(0.004));
    const auto sent = caller().send_all(calls);
    ASSERT_TRUE(eventually([&] { return sent[30].ready(); }));

    broker_.kill();
    broker_.start();

    for (std::size_t i = 0; i < sent.size(); ++i) {
        ASSERT_TRUE(sent[i].wait(patience)) << i << "\n" << worker->stderr_text();
        EXPECT_EQ(sent[i].get(), 0.004);
    }
    EXPECT_EQ(ready("demo.dead"), 0U);
    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait(), 0);
}

TEST_P(Worker, WaitsForABrokerThatIsNotThereYet) {
    broker_.kill();
    process worker(
        {program_path("demo_tasks"), "worker", "-b", broker_.url(), "--pool", GetParam()});
    ASSERT_TRUE(
        eventually([&] { return worker.stderr_text().find("disconnected") != std::string::npos; }));

    broker_.start();

    worker.wait_for("ready worker=");
    EXPECT_EQ(caller().delay(add, 1, 1).get(), 2);
}

}  // namespace
}  // namespace lovage::workers::test
