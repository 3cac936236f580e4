// Restoring what the log had, and writing again what lives in an old file.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

queue_settings settings_of(const std::string& name, const amqp::table& arguments = {}) {
    queue_settings settings;
    settings.name = name;
    settings.durable = true;
    settings.arguments = arguments;
    return settings;
}

engine::found_message found(message_id id, std::vector<holding> holdings, octets body) {
    engine::found_message what;
    what.id = id;
    what.parts = {"", "q", octets{"\0\0", 2}, body};
    what.published_at_ms = 1'700'000'000'000;
    what.holdings = std::move(holdings);
    return what;
}

class Recovery : public testing::Test {
protected:
    queue& restore(std::uint64_t id, queue_settings settings) {
        const auto where = broker.journal.adopt_queue(queue_id{id}, settings.name);
        return broker.broker().restore_vhost("/").restore_queue(
            queue_id{id}, std::move(settings), where, 0);
    }
    void restore(engine::found_message what) {
        what.location = broker.journal.adopt_message(what.id, what.holdings);
        broker.broker().restore_message(what);
    }

    broker_under_test broker;
};

TEST_F(Recovery, MessagesExpireBehindOthers) {
    restore(7, settings_of("q"));
    restore(found(11, {{queue_id{7}, 0, false}}, "for ever"));
    byte_buffer encoded;
    amqp::basic_properties properties = persistent();
    properties.expiration = "1000";
    amqp::write_properties(encoded, properties);
    engine::found_message expiring = found(12, {{queue_id{7}, 0, false}}, "short");
    expiring.parts.properties = encoded.view();
    expiring.published_at_ms =
        static_cast<std::uint64_t>(broker.now().wall.time_since_epoch().count());
    restore(expiring);
    broker.broker().restore_next_ids(8, 13);
    client& peer = broker.connect();
    EXPECT_EQ(broker.status("q").ready, 2U);

    broker.advance(milliseconds{1000});

    EXPECT_EQ(broker.status("q").ready, 1U);
    peer.send(1, get_from("q", true));
    EXPECT_EQ(peer.expect_get_ok(1).body, "for ever");
}

TEST_F(Recovery, DefinitionsAndMessagesAreThere) {
    vhost& home = broker.broker().restore_vhost("/");
    exchange& source =
        home.restore_exchange({"x", exchange_type::topic, true, false, false, {}}, {});
    queue& q = restore(7, settings_of("q"));
    home.restore_binding(source, q, "a.*", encode_table({}), {});
    restore(found(11, {{queue_id{7}, 0, false}}, "first"));
    restore(found(12, {{queue_id{7}, 2, true}}, "second"));
    broker.broker().restore_next_ids(8, 13);
    client& peer = broker.connect();

    EXPECT_EQ(declare(peer, "q", durable).message_count, 2U);
    peer.publish(1, {"x", "a.b", "third"});
    peer.send(1, get_from("q", true));
    EXPECT_FALSE(peer.expect_get_ok(1).redelivered);
    peer.send(1, get_from("q", true));
    const auto second = peer.expect_get_ok(1);
    EXPECT_TRUE(second.redelivered);
    EXPECT_EQ(*second.read().headers->find("x-delivery-count"), amqp::field_value(std::int64_t{2}));
    peer.send(1, get_from("q", true));
    EXPECT_EQ(peer.expect_get_ok(1).body, "third");
    declare(peer, "new", durable);
    EXPECT_EQ(broker.journal.queues[queue_id{8}].name, "new");
}

TEST(RecoveredEngine, AnswersWithoutWaitingForADiskThatHasNothingToWrite) {
    broker_under_test broker;
    {
        client& peer = broker.connect();
        declare(peer, "q", durable);
    }
    broker.restart();
    broker.sync_at_once = false;

    EXPECT_EQ(declare(broker.connect(), "transient").queue, "transient");
}

TEST_F(Recovery, MessageWithoutAQueueIsReleased) {
    auto what = found(5, {}, "orphan");
    what.location = broker.journal.adopt_message(5, {});
    what.holdings = {{queue_id{99}, 0, false}};
    broker.broker().restore_message(what);
    EXPECT_EQ(broker.journal.live(), 0U);
}

