// Large bodies: on disk once, whoever holds the message, and gone with the last.
#include "tests/broker/core/paging_fixture.hpp"

#include <algorithm>

namespace lovage::broker::test {
namespace {

using ack = amqp::basic::ack;
using nack = amqp::basic::nack;

constexpr std::size_t large = 1000;

engine_options with_blobs(std::uint64_t window) {
    engine_options options = paged_options(window);
    options.blob_octets_min = large;
    options.page_octets = 2 * large;
    return options;
}

class LargeBodies : public Paging {
protected:
    void SetUp() override { start(no_window); }

    void start(std::uint64_t window) {
        broker.restart(with_blobs(window));
        peer = &broker.connect();
        declare(*peer, "q", durable);
    }
    void recover() {
        broker.recover(with_blobs(no_window));
        peer = &broker.connect();
    }
    static std::string body_of(int number, std::size_t octets = large) {
        std::string body = std::to_string(number);
        body.resize(octets, '.');
        return body;
    }
    void publish_large(int first, int last, octets exchange = "", octets key = "q") {
        for (int i = first; i <= last; ++i) {
            peer->publish(1, {std::string(exchange), std::string(key), body_of(i), persistent()});
        }
    }
    void publish_transient(const std::string& body) { peer->publish(1, {"", "q", body, {}}); }
    void bind_to_fan(std::initializer_list<const char*> queues) {
        for (const char* name : queues) {
            bind(name, "amq.fanout", "");
        }
    }
    void bind(octets queue, octets exchange, octets key) {
        peer->send(1, bind_queue(queue, exchange, key));
        peer->expect<amqp::queue::bind_ok>(1);
    }
    void expect_all(int first, int last, octets from = "q", std::size_t left = 0) {
        for (int i = first; i <= last; ++i) {
            EXPECT_EQ(get(from).body, body_of(i));
        }
        EXPECT_EQ(broker.status(from).ready, left);
    }
    /// Pages, as the log says.
    [[nodiscard]] std::ptrdiff_t unreadable() const {
        return std::ranges::count_if(broker.log, [](const std::string& line) {
            return line.starts_with("page_unreadable");
        });
    }
    [[nodiscard]] std::size_t blob_count() const { return broker.pages.blobs.size(); }
};

TEST_F(LargeBodies, LieInFilesOfTheirOwnUntilTheyAreAcknowledged) {
    publish_large(1, 10);
    EXPECT_EQ(blob_count(), 10U);
    EXPECT_LT(broker.pages.total_octets(), large) << "pages refer to them";
    EXPECT_GT(pages(), 1U) << "a page ends by its bodies, wherever they lie";
    const auto first = get("q", false);
    EXPECT_EQ(first.body, body_of(1));
    EXPECT_EQ(blob_count(), 10U);
    peer->send(1, ack{first.delivery_tag, false});
    EXPECT_EQ(blob_count(), 9U);
    expect_all(2, 10);
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, GoIntoTheJournalWhereTheQueueIsShort) {
    start(20 * large);
    publish_large(1, 5);
    EXPECT_EQ(blob_count(), 0U);
    publish_large(6, 8);
    EXPECT_EQ(blob_count(), 3U) << "a quarter of the window waits before them";
    expect_all(1, 8);
    publish_large(9, 9);
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, ThatStayInMemoryHaveNone) {
    start(1 << 20U);
    publish_large(1, 10);
    EXPECT_EQ(blob_count(), 0U);
    expect_all(1, 10);
}

TEST_F(LargeBodies, ThatTheJournalHoldsAreWrittenOnceWhenTheyLeaveTheMemory) {
    start(10 * large);
    declare(*peer, "r", durable);
    bind_to_fan({"q", "r"});
    publish_large(1, 3, "amq.fanout");
    EXPECT_EQ(blob_count(), 0U);
    recover();
    broker.advance(milliseconds{100});
    EXPECT_GT(pages(), 0U);
    EXPECT_EQ(blob_count(), 3U);
    expect_all(1, 3);
    EXPECT_EQ(blob_count(), 3U);
    recover();
    expect_all(1, 3, "r");
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, ThatSurviveAFileOfTheLogAreNotCopiedAgain) {
    start(1 << 20U);
    publish_large(1, 2);
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(blob_count(), 2U);
    const auto blobs = broker.pages.blobs;
    broker.journal.file = 3;
    broker.rewrite(2);
    EXPECT_EQ(broker.pages.blobs, blobs);
    expect_all(1, 2);
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, SmallAndTransientOnesAreNotAmongThem) {
    peer->publish(1, {"", "q", body_of(1, large - 1), persistent()});
    publish_transient(body_of(2));
    EXPECT_EQ(blob_count(), 0U);
    EXPECT_EQ(get().body, body_of(1, large - 1));
    EXPECT_EQ(get().body, body_of(2));
}

TEST_F(LargeBodies, ManyQueuesHaveOneTogether) {
    declare(*peer, "r", durable);
    declare(*peer, "s", durable);
    bind_to_fan({"q", "r", "s"});
    publish_large(1, 5, "amq.fanout");
    EXPECT_EQ(blob_count(), 5U);
    expect_all(1, 5, "q");
    expect_all(1, 5, "r");
    EXPECT_EQ(blob_count(), 5U);
    expect_all(1, 5, "s");
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, OneThatATransientQueueHasToo) {
    declare(*peer, "t");
    bind_to_fan({"q", "t"});
    publish_large(1, 1, "amq.fanout");
    expect_all(1, 1, "q");
    EXPECT_EQ(blob_count(), 1U) << "its page refers to it";
    expect_all(1, 1, "t");
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, OneThatOnlyATransientQueueHasLeftInMemory) {
    start(3 * large);
    declare(*peer, "t");
    bind_to_fan({"q", "t"});
    publish_large(1, 1, "amq.fanout");
    expect_all(1, 1, "q");
    EXPECT_EQ(blob_count(), 0U) << "nothing on disk refers to it";
    publish_large(2, 20, "", "t");
    EXPECT_GT(pages(), 0U);
    expect_all(1, 20, "t");
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, DeadLetterTakesOverTheBody) {
    declare(*peer, "dead", durable);
    declare(
        *peer,
        "source",
        durable,
        {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}});
    publish_large(1, 3, "", "source");
    const auto blobs = broker.pages.blobs;
    for (int i = 0; i < 3; ++i) {
        peer->send(1, nack{get("source", false).delivery_tag, false, false});
    }
    EXPECT_EQ(broker.status("dead").ready, 3U);
    EXPECT_EQ(broker.pages.blobs, blobs);
    recover();
    expect_all(1, 3, "dead");
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, DelayedMessageHasTheSameWhenItIsDue) {
    auto later = declare_exchange("later", "x-delayed-message", durable);
    later.arguments = amqp::table{{"x-delayed-type", "direct"}};
    peer->send(1, later);
    peer->expect<amqp::exchange::declare_ok>(1);
    bind("q", "later", "q");
    auto properties = persistent();
    properties.headers = amqp::table{{"x-delay", std::int32_t{500}}};
    peer->publish(1, {"later", "q", body_of(1), properties});
    const auto blobs = broker.pages.blobs;
    EXPECT_EQ(blobs.size(), 1U);
    broker.advance(milliseconds{600});
    EXPECT_EQ(broker.status("q").ready, 1U);
    EXPECT_EQ(broker.pages.blobs, blobs);
    expect_all(1, 1);
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, PurgedAndDeletedOnesGo) {
    publish_large(1, 10);
    const auto held = get("q", false);
    peer->send(1, amqp::basic::nack{held.delivery_tag, false, true});
    peer->send(1, amqp::queue::purge{0, "q", false});
    peer->expect<amqp::queue::purge_ok>(1);
    EXPECT_EQ(blob_count(), 0U);
    publish_large(1, 10);
    const auto outstanding = get("q", false);
    peer->send(1, delete_queue("q"));
    peer->expect<amqp::queue::delete_ok>(1);
    EXPECT_EQ(blob_count(), 1U) << "somebody has one";
    peer->send(1, ack{outstanding.delivery_tag, false});
    EXPECT_EQ(blob_count(), 0U);
    EXPECT_EQ(broker.broker().large_bodies().count(), 0U);
}

TEST_F(LargeBodies, AreFoundAgainAfterARestart) {
    declare(*peer, "r", durable);
    bind_to_fan({"q", "r"});
    publish_large(1, 6, "amq.fanout");
    broker.write_segments_at_once = false;
    publish_large(7, 7, "amq.fanout");
    EXPECT_FALSE(broker.journal.messages.empty()) << "not all in pages";
    expect_all(1, 7, "r");
    EXPECT_EQ(get("q", true).body, body_of(1));
    recover();
    broker.write_segments_at_once = true;
    EXPECT_EQ(broker.broker().large_bodies().count(), 6U);
    expect_all(2, 7);
    EXPECT_EQ(blob_count(), 0U);
}

TEST_F(LargeBodies, ThatTheDiskDoesNotHaveYetAreReadFromMemory) {
    client& reader = broker.connect();
    broker.sync_at_once = false;
    publish_large(1, 2);
    EXPECT_EQ(broker.status("q").ready, 1U) << "publishers wait for the disk";
    EXPECT_GT(pages(), 0U);
    broker.pages.blobs_fail = true;
    reader.send(1, get_from("q", true));
    EXPECT_EQ(broker.status("q").ready, 0U);
    EXPECT_EQ(unreadable(), 0);
    broker.sync_at_once = true;
    broker.sync();
    EXPECT_EQ(reader.expect_get_ok(1).body, body_of(1));
    EXPECT_EQ(broker.status("q").ready, 1U) << "and go on";
}

TEST_F(LargeBodies, OneThatCannotBeReadIsReportedAndKept) {
    declare(*peer, "other", durable);
    publish_large(1, 1);
    publish_large(2, 2, "", "other");
    broker.pages.fails = true;
    peer->send(1, get_from("q"));
    peer->expect<amqp::basic::get_empty>(1);
    EXPECT_EQ(unreadable(), 1);
    broker.pages.fails = false;
    EXPECT_EQ(get("other").body, body_of(2));
    recover();
    EXPECT_EQ(get().body, body_of(1));
}

TEST_F(LargeBodies, AreNotReadToSeeWhatHasExpired) {
    start(5 * large);
    publish_large(1, 20);
    auto properties = persistent();
    properties.expiration = "1000";
    peer->publish(1, {"", "q", body_of(21), properties});
    publish_large(22, 40);
    const std::size_t blobs_before = blob_count();
    const std::size_t read_before = broker.pages.blobs_read;
    broker.advance(milliseconds{2500});
    EXPECT_EQ(broker.status("q").ready, 39U);
    EXPECT_EQ(blob_count(), blobs_before - 1);
    EXPECT_EQ(broker.pages.blobs_read, read_before + 1);
    expect_all(1, 20, "q", 19);
    expect_all(22, 40);
}

}  // namespace
}  // namespace lovage::broker::test
