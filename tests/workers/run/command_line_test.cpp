// The command line as people and scripts meet it: what is printed where, and the exit status.
#include "tests/workers/run/setup.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace lovage::workers::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CommandLine : public worker_fixture {
protected:
    /// An error for people: one line on stderr, nothing on stdout.
    static void expect_one_line(const finished& got) {
        EXPECT_EQ(std::count(got.err.begin(), got.err.end(), '\n'), 1) << got.err;
        EXPECT_EQ(got.out, "");
    }
};

TEST_F(CommandLine, CallPrintsTheResultAsOneLineOfJson) {
    const auto worker = start_worker();

    const finished got = command("demo_tasks", {"call", "demo.add", "--args", "[6,7]"});
    EXPECT_EQ(got.out, "13\n");
    EXPECT_EQ(got.err, "");
    EXPECT_EQ(got.status, 0);

    const finished same =
        command("lovage", {"call", "demo.echo", "--args", R"([{"x":[1.5,"ü"]}])", "-Q", "demo"});
    EXPECT_EQ(same.out, "{\"x\":[1.5,\"ü\"]}\n");
}

TEST_F(CommandLine, CallPrintsTheErrorOfAFailedTask) {
    const auto worker = start_worker();

    const finished got = command("demo_tasks", {"call", "demo.fail", "--args", "[\"boom\"]"});

    EXPECT_EQ(got.err, "std::runtime_error: boom\n");
    EXPECT_EQ(got.out, "");
    EXPECT_EQ(got.status, 1);
}

TEST_F(CommandLine, CallSaysWhenNoWorkerKnowsTheTask) {
    const auto worker = start_worker();

    const finished got = command("demo_tasks", {"call", "demo.nowhere"});

    EXPECT_THAT(got.err, HasSubstr("demo.nowhere"));
    expect_one_line(got);
    EXPECT_EQ(got.status, 1);
}

TEST_F(CommandLine, CallSaysWhichArgumentDoesNotFit) {
    const auto worker = start_worker();

    const finished got = command("demo_tasks", {"call", "demo.add", "--args", "[1,\"x\"]"});

    EXPECT_THAT(got.err, StartsWith("TypeError: "));
    EXPECT_THAT(got.err, HasSubstr("integer"));
    expect_one_line(got);
    EXPECT_EQ(got.status, 1);
}

TEST_F(CommandLine, CallGivesUpWhenNoAnswerComes) {
    const finished got =
        command("demo_tasks", {"call", "demo.add", "--args", "[1,2]", "--timeout", "0.3"});

    expect_one_line(got);
    EXPECT_EQ(got.status, 2);
}

TEST_F(CommandLine, CallWaitsForTheCountdown) {
    const auto worker = start_worker();
    const auto begin = std::chrono::steady_clock::now();

    const finished got =
        command("demo_tasks", {"call", "demo.add", "--args", "[1,2]", "--countdown", "0.5"});

    EXPECT_EQ(got.out, "3\n");
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST_F(CommandLine, CallSaysWhereTheJsonIsWrong) {
    const finished got = command("demo_tasks", {"call", "demo.add", "--args", "[1,,2]"});
    EXPECT_THAT(got.err, HasSubstr("--args is not JSON"));
    EXPECT_THAT(got.err, HasSubstr("3"));
    expect_one_line(got);
    EXPECT_EQ(got.status, 64);

    const finished list = command("demo_tasks", {"call", "demo.add", "--args", "7"});
    EXPECT_THAT(list.err, HasSubstr("--args must be a JSON list"));
    EXPECT_EQ(list.status, 64);
}

TEST_F(CommandLine, SaysWhatIsUnknown) {
    for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
             {"dance"},
             {"call", "x", "--arrgs", "[]"},
             {"worker", "--pool", "swimming"},
             {"worker", "-c", "0"},
             {"worker", "-n", "%x"},
             {"worker", "-l", "loud"},
             {"call"},
             {"purge"},
             {"worker", "--grace", "-1"}}) {
        const finished got = command("demo_tasks", wrong);
        EXPECT_EQ(got.status, 64) << wrong.front();
        expect_one_line(got);
    }
}

