// Rows 199 to 205: transactions.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

constexpr amqp::method_id confirm_select_id{85, 10};
constexpr amqp::method_id tx_select_id{90, 10};
constexpr amqp::method_id commit_id{90, 20};
constexpr amqp::method_id rollback_id{90, 30};

class Transactions : public testing::Test {
protected:
    Transactions() {
        declare(peer, "q", durable);
        peer.send(1, amqp::tx::select{});
        peer.expect<amqp::tx::select_ok>(1);
    }
    void commit(where_t where = where_t::current()) {
        peer.send(1, amqp::tx::commit{});
        peer.expect<amqp::tx::commit_ok>(1, where);
    }
    void roll_back() {
        peer.send(1, amqp::tx::rollback{});
        peer.expect<amqp::tx::rollback_ok>(1);
    }
    std::uint64_t get() {
        peer.send(1, get_from("q"));
        return peer.expect_get_ok(1).delivery_tag;
    }
    /// From outside of the transaction.
    void fill(std::initializer_list<const char*> bodies) {
        for (const char* body : bodies) {
            other.publish(1, {"", "q", body, persistent()});
        }
    }
    std::size_t ready() { return broker.status("q").ready; }
    std::size_t unacked() { return broker.status("q").unacked; }

    broker_under_test broker;
    client& peer = broker.connect();
    client& other = broker.connect();
};

TEST_F(Transactions, PublishesComeWithTheCommitInOrder) {
    peer.publish(1, {"", "q", "one", persistent()});
    peer.publish(1, {"", "q", "two"});
    EXPECT_EQ(ready(), 0U);
    EXPECT_EQ(broker.journal.count("published"), 0U);

    commit();

    start_consumer(other, 1, "q", "c");
    EXPECT_EQ(other.expect_bodies(1, 2), (std::vector<std::string>{"one", "two"}));
    commit();
    other.expect_nothing();
}

