// The small parts: names, restarts, memory, admission and copies.
#include "tests/workers/core/support.hpp"
#include "workers/core/finished.hpp"
#include "workers/core/node_name.hpp"
#include "workers/core/restart_policy.hpp"

namespace lovage::workers::test {
namespace {

TEST(NodeName, ExpandsHostLetters) {
    std::string problem;
    EXPECT_EQ(expand_node_name("w1@%h", "a.example.org", problem), "w1@a.example.org");
    EXPECT_EQ(expand_node_name("w1@%n", "a.example.org", problem), "w1@a");
    EXPECT_EQ(expand_node_name("w1@%d", "a.example.org", problem), "w1@example.org");
    EXPECT_EQ(expand_node_name("50%%@x", "a", problem), "50%@x");
}

TEST(NodeName, GetsTheHostWhenItNamesNone) {
    std::string problem;
    EXPECT_EQ(expand_node_name("w1", "box", problem), "w1@box");
}

TEST(NodeName, RefusesUnknownLettersBlanksAndNothing) {
    std::string problem;
    EXPECT_FALSE(expand_node_name("w%x", "box", problem).has_value());
    EXPECT_FALSE(expand_node_name("w%", "box", problem).has_value());
    EXPECT_FALSE(expand_node_name("w 1", "box", problem).has_value());
    EXPECT_FALSE(expand_node_name("", "box", problem).has_value());
    EXPECT_FALSE(problem.empty());
}

TEST(RestartPolicy, WaitsLongerWithEachQuickDeathUpToItsLimit) {
    restart_policy policy;
    EXPECT_EQ(policy.died(milliseconds(5)), milliseconds(0));
    EXPECT_EQ(policy.died(milliseconds(5)), milliseconds(100));
    EXPECT_EQ(policy.died(milliseconds(5)), milliseconds(200));
    for (int i = 0; i < 100; ++i) {
        EXPECT_LE(policy.died(milliseconds(5)), restart_delay_max);
    }
    EXPECT_EQ(policy.died(milliseconds(5)), restart_delay_max);
}

TEST(RestartPolicy, ForgetsAfterAHealthyLifeOrAFinishedTask) {
    restart_policy policy;
    EXPECT_EQ(policy.died(milliseconds(5)), milliseconds(0));
    EXPECT_EQ(policy.died(healthy_life), milliseconds(0));
    policy.finished_task();
    EXPECT_EQ(policy.died(milliseconds(5)), milliseconds(0));
}

TEST(FinishedTasks, ForgetsTheOldestBeyondItsLimit) {
    finished_tasks memory(2, 1000);
    memory.add("a", {"q", "p", "1"});
    memory.add("b", {"q", "p", "2"});
    memory.add("c", {"q", "p", "3"});

    EXPECT_EQ(memory.find("a"), nullptr);
    ASSERT_NE(memory.find("b"), nullptr);
    EXPECT_EQ(memory.find("c")->body, "3");
    EXPECT_EQ(memory.size(), 2U);
}

TEST(FinishedTasks, KeepsItsOctetsWithinTheLimit) {
    finished_tasks memory(100, 50);
    for (int i = 0; i < 20; ++i) {
        memory.add("key" + std::to_string(i), {"q", "p", "0123456789"});
        EXPECT_LE(memory.octets(), 50U);
    }
    EXPECT_NE(memory.find("key19"), nullptr);
    memory.add("big", {"q", "p", std::string(100, 'x')});
    EXPECT_EQ(memory.find("big"), nullptr);
    EXPECT_NE(memory.find("key19"), nullptr);
}

TEST(FinishedTasks, CanBeAddedAgainAfterBeingForgotten) {
    finished_tasks memory(2, 1000);
    memory.add("a", {"q", "p", "1"});
    memory.forget("a");
    EXPECT_EQ(memory.find("a"), nullptr);
    memory.add("a", {"q", "p", "2"});
    EXPECT_EQ(memory.find("a")->body, "2");
    memory.add("b", {});
    memory.add("c", {});
    memory.add("d", {});
    EXPECT_EQ(memory.size(), 2U);
    EXPECT_EQ(memory.octets(), 2U);
}

worker_rules rules_of(std::optional<int> max_crashes = std::nullopt) {
    worker_rules rules;
    rules.node = "w";
    rules.max_crashes = max_crashes;
    return rules;
}

admission admit_now(const sent_message& call, const worker_rules& rules, bool redelivered = false) {
    static const registry tasks = test_tasks();
    const std::string properties = encode_properties(call.properties);
    return admit(tasks, rules, {"work", properties, call.body, redelivered, true}, epoch);
}

TEST(Admit, TakesTheTimeLimitOfTheCallThenOfTheTaskThenOfTheWorker) {
    worker_rules rules = rules_of();
    rules.time_limit = milliseconds(9000);
    const how limited = how().time_limit(milliseconds(700));
    EXPECT_EQ(
        admit_now(make_call("t.slow", "a", limited), rules).facts.time_limit, milliseconds(700));
    EXPECT_EQ(admit_now(make_call("t.slow"), rules).facts.time_limit, milliseconds(5000));
    EXPECT_EQ(admit_now(make_call("t.add"), rules).facts.time_limit, milliseconds(9000));
}

TEST(Admit, LowersTheCrashLimitButNeverRaisesIt) {
    const registry tasks = test_tasks();
    EXPECT_EQ(crashes_allowed(tasks, rules_of(), "t.add"), 3);
    EXPECT_EQ(crashes_allowed(tasks, rules_of(1), "t.add"), 1);
    EXPECT_EQ(crashes_allowed(tasks, rules_of(9), "t.fragile"), 2);
}

TEST(Admit, AddsTheBrokersCountOfLossesAndOurOwn) {
    sent_message call = make_call("t.add");
    call.header(delivery_count_header, std::int64_t{1});
    call.header(crash_count_header, std::int64_t{1});
    const admission got = admit_now(call, rules_of(), true);
    EXPECT_EQ(got.facts.crashes, 2);
}

TEST(Admit, RunsATaskWhoseTimeHasAllButCome) {
    const sent_message call = make_call("t.add", "a", how().eta(epoch + milliseconds(5)));
    EXPECT_EQ(admit_now(call, rules_of()).what, verdict::run);
}

TEST(Admit, ReadsProtocolOneFromTheBody) {
    sent_message old;
    old.properties.content_type = "application/json";
    old.properties.headers.emplace();
    old.body = R"({"task":"t.add","id":"old","args":[1,2],"kwargs":{}})";
    const admission got = admit_now(old, rules_of());
    EXPECT_EQ(got.what, verdict::run);
    EXPECT_EQ(got.message.head.id, "old");
}

TEST(DeadCopy, KeepsTheMessageAndDropsWhatTheBrokerAdded) {
    sent_message call = make_call("t.add", "a", how().expires(milliseconds(1000)));
    call.header(delivery_count_header, std::int64_t{4});
    call.header("mine", std::string("x"));

    const follow_up dead =
        make_dead(call.properties, call.body, {"worker_lost", "text", "work", "w1@host", 4, epoch});

    EXPECT_EQ(dead.queue, "work.dead");
    EXPECT_EQ(dead.body, call.body);
    EXPECT_EQ(header_text(dead.properties, "mine"), "x");
    EXPECT_EQ(header_text(dead.properties, "id"), "a");
    EXPECT_EQ(header_text(dead.properties, delivery_count_header), "-");
    EXPECT_EQ(header_text(dead.properties, dead_worker_header), "w1@host");
    EXPECT_EQ(amqp::read_properties(dead.properties)->expiration, std::nullopt);
    EXPECT_EQ(amqp::read_properties(dead.properties)->reply_to, "replies");
}

}  // namespace
}  // namespace lovage::workers::test
