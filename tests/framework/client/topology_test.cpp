#include "framework/client/topology.hpp"

#include <gtest/gtest.h>

namespace lovage::client {
namespace {

declare_queue queue(const std::string& name) {
    declare_queue made;
    made.name = name;
    return made;
}
declare_exchange exchange(const std::string& name) {
    declare_exchange made;
    made.name = name;
    return made;
}
bind_queue binding(const std::string& queue, const std::string& exchange) {
    return {queue, exchange, "key", {}};
}

TEST(Topology, KeepsDeclarationsInTheirOrder) {
    topology kept;

    kept.granted(queue("a"));
    kept.granted(exchange("x"));
    kept.granted(binding("a", "x"));

    ASSERT_EQ(kept.steps().size(), 3U);
    EXPECT_TRUE(std::holds_alternative<declare_queue>(kept.steps()[0]));
    EXPECT_TRUE(std::holds_alternative<bind_queue>(kept.steps()[2]));
}

TEST(Topology, DeclaringTheSameAgainKeepsOne) {
    topology kept;

    kept.granted(queue("a"));
    kept.granted(queue("a"));
    kept.granted(binding("a", "x"));
    kept.granted(binding("a", "x"));

    EXPECT_EQ(kept.steps().size(), 2U);
}

TEST(Topology, PassiveDeclarationIsAQuestionAndNotKept) {
    topology kept;
    declare_queue question = queue("a");
    question.passive = true;

    kept.granted(question);

    EXPECT_TRUE(kept.steps().empty());
}

TEST(Topology, DeletingAQueueTakesItsBindingsAway) {
    topology kept;
    kept.granted(queue("a"));
    kept.granted(queue("b"));
    kept.granted(binding("a", "x"));

    kept.granted(delete_queue{"a"});

    ASSERT_EQ(kept.steps().size(), 1U);
    EXPECT_EQ(std::get<declare_queue>(kept.steps()[0]).name, "b");
}

TEST(Topology, DeletingAnExchangeTakesItsBindingsAway) {
    topology kept;
    kept.granted(queue("a"));
    kept.granted(exchange("x"));
    kept.granted(binding("a", "x"));
    kept.granted(bind_exchange{"x", "y", "key", {}});

    kept.granted(delete_exchange{"x"});

    ASSERT_EQ(kept.steps().size(), 1U);
}

TEST(Topology, UnbindingTakesExactlyThatBindingAway) {
    topology kept;
    kept.granted(binding("a", "x"));
    kept.granted(binding("a", "y"));

    kept.granted(unbind_queue{"a", "x", "key", {}});

    ASSERT_EQ(kept.steps().size(), 1U);
    EXPECT_EQ(std::get<bind_queue>(kept.steps()[0]).exchange, "y");
}

TEST(Topology, OfQueueGivesTheQueueItsBindingsAndTheirExchanges) {
    topology kept;
    kept.granted(exchange("x"));
    kept.granted(exchange("other"));
    kept.granted(queue("a"));
    kept.granted(queue("b"));
    kept.granted(binding("a", "x"));
    kept.granted(binding("b", "other"));

    const auto needed = kept.of_queue("a");

    ASSERT_EQ(needed.size(), 3U);
    EXPECT_EQ(std::get<declare_exchange>(needed[0]).name, "x");
    EXPECT_EQ(std::get<declare_queue>(needed[1]).name, "a");
    EXPECT_EQ(std::get<bind_queue>(needed[2]).exchange, "x");
}

}  // namespace
}  // namespace lovage::client