TEST_F(CommandLine, SaysThatTheBrokerIsNotThere) {
    broker_.kill();
    for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
             {"call", "demo.add"}, {"purge", "-Q", "demo", "-f"}, {"status"}}) {
        const finished got = command("lovage", line);
        EXPECT_EQ(got.status, 69) << got.err;
        EXPECT_THAT(got.err, HasSubstr("127.0.0.1:"));
        expect_one_line(got);
    }
    broker_.start();
}

TEST_F(CommandLine, SaysThatThePasswordIsWrong) {
    const std::string wrong = "amqp://guest:secret@" + broker_.host_port() + "//";
    for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
             {"call", "demo.add", "-b", wrong}, {"worker", "-l", "off", "-b", wrong}}) {
        const finished got = command("demo_tasks", line);
        EXPECT_EQ(got.status, 69);
        EXPECT_THAT(got.err, HasSubstr("403"));
        EXPECT_EQ(got.err.find("secret"), std::string::npos);
        expect_one_line(got);
    }
}

TEST_F(CommandLine, SaysThatTheVirtualHostIsUnknown) {
    const std::string wrong = "amqp://guest:guest@" + broker_.host_port() + "/nowhere";

    const finished got = command("demo_tasks", {"call", "demo.add", "-b", wrong});

    EXPECT_EQ(got.status, 69);
    EXPECT_THAT(got.err, HasSubstr("530"));
    expect_one_line(got);
}

TEST_F(CommandLine, SaysThatTheAddressCannotBeRead) {
    const finished got = command("lovage", {"call", "x", "-b", "http://localhost"});

    EXPECT_EQ(got.status, 64);
    EXPECT_THAT(got.err, HasSubstr("amqp://"));
    expect_one_line(got);
}

TEST_F(CommandLine, PurgeDropsWhatWaits) {
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(caller().send(add.s(1, i)));
    }

    const finished got = command("lovage", {"purge", "-Q", "demo", "-f"});

    EXPECT_EQ(got.out, "dropped 3 messages of demo\n");
    EXPECT_EQ(got.status, 0);
    EXPECT_EQ(ready("demo"), 0U);
}

TEST_F(CommandLine, PurgeOfAQueueThatDoesNotExistFails) {
    const finished got = command("lovage", {"purge", "-Q", "nowhere", "-f"});

    EXPECT_NE(got.status, 0);
    EXPECT_THAT(got.err, HasSubstr("nowhere"));
    expect_one_line(got);
}

TEST_F(CommandLine, StatusShowsTheQueues) {
    static_cast<void>(caller().send(add.s(1, 2)));
    static_cast<void>(caller().send(add.s(1, 2)));

    const finished got = command("lovage", {"status"});

    EXPECT_EQ(got.status, 0) << got.err;
    EXPECT_THAT(got.out, StartsWith("queue"));
    EXPECT_THAT(got.out, ::testing::ContainsRegex("demo +2 +0 +0"));
}

TEST_F(CommandLine, HelpNamesEveryVerb) {
    const finished got = command("demo_tasks", {"help"});
    EXPECT_EQ(got.status, 0);
    for (const char* verb : {"worker", "call", "purge", "status", "help"}) {
        EXPECT_THAT(got.out, HasSubstr(verb));
        EXPECT_EQ(command("demo_tasks", {"help", verb}).status, 0);
    }
    EXPECT_EQ(command("lovage", {"help"}).out.find("  worker"), std::string::npos);
    EXPECT_THAT(command("lovage", {"--version"}).out, StartsWith("lovage "));
}

}  // namespace
}  // namespace lovage::workers::test