TEST_F(Recovery, UnusedQueueCountsFromTheRestartOn) {
    auto settings = settings_of("q");
    settings.declared.expires_ms = 1000;
    restore(1, settings);
    broker.broker().restore_next_ids(2, 1);
    broker.advance(milliseconds{100});
    EXPECT_TRUE(broker.has_queue("q"));
    broker.advance(milliseconds{1000});
    EXPECT_FALSE(broker.has_queue("q"));
}

TEST_F(Recovery, TimeToLiveRunsOn) {
    auto settings = settings_of("q");
    settings.declared.message_ttl_ms = 1000;
    restore(1, settings);
    restore(found(1, {{queue_id{1}, 0, false}}, "m"));
    broker.broker().restore_next_ids(2, 2);
    broker.advance(milliseconds{1000});
    EXPECT_EQ(broker.status("q").ready, 0U);
}

TEST(Rewrite, MovesEverythingAliveOutOfTheFileOnce) {
    broker_under_test broker;
    client& peer = broker.connect();
    declare(peer, "q", durable);
    declare(peer, "r", durable);
    declare(peer, "transient");
    peer.send(1, declare_exchange("x", "fanout", durable));
    peer.expect<amqp::exchange::declare_ok>(1);
    for (const octets queue : {"q", "r", "transient"}) {
        peer.send(1, bind_queue(queue, "x", "k"));
        peer.expect<amqp::queue::bind_ok>(1);
    }
    for (const char* body : {"returned", "unacked", "ready", "settled"}) {
        peer.publish(1, {"x", "k", body, persistent()});
    }
    peer.send(1, prefetch(2));
    peer.expect<amqp::basic::qos_ok>(1);
    start_consumer(peer, 1, "q", "c");
    peer.expect_bodies(1, 2);
    broker.journal.file = 2;
    peer.publish(1, {"", "q", "later", persistent()});

    broker.rewrite(1);

    EXPECT_EQ(broker.journal.live_in(1), 0U);
    EXPECT_EQ(broker.journal.live_in(2), 3U + 2U + 5U);
    EXPECT_EQ(broker.journal.count("published 1 "), 2U);
    EXPECT_EQ(broker.journal.count("published 5 "), 1U);
    const auto& unacked = broker.journal.messages.at(1).holders;
    EXPECT_TRUE(unacked.at(queue_id{1}).redelivered);
    EXPECT_FALSE(unacked.at(queue_id{2}).redelivered);
    peer.vanish();
    client& other = broker.connect();
    for (const octets queue : {"q", "r"}) {
        other.send(1, amqp::queue::purge{0, queue, false});
        other.expect<amqp::queue::purge_ok>(1);
    }
    EXPECT_EQ(broker.journal.messages.size(), 0U);
}

TEST(Rewrite, LetsGoOfDeliveriesWhoseQueueIsGone) {
    broker_under_test broker;
    client& peer = broker.connect();
    declare(peer, "q", durable);
    peer.publish(1, {"", "q", "m", persistent()});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    peer.send(1, delete_queue("q"));
    peer.expect<amqp::queue::delete_ok>(1);
    EXPECT_EQ(broker.journal.live_in(1), 1U);

    broker.rewrite(1);

    EXPECT_EQ(broker.journal.live(), 0U);
    peer.ack(1, 1);
    peer.expect_nothing();
}

TEST(Rewrite, KeepsCountsOfReturnedMessages) {
    broker_under_test broker;
    client& peer = broker.connect();
    declare(peer, "q", durable);
    peer.publish(1, {"", "q", "m", persistent()});
    peer.send(1, get_from("q"));
    peer.expect_get_ok(1);
    peer.nack(1, 1, true);
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.messages.at(1).holders.at(queue_id{1}).delivery_count, 1U);
    EXPECT_EQ(broker.journal.queues.at(queue_id{1}).delivered_up_to, 1U);
}

}  // namespace
}  // namespace lovage::broker::test
