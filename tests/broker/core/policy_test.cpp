// Policies without an engine: what is accepted, which one applies, how two are merged. Compared
// with a node of RabbitMQ 3.10.8, but for what docs/compatibility.md names.
#include "broker/core/policy.hpp"

#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;
constexpr policy_kind user = policy_kind::user;
constexpr policy_kind operators = policy_kind::operators;

policy_settings settings(table definition, const std::string& pattern = ".*") {
    return {"p", pattern, "all", 0, std::move(definition)};
}

/// Empty if it is accepted.
std::string problem_of(const policy_settings& what, policy_kind kind = user) {
    std::string problem;
    const bool made = policy::make(kind, what, problem).has_value();
    EXPECT_EQ(made, problem.empty());
    return problem;
}
std::string problem_in(table definition, policy_kind kind = user) {
    return problem_of(settings(std::move(definition)), kind);
}

policy made(policy_settings what, policy_kind kind = user) {
    std::string problem;
    auto result = policy::make(kind, std::move(what), problem);
    EXPECT_EQ(problem, "");
    return std::move(*result);
}

field_value number(std::int64_t value) {
    return field_value{value};
}

TEST(Policy, TakesWhatAQueueArgumentSets) {
    const policy all = made(settings(
        {{"message-ttl", number(1)},
         {"expires", number(2)},
         {"max-length", number(3)},
         {"max-length-bytes", number(4)},
         {"delivery-limit", number(5)},
         {"consumer-timeout", number(6)},
         {"overflow", "reject-publish-dlx"},
         {"dead-letter-exchange", "dx"},
         {"dead-letter-routing-key", "dk"},
         {"alternate-exchange", "ax"}}));
    EXPECT_EQ(all.rules().message_ttl_ms, 1U);
    EXPECT_EQ(all.rules().expires_ms, 2U);
    EXPECT_EQ(all.rules().length_max, 3U);
    EXPECT_EQ(all.rules().length_octets_max, 4U);
    EXPECT_EQ(all.rules().delivery_limit, 5U);
    EXPECT_EQ(all.rules().consumer_timeout_ms, 6U);
    EXPECT_EQ(all.rules().overflow, overflow_mode::reject_publish_dlx);
    EXPECT_EQ(all.rules().dead_letter_exchange, "dx");
    EXPECT_EQ(all.rules().dead_letter_routing_key, "dk");
    EXPECT_EQ(all.alternate(), "ax");
}

