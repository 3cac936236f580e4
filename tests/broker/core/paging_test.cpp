// Long queues on disk: what leaves the memory, in which order it comes back, what the journal
// knows.
#include "tests/broker/core/harness.hpp"

#include <algorithm>
#include <random>

namespace lovage::broker::test {
namespace {

using amqp::table;
using ack = amqp::basic::ack;
using nack = amqp::basic::nack;
using bodies = std::vector<std::string>;

constexpr std::uint64_t no_window = 0;

engine_options paged_options(std::uint64_t window = no_window) {
    engine_options options;
    options.window_octets_max = window;
    options.page_octets = 400;
    options.segment_octets = 2000;
    options.page_visit_pause_ms = 1000;
    return options;
}

class Paging : public testing::Test {
protected:
    void SetUp() override { declare(*peer, "q", durable); }

    void publish(int first, int last, octets to = "q", bool lasting = true, int priority = 0) {
        for (int i = first; i <= last; ++i) {
            auto properties = persistent();
            properties.delivery_mode =
                lasting ? amqp::delivery_mode_persistent : amqp::delivery_mode_transient;
            if (priority != 0) {
                properties.priority = static_cast<std::uint8_t>(priority);
            }
            const std::string body = std::to_string(i);
            peer->publish(1, {"", std::string(to), body, properties});
        }
    }
    received_message get(octets from = "q", bool no_ack = true) {
        peer->send(1, get_from(from, no_ack));
        return peer->expect_get_ok(1);
    }
    bodies drain(octets from = "q") {
        bodies all;
        for (std::size_t left = broker.status(from).ready; left > 0; --left) {
            all.push_back(get(from).body);
        }
        return all;
    }
    static bodies numbers(int first, int last) {
        bodies all;
        for (int i = first; i <= last; ++i) {
            all.push_back(std::to_string(i));
        }
        return all;
    }
    void recover() {
        broker.recover(paged_options());
        peer = &broker.connect();
    }
    /// Another broker with that bound, and pages and segments of several messages.
    void with_window(std::uint64_t octets) {
        engine_options options = paged_options(octets);
        options.page_octets = 10'000;
        options.segment_octets = 50'000;
        broker.restart(options);
        peer = &broker.connect();
        declare(*peer, "q", durable);
    }
    [[nodiscard]] std::size_t pages() { return broker.broker().pages().page_count(); }

    broker_under_test broker{paged_options()};
    client* peer = &broker.connect();
};

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

/// Everything at random against a list: order, counts, what a restart keeps.
TEST_F(Paging, RandomWorkAgreesWithAList) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        std::mt19937 random{seed};
        const auto one_of = [&](unsigned of) { return random() % of == 0; };
        const std::string name = "r" + std::to_string(seed);
        declare(*peer, name, durable);
        std::map<int, bool> ready;  // by number; redelivered?
        std::map<int, std::uint64_t> unacked;
        int next = 1;
        int highest = 0;  // ever delivered
        for (int step = 0; step < 300; ++step) {
            SCOPED_TRACE("seed " + std::to_string(seed) + " step " + std::to_string(step));
            broker.write_segments_at_once = !one_of(3);
            if (broker.write_segments_at_once && broker.pages.sealed()) {
                broker.write_segment(!one_of(4));
            }
            switch (random() % 8) {
                case 0:
                case 1:
                case 2:
                    if (!broker.pages.sealed()) {
                        ready[next] = false;
                        publish(next, next, name);
                        ++next;
                    }
                    break;
                case 3:
                case 4:
                    if (!ready.empty()) {
                        const auto got = get(name, false);
                        ASSERT_EQ(got.body, std::to_string(ready.begin()->first));
                        ASSERT_EQ(got.redelivered, ready.begin()->second);
                        unacked[ready.begin()->first] = got.delivery_tag;
                        highest = std::max(highest, ready.begin()->first);
                        ready.erase(ready.begin());
                    }
                    break;
                case 5:
                case 6:
                    if (!unacked.empty()) {
                        auto which = unacked.begin();
                        std::advance(which, random() % unacked.size());
                        if (one_of(2)) {
                            peer->send(1, ack{which->second, false});
                        } else {
                            peer->send(1, nack{which->second, false, true});
                            ready[which->first] = true;
                        }
                        unacked.erase(which);
                    }
                    break;
                default:
                    if (one_of(8)) {
                        if (broker.pages.sealed()) {
                            broker.write_segment(one_of(2));
                        }
                        broker.write_segments_at_once = true;
                        recover();
                        for (const auto& [number, tag] : unacked) {
                            ready[number] = true;
                        }
                        unacked.clear();
                        // Up to the last that was ever delivered nobody knows.
                        for (auto& [number, redelivered] : ready) {
                            redelivered = redelivered || number <= highest;
                        }
                    } else {
                        broker.advance(milliseconds{100});
                    }
            }
            ASSERT_EQ(broker.status(name).ready, ready.size());
        }
        broker.write_segments_at_once = true;
        if (broker.pages.sealed()) {
            broker.write_segment();
        }
        for (const auto& [number, tag] : unacked) {
            peer->send(1, nack{tag, false, true});
            ready[number] = true;
        }
        for (const auto& [number, redelivered] : ready) {
            ASSERT_EQ(get(name).body, std::to_string(number));
        }
    }
    EXPECT_EQ(pages(), 0U);
    EXPECT_EQ(broker.pages.segment_count(), 0U);
}

}  // namespace
}  // namespace lovage::broker::test
