// Rows 154 to 179: consumers, basic.get, acknowledgements, prefetch.
#include "framework/amqp/capabilities.hpp"
#include "tests/broker/core/one_queue.hpp"

namespace lovage::broker::test {
namespace {

using bodies = std::vector<std::string>;
using amqp::basic::cancel;
using amqp::basic::cancel_ok;

class Delivery : public one_queue {};

TEST_F(Delivery, ConsumeOkComesBeforeTheFirstDelivery) {
    publish({"a"});
    peer.send(1, consume("q", "tag"));
    EXPECT_EQ(peer.expect<amqp::basic::consume_ok>(1).consumer_tag, "tag");
    const auto got = peer.expect_delivery(1);
    EXPECT_EQ(got.consumer_tag, "tag");
    EXPECT_EQ(got.delivery_tag, 1U);
    EXPECT_FALSE(got.redelivered);
    EXPECT_EQ(got.exchange, "");
    EXPECT_EQ(got.routing_key, "q");
    EXPECT_EQ(got.body, "a");
}

TEST_F(Delivery, EmptyTagIsGenerated) {
    peer.send(1, consume("q", ""));
    const std::string tag{peer.expect<amqp::basic::consume_ok>(1).consumer_tag};
    EXPECT_TRUE(tag.starts_with("amq.ctag-"));
    EXPECT_EQ(tag.size(), 9U + 22U);
}

TEST_F(Delivery, TagInUseIs530AlsoForAMissingQueue) {
    start_consumer(peer, 1, "q", "tag");
    peer.open_channel(2);
    start_consumer(peer, 2, "q", "tag");
    peer.send(1, consume("missing", "tag"));
    peer.expect_connection_error({60, 20}, "530 attempt to reuse consumer tag 'tag'");
}

TEST_F(Delivery, ConsumeOrGetOfAMissingQueueIs404) {
    peer.send(1, consume("none", "tag"));
    peer.expect_channel_error(1, {60, 20}, "404 no queue 'none' in vhost '/'");
    peer.send(1, get_from("none"));
    peer.expect_channel_error(1, {60, 70}, "404 no queue 'none' in vhost '/'");
}

TEST_F(Delivery, ExclusiveConsumerIsAlone) {
    const octets text = "403 queue 'q' in vhost '/' in exclusive use";
    start_consumer(peer, 1, "q", "shared");
    other.send(1, consume("q", "alone", {.exclusive = true}));
    other.expect_channel_error(1, {60, 20}, text);
    peer.send(1, cancel{"shared", false});
    peer.expect<cancel_ok>(1);
    start_consumer(other, 1, "q", "alone", {.exclusive = true});
    peer.send(1, consume("q", "more"));
    peer.expect_channel_error(1, {60, 20}, text);
    other.send(1, consume("q", "more"));
    other.expect_channel_error(1, {60, 20}, text);  // which ends the exclusive one, too
    start_consumer(peer, 1, "q", "more");
}

TEST_F(Delivery, GetAndPurgeOfAnExclusivelyConsumedQueueAreAllowed) {
    limit(other, 1);
    start_consumer(other, 1, "q", "alone", {.exclusive = true});
    publish({"a", "b", "c"});
    other.expect_delivery(1);
    peer.send(1, get_from("q", true));
    EXPECT_EQ(peer.expect_get_ok(1).body, "b");
    peer.send(1, amqp::queue::purge{0, "q", false});
    EXPECT_EQ(peer.expect<amqp::queue::purge_ok>(1).message_count, 1U);
}

TEST_F(Delivery, ConsumersTakeTurns) {
    peer.open_channel(2);
    start_consumer(peer, 1, "q", "a", {.no_ack = true});
    start_consumer(peer, 2, "q", "b");
    start_consumer(other, 1, "q", "c");
    client& sender = broker.connect();
    for (int i = 0; i < 9; ++i) {
        sender.publish(1, {"", "q", std::to_string(i)});
    }
    EXPECT_EQ(peer.expect_bodies(1, 3), (bodies{"0", "3", "6"}));
    EXPECT_EQ(peer.expect_bodies(2, 3), (bodies{"1", "4", "7"}));
    EXPECT_EQ(other.expect_bodies(1, 3), (bodies{"2", "5", "8"}));
}

TEST_F(Delivery, BacklogIsSharedFairly) {
    publish({"0", "1", "2", "3", "4", "5"});
    limit(peer, 1);
    limit(other, 1);
    start_consumer(peer, 1, "q", "a");
    start_consumer(other, 1, "q", "b");
    for (std::uint64_t tag = 1; tag <= 3; ++tag) {
        peer.expect_delivery(1);
        other.expect_delivery(1);
        peer.ack(1, tag);
        other.ack(1, tag);
    }
    EXPECT_EQ(broker.status("q").ready + broker.status("q").unacked, 0U);
}

TEST_F(Delivery, CancelStopsDeliveriesAndLeavesUnacked) {
    start_consumer(peer, 1, "q", "tag");
    publish({"a"});
    peer.expect_delivery(1);
    peer.send(1, cancel{"tag", false});
    EXPECT_EQ(peer.expect<cancel_ok>(1).consumer_tag, "tag");
    publish({"b"});
    peer.expect_nothing();
    EXPECT_EQ(broker.status("q").unacked, 1U);
    peer.ack(1, 1);
    peer.expect_nothing();
    EXPECT_EQ(broker.status("q").unacked, 0U);
}

TEST_F(Delivery, CancelOfAnUnknownTagIsAnswered) {
    peer.send(1, cancel{"none", false});
    EXPECT_EQ(peer.expect<cancel_ok>(1).consumer_tag, "none");
}

TEST_F(Delivery, DeletedQueueCancelsConsumersThatWantToKnow) {
    client& deaf = broker.connect({.consumer_cancel_notify = false});
    start_consumer(deaf, 1, "q", "deaf");
    start_consumer(other, 1, "q", "told");
    publish({"a", "b"});
    deaf.expect_delivery(1);
    other.expect_delivery(1);

    peer.send(1, delete_queue("q"));

    peer.expect<amqp::queue::delete_ok>(1);
    const auto told = other.expect<cancel>(1);
    EXPECT_EQ(told.consumer_tag, "told");
    EXPECT_TRUE(told.no_wait);
    deaf.expect_nothing();
    deaf.ack(1, 1);
    other.nack(1, 1, true);
    deaf.expect_nothing();
    other.expect_nothing();
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Delivery, GetOfAnEmptyQueue) {
    peer.send(1, get_from("q"));
    EXPECT_EQ(peer.expect<amqp::basic::get_empty>(1).cluster_id, "");
}

TEST_F(Delivery, GetTellsWhatIsLeftAndSharesTheTags) {
    publish({"a", "b", "c"});
    limit(peer, 1);
    peer.send(1, get_from("q"));
    const auto first = peer.expect_get_ok(1);
    EXPECT_EQ(first.left, 2U);
    EXPECT_EQ(first.delivery_tag, 1U);
    peer.send(1, get_from("q", true));
    EXPECT_EQ(peer.expect_get_ok(1).delivery_tag, 2U);
    start_consumer(peer, 1, "q", "tag");
    EXPECT_EQ(peer.expect_delivery(1).delivery_tag, 3U);
}

TEST_F(Delivery, UnknownDeliveryTagIs406) {
    publish({"a", "b"});
    start_consumer(peer, 1, "q", "tag", {.no_ack = true});
    peer.expect_bodies(1, 2);
    peer.ack(1, 1);  // of a no-ack delivery
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag 1");
    peer.nack(1, 7, true);
    peer.expect_channel_error(1, {60, 120}, "406 unknown delivery tag 7");
    peer.send(1, amqp::basic::reject{0, false});
    peer.expect_channel_error(1, {60, 90}, "406 unknown delivery tag 0");
}

TEST_F(Delivery, TagThatIsSettledIs406) {
    publish({"a"});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    peer.ack(1, 1);
    peer.ack(1, 1);
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag 1");
}

TEST_F(Delivery, MultipleWithTagZeroIsEverything) {
    peer.ack(1, 0, true);
    peer.expect_nothing();
    publish({"a", "b"});
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, 2);
    peer.ack(1, 0, true);
    EXPECT_EQ(broker.status("q").unacked, 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Delivery, MultipleSettlesUpToTheTag) {
    publish({"a", "b", "c", "d"});
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, 4);
    peer.ack(1, 2);
    peer.ack(1, 3, true);
    EXPECT_EQ(broker.status("q").unacked, 1U);
    peer.ack(1, 4);
    EXPECT_EQ(broker.status("q").unacked, 0U);
}

TEST_F(Delivery, MultipleWithATagThatIsNotOutstandingIs406AndRequeues) {
    publish({"a", "b", "c"});
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, 3);
    peer.ack(1, 9, true);
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag 9");
    EXPECT_EQ(broker.status("q").ready, 3U);
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, 3);
    peer.ack(1, 2);
    peer.ack(1, 2, true);
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag 2");
    EXPECT_EQ(broker.status("q").ready, 2U);
}