TEST(Policy, RefusesWrongValuesInRabbitmqsWords) {
    const std::pair<table, const char*> cases[] = {
        {{{"message-ttl", "a"}}, "'a' is not a valid message TTL"},
        {{{"message-ttl", number(-1)}}, "'-1' is not a valid message TTL"},
        {{{"message-ttl", number(315'360'000'001)}}, "'315360000001' is not a valid message TTL"},
        {{{"expires", number(0)}}, "'0' is not a valid queue expiry"},
        {{{"expires", true}}, "'true' is not a valid queue expiry"},
        {{{"max-length", number(-1)}}, "'-1' is not a valid maximum length"},
        {{{"max-length", field_array{}}}, "'array' is not a valid maximum length"},
        {{{"max-length-bytes", "x"}}, "'x' is not a valid maximum length in bytes"},
        {{{"delivery-limit", number(-1)}}, "'-1' is not a valid delivery limit"},
        {{{"consumer-timeout", number(0)}}, "'0' is not a valid consumer timeout"},
        {{{"overflow", "x"}}, "'x' is not a valid overflow value"},
        {{{"overflow", number(0)}}, "'0' is not a valid overflow value"},
        {{{"dead-letter-exchange", number(1)}}, "'1' is not a valid dead letter exchange name"},
        {{{"dead-letter-routing-key", number(1)}}, "'1' is not a valid dead letter routing key"},
        {{{"alternate-exchange", number(1)}}, "'1' is not a valid alternate exchange name"},
        {{{"queue-mode", "x"}}, "'x' is not a valid queue-mode value"},
        {{{"queue-version", number(3)}}, "'3' is not a valid queue-version value"},
        {{}, "no policy provided"},
    };
    for (const auto& [definition, problem] : cases) {
        EXPECT_EQ(problem_in(definition), problem);
    }
}

TEST(Policy, RefusesWhatOnlyAnArgumentMaySet) {
    EXPECT_EQ(
        problem_in({{"max-priority", number(3)}, {"max-length", number(1)}, {"foo", "x"}}),
        "'max-priority', 'foo' are not recognised policy settings");
    EXPECT_EQ(
        problem_in({{"single-active-consumer", true}}),
        "'single-active-consumer' are not recognised policy settings");
    EXPECT_EQ(
        problem_in({{"message-deduplication", true}}),
        "'message-deduplication' are not recognised policy settings");
}

TEST(Policy, NamesAndKeysAreBounded) {
    policy_settings what = settings({{"max-length", number(1)}});
    what.name.clear();
    EXPECT_EQ(problem_of(what), "the name of a policy has 1 to 255 octets");
    what.name = std::string(256, 'n');
    EXPECT_NE(problem_of(what), "");
    what.name = std::string(255, 'n');
    EXPECT_EQ(problem_of(what), "");
    EXPECT_NE(problem_in({{"dead-letter-routing-key", std::string(256, 'k')}}), "");
}

TEST(Policy, TakesWhatIsAboutReplicasAndIgnoresIt) {
    const policy mirrored = made(settings(
        {{"ha-mode", "nodes"},
         {"ha-params", field_array{"a"}},
         {"ha-sync-mode", "automatic"},
         {"queue-master-locator", "min-masters"},
         {"queue-mode", "lazy"},
         {"queue-version", number(2)}}));
    EXPECT_EQ(mirrored.rules(), queue_rules{});
}

TEST(Policy, OperatorsMayLimitAndNothingElse) {
    for (const char* key :
         {"message-ttl", "expires", "max-length", "max-length-bytes", "delivery-limit"}) {
        EXPECT_EQ(problem_in({{key, number(1)}}, operators), "");
    }
    EXPECT_EQ(
        problem_in({{"overflow", "drop-head"}}, operators),
        "'overflow' are not recognised operator policy settings");
    for (const char* key : {"dead-letter-exchange", "alternate-exchange", "ha-mode"}) {
        EXPECT_NE(problem_in({{key, "x"}}, operators), "");
    }
    EXPECT_NE(problem_in({{"consumer-timeout", number(1)}}, operators), "");
}

TEST(Policy, RefusesAPatternThatCannotBeRun) {
    const table definition{{"max-length", number(1)}};
    EXPECT_TRUE(problem_of(settings(definition, "("))
                    .starts_with("the pattern is no regular expression: "));
    EXPECT_NE(problem_of(settings(definition, "a(?=b)")), "");
    EXPECT_EQ(
        problem_of(settings(definition, std::string(4097, 'a'))),
        "the pattern is longer than 4096 octets");
    EXPECT_EQ(problem_of(settings(definition, "")), "");
}

TEST(Policy, RefusesAnUnknownTarget) {
    policy_settings what = settings({{"max-length", number(1)}});
    what.apply_to = "x";
    EXPECT_EQ(
        problem_of(what),
        "apply-to 'x' unrecognised; should be 'queues', 'classic_queues', 'quorum_queues', "
        "'exchanges' or 'all'");
}

TEST(Policy, AppliesToWhatItSays) {
    struct expected {
        const char* apply_to;
        bool classic, quorum, exchanges;
    };
    for (const expected& each : {
             expected{"all", true, true, true},
             expected{"queues", true, true, false},
             expected{"classic_queues", true, false, false},
             expected{"quorum_queues", false, true, false},
             expected{"exchanges", false, false, true},
         }) {
        policy_settings what = settings({{"max-length", number(1)}});
        what.apply_to = each.apply_to;
        const policy applied = made(what);
        EXPECT_EQ(applied.fits_queue("q", false), each.classic) << each.apply_to;
        EXPECT_EQ(applied.fits_queue("q", true), each.quorum) << each.apply_to;
        EXPECT_EQ(applied.fits_exchange("q"), each.exchanges) << each.apply_to;
    }
}

TEST(Policy, PatternFindsAPartUnlessItIsAnchored) {
    const table definition{{"max-length", number(1)}};
    const policy part = made(settings(definition, "b.d"));
    EXPECT_TRUE(part.fits_queue("abcde", false));
    EXPECT_FALSE(part.fits_queue("abce", false));
    const policy whole = made(settings(definition, "^b.d$"));
    EXPECT_FALSE(whole.fits_queue("abcd", false));
    EXPECT_TRUE(whole.fits_queue("bcd", false));
    EXPECT_TRUE(made(settings(definition, "")).fits_queue("anything", false));
    EXPECT_TRUE(made(settings(definition, "^amq\\.gen")).fits_queue("amq.gen-x", false));
}

TEST(PolicySet, HighestPriorityAppliesAloneAndOfEqualOnesTheFirstName) {
    policy_set set;
    const auto put = [&](const char* name, std::int64_t priority, const char* pattern) {
        set.put(made({name, pattern, "all", priority, {{"max-length", number(1)}}}));
    };
    put("b", 0, ".*");
    put("low", -1, ".*");
    put("a", 0, ".*");
    put("special", 5, "^q$");

    EXPECT_EQ(set.for_queue("q", false)->settings().name, "special");
    EXPECT_EQ(set.for_queue("other", false)->settings().name, "a");
    EXPECT_TRUE(set.erase("a"));
    EXPECT_FALSE(set.erase("a"));
    EXPECT_EQ(set.for_queue("other", false)->settings().name, "b");
    put("b", -2, ".*");
    EXPECT_EQ(set.for_queue("other", false)->settings().name, "low");
    EXPECT_EQ(set.size(), 3U);
}

TEST(PolicySet, PolicyWithAKeyThatTheQueueDoesNotKnowLeavesItToTheNext) {
    policy_set set;
    const auto put = [&](const char* name, std::int64_t priority, table definition) {
        set.put(made({name, "", "all", priority, std::move(definition)}));
    };
    put("lazy", 2, {{"queue-mode", "lazy"}, {"max-length", number(1)}});
    put("strategy", 1, {{"dead-letter-strategy", "at-least-once"}});
    put("stream", 3, {{"max-age", "1D"}});
    put("rest", 0, {{"max-length", number(1)}});

    EXPECT_EQ(set.for_queue("q", false)->settings().name, "lazy");
    EXPECT_EQ(set.for_queue("q", true)->settings().name, "strategy");
    set.erase("lazy");
    EXPECT_EQ(set.for_queue("q", false)->settings().name, "rest");
    EXPECT_EQ(set.for_exchange("x")->settings().name, "stream");
}

TEST(PolicyMerge, SmallerNumberIsInForceAndTheFirstWordStays) {
    queue_rules rules;
    rules.message_ttl_ms = 10;
    rules.length_max = 5;
    rules.overflow = overflow_mode::reject_publish;
    rules.dead_letter_exchange = "mine";
    queue_rules other;
    other.message_ttl_ms = 20;
    other.length_max = 3;
    other.expires_ms = 7;
    other.overflow = overflow_mode::drop_head;
    other.dead_letter_exchange = "theirs";
    other.dead_letter_routing_key = "k";
    merge_rules(rules, other);

    EXPECT_EQ(rules.message_ttl_ms, 10U);
    EXPECT_EQ(rules.length_max, 3U);
    EXPECT_EQ(rules.expires_ms, 7U);
    EXPECT_EQ(rules.overflow, overflow_mode::reject_publish);
    EXPECT_EQ(rules.dead_letter_exchange, "mine");
    EXPECT_EQ(rules.dead_letter_routing_key, "k");
}

TEST(PolicyMerge, EffectiveDefinitionShowsBoth) {
    const policy mine = made(settings({{"max-length", number(3)}, {"overflow", "drop-head"}}));
    const policy less =
        made(settings({{"max-length", number(2)}, {"expires", number(9)}}), operators);
    const policy more = made(settings({{"max-length", number(4)}}), operators);

    EXPECT_EQ(merged_definition({}), table{});
    EXPECT_EQ(merged_definition({&mine, nullptr}), mine.settings().definition);
    EXPECT_EQ(
        merged_definition({&mine, &less}),
        (table{{"max-length", number(2)}, {"overflow", "drop-head"}, {"expires", number(9)}}));
    EXPECT_EQ(merged_definition({&mine, &more}), mine.settings().definition);
    EXPECT_EQ(merged_definition({nullptr, &more}), more.settings().definition);
}

TEST(PolicySettings, ComeBackFromTheirTable) {
    const policy_settings what{"n", "^a", "queues", -7, {{"ha-params", field_array{"a"}}}};
    EXPECT_EQ(policy_from_table("n", policy_to_table(what)), what);
    EXPECT_EQ(policy_from_table("n", {}), std::nullopt);
    EXPECT_EQ(policy_from_table("n", {{"pattern", number(1)}}), std::nullopt);
}

}  // namespace
}  // namespace lovage::broker::test
