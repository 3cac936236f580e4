// What queues, exchanges and bindings take in memory: counted exactly, bounded for clients.
#include "broker/core/definition_size.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::field_array;
using amqp::table;

constexpr auto queue_declare = amqp::queue::declare::id;
constexpr auto queue_bind = amqp::queue::bind::id;

engine_options with_memory(std::uint64_t octets) {
    engine_options options;
    options.memory_octets_max = octets;
    return options;
}

class Definitions : public testing::Test {
protected:
    [[nodiscard]] std::uint64_t taken() {
        const std::uint64_t octets = broker.broker().definition_octets();
        EXPECT_EQ(octets, broker.broker().count_definitions());
        return octets;
    }
    /// How much more is taken after `what`.
    template <class What>
    std::uint64_t taken_by(What&& what) {
        const std::uint64_t before = taken();
        what();
        return taken() - before;
    }
    void bind(octets exchange, octets key, table arguments = {}) {
        guest.send(1, bind_queue("q", exchange, key, std::move(arguments)));
        guest.expect<amqp::queue::bind_ok>(1);
    }
    void unbind(octets exchange, octets key, table arguments = {}) {
        guest.send(1, unbind_queue("q", exchange, key, std::move(arguments)));
        guest.expect<amqp::queue::unbind_ok>(1);
    }
    void declare_other(octets name, octets type = "topic", declare_flags flags = {}) {
        guest.send(1, declare_exchange(name, type, flags));
        guest.expect<amqp::exchange::declare_ok>(1);
    }
    void remove_queue(octets name) {
        guest.send(1, delete_queue(name));
        guest.expect<amqp::queue::delete_ok>(1);
    }
    void remove_exchange(octets name) {
        amqp::exchange::delete_ gone;
        gone.exchange = name;
        guest.send(1, gone);
        guest.expect<amqp::exchange::delete_ok>(1);
    }

    broker_under_test broker;
    client& guest = broker.connect();
};

TEST_F(Definitions, PredeclaredExchangesTakeNothing) {
    EXPECT_EQ(taken(), 0U);
}

