// Policies beside what was declared and beside each other, their limits, and restarts.
#include "tests/broker/core/policies_fixture.hpp"

namespace lovage::broker::test {
namespace {

using amqp::table;
using bodies = std::vector<std::string>;
using std::chrono::milliseconds;
constexpr policy_kind user = policy_kind::user;
constexpr policy_kind operators = policy_kind::operators;

using PoliciesMerged = policies_fixture;

// What a declaration says besides

TEST_F(PoliciesMerged, OfArgumentAndPolicyTheSmallerNumberCounts) {
    declare(*peer, "more", durable, {{"x-max-length", std::int32_t{3}}});
    declare(*peer, "less", durable, {{"x-max-length", std::int32_t{1}}});
    set("p", "", {{"max-length", number(2)}});
    publish("more", {"a", "b", "c"});
    publish("less", {"a", "b", "c"});
    EXPECT_EQ(drain("more"), (bodies{"b", "c"}));
    EXPECT_EQ(drain("less"), bodies{"c"});
}

TEST_F(PoliciesMerged, ArgumentsForDeadLettersAndOverflowHaveTheWord) {
    declare(*peer, "mine", durable);
    declare(*peer, "theirs", durable);
    declare(
        *peer,
        "q",
        durable,
        {{"x-overflow", "reject-publish-dlx"},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "mine"}});
    set("p",
        "^q$",
        {{"max-length", number(1)},
         {"overflow", "drop-head"},
         {"dead-letter-exchange", ""},
         {"dead-letter-routing-key", "theirs"}});

    publish("q", {"a", "b"});

    EXPECT_EQ(drain("q"), bodies{"a"});
    EXPECT_EQ(drain("mine"), bodies{"b"});
    EXPECT_EQ(drain("theirs"), bodies{});
}

TEST_F(PoliciesMerged, PolicysRoutingKeyGoesWithTheArgumentsExchange) {
    declare(*peer, "dead", durable);
    declare(*peer, "q", durable, {{"x-dead-letter-exchange", ""}});
    set("p", "^q$", {{"dead-letter-routing-key", "dead"}, {"max-length", number(0)}});
    publish("q", {"a"});
    EXPECT_EQ(drain("dead"), bodies{"a"});
}

TEST_F(PoliciesMerged, AlternateExchangeOfTheDeclarationHasTheWord) {
    declare(*peer, "mine", durable);
    declare(*peer, "theirs", durable);
    declare_alternates("mine", "fanout");
    declare_alternates("theirs", "fanout");
    bind("mine", "mine");
    bind("theirs", "theirs");
    declare_alternates("x", "direct", {{"alternate-exchange", "mine"}});
    set("p", "^x$", {{"alternate-exchange", "theirs"}});
    peer->publish(1, {"x", "k", "a", persistent()});
    EXPECT_EQ(drain("mine"), bodies{"a"});
    EXPECT_EQ(drain("theirs"), bodies{});
}

TEST_F(PoliciesMerged, RemovalLeavesWhatWasDeclared) {
    declare(*peer, "q", durable, {{"x-max-length", std::int32_t{3}}});
    set("p", "", {{"max-length", number(1)}, {"message-ttl", number(100)}});
    EXPECT_TRUE(clear("p"));
    EXPECT_FALSE(clear("p"));
    publish("q", {"a", "b", "c", "d"});
    broker.advance(milliseconds{1000});
    EXPECT_EQ(drain("q"), (bodies{"b", "c", "d"}));
}

TEST_F(PoliciesMerged, RedeclarationComparesWhatWasDeclared) {
    declare(*peer, "q", durable, {{"x-max-length", std::int32_t{3}}});
    set("p", "", {{"max-length", number(1)}, {"message-ttl", number(1000)}});
    declare(*peer, "q", durable, {{"x-max-length", std::int32_t{3}}});
    const table shown{{"x-max-length", std::int32_t{1}}};
    peer->send(1, declare_queue("q", durable, shown));
    peer->expect_channel_error(
        1,
        amqp::queue::declare::id,
        "406 inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '1' but current "
        "is '3'");
}

TEST_F(PoliciesMerged, HoldForQueuesThatComeLaterWhateverTheirKind) {
    set("p", "", {{"max-length", number(1)}});
    declare(*peer, "durable", durable);
    declare(*peer, "transient");
    declare(*peer, "exclusive", {.exclusive = true});
    const std::string named{declare(*peer, "", {.exclusive = true}).queue};
    for (const std::string& each :
         {std::string("durable"), std::string("transient"), std::string("exclusive"), named}) {
        publish(each, {"a", "b"});
        EXPECT_EQ(drain(each), bodies{"b"}) << each;
    }
}

// Several policies

TEST_F(PoliciesMerged, OnlyTheHighestPriorityAppliesAndTheNextWhenItGoes) {
    declare(*peer, "q", durable);
    set("low", "", {{"message-ttl", number(100)}, {"max-length", number(1)}}, 1);
    set("high", "", {{"max-length", number(2)}}, 2);
    publish("q", {"a", "b", "c"});
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 2U);
    EXPECT_EQ(broker.status("q").policy, "high");

    EXPECT_TRUE(clear("high"));

    broker.advance(milliseconds{0});
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.status("q").policy, "low");
}

