// A session and its requests and consumers: declaring, getting, subscribing, cancelling.
#include "framework/client/session.hpp"
#include "tests/framework/client/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lovage::client {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::seen;
using test::world;

declare_queue queue(const std::string& name) {
    declare_queue made;
    made.name = name;
    return made;
}

TEST(Session, RefusedRequestFailsAndThoseBehindItAreAskedAgain) {
    world w;
    w.broker.refused_queues.insert("bad");

    w.session.ask(queue("good"), 1, w.now + minutes(1));
    w.session.ask(queue("bad"), 2, w.now + minutes(1));
    w.session.ask(queue("other"), 3, w.now + minutes(1));
    w.run();

    EXPECT_FALSE(w.answer_to(1)->failed);
    EXPECT_EQ(w.answer_to(2)->error.code, broker_errc::refused);
    EXPECT_EQ(w.answer_to(2)->error.reply_code, 406);
    EXPECT_NE(w.answer_to(2)->error.text.find("declaring queue \"bad\""), std::string::npos);
    EXPECT_FALSE(w.answer_to(3)->failed);
}

TEST(Session, RequestThatMakesTheBrokerCloseTheConnectionIsNotRepeated) {
    world w;
    w.broker.fatal_queue = "fatal";

    w.session.ask(queue("fatal"), 1, w.now + minutes(1));
    w.session.ask(queue("good"), 2, w.now + minutes(1));
    w.run();
    w.wait(seconds(1));

    EXPECT_EQ(w.answer_to(1)->error.code, broker_errc::refused);
    EXPECT_EQ(w.answer_to(1)->error.reply_code, 540);
    EXPECT_FALSE(w.answer_to(2)->failed);
    EXPECT_EQ(w.count("queue.declare fatal"), 1U);
}

TEST(Session, RequestsThatDoNotFitIntoAFrameFailAlone) {
    world w;
    w.broker.frame_max = 4096;
    w.broker.queues["orders"];
    declare_queue large = queue("large");
    large.arguments.set("x", std::string(5000, 'x'));
    subscription wanted;
    wanted.queue = "orders";
    wanted.arguments = large.arguments;

    w.session.ask(queue("first"), 1, w.now + minutes(1));
    w.session.ask(large, 2, w.now + minutes(1));
    w.session.ask(queue("last"), 3, w.now + minutes(1));
    w.session.consume(std::move(wanted));
    w.run();

    EXPECT_FALSE(w.answer_to(1)->failed);
    ASSERT_NE(w.answer_to(2), nullptr);
    EXPECT_EQ(w.answer_to(2)->error.code, broker_errc::invalid_argument);
    EXPECT_FALSE(w.answer_to(3)->failed);
    ASSERT_EQ(w.of(event_kind::lost).size(), 1U);
    EXPECT_TRUE(w.of(event_kind::lost)[0].final);
    EXPECT_EQ(w.of(event_kind::lost)[0].error.code, broker_errc::invalid_argument);
    EXPECT_TRUE(w.session.is_up());
}

TEST(Session, RequestWithoutAnswerTimesOut) {
    world w;
    w.broker.answers = false;
    w.session.ask(queue("orders"), 1, w.now + seconds(10));
    w.run();

    w.wait(seconds(10));

    ASSERT_NE(w.answer_to(1), nullptr);
    EXPECT_EQ(w.answer_to(1)->error.code, broker_errc::timeout);
}

TEST(Session, RequestThatHasTimedOutIsNotAskedAgainAfterARefusal) {
    world w;
    w.broker.refused_queues.insert("bad");
    w.run();

    // Both are on their way; the broker closes the channel at the first.
    w.session.ask(queue("bad"), 1, w.now + minutes(1));
    w.session.ask(queue("late"), 2, w.now + seconds(10));
    w.wait(seconds(10));

    EXPECT_EQ(w.answer_to(1)->error.code, broker_errc::refused);
    EXPECT_EQ(w.answer_to(2)->error.code, broker_errc::timeout);
    EXPECT_EQ(w.count("queue.declare late"), 0U);
}