TEST_F(Delivery, RequeuedMessageIsBackInItsPlace) {
    publish({"a", "b", "c", "d"});
    for (int i = 0; i < 3; ++i) {
        peer.send(1, get_from("q"));
        peer.expect_get_ok(1);
    }
    peer.nack(1, 2, true);
    peer.send(1, amqp::basic::reject{1, true});
    peer.nack(1, 3, true);

    start_consumer(other, 1, "q", "tag");
    EXPECT_EQ(other.expect_bodies(1, 4), (bodies{"a", "b", "c", "d"}));
}

TEST_F(Delivery, ReturnedMessagesAreCountedAndMarked) {
    publish({"a"});
    for (int round = 0; round < 3; ++round) {
        peer.send(1, get_from("q"));
        const auto got = peer.expect_get_ok(1);
        EXPECT_EQ(got.redelivered, round != 0);
        const auto headers = got.read().headers.value_or(amqp::table{});
        if (round == 0) {
            EXPECT_EQ(headers.find("x-delivery-count"), nullptr);
        } else {
            ASSERT_NE(headers.find("x-delivery-count"), nullptr);
            EXPECT_EQ(*headers.find("x-delivery-count"), amqp::field_value(std::int64_t{round}));
        }
        peer.nack(1, static_cast<std::uint64_t>(round) + 1, true);
    }
    EXPECT_EQ(broker.journal.records.back(), "returned 1 1 3");
}

