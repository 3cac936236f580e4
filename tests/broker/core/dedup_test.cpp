// Publishes with the header x-deduplication-header: what is dropped, for how long, and what the
// publisher hears.
#include "broker/core/dedup_table.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_value;
using amqp::table;

constexpr amqp::method_id queue_declare_id{50, 10};
constexpr amqp::method_id exchange_declare_id{40, 10};

class Deduplication : public testing::Test {
protected:
    void make_queue(table more = {}, declare_flags flags = durable) {
        more.add("x-message-deduplication", true);
        declare(peer, "q", flags, more);
    }
    void make_exchange(table arguments) {
        send_exchange(std::move(arguments));
        peer.expect<amqp::exchange::declare_ok>(1);
    }
    void send_exchange(table arguments) {
        auto method = declare_exchange("x", "x-message-deduplication", durable);
        method.arguments = std::move(arguments);
        peer.send(1, method);
    }
    void bind(octets queue, octets exchange) {
        peer.send(1, bind_queue(queue, exchange, ""));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    static outgoing_message keyed(field_value key, const std::string& exchange = "") {
        auto properties = persistent();
        properties.headers = table{{"x-deduplication-header", std::move(key)}};
        return {exchange, "q", "m", properties};
    }
    void publish(field_value key, const std::string& exchange = "") {
        peer.publish(1, keyed(std::move(key), exchange));
    }
    std::size_t ready(octets queue = "q") { return broker.status(queue).ready; }
    void take() {
        peer.send(1, get_from("q", true));
        peer.expect_get_ok(1);
    }

    broker_under_test broker;
    client& peer = broker.connect();
};

TEST_F(Deduplication, QueueTakesEachKeyOnce) {
    make_queue();
    publish("a");
    publish("a");
    publish("b");
    EXPECT_EQ(ready(), 2U);
    EXPECT_EQ(broker.journal.messages.size(), 2U);
}

TEST_F(Deduplication, KeyCountsAfterTheMessageHasGone) {
    make_queue();
    publish("a");
    take();
    publish("a");
    EXPECT_EQ(ready(), 0U);
}

TEST_F(Deduplication, WindowEnds) {
    make_queue({{"x-cache-ttl", std::int32_t{1000}}});
    publish("a");
    broker.advance(milliseconds{999});
    publish("a");
    EXPECT_EQ(ready(), 1U);
    broker.advance(milliseconds{1});
    publish("a");
    EXPECT_EQ(ready(), 2U);
    EXPECT_EQ(broker.journal.count("remembered"), 2U);
}

TEST_F(Deduplication, WindowIsTenMinutesUnlessSaid) {
    make_queue();
    publish("a");
    broker.advance(milliseconds{599'999});
    publish("a");
    EXPECT_EQ(ready(), 1U);
    broker.advance(milliseconds{1});
    publish("a");
    EXPECT_EQ(ready(), 2U);
}

TEST_F(Deduplication, MessageMayNameItsOwnWindow) {
    make_queue();
    auto what = keyed("a");
    what.properties.headers->add("x-cache-ttl", std::int32_t{10});
    peer.publish(1, what);
    broker.advance(milliseconds{10});
    publish("a");
    EXPECT_EQ(ready(), 2U);
}

TEST_F(Deduplication, TableIsBoundedAndTheOldestGoes) {
    make_queue({{"x-cache-size", std::int32_t{2}}});
    for (const char* key : {"a", "b", "c", "b", "c", "a"}) {
        publish(key);
    }
    EXPECT_EQ(ready(), 4U);  // a, b, c, and a again
}

TEST_F(Deduplication, LongKeysTakeTheRoomOfOthers) {
    make_queue({{"x-cache-size", std::int32_t{4}}});
    publish("a");
    publish(std::string(510, 'l') + "1");
    publish(std::string(510, 'l') + "2");  // for both there is room, beside "a" no more
    publish("a");
    EXPECT_EQ(ready(), 4U);
    publish(std::string(510, 'l') + "2");
    publish("a");
    EXPECT_EQ(ready(), 4U);

    publish(std::string(100'000, 'x'));  // more than there is for all: the only one then
    publish(std::string(100'000, 'x'));
    EXPECT_EQ(ready(), 5U);
    publish("a");
    EXPECT_EQ(ready(), 6U);
}

TEST_F(Deduplication, NumbersAreTheSameInEveryWidthAndNotTheirText) {
    make_queue();
    publish(std::int8_t{1});
    publish(std::int64_t{1});
    EXPECT_EQ(ready(), 1U);
    publish("1");
    EXPECT_EQ(ready(), 2U);
    publish(true);
    EXPECT_EQ(ready(), 3U);
    publish(table{{"no", "key"}});
    publish(table{{"no", "key"}});
    EXPECT_EQ(ready(), 5U);
}

TEST_F(Deduplication, WithoutTheHeaderOrTheArgumentEverythingIsTaken) {
    make_queue();
    for (int i = 0; i < 2; ++i) {
        peer.publish(1, {"", "q", "m", persistent()});
    }
    EXPECT_EQ(ready(), 2U);
    declare(peer, "plain", durable);
    auto what = keyed("a");
    what.routing_key = "plain";
    peer.publish(1, what);
    peer.publish(1, what);
    EXPECT_EQ(ready("plain"), 2U);
    EXPECT_EQ(broker.journal.count("remembered"), 0U);
}

TEST_F(Deduplication, ExchangeDropsForAllItsQueues) {
    make_exchange({{"x-cache-size", "5"}});
    declare(peer, "q", durable);
    declare(peer, "r", durable);
    bind("q", "x");
    bind("r", "x");
    publish("a", "x");
    publish("a", "x");
    EXPECT_EQ(ready("q"), 1U);
    EXPECT_EQ(ready("r"), 1U);
    for (int i = 0; i < 5; ++i) {
        publish(std::int32_t{i}, "x");
    }
    publish("a", "x");
    EXPECT_EQ(ready("q"), 7U);
}

TEST_F(Deduplication, WhatWentNowhereIsNotRemembered) {
    make_exchange({{"x-cache-size", std::int32_t{5}}});
    publish("a", "x");
    declare(peer, "q", durable);
    bind("q", "x");
    publish("a", "x");
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, WhatWasRefusedIsNotRemembered) {
    make_queue({{"x-max-length", std::int32_t{1}}, {"x-overflow", "reject-publish"}});
    peer.send(1, amqp::confirm::select{});
    peer.expect<amqp::confirm::select_ok>(1);
    publish("a");
    peer.expect<amqp::basic::ack>(1);
    publish("b");
    peer.expect<amqp::basic::nack>(1);
    take();
    publish("b");
    peer.expect<amqp::basic::ack>(1);
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, DuplicateIsConfirmedWhenTheFirstIsOnDisk) {
    make_queue();
    peer.send(1, amqp::confirm::select{});
    peer.expect<amqp::confirm::select_ok>(1);
    broker.sync_at_once = false;
    publish("a");
    publish("a");
    peer.expect_nothing(1);
    broker.sync();
    const auto confirm = peer.expect<amqp::basic::ack>(1);
    EXPECT_EQ(confirm.delivery_tag, 2U);
    EXPECT_TRUE(confirm.multiple);
}

TEST_F(Deduplication, MandatoryDuplicateIsReturnedAsOne) {
    make_queue();
    auto what = keyed("a");
    what.mandatory = true;
    peer.publish(1, what);
    peer.expect_nothing(1);
    peer.publish(1, what);
    const auto back = peer.expect_return(1);
    EXPECT_EQ(back.reply, "208 DUPLICATE");
    EXPECT_EQ(back.body, "m");
    what.routing_key = "nowhere";
    peer.publish(1, what);
    EXPECT_EQ(peer.expect_return(1).reply, "312 NO_ROUTE");
}

TEST_F(Deduplication, MandatoryThatAnotherQueueTakesIsNotReturned) {
    make_queue();
    declare(peer, "plain", durable);
    bind("q", "amq.fanout");
    bind("plain", "amq.fanout");
    publish("a");
    auto what = keyed("a", "amq.fanout");
    what.mandatory = true;
    peer.publish(1, what);
    peer.expect_nothing(1);
    EXPECT_EQ(ready("plain"), 1U);
    EXPECT_EQ(ready("q"), 1U);
}

TEST_F(Deduplication, WhatComesBackOrDiesIsNoDuplicate) {
    make_queue(
        {{"x-message-ttl", std::int32_t{100}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "wait"}});
    declare(
        peer,
        "wait",
        durable,
        {{"x-message-ttl", std::int32_t{100}},
         {"x-dead-letter-exchange", ""},
         {"x-dead-letter-routing-key", "q"}});
    publish("a");
    peer.send(1, get_from("q"));
    peer.nack(1, peer.expect_get_ok(1).delivery_tag, true);
    EXPECT_EQ(ready(), 1U);
    peer.send(1, get_from("q"));
    peer.nack(1, peer.expect_get_ok(1).delivery_tag, false);
    EXPECT_EQ(ready("wait"), 1U);
    broker.advance(milliseconds{100});
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, DelayedMessagesAreComparedWhenTheyAreDue) {
    make_queue();
    auto method = declare_exchange("later", "x-delayed-message", durable);
    method.arguments = {{"x-delayed-type", "fanout"}};
    peer.send(1, method);
    peer.expect<amqp::exchange::declare_ok>(1);
    bind("q", "later");
    auto what = keyed("a", "later");
    what.properties.headers->add("x-delay", std::int32_t{10});
    peer.publish(1, what);
    peer.publish(1, what);
    broker.advance(milliseconds{10});
    EXPECT_EQ(ready(), 1U);
    EXPECT_EQ(broker.journal.messages.size(), 1U);
}

TEST_F(Deduplication, TransactionsCompareAtTheCommit) {
    make_queue();
    peer.send(1, amqp::tx::select{});
    peer.expect<amqp::tx::select_ok>(1);
    publish("a");
    publish("a");
    peer.send(1, amqp::tx::rollback{});
    peer.expect<amqp::tx::rollback_ok>(1);
    publish("a");
    publish("a");
    peer.send(1, amqp::tx::commit{});
    peer.expect<amqp::tx::commit_ok>(1);
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, MarkIsWrittenBehindItsMessageAndOnlyForWhatLasts) {
    make_queue();
    publish("a");
    const auto& records = broker.journal.records;
    ASSERT_GE(records.size(), 2U);
    EXPECT_TRUE(records[records.size() - 2].starts_with("published "));
    EXPECT_TRUE(records.back().starts_with("remembered "));
    auto what = keyed("b");
    what.properties.delivery_mode = amqp::delivery_mode_transient;
    peer.publish(1, what);
    peer.publish(1, what);
    EXPECT_EQ(broker.journal.count("remembered"), 1U);
    EXPECT_EQ(ready(), 2U);
}

TEST_F(Deduplication, DeletingGivesEverythingBack) {
    const std::size_t live = broker.journal.live();
    const std::uint64_t memory = broker.broker().memory_octets();
    make_exchange({{"x-cache-size", std::int32_t{5}}});
    make_queue();
    bind("q", "x");
    publish("a", "x");
    publish("b");
    EXPECT_GT(broker.broker().memory_octets(), memory);
    peer.send(1, delete_queue("q"));
    peer.expect<amqp::queue::delete_ok>(1);
    peer.send(1, amqp::exchange::delete_{0, "x", false, false});
    peer.expect<amqp::exchange::delete_ok>(1);
    EXPECT_EQ(broker.journal.live(), live);
    EXPECT_EQ(broker.journal.count("forgotten"), 1U);  // of the exchange, whose name may come again
    EXPECT_EQ(broker.broker().memory_octets(), memory);
}

TEST_F(Deduplication, RewriteMovesMarksOutOfTheFile) {
    make_exchange({{"x-cache-size", std::int32_t{5}}});
    make_queue();
    bind("q", "x");
    publish("a", "x");
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    publish("a");
    publish("a", "x");
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, TablesTogetherTakeAQuarterOfTheMemory) {
    engine_options options;
    options.memory_octets_max = 100'000;
    broker_under_test small{options};
    client& publisher = small.connect();
    declare(publisher, "q", {}, {{"x-message-deduplication", true}});
    for (int i = 0; i < 1000; ++i) {
        auto message = keyed(std::to_string(i));
        publisher.publish(1, message);
        publisher.send(1, get_from("q", true));
        publisher.expect_get_ok(1);
    }
    EXPECT_LE(small.held_octets(), 25'000U);
    EXPECT_GT(small.status("q").dedup_keys, 10U);

    publisher.publish(1, keyed("999"));
    EXPECT_EQ(small.status("q").ready, 0U);
    publisher.publish(1, keyed("0"));  // had to make room
    EXPECT_EQ(small.status("q").ready, 1U);
}

TEST_F(Deduplication, RestoredMarksMakeRoomInTheOrderOfTheirSerials) {
    make_queue({{"x-cache-size", std::int32_t{2}}});
    vhost& home = *broker.broker().find_vhost("/");
    queue& q = *home.find_queue("q");
    const auto now = static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count());
    const auto restore = [&](octets key, std::uint64_t until_ms, message_id serial) {
        const dedup_mark mark{"/", "", q.id(), key, until_ms, serial};
        home.restore_mark(q, mark, broker.journal.remembered(mark));
    };
    restore("sfirst", now + 3'600'000, 7);
    restore("ssecond", now + 1000, 8);
    restore("sthird", now + 1000, 9);

    publish("second");
    publish("third");
    EXPECT_EQ(ready(), 0U);
    publish("first");
    EXPECT_EQ(ready(), 1U);
    EXPECT_GT(broker.broker().next_message_id(), 9U);
}

TEST_F(Deduplication, RestoredMarksCount) {
    make_queue({{"x-cache-size", std::int32_t{2}}});
    vhost& home = broker.broker().restore_vhost("/");
    queue& q = *home.find_queue("q");
    const auto now = static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count());
    const dedup_mark mark{"/", "", q.id(), "sa", now + 1000, 7};
    const auto location = broker.journal.remembered(mark);
    home.restore_mark(q, mark, location);
    publish("a");
    EXPECT_EQ(ready(), 0U);
    broker.advance(milliseconds{1000});
    publish("a");
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Deduplication, ArgumentsAreChecked) {
    for (const table& arguments :
         {table{},
          table{{"x-cache-size", std::int32_t{0}}},
          table{{"x-cache-size", "many"}},
          table{{"x-cache-size", std::int64_t{10'000'001}}}}) {
        send_exchange(arguments);
        const bool given = !arguments.empty();
        peer.expect_channel_error(
            1,
            exchange_declare_id,
            given ? "406 invalid arg 'x-cache-size' for exchange 'x': must be a "
                    "number from 1 to 10000000"
                  : "406 invalid arg 'x-cache-size' for exchange 'x': must be "
                    "given");
    }
    auto method = declare_queue(
        "q", durable, {{"x-message-deduplication", true}, {"x-cache-ttl", std::int32_t{0}}});
    peer.send(1, method);
    peer.expect_channel_error(
        1,
        queue_declare_id,
        "406 invalid arg 'x-cache-ttl' for queue 'q' in vhost '/': must be a "
        "positive number of milliseconds");
}

TEST(DedupTable, KeepsAccountOfItsMemory) {
    std::uint64_t account = 7;
    {
        dedup_table seen({3, 100}, account);
        std::vector<journal_location> gone;
        for (std::uint32_t i = 1; i <= 10; ++i) {
            seen.add({"key" + std::to_string(i % 4), 100 + i, i, {1, i}}, i, gone);
            seen.check_invariants();
        }
        EXPECT_EQ(seen.size(), 3U);
        EXPECT_EQ(gone.size(), 7U);
        EXPECT_GT(account, 7U);
    }
    EXPECT_EQ(account, 7U);
}

}  // namespace
}  // namespace lovage::broker::test