TEST_F(Definitions, QueuesExchangesAndBindingsAreTakenOffWhenTheyGo) {
    const table arguments{{"x-max-length", 5}, {"note", std::string(1000, 'n')}};
    const std::uint64_t of_queue = taken_by([&] { declare(guest, "q", {}, arguments); });
    EXPECT_GT(of_queue, 1000U);
    EXPECT_GT(taken_by([&] { declare_other("x"); }), 0U);
    for (const octets exchange : {"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "x"}) {
        EXPECT_GT(taken_by([&] { bind(exchange, "a.b"); }), 0U) << exchange;
        EXPECT_GT(taken_by([&] { bind(exchange, "a.b", {{"k", "v"}}); }), 0U) << exchange;
        EXPECT_EQ(taken_by([&] { bind(exchange, "a.b"); }), 0U) << exchange;  // is bound already
    }
    unbind("amq.headers", "a.b", {{"k", "v"}});
    unbind("amq.topic", "not bound");
    remove_exchange("x");
    remove_queue("q");
    EXPECT_EQ(taken(), 0U);
    EXPECT_EQ(broker.broker().memory_octets(), 0U);
}

TEST_F(Definitions, DeclaringAgainTakesNothing) {
    declare(guest, "q");
    declare_other("x");
    EXPECT_EQ(taken_by([&] { declare(guest, "q"); }), 0U);
    EXPECT_EQ(taken_by([&] { declare_other("x"); }), 0U);
}

TEST_F(Definitions, ExclusiveQueuesCountAndGoWithTheirConnection) {
    client& other = broker.connect();
    EXPECT_GT(taken_by([&] { declare(other, "mine", {.exclusive = true}); }), 0U);
    EXPECT_GT(taken_by([&] { declare(other, "", {.exclusive = true}); }), 0U);
    other.vanish();
    EXPECT_EQ(taken(), 0U);
}

TEST_F(Definitions, ADeletedQueueCountsWhileDeliveriesOfItAreOutstanding) {
    declare(guest, "q");
    guest.publish(1, {"", "q", "m"});
    client& reader = broker.connect();
    reader.send(1, get_from("q"));
    reader.expect_get_ok(1);
    remove_queue("q");
    EXPECT_GT(taken(), 0U);
    reader.ack(1, 1);
    EXPECT_EQ(taken(), 0U);
}

TEST_F(Definitions, AutoDeleteExchangesAreTakenOffWithTheirLastBinding) {
    declare(guest, "q");
    const std::uint64_t base = taken();
    declare_other("x", "fanout", {.auto_delete = true});
    bind("x", "k");
    unbind("x", "k");
    EXPECT_EQ(taken(), base);
}

TEST_F(Definitions, AVirtualHostTakesAllOfItsWithIt) {
    broker.administer([](administration& with) {
        with.put_vhost("shop", {});
        EXPECT_EQ(with.set_permission("guest", "shop", {".*", ".*", ".*"}), std::nullopt);
    });
    client& there = broker.connect({.vhost = "shop"});
    declare(there, "q");
    there.send(1, bind_queue("q", "amq.topic", "a.b.c"));
    there.expect<amqp::queue::bind_ok>(1);
    EXPECT_GT(taken(), 0U);
    broker.administer([](administration& with) { with.delete_vhost("shop"); });
    EXPECT_EQ(taken(), 0U);
}

TEST_F(Definitions, DurableQueuesTakeTheSameAfterARestart) {
    const table arguments{{"x-max-length", 5}, {"note", field_array{true, "text", table{}}}};
    declare(guest, "q", {.durable = true}, arguments);
    const std::uint64_t before = taken();
    declare(guest, "gone");
    broker.recover();
    EXPECT_EQ(taken(), before);
}

TEST_F(Definitions, RecoveryNeverRefuses) {
    for (int i = 0; i < 100; ++i) {
        declare(guest, "q" + std::to_string(i), {.durable = true});
    }
    const auto queues = broker.journal.queues.size();
    broker.recover(with_memory(10'000));
    EXPECT_EQ(broker.broker().queue_statuses().size(), queues);
    client& again = broker.connect();
    declare(again, "q7", {.durable = true});  // it is there
    again.send(1, declare_queue("new"));
    EXPECT_EQ(again.expect<amqp::channel::close>(1).reply_code, 406);
    again.send(1, amqp::channel::close_ok{});
}

TEST_F(Definitions, SizesFollowWhatIsKept) {
    table deep{{"a", table{{"b", table{{"c", std::string(500, 'x')}}}}}};
    EXPECT_GT(footprint(deep), 500U);
    field_array many;
    for (int i = 0; i < 1000; ++i) {
        many.emplace_back();
    }
    // A void takes one octet on the wire and the room of a value in memory.
    EXPECT_GT(footprint({{"many", many}}), 1000 * sizeof(amqp::field_value));
    declare(guest, "q");
    const std::uint64_t one_word = taken_by([&] { bind("amq.topic", std::string(99, 'x')); });
    std::string words = "x";
    for (int i = 0; i < 49; ++i) {
        words += ".x";
    }
    EXPECT_GT(taken_by([&] { bind("amq.topic", words); }), 10 * one_word);
}

class DefinitionsBound : public Definitions {
protected:
    static constexpr std::uint64_t memory = 1'000'000;
    static constexpr std::uint64_t most = memory / 4;

    DefinitionsBound() { broker.restart(with_memory(memory)); }

    /// Declares queues until one is refused; returns its name.
    std::string fill(client& with) {
        for (int i = 0; i < 10'000; ++i) {
            std::string name = "q" + std::to_string(i);
            with.send(1, declare_queue(name));
            if (!broker.has_queue(name)) {
                return name;
            }
            with.expect<amqp::queue::declare_ok>(1);
        }
        ADD_FAILURE() << "nothing was refused";
        return {};
    }
    static std::string refusal(const std::string& what) {
        return "406 cannot " + what +
               " in vhost '/': queues, exchanges and bindings may take 250000 octets of memory (a "
               "quarter of memory-limit)";
    }
};

TEST_F(DefinitionsBound, NewOnesAreRefusedAboveAQuarterOfTheMemory) {
    client& peer = broker.connect();
    const std::string refused = fill(peer);
    peer.expect_channel_error(1, queue_declare, refusal("declare queue '" + refused + "'"));
    EXPECT_LE(taken(), most);
    EXPECT_GT(taken(), most - 2000);

    peer.send(1, declare_exchange(std::string(200, 'x'), "topic"));
    const auto close = peer.expect<amqp::channel::close>(1);
    EXPECT_EQ(close.reply_code, 406);
    peer.send(1, amqp::channel::close_ok{});
    peer.open_channel(1);

    peer.send(1, declare_queue("q0"));  // is there
    peer.expect<amqp::queue::declare_ok>(1);
    for (const octets gone : {"q0", "q1"}) {
        peer.send(1, delete_queue(gone));
        peer.expect<amqp::queue::delete_ok>(1);
    }
    declare(peer, refused);
}

TEST_F(DefinitionsBound, BindingsAreRefusedToo) {
    client& peer = broker.connect();
    declare(peer, "q");
    std::string key = "k";
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t before = taken();
        peer.send(1, bind_queue("q", "amq.direct", key + std::to_string(i)));
        if (taken() == before) {
            key += std::to_string(i);
            break;
        }
        peer.expect<amqp::queue::bind_ok>(1);
    }
    peer.expect_channel_error(1, queue_bind, refusal("bind queue 'q'"));
    EXPECT_GT(taken(), most - 1000);
    peer.send(1, bind_queue("q", "amq.direct", "k0"));  // is bound
    peer.expect<amqp::queue::bind_ok>(1);
    peer.send(1, unbind_queue("q", "amq.direct", "k0"));
    peer.expect<amqp::queue::unbind_ok>(1);
    peer.send(1, unbind_queue("q", "amq.direct", "k1"));
    peer.expect<amqp::queue::unbind_ok>(1);
    peer.send(1, bind_queue("q", "amq.direct", key));
    peer.expect<amqp::queue::bind_ok>(1);
}

TEST_F(DefinitionsBound, PublishingGoesOn) {
    client& peer = broker.connect();
    fill(peer);
    peer.discard();
    client& other = broker.connect();
    other.publish(1, {"", "q0", "m"});
    EXPECT_EQ(broker.status("q0").ready, 1U);
    EXPECT_FALSE(broker.broker().alarmed());
}

}  // namespace
}  // namespace lovage::broker::test