TEST_F(Transactions, CommitWaitsForTheDiskIfItWroteAnything) {
    broker.sync_at_once = false;
    peer.publish(1, {"", "q", "transient"});
    commit();
    peer.publish(1, {"", "q", "persistent", persistent()});
    peer.send(1, amqp::tx::commit{});
    peer.expect_nothing();
    EXPECT_EQ(ready(), 2U);
    broker.sync();
    peer.expect<amqp::tx::commit_ok>(1);

    peer.ack(1, get());
    peer.send(1, get_from("q"));
    broker.sync();  // what was on disk before waits for its mark
    peer.ack(1, peer.expect_get_ok(1).delivery_tag);
    peer.send(1, amqp::tx::commit{});
    peer.expect_nothing();
    broker.sync();
    peer.expect<amqp::tx::commit_ok>(1);
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST_F(Transactions, AcksNacksAndRejectsComeWithTheCommit) {
    fill({"acked", "nacked", "rejected", "kept"});
    const std::uint64_t first = get();
    get();
    get();
    get();
    peer.ack(1, first);
    peer.nack(1, first + 1, true);
    peer.send(1, amqp::basic::reject{first + 2, false});
    EXPECT_EQ(unacked(), 4U);
    EXPECT_EQ(broker.journal.count("settled"), 0U);

    commit();

    EXPECT_EQ(unacked(), 1U);
    EXPECT_EQ(ready(), 1U);
    other.send(1, get_from("q", true));
    const auto back = other.expect_get_ok(1);
    EXPECT_EQ(back.body, "nacked");
    EXPECT_TRUE(back.redelivered);
}

TEST_F(Transactions, RollbackForgetsPublishesAndAcksButRequeuesNothing) {
    fill({"m"});
    const std::uint64_t tag = get();
    peer.publish(1, {"", "q", "never", persistent()});
    peer.ack(1, tag);
    roll_back();
    EXPECT_EQ(ready(), 0U);
    EXPECT_EQ(unacked(), 1U);
    commit();
    EXPECT_EQ(unacked(), 1U);

    peer.send(1, amqp::basic::reject{tag, true});
    commit();

    EXPECT_EQ(ready(), 1U);
    EXPECT_EQ(unacked(), 0U);
}

TEST_F(Transactions, MultipleCoversWhatIsNotYetInTheTransaction) {
    fill({"a", "b", "c"});
    const std::uint64_t first = get();
    get();
    get();
    peer.nack(1, first + 1, true);
    peer.ack(1, 0, true);
    commit();
    EXPECT_EQ(ready(), 1U);
    EXPECT_EQ(unacked(), 0U);
}

TEST_F(Transactions, RequeuedWithMultipleKeepTheirOrder) {
    fill({"a", "b", "c"});
    get();
    get();
    get();
    peer.nack(1, 0, true, true);
    commit();
    start_consumer(other, 1, "q", "c");
    EXPECT_EQ(other.expect_bodies(1, 3), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(Transactions, SettlingTwiceIsAnErrorAtOnce) {
    fill({"m"});
    const std::uint64_t tag = get();
    peer.ack(1, tag);
    peer.ack(1, tag);
    peer.expect_channel_error(1, {60, 80}, "406 unknown delivery tag " + std::to_string(tag));
    EXPECT_EQ(ready(), 1U);  // the transaction went with the channel
}

TEST_F(Transactions, MissingExchangeIsAnErrorAtOnce) {
    peer.publish(1, {"", "q", "lost", persistent()});
    peer.publish(1, {"none", "q", "m"});
    peer.expect_channel_error(1, {60, 40}, "404 no exchange 'none' in vhost '/'");
    EXPECT_EQ(ready(), 0U);
}

TEST_F(Transactions, ReturnComesBeforeCommitOk) {
    peer.publish(1, {"amq.direct", "nowhere", "m", {}, true});
    peer.expect_nothing();
    peer.send(1, amqp::tx::commit{});
    const auto back = peer.expect_return(1);
    EXPECT_EQ(back.reply, "312 NO_ROUTE");
    EXPECT_EQ(back.body, "m");
    peer.expect<amqp::tx::commit_ok>(1);
}

TEST_F(Transactions, ExchangeThatIsGoneAtTheCommitRoutesNowhere) {
    other.send(1, declare_exchange("x", "fanout"));
    other.expect<amqp::exchange::declare_ok>(1);
    peer.publish(1, {"x", "k", "m", {}, true});
    other.send(1, amqp::exchange::delete_{0, "x", false, false});
    other.expect<amqp::exchange::delete_ok>(1);
    peer.send(1, amqp::tx::commit{});
    EXPECT_EQ(peer.expect_return(1).exchange, "x");
    peer.expect<amqp::tx::commit_ok>(1);
}

TEST_F(Transactions, ChannelThatClosesDropsWhatIsHeld) {
    fill({"m"});
    peer.ack(1, get());
    peer.publish(1, {"", "q", "never", persistent()});
    peer.send(1, amqp::channel::close{200, "", 0, 0});
    peer.expect<amqp::channel::close_ok>(1);
    EXPECT_EQ(ready(), 1U);
    peer.open_channel(1);
    peer.send(1, amqp::tx::commit{});
    peer.expect_channel_error(1, commit_id, "406 channel is not transactional");
}

TEST_F(Transactions, WhatIsHeldCountsAsMemory) {
    const std::uint64_t before = broker.broker().memory_octets();
    peer.publish(1, {"", "q", std::string(1000, 'x')});
    EXPECT_GT(broker.broker().memory_octets(), before + 1000);
    roll_back();
    EXPECT_EQ(broker.broker().memory_octets(), before);
    peer.publish(1, {"", "none", std::string(1000, 'x')});
    commit();
    EXPECT_EQ(broker.broker().memory_octets(), before);
    peer.publish(1, {"", "q", std::string(1000, 'x')});
    peer.vanish();
    EXPECT_EQ(broker.broker().memory_octets(), before);
}

TEST(Transaction, HoldsAtMostHalfOfTheMemory) {
    engine_options options;
    options.memory_octets_max = 10'000;
    broker_under_test broker{options};
    client& peer = broker.connect();
    peer.send(1, amqp::tx::select{});
    peer.expect<amqp::tx::select_ok>(1);
    peer.publish(1, {"", "q", std::string(3000, 'x')});
    peer.expect_nothing();
    peer.publish(1, {"", "q", std::string(3000, 'x')});
    peer.expect_connection_error({60, 40}, "506 the transaction holds too much");
    EXPECT_EQ(broker.held_octets(), 0U);
}

TEST_F(Transactions, RecoverLeavesWhatIsSettledAlone) {
    fill({"a", "b"});
    const std::uint64_t first = get();
    get();
    peer.ack(1, first);
    peer.send(1, amqp::basic::recover{true});
    peer.expect<amqp::basic::recover_ok>(1);
    EXPECT_EQ(ready(), 1U);
    EXPECT_EQ(unacked(), 1U);
    commit();
    EXPECT_EQ(ready(), 1U);
    EXPECT_EQ(unacked(), 0U);
}

TEST_F(Transactions, PrefetchIsFreedByTheCommit) {
    peer.send(1, prefetch(1));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "c");
    fill({"a", "b"});
    peer.ack(1, peer.expect_delivery(1).delivery_tag);
    peer.expect_nothing();
    peer.send(1, amqp::tx::commit{});
    EXPECT_EQ(peer.expect_delivery(1).body, "b");  // does not wait for the disk
    peer.expect<amqp::tx::commit_ok>(1);
}

TEST_F(Transactions, SelectTwiceKeepsWhatIsHeld) {
    peer.publish(1, {"", "q", "m"});
    peer.send(1, amqp::tx::select{});
    peer.expect<amqp::tx::select_ok>(1);
    commit();
    EXPECT_EQ(ready(), 1U);
}

TEST_F(Transactions, ExcludeConfirms) {
    peer.send(1, amqp::confirm::select{});
    peer.expect_channel_error(1, confirm_select_id, "406 cannot switch from tx to confirm mode");
    peer.send(1, amqp::confirm::select{});
    peer.expect<amqp::confirm::select_ok>(1);
    peer.send(1, amqp::tx::select{});
    peer.expect_channel_error(1, tx_select_id, "406 cannot switch from confirm to tx mode");
}

TEST_F(Transactions, CommitAndRollbackNeedSelect) {
    other.send(1, amqp::tx::commit{});
    other.expect_channel_error(1, commit_id, "406 channel is not transactional");
    other.send(1, amqp::tx::rollback{});
    other.expect_channel_error(1, rollback_id, "406 channel is not transactional");
}

}  // namespace
}  // namespace lovage::broker::test