TEST_F(PoliciesMerged, OperatorsPolicyIsMerged) {
    declare(*peer, "q", durable);
    set("p", "", {{"max-length", number(3)}, {"overflow", "reject-publish"}});
    set("o", "", {{"max-length", number(2)}, {"expires", number(1000)}}, 0, operators);
    publish("q", {"a", "b", "c"});
    EXPECT_EQ(broker.status("q").ready, 2U);
    EXPECT_EQ(broker.status("q").operator_policy, "o");
    EXPECT_EQ(
        broker.status("q").effective_policy,
        (table{
            {"max-length", number(2)}, {"overflow", "reject-publish"}, {"expires", number(1000)}}));
    set("o", "", {{"max-length", number(5)}}, 0, operators);
    publish("q", {"c", "d"});
    EXPECT_EQ(drain("q"), (bodies{"a", "b", "c"}));
    EXPECT_TRUE(clear("o", operators));
    EXPECT_EQ(broker.status("q").operator_policy, "");
}

TEST_F(PoliciesMerged, AreRefusedInWords) {
    EXPECT_EQ(
        try_set({"p", "", "all", 0, {{"max-priority", number(1)}}}),
        "'max-priority' are not recognised policy settings");
    EXPECT_EQ(
        try_set({"p", "", "all", 0, {{"max-length", number(1)}}}, user, "nowhere"),
        "no such vhost");
    EXPECT_EQ(broker.journal.settings.size(), 0U);
    EXPECT_EQ(broker.broker().policy_statuses(user).size(), 0U);
}

TEST_F(PoliciesMerged, AreBoundedInNumberAndCanStillBeReplaced) {
    const table definition{{"max-length", number(1)}};
    for (std::size_t i = 0; i < policies_max; ++i) {
        const std::string name = std::to_string(i);
        broker.as_event([&](engine& at) {
            EXPECT_EQ(at.set_policy(user, "/", {name, "^no$", "all", 0, definition}), "");
        });
    }
    EXPECT_EQ(try_set({"more", "", "all", 0, definition}), "a vhost has at most 200 policies");
    EXPECT_EQ(try_set({"7", "", "all", 0, definition}), "");
    EXPECT_EQ(try_set({"more", "", "all", 0, definition}, operators), "");
}

TEST_F(PoliciesMerged, DeadLettersThatWaitAreDroppedWhenThePolicyHasGone) {
    engine_options options;
    options.dead_letters_per_event = 2;
    broker_under_test slow{options};
    client& from = slow.connect();
    declare(from, "q", durable);
    declare(from, "dead", durable);
    for (int i = 0; i < 6; ++i) {
        from.publish(1, {"", "q", "m", persistent()});
    }
    slow.as_event([&](engine& at) {
        EXPECT_EQ(
            at.set_policy(
                user,
                "/",
                {"p",
                 "^q$",
                 "all",
                 0,
                 {{"max-length", number(0)},
                  {"dead-letter-exchange", ""},
                  {"dead-letter-routing-key", "dead"}}}),
            "");
        EXPECT_TRUE(at.clear_policy(user, "/", "p"));
    });
    slow.advance(milliseconds{1});
    EXPECT_EQ(slow.status("q").ready, 0U);
    EXPECT_EQ(slow.status("dead").ready, 2U);
    EXPECT_EQ(slow.journal.messages.size(), 2U);
}

// Restarts

TEST_F(PoliciesMerged, AreThereAfterARestartAndHoldForWhatIsRestored) {
    declare(*peer, "q", durable, {{"x-max-length", std::int32_t{5}}});
    set("p", "^q$", {{"max-length", number(2)}, {"message-ttl", number(1000)}}, 3);
    set("o", "", {{"max-length-bytes", number(100)}}, 0, operators);
    publish("q", {"a"});

    recover();

    const auto shown = broker.broker().policy_statuses(user);
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].vhost, "/");
    EXPECT_EQ(
        shown[0].settings,
        (policy_settings{
            "p", "^q$", "all", 3, {{"max-length", number(2)}, {"message-ttl", number(1000)}}}));
    EXPECT_EQ(broker.broker().policy_statuses(operators).size(), 1U);
    publish("q", {"b", "c"});
    EXPECT_EQ(broker.status("q").ready, 2U);
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 0U);
    // And what was declared is what it was.
    declare(*peer, "q", durable, {{"x-max-length", std::int32_t{5}}});
}

TEST_F(PoliciesMerged, AreGoneAfterARestartWhenTheyWereCleared) {
    declare(*peer, "q", durable);
    set("p", "", {{"max-length", number(1)}});
    set("p", "", {{"max-length", number(2)}});
    EXPECT_EQ(broker.journal.settings.size(), 1U);
    EXPECT_TRUE(clear("p"));
    recover();
    EXPECT_EQ(broker.broker().policy_statuses(user).size(), 0U);
    EXPECT_EQ(broker.broker().find_vhost("/")->find_queue("q")->rules(), queue_rules{});
}

TEST_F(PoliciesMerged, UnusedQueueOfAPolicyGoesSoLongAfterTheRestart) {
    declare(*peer, "q", durable);
    set("p", "", {{"expires", number(1000)}});
    broker.advance(milliseconds{900});
    recover();
    broker.advance(milliseconds{999});
    EXPECT_TRUE(broker.has_queue("q"));
    broker.advance(milliseconds{1});
    EXPECT_FALSE(broker.has_queue("q"));
}

TEST_F(PoliciesMerged, MoveOutOfAnOldFile) {
    set("p", "", {{"max-length", number(1)}});
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    recover();
    EXPECT_EQ(broker.broker().policy_statuses(user).size(), 1U);
}

TEST_F(PoliciesMerged, StopAStartThatDoesNotUnderstandThem) {
    broker.restart();
    table stored = policy_to_table({"p", "", "all", 0, {{"key-of-the-future", number(1)}}});
    EXPECT_TRUE(broker.broker().restore_setting(
        settings_store::key("policy", {"/", "p"}), encode_table(stored), {}));
    EXPECT_EQ(
        broker.broker().settings_restored(),
        "policy 'p': 'key-of-the-future' are not recognised policy settings");
}

}  // namespace
}  // namespace lovage::broker::test