TEST(Session, TopologyIsDeclaredAgainAfterAReconnect) {
    world w;
    declare_queue exclusive = queue("mine");
    exclusive.exclusive = true;
    w.session.ask(exclusive, 1, w.now + minutes(1));
    w.session.ask(bind_queue{"mine", "amq.topic", "#", {}}, 2, w.now + minutes(1));
    w.session.ask(queue("gone"), 3, w.now + minutes(1));
    w.session.ask(delete_queue{"gone"}, 4, w.now + minutes(1));
    w.run();

    w.cut();
    w.run();

    EXPECT_EQ(w.count("queue.declare mine"), 2U);
    EXPECT_EQ(w.count("queue.bind mine amq.topic"), 2U);
    EXPECT_EQ(w.count("queue.declare gone"), 1U);
    EXPECT_TRUE(w.broker.queues.contains("mine"));
}

TEST(Session, ConsumerGetsMessagesAndAcknowledgesThem) {
    world w;
    w.broker.queues["orders"];
    const consumer_id id = w.session.consume({"orders", "", 1, false, false, {}});
    w.run();
    ASSERT_EQ(w.of(event_kind::subscribed).size(), 1U);

    w.broker.put(w.to_client, "orders", "1");
    w.broker.put(w.to_client, "orders", "2");
    w.run();
    ASSERT_EQ(w.of(event_kind::delivered).size(), 1U);  // prefetch 1
    EXPECT_EQ(w.of(event_kind::delivered)[0].consumer, id);
    w.session.ack(w.of(event_kind::delivered)[0].ref, false);
    w.run();

    ASSERT_EQ(w.of(event_kind::delivered).size(), 2U);
    EXPECT_EQ(w.of(event_kind::delivered)[1].body, "2");
}

TEST(Session, AckOfADeliveryFromALostConnectionIsDropped) {
    world w;
    w.broker.queues["orders"];
    w.session.consume({"orders", "", 1, false, false, {}});
    w.run();
    w.broker.put(w.to_client, "orders", "1");
    w.run();
    const delivery_ref old = w.of(event_kind::delivered).at(0).ref;

    w.cut();
    w.run();
    ASSERT_EQ(w.of(event_kind::delivered).size(), 2U);
    w.session.ack(old, false);
    w.run();

    EXPECT_EQ(w.broker.unacked(), 1U);
    EXPECT_EQ(w.of(event_kind::lost).size(), 1U);
    EXPECT_FALSE(w.of(event_kind::lost)[0].final);
}

TEST(Session, FirstSubscriptionToAMissingQueueIsFinallyLost) {
    world w;

    w.session.consume({"nowhere", "", 1, false, false, {}});
    w.run();

    ASSERT_EQ(w.of(event_kind::lost).size(), 1U);
    EXPECT_TRUE(w.of(event_kind::lost)[0].final);
    EXPECT_EQ(w.of(event_kind::lost)[0].error.reply_code, 404);
}

TEST(Session, ConsumerCancelledByTheBrokerSubscribesAgainAfterDeclaringItsQueue) {
    world w;
    w.session.ask(queue("orders"), 1, w.now + minutes(1));
    w.run();
    w.session.consume({"orders", "", 1, false, false, {}});
    w.run();

    w.broker.queues.erase("orders");
    w.broker.cancel_consumers(w.to_client, "orders");
    w.run();
    w.wait(seconds(1));

    EXPECT_EQ(w.of(event_kind::subscribed).size(), 2U);
    EXPECT_EQ(w.count("queue.declare orders"), 2U);
    EXPECT_EQ(w.broker.consumers(), 1U);
}

TEST(Session, CancelledConsumerGivesBackWhatStillArrivesAndCanAckWhatItHas) {
    world w;
    w.broker.queues["orders"];
    const consumer_id id = w.session.consume({"orders", "", 1, false, false, {}});
    w.run();
    w.broker.put(w.to_client, "orders", "1");
    w.run();

    w.session.cancel(id, 9);
    w.run();
    ASSERT_EQ(w.of(event_kind::cancelled).size(), 1U);
    EXPECT_EQ(w.of(event_kind::cancelled)[0].token, 9U);
    w.session.ack(w.of(event_kind::delivered).at(0).ref, false);
    w.run();
    EXPECT_EQ(w.broker.unacked(), 0U);
    w.session.forget(id);
    w.run();

    EXPECT_EQ(w.broker.consumers(), 0U);
    w.cut();
    w.run();
    EXPECT_EQ(w.broker.consumers(), 0U);
}

