// What only child processes can do: crash, be killed at a limit, die with their worker.
#include "tests/workers/run/setup.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

namespace lovage::workers::test {
namespace {

using ::testing::HasSubstr;

class Prefork : public worker_fixture {};

TEST_F(Prefork, BuriesATaskAfterThreeCrashesAndTellsTheCaller) {
    const auto worker = start_worker({"-c", "2"});

    const auto call = caller().delay(crash);

    try {
        call.get();
        FAIL() << "no exception";
    } catch (const task_failed& problem) {
        EXPECT_EQ(problem.type(), "WorkerLostError");
        EXPECT_THAT(problem.message(), HasSubstr("3 worker processes died"));
        EXPECT_THAT(problem.message(), HasSubstr("signal 6"));
    }
    const delivery dead = take("demo.dead");
    EXPECT_EQ(dead.message.headers.at("x-lovage-dead-reason"), "worker_lost");
    EXPECT_EQ(dead.message.headers.at("x-lovage-dead-crashes"), 3);
    EXPECT_EQ(dead.message.headers.at("task"), "demo.crash");
    EXPECT_EQ(ready("demo"), 0U);
}

TEST_F(Prefork, OtherTasksSurviveACrash) {
    const auto worker = start_worker({"-c", "2"});
    const auto slow = caller().delay(progress, 20);
    ASSERT_TRUE(eventually([&] { return slow.state() == task_state::progress; }));

    EXPECT_THROW(caller().delay(crash).get(), task_failed);

    EXPECT_EQ(slow.get(), 20);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(caller().delay(add, i, 1).get(), i + 1);
    }
}

TEST_F(Prefork, ListensToItsCrashLimit) {
    const auto worker = start_worker({"-c", "1", "--max-crashes", "1"});

    try {
        caller().delay(crash).get();
        FAIL() << "no exception";
    } catch (const task_failed& problem) {
        EXPECT_THAT(problem.message(), HasSubstr("a worker process died"));
    }
}

TEST_F(Prefork, KillsATaskAtItsHardTimeLimit) {
    const auto worker = start_worker({"-c", "1"});

    const auto call = caller().send(progress.s(10000), how().time_limit(300ms));

    EXPECT_THROW(call.get(), task_timeout);
    EXPECT_EQ(caller().delay(add, 1, 1).get(), 2);
    EXPECT_EQ(ready("demo.dead"), 0U);
}

TEST_F(Prefork, ReplacesAChildThatIsKilledWhileItIsIdle) {
    const auto worker = start_worker({"-c", "1"});
    ASSERT_EQ(caller().delay(add, 1, 1).get(), 2);
    const auto before = descendants(worker->pid());
    ASSERT_EQ(before.size(), 2U);  // the nursery and its child

    ::kill(before[1], SIGKILL);

    EXPECT_TRUE(eventually([&] {
        const auto after = descendants(worker->pid());
        return after.size() == 2 && after[1] != before[1];
    }));
    EXPECT_EQ(caller().delay(add, 2, 2).get(), 4);
}

TEST_F(Prefork, TaskThatMeetsADeadChildIsNotBlamed) {
    const auto worker = start_worker({"-c", "1", "--max-crashes", "1"});
    ASSERT_EQ(caller().delay(add, 1, 1).get(), 2);
    worker->signal(SIGSTOP);
    ::kill(descendants(worker->pid())[1], SIGKILL);
    const auto call = caller().delay(add, 2, 3);

    worker->signal(SIGCONT);

    EXPECT_EQ(call.get(), 5);
}

TEST_F(Prefork, TaskThatADyingChildHasNotReadIsNotBlamed) {
    const auto worker = start_worker({"-c", "1", "--max-crashes", "1"});
    ASSERT_EQ(caller().delay(add, 1, 1).get(), 2);
    const auto child = descendants(worker->pid())[1];
    ::kill(child, SIGSTOP);
    const auto call = caller().delay(add, 2, 3);
    ASSERT_TRUE(eventually([&] { return ready("demo") == 0; }));

    ::kill(child, SIGKILL);

    EXPECT_EQ(call.get(), 5);
}

TEST_F(Prefork, StartsMoreChildrenThanASocketHoldsRequestsFor) {
    auto worker = start_worker({"-c", "700"});

    EXPECT_EQ(caller().delay(add, 1, 2).get(), 3);

    worker->signal(SIGTERM);
    EXPECT_EQ(worker->wait(), 0);
}

TEST_F(Prefork, ChildrenWriteWhatTheirTasksPrint) {
    const auto worker = start_worker({"-c", "1"});

    EXPECT_EQ(caller().send_raw("demo.print", "[\"hello from a task\"]").get(), nullptr);

    EXPECT_EQ(worker->read_line(), "hello from a task");
}

TEST_F(Prefork, NobodyIsOrphanedWhenTheWorkerIsKilled) {
    auto worker = start_worker({"-c", "3"});
    const auto call = caller().delay(progress, 10000);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));
    const auto family = descendants(worker->pid());
    ASSERT_EQ(family.size(), 4U);

    worker->signal(SIGKILL);
    worker->wait();

    EXPECT_TRUE(eventually([&] { return std::none_of(family.begin(), family.end(), alive); }));
    EXPECT_TRUE(eventually([&] { return ready("demo") == 1; }));
}

TEST_F(Prefork, EndsWhenItsNurseryIsKilled) {
    auto worker = start_worker({"-c", "1"});
    const auto family = descendants(worker->pid());

    ::kill(family.front(), SIGKILL);

    EXPECT_EQ(worker->wait(), 1);
    EXPECT_THAT(worker->stderr_text(), HasSubstr("the process that makes the children"));
}

TEST_F(Prefork, ATaskSurvivesAKilledWorker) {
    auto first = start_worker({"-c", "1"});
    const auto call = caller().delay(progress, 40);
    ASSERT_TRUE(eventually([&] { return call.state() == task_state::progress; }));

    first->signal(SIGKILL);
    first->wait();
    const auto second = start_worker({"-c", "1"});

    EXPECT_EQ(call.get(), 40);
}

TEST_F(Prefork, PassesLargeArgumentsAndResults) {
    const auto worker = start_worker({"-c", "1"});
    const std::string large(3'000'000, 'x');

    const auto got = caller().send_raw("demo.echo", "[\"" + large + "\"]").get();

    EXPECT_EQ(got, boost::json::value(large));
}

}  // namespace
}  // namespace lovage::workers::test