TEST_F(Delivery, ConsumerMayHaveOnlyItsLossesCounted) {
    publish({"a"});
    auto subscribe = consume("q", "tag");
    subscribe.arguments.set(amqp::uncounted_requeue_argument, true);
    peer.send(1, subscribe);
    peer.expect<amqp::basic::consume_ok>(1);
    const auto first = peer.expect_delivery(1);
    peer.send(1, amqp::basic::cancel{"tag", false});
    peer.expect<amqp::basic::cancel_ok>(1);
    peer.nack(1, first.delivery_tag, true);
    EXPECT_EQ(broker.journal.records.back(), "returned 1 1 0");

    peer.send(1, subscribe);
    peer.expect<amqp::basic::consume_ok>(1);
    const auto second = peer.expect_delivery(1);
    EXPECT_TRUE(second.redelivered);
    EXPECT_EQ(second.read().headers.value_or(amqp::table{}).find("x-delivery-count"), nullptr);
    peer.vanish();
    EXPECT_EQ(broker.journal.records.back(), "returned 1 1 1");
}

TEST_F(Delivery, SettlingInAnyOrderLeavesTheOpenOnesInPlace) {
    constexpr int messages = 1000;
    for (int i = 0; i < messages; ++i) {
        publish({std::to_string(i).c_str()});
    }
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, messages);
    for (std::uint64_t tag = messages; tag > 1; --tag) {
        if (tag % 100 != 0) {
            peer.ack(1, tag);
        }
    }
    EXPECT_EQ(broker.status("q").unacked, 11U);

    peer.ack(1, 100);
    peer.nack(1, 500, true);
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"499"});
    peer.ack(1, 900, true);
    EXPECT_EQ(broker.status("q").unacked, 2U);
    peer.vanish();
    start_consumer(other, 1, "q", "tag");
    EXPECT_EQ(other.expect_bodies(1, 2), (bodies{"499", "999"}));
}