TEST(Session, SubscriptionThatIsNotAcceptedInTimeIsFinallyLostAndNamesTheConnectionProblem) {
    world w;
    w.reachable = false;
    const consumer_id id =
        w.session.consume({"orders", "", 1, false, false, {}}, w.now + seconds(10));
    w.run();

    for (int i = 0; i < 9; ++i) {
        w.wait(seconds(1));
    }
    EXPECT_TRUE(w.of(event_kind::lost).empty());
    EXPECT_LE(w.session.next_time(), w.now + seconds(1));
    w.wait(seconds(1));

    ASSERT_EQ(w.of(event_kind::lost).size(), 1U);
    const seen lost = w.of(event_kind::lost)[0];
    EXPECT_EQ(lost.consumer, id);
    EXPECT_TRUE(lost.final);
    EXPECT_EQ(lost.error.code, broker_errc::timeout);
    EXPECT_NE(lost.error.text.find("connection refused"), std::string::npos) << lost.error.text;
    EXPECT_NE(lost.error.text.find("\"orders\""), std::string::npos) << lost.error.text;
    w.broker.queues["orders"];
    w.reachable = true;
    w.wait(seconds(11));
    EXPECT_TRUE(w.session.is_up());
    EXPECT_EQ(w.broker.consumers(), 0U);
}

TEST(Session, SubscriptionThatWasAcceptedInTimeHasNoDeadlineAnyMore) {
    world w;
    w.broker.queues["orders"];
    w.session.consume({"orders", "", 1, false, false, {}}, w.now + seconds(10));
    w.run();

    w.wait(seconds(10));
    w.cut();
    w.run();

    EXPECT_EQ(w.of(event_kind::subscribed).size(), 2U);
    for (const seen& lost : w.of(event_kind::lost)) {
        EXPECT_FALSE(lost.final);
    }
}

TEST(Session, CloseEndsConsumersAndAnswersTheirCancels) {
    world w;
    w.reachable = false;
    w.session.consume({"waiting", "", 1, false, false, {}});
    w.run();
    w.session.close();
    w.run();
    ASSERT_EQ(w.of(event_kind::lost).size(), 1U);
    EXPECT_TRUE(w.of(event_kind::lost)[0].final);
    EXPECT_EQ(w.of(event_kind::lost)[0].error.code, broker_errc::stopped);

    world v;
    v.broker.queues["orders"];
    const consumer_id id = v.session.consume({"orders", "", 1, false, false, {}});
    v.run();
    v.session.cancel(id, 9);
    v.session.close();
    v.run();

    ASSERT_EQ(v.of(event_kind::cancelled).size(), 1U);
    EXPECT_EQ(v.of(event_kind::cancelled)[0].token, 9U);
    ASSERT_EQ(v.of(event_kind::lost).size(), 1U);
    EXPECT_EQ(v.events.back().kind, event_kind::closed);
}

TEST(Session, EveryConsumerHasItsOwnChannelAndChannelsAreReused) {
    session_settings settings;
    settings.connection.channel_max = 5;  // 1 to 3 are the session's own
    world w(settings);
    w.broker.queues["orders"];
    const consumer_id first = w.session.consume({"orders", "", 1, false, false, {}});
    w.session.consume({"orders", "", 1, false, false, {}});
    w.run();
    EXPECT_EQ(w.broker.consumers(), 2U);

    w.session.consume({"orders", "", 1, false, false, {}});
    w.run();
    ASSERT_EQ(w.of(event_kind::lost).size(), 1U);
    EXPECT_NE(w.of(event_kind::lost)[0].error.text.find("5 channels"), std::string::npos);
    w.session.forget(first);
    w.run();
    w.session.consume({"orders", "", 1, false, false, {}});
    w.run();

    EXPECT_EQ(w.broker.consumers(), 2U);
}

TEST(Session, GetTakesOneMessageThatCanBeAcknowledged) {
    world w;
    w.broker.queues["orders"].push_back({std::string(2, '\0'), "1"});

    w.session.ask(get_message{"orders", false}, 1, w.now + minutes(1));
    w.session.ask(get_message{"orders", false}, 2, w.now + minutes(1));
    w.run();
    ASSERT_TRUE(w.answer_to(1)->reply.found);
    EXPECT_FALSE(w.answer_to(2)->reply.found);
    EXPECT_EQ(w.answer_to(1)->body, "1");
    w.session.ack(w.answer_to(1)->ref, false);
    w.run();

    EXPECT_EQ(w.broker.unacked(), 0U);
}

