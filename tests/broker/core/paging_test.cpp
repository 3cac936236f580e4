// Long queues on disk: what leaves the memory, in which order it comes back, what the journal
// knows.
#include "tests/broker/core/paging_fixture.hpp"

#include <algorithm>

namespace lovage::broker::test {
namespace {

using amqp::table;
using ack = amqp::basic::ack;
using nack = amqp::basic::nack;

TEST_F(Paging, WhatNobodyTakesLeavesTheMemoryAndComesBackInItsOrder) {
    const auto empty = broker.held_octets();
    publish(1, 100);
    EXPECT_EQ(broker.status("q").ready, 100U);
    EXPECT_GT(pages(), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
    EXPECT_EQ(drain(), numbers(1, 100));
    EXPECT_EQ(broker.held_octets(), empty);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
    EXPECT_EQ(pages(), 0U);
}

TEST_F(Paging, NothingLeavesTheMemoryBelowTheBound) {
    broker.restart(paged_options(1 << 20U));
    peer = &broker.connect();
    declare(*peer, "r", durable);
    publish(1, 100, "r");
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(drain("r"), numbers(1, 100));
}

TEST_F(Paging, WhatIsTakenWhileTheSegmentIsWrittenIsNotInThePage) {
    with_window(4000);
    broker.write_segments_at_once = false;
    publish(1, 40);
    ASSERT_TRUE(broker.pages.sealed());
    EXPECT_EQ(get().body, "1");
    EXPECT_EQ(get().body, "2");
    const auto third = get("q", false);
    broker.write_segment();
    peer->send(1, nack{third.delivery_tag, false, true});
    broker.write_segments_at_once = true;
    if (broker.pages.sealed()) {
        broker.write_segment();
    }
    EXPECT_EQ(drain(), numbers(3, 40));
    EXPECT_EQ(pages(), 0U);
}

TEST_F(Paging, SegmentThatCannotBeWrittenIsTriedAgainLater) {
    with_window(4000);
    broker.write_segments_at_once = false;
    publish(1, 40);
    broker.write_segment(false);
    EXPECT_FALSE(broker.pages.sealed()) << "at once";
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(broker.journal.messages.size(), 40U);
    broker.write_segments_at_once = true;
    broker.advance(milliseconds{1000});
    EXPECT_GT(pages(), 0U);
    EXPECT_LT(broker.journal.messages.size(), 40U);
    EXPECT_EQ(drain(), numbers(1, 40));
}

TEST_F(Paging, PublishersWaitUnheardWhileTheDiskIsBehind) {
    broker.write_segments_at_once = false;
    publish(1, 20);
    EXPECT_EQ(broker.status("q").ready, 1U) << "the next one waits for the segment";
    peer->expect_nothing();
    broker.write_segments_at_once = true;
    broker.write_segment();
    EXPECT_EQ(broker.status("q").ready, 20U);
    EXPECT_EQ(drain(), numbers(1, 20));
}

TEST_F(Paging, RestartFindsPagesWithWhatBecameOfThem) {
    publish(1, 30);
    EXPECT_EQ(get().body, "1");
    const auto second = get("q", false);
    const auto third = get("q", false);
    const auto fourth = get("q", false);
    peer->send(1, ack{third.delivery_tag, false});
    peer->send(1, nack{fourth.delivery_tag, false, true});
    EXPECT_EQ(second.body, "2");

    recover();

    EXPECT_EQ(broker.status("q").ready, 28U);
    const auto again = get();
    EXPECT_EQ(again.body, "2");
    EXPECT_TRUE(again.redelivered);
    const auto returned = get();
    EXPECT_EQ(returned.body, "4");
    EXPECT_TRUE(returned.redelivered);
    EXPECT_EQ(returned.read().headers->find("x-delivery-count")->integer(), 1);
    const auto fresh = get();
    EXPECT_EQ(fresh.body, "5");
    EXPECT_FALSE(fresh.redelivered);
    EXPECT_EQ(drain(), numbers(6, 30));
}

TEST_F(Paging, RestartAfterRestartFindsTheSame) {
    publish(1, 30);
    EXPECT_EQ(get().body, "1");
    recover();
    recover();
    const auto octets = broker.status("q").ready_octets;
    EXPECT_EQ(octets, 8U + 2 * 21U);
    EXPECT_EQ(drain(), numbers(2, 30));
    EXPECT_EQ(broker.status("q").ready_octets, 0U);
}

TEST_F(Paging, TransientMessagesGoToDiskTooAndAreGoneAfterARestart) {
    publish(1, 10);
    publish(11, 20, "q", false);
    publish(21, 30);
    EXPECT_EQ(broker.status("q").ready, 30U);
    recover();
    EXPECT_EQ(broker.status("q").ready, 20U);
    bodies left = numbers(1, 10);
    std::ranges::move(numbers(21, 30), std::back_inserter(left));
    EXPECT_EQ(drain(), left);
}

TEST_F(Paging, TransientAndLastingOnesKeepTheirCommonOrder) {
    for (int i = 1; i <= 40; ++i) {
        publish(i, i, "q", i % 3 != 0);
    }
    EXPECT_EQ(drain(), numbers(1, 40));
}

TEST_F(Paging, QueuesThatDoNotLastArePagedWithoutTheJournal) {
    declare(*peer, "t");
    const auto records = broker.journal.records.size();
    publish(1, 50, "t");
    EXPECT_GT(pages(), 0U);
    EXPECT_EQ(drain("t"), numbers(1, 50));
    EXPECT_EQ(broker.journal.records.size(), records);
    EXPECT_FALSE(broker.pages.sealed_to_last);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

TEST_F(Paging, FanOutIsKeptByEachQueue) {
    declare(*peer, "r", durable);
    for (const octets queue : {"q", "r"}) {
        peer->send(1, bind_queue(queue, "amq.fanout", ""));
        peer->expect<amqp::queue::bind_ok>(1);
    }
    for (int i = 1; i <= 20; ++i) {
        const std::string body = std::to_string(i);
        peer->publish(1, {"amq.fanout", "", body, persistent()});
    }
    EXPECT_EQ(drain("q"), numbers(1, 20));
    recover();
    EXPECT_EQ(drain("r"), numbers(1, 20));
}

TEST_F(Paging, HighPrioritiesComeFirst) {
    declare(*peer, "p", durable, {{"x-max-priority", std::int32_t{5}}});
    for (int i = 1; i <= 30; ++i) {
        publish(i, i, "p", true, i % 3);
    }
    EXPECT_EQ(get("p").body, "2");
    recover();
    bodies expected;
    for (const int remainder : {2, 1, 0}) {
        for (int i = 3; i <= 30; ++i) {
            if (i % 3 == remainder) {
                expected.push_back(std::to_string(i));
            }
        }
        if (remainder == 1) {
            expected.insert(expected.end() - 9, "1");
        }
    }
    EXPECT_EQ(drain("p"), expected);
}

TEST_F(Paging, PurgeLeavesWhatIsUnacknowledged) {
    publish(1, 30);
    const auto first = get("q", false);
    peer->send(1, amqp::queue::purge{0, "q", false});
    EXPECT_EQ(peer->expect<amqp::queue::purge_ok>(1).message_count, 29U);
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.status("q").ready_octets, 0U);
    recover();
    EXPECT_EQ(drain(), bodies{first.body});
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

TEST_F(Paging, DeletedQueueTakesItsPagesAlong) {
    publish(1, 30);
    const auto first = get("q", false);
    peer->send(1, delete_queue("q"));
    EXPECT_EQ(peer->expect<amqp::queue::delete_ok>(1).message_count, 29U);
    EXPECT_EQ(pages(), 1U) << "the one with the open delivery";
    peer->send(1, ack{first.delivery_tag, false});
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

TEST_F(Paging, QueueIsDeletedWhileItsSegmentIsWritten) {
    broker.write_segments_at_once = false;
    publish(1, 1);
    ASSERT_TRUE(broker.pages.sealed());
    peer->send(1, delete_queue("q"));
    peer->expect<amqp::queue::delete_ok>(1);
    broker.write_segment();
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

TEST_F(Paging, LimitDropsTheOldestOnDisk) {
    declare(*peer, "short", durable, {{"x-max-length", std::int32_t{10}}});
    publish(1, 50, "short");
    EXPECT_EQ(drain("short"), numbers(41, 50));
}

TEST_F(Paging, UnreadablePageIsReportedAndTheRestServed) {
    publish(1, 30);
    broker.pages.fails = true;
    peer->send(1, get_from("q", true));
    peer->expect<amqp::basic::get_empty>(1);
    broker.pages.fails = false;
    EXPECT_TRUE(std::ranges::any_of(broker.log, [](const std::string& line) {
        return line.find("page_unreadable") != std::string::npos;
    }));
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(broker.status("q").ready_octets, 0U);
    publish(31, 31);
    EXPECT_EQ(get().body, "31");
    // They are kept.
    recover();
    EXPECT_EQ(drain(), numbers(1, 30));
}

TEST_F(Paging, MessagesExpireInTheMiddleOfPagesWithinASecond) {
    publish(1, 20);
    auto properties = persistent();
    properties.expiration = "5000";
    peer->publish(1, {"", "q", "short", properties});
    publish(22, 40);
    broker.advance(milliseconds{5000});
    EXPECT_EQ(broker.status("q").ready, 40U);
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 39U);
    bodies left = numbers(1, 20);
    std::ranges::move(numbers(22, 40), std::back_inserter(left));
    EXPECT_EQ(drain(), left);
}

TEST_F(Paging, LittleThatIsAliveIsCopiedTogether) {
    with_window(30'000);
    publish(1, 1000);
    std::vector<received_message> kept;
    for (int i = 1; i <= 990; ++i) {
        const auto taken = get("q", false);
        if (i % 50 == 1) {
            kept.push_back(taken);
        } else {
            peer->send(1, ack{taken.delivery_tag, false});
        }
    }
    const std::uint64_t before = broker.pages.total_octets();
    for (int i = 0; i < 50; ++i) {
        broker.advance(milliseconds{100});
    }
    EXPECT_LT(broker.pages.total_octets(), before / 4);
    recover();
    bodies left;
    for (const auto& each : kept) {
        left.push_back(each.body);
    }
    std::ranges::move(numbers(991, 1000), std::back_inserter(left));
    EXPECT_EQ(drain(), left);
}

TEST_F(Paging, CopyingEnds) {
    with_window(30'000);
    publish(1, 1000);
    for (int i = 1; i <= 960; ++i) {
        const auto taken = get("q", false);
        if (i % 10 != 1) {
            peer->send(1, ack{taken.delivery_tag, false});
        }
    }
    for (int i = 0; i < 50; ++i) {
        broker.advance(milliseconds{100});
    }
    const std::size_t written = broker.pages.segments_sealed;
    for (int i = 0; i < 100; ++i) {
        broker.advance(milliseconds{100});
    }
    EXPECT_EQ(broker.pages.segments_sealed, written);
}

TEST_F(Paging, WhatWasCopiedIsCopiedAgainWhenLessOfItIsAlive) {
    with_window(30'000);
    publish(1, 1000);
    std::vector<received_message> kept;
    for (int i = 1; i <= 960; ++i) {
        const auto taken = get("q", false);
        if (i % 4 == 1) {
            kept.push_back(taken);
        } else {
            peer->send(1, ack{taken.delivery_tag, false});
        }
    }
    const auto wait = [&] {
        for (int i = 0; i < 50; ++i) {
            broker.advance(milliseconds{100});
        }
    };
    wait();
    const std::uint64_t once = broker.pages.total_octets();
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (i % 10 != 0) {
            peer->send(1, ack{kept[i].delivery_tag, false});
        }
    }
    wait();
    EXPECT_LT(broker.pages.total_octets(), once / 2);
}

TEST_F(Paging, TrimmingEndsWhenAPolicyForbidsIt) {
    engine_options options = paged_options();
    options.expired_per_event = 10;
    broker.restart(options);
    peer = &broker.connect();
    declare(*peer, "q", durable);
    publish(1, 100);
    const auto limit = [&](const char* overflow) {
        broker.as_event([&](engine& at) {
            EXPECT_EQ(
                at.set_policy(
                    policy_kind::user,
                    "/",
                    {"p",
                     "^q$",
                     "all",
                     0,
                     {{"max-length", std::int64_t{5}}, {"overflow", overflow}}}),
                "");
        });
    };
    limit("drop-head");
    EXPECT_EQ(broker.status("q").ready, 90U);
    limit("reject-publish");
    broker.advance(milliseconds{0});
    EXPECT_EQ(broker.status("q").ready, 90U);
    EXPECT_FALSE(broker.broker().next_expiry_ms());
}

TEST_F(Paging, WhoHasAcknowledgedAllGetsMoreInAMemoryAlarmThatOthersKeepOn) {
    engine_options options = paged_options();
    options.memory_octets_max = 120'000;
    broker.restart(options);
    peer = &broker.connect();
    declare(*peer, "q", durable);
    declare(*peer, "other", durable);
    const std::string large(20'000, 'x');
    for (int i = 0; i < 12; ++i) {
        peer->publish(1, {"", "other", large, persistent()});
    }
    publish(1, 20);
    for (int i = 0; i < 12; ++i) {
        get("other", false);
    }
    EXPECT_TRUE(broker.broker().alarmed());
    client& taker = broker.connect();
    start_consumer(taker, 1, "q", "tag");
    bodies got;
    for (int i = 0; i < 200 && got.size() < 20; ++i) {
        while (taker.frames_waiting() != 0) {
            const auto delivery = taker.expect_delivery(1);
            got.push_back(delivery.body);
            taker.send(1, ack{delivery.delivery_tag, false});
        }
        broker.advance(milliseconds{100});
    }
    EXPECT_TRUE(broker.broker().alarmed());
    EXPECT_EQ(got, numbers(1, 20));
}

TEST_F(Paging, MessageLargerThanASegmentDoesNotStopTheOthers) {
    with_window(30'000);
    publish(1, 60);
    const std::string large(90'000, 'x');
    peer->publish(1, {"", "q", large, persistent()});
    publish(62, 1000);
    EXPECT_LT(broker.held_octets(), 60'000U);
    bodies expected = numbers(1, 60);
    expected.push_back(large);
    std::ranges::move(numbers(62, 1000), std::back_inserter(expected));
    EXPECT_EQ(drain(), expected);
}

TEST_F(Paging, WhatWasHeldOnceDoesNotRaiseTheBound) {
    with_window(30'000);
    const std::string large(500, 'x');
    for (int i = 0; i < 400; ++i) {
        peer->publish(1, {"", "q", large, persistent()});
    }
    std::vector<received_message> held;
    for (int i = 0; i < 400; ++i) {
        held.push_back(get("q", false));
    }
    EXPECT_GT(broker.held_octets(), 200'000U);
    publish(1, 1);
    peer->send(1, ack{held.back().delivery_tag, true});
    publish(2, 1000);
    EXPECT_LT(broker.held_octets(), 60'000U);
    EXPECT_EQ(drain(), numbers(1, 1000));
}

TEST_F(Paging, ManyThatExpireAtOnceAreSpreadOverEvents) {
    engine_options options = paged_options();
    options.expired_per_event = 10;
    options.dead_letters_per_event = 10;
    broker.restart(options);
    peer = &broker.connect();
    declare(
        *peer,
        "ttl",
        durable,
        {{"x-message-ttl", std::int32_t{1000}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "dead"}});
    declare(*peer, "dead", durable);
    publish(1, 100, "ttl");
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("ttl").ready, 90U);
    EXPECT_TRUE(broker.broker().next_expiry_ms());
    peer->send(1, get_from("ttl", true));
    peer->expect<amqp::basic::get_empty>(1);
    for (int i = 0; i < 30; ++i) {
        broker.advance(milliseconds{0});
    }
    EXPECT_EQ(broker.status("ttl").ready, 0U);
    EXPECT_EQ(drain("dead"), numbers(1, 100));
}

TEST_F(Paging, RecordsOfPagesAreWrittenAgainWithTheirFile) {
    publish(1, 30);
    EXPECT_EQ(get().body, "1");
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    recover();
    EXPECT_EQ(drain(), numbers(2, 30));
}

TEST_F(Paging, WhatWasReadBackAndNotTakenLeavesAgain) {
    with_window(40'000);
    const std::string large(400, 'x');
    for (const std::string queue : {"a", "b", "c", "d"}) {
        declare(*peer, queue, durable);
        for (int i = 0; i < 200; ++i) {
            peer->publish(1, {"", queue, large, persistent()});
        }
    }
    for (int round = 0; round < 20; ++round) {
        for (const std::string queue : {"a", "b", "c", "d"}) {
            EXPECT_EQ(get(queue).body, large);
            EXPECT_LT(broker.held_octets(), 200'000U);
        }
    }
    EXPECT_EQ(broker.status("a").ready, 180U);
}

}  // namespace
}  // namespace lovage::broker::test