TEST_F(Delivery, WhatTheBrokersStopTakesAwayIsNotCounted) {
    publish({"a"});
    start_consumer(peer, 1, "q", "tag");
    peer.expect_delivery(1);

    broker.shut_down();

    EXPECT_EQ(broker.journal.records.back(), "returned 1 1 0");
}

TEST_F(Delivery, RejectedWithoutRequeueIsGone) {
    publish({"a", "b"});
    start_consumer(peer, 1, "q", "tag");
    peer.expect_bodies(1, 2);
    peer.nack(1, 2, false, true);
    EXPECT_EQ(broker.status("q").ready + broker.status("q").unacked, 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Delivery, LostConnectionGivesBackInOrderAlsoWhatWasNotRead) {
    publish({"a", "b", "c"});
    other.reads = false;
    other.send(1, consume("q", "tag"));
    other.vanish();

    start_consumer(peer, 1, "q", "tag");
    for (const char* body : {"a", "b", "c"}) {
        const auto got = peer.expect_delivery(1);
        EXPECT_EQ(got.body, body);
        EXPECT_TRUE(got.redelivered);
    }
}

TEST_F(Delivery, RecoverRequeuesEverything) {
    publish({"a", "b"});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    start_consumer(peer, 1, "q", "tag");
    peer.expect_delivery(1);

    peer.send(1, amqp::basic::recover{true});

    // The answer may come before or after: deliveries are the queue's affair.
    peer.expect<amqp::basic::recover_ok>(1);
    EXPECT_EQ(peer.expect_bodies(1, 2), (bodies{"a", "b"}));
    peer.send(1, amqp::basic::recover_async{true});
    EXPECT_EQ(peer.expect_bodies(1, 2), (bodies{"a", "b"}));
}

TEST_F(Delivery, RecoverWithoutRequeueIs540) {
    other.send(1, amqp::basic::recover_async{false});
    other.expect_connection_error({60, 100}, "540 requeue=false");
    peer.send(1, amqp::basic::recover{false});
    peer.expect_connection_error({60, 110}, "540 requeue=false");
}

TEST_F(Delivery, UnackedOfACancelledConsumerStillCountForTheChannel) {
    declare(peer, "r");
    limit(peer, 1, true);
    start_consumer(peer, 1, "q", "tag");
    start_consumer(peer, 1, "r", "other");
    publish({"a"});
    peer.expect_delivery(1);
    peer.send(1, cancel{"tag", false});
    peer.expect<cancel_ok>(1);
    publish({"b"}, "r");
    peer.expect_nothing();
    peer.ack(1, 1);
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"b"});
}

TEST_F(Delivery, RecoverReleasesTheChannelsLimit) {
    declare(peer, "r");
    limit(peer, 1, true);
    start_consumer(peer, 1, "q", "tag");
    start_consumer(peer, 1, "r", "other");
    publish({"a"});
    peer.expect_delivery(1);
    publish({"b"}, "r");
    peer.send(1, cancel{"tag", false});
    peer.expect<cancel_ok>(1);
    peer.send(1, amqp::basic::recover{true});
    peer.expect<amqp::basic::recover_ok>(1);
    EXPECT_EQ(peer.expect_bodies(1, 1), bodies{"b"});
}

}  // namespace
}  // namespace lovage::broker::test