TEST(Session, MessageThatComesAfterItsGetHasTimedOutGoesBack) {
    world w;
    w.broker.queues["orders"].push_back({std::string(2, '\0'), "1"});
    w.run();

    // Sent at once, but answered only after the deadline.
    w.session.ask(get_message{"orders", false}, 1, w.now + seconds(10));
    w.wait(seconds(10));

    ASSERT_NE(w.answer_to(1), nullptr);
    EXPECT_EQ(w.answer_to(1)->error.code, broker_errc::timeout);
    EXPECT_EQ(w.count("basic.get orders"), 1U);
    EXPECT_EQ(w.broker.unacked(), 0U);
    EXPECT_EQ(w.broker.queues["orders"].size(), 1U);
}

TEST(Session, GetWaitsForTheRequestsMadeBeforeItAndTheyForIt) {
    world w;
    w.run();

    w.session.ask(queue("orders"), 1, w.now + minutes(1));
    w.session.ask(get_message{"orders", false}, 2, w.now + minutes(1));
    w.session.ask(delete_queue{"orders"}, 3, w.now + minutes(1));
    const std::size_t before = w.broker.log.size();
    std::string sent(w.session.out().view());
    w.session.out().clear();
    w.broker.feed(sent, w.to_client);

    EXPECT_EQ(w.broker.log.size(), before + 1) << "only the declaration is sent";
    w.run();
    EXPECT_FALSE(w.answer_to(1)->failed);
    EXPECT_FALSE(w.answer_to(2)->failed);
    EXPECT_FALSE(w.answer_to(3)->failed);
    const std::vector<std::string> expected{
        "queue.declare orders", "basic.get orders", "queue.delete orders"};
    EXPECT_EQ(
        std::vector<std::string>(
            w.broker.log.begin() + static_cast<std::ptrdiff_t>(before), w.broker.log.end()),
        expected);
}

TEST(Session, GetWaitsForTheTopologyAfterAReconnect) {
    world w;
    w.session.ask(queue("orders"), 1, w.now + minutes(1));
    w.run();
    w.cut();
    const std::size_t before = w.broker.log.size();

    w.session.ask(get_message{"orders", false}, 2, w.now + minutes(1));
    w.session.ask(get_message{"orders", false}, 3, w.now + minutes(1));
    w.run();

    EXPECT_FALSE(w.answer_to(2)->failed);
    EXPECT_FALSE(w.answer_to(3)->failed);
    const auto& log = w.broker.log;
    const auto start = log.begin() + static_cast<std::ptrdiff_t>(before);
    const auto declared = std::find(start, log.end(), "queue.declare orders");
    const auto got = std::find(start, log.end(), "basic.get orders");
    EXPECT_LT(declared, got);
    EXPECT_NE(got, log.end());
}

TEST(Session, AnswersThatComeWhileClosingAreDropped) {
    world w;
    w.run();
    w.session.ask(queue("orders"), 1, w.now + minutes(1));

    w.session.close();
    w.run();

    ASSERT_EQ(w.of(event_kind::answered).size(), 1U);
    EXPECT_EQ(w.answer_to(1)->error.code, broker_errc::stopped);
    EXPECT_EQ(w.of(event_kind::closed).size(), 1U);
    EXPECT_EQ(w.events.back().kind, event_kind::closed);
}

TEST(Session, RefusedRequestDoesNotVoidAMessageThatWasGot) {
    world w;
    w.broker.queues["orders"].push_back({std::string(2, '\0'), "1"});
    w.broker.refused_queues.insert("bad");
    w.session.ask(get_message{"orders", false}, 1, w.now + minutes(1));
    w.run();

    w.session.ask(queue("bad"), 2, w.now + minutes(1));
    w.run();
    EXPECT_TRUE(w.answer_to(2)->failed);
    EXPECT_EQ(w.broker.unacked(), 1U);
    w.session.ack(w.answer_to(1)->ref, false);
    w.run();

    EXPECT_EQ(w.broker.unacked(), 0U);
}

}  // namespace
}  // namespace lovage::client
