// One long session cut in pieces and cut off at every step, and random sessions of three clients.
#include "tests/broker/core/harness.hpp"

#include <functional>
#include <random>

namespace lovage::broker::test {
namespace {

using step = std::function<void(client&)>;

/// A bit of everything; nobody looks at the answers here but their order and octets.
std::vector<step> script() {
    const auto method = [](std::uint16_t channel, auto what) {
        return [=](client& c) { c.send(channel, what); };
    };
    const auto publish = [](outgoing_message what) {
        return [=](client& c) { c.publish(1, what); };
    };
    auto kept = declare_queue(
        "kept",
        durable,
        {{"x-dead-letter-exchange", "amq.fanout"}, {"x-expires", std::int32_t{60000}}});
    return {
        method(1, amqp::confirm::select{}),
        method(1, kept),
        method(1, declare_queue("mine", {.exclusive = true})),
        method(1, declare_queue("auto", {.durable = true, .auto_delete = true})),
        method(1, declare_exchange("x", "topic", {.durable = true, .auto_delete = true})),
        method(1, bind_queue("kept", "x", "a.#")),
        method(1, bind_queue("auto", "x", "#.b")),
        method(1, bind_queue("mine", "amq.fanout", "")),
        publish({"x", "a.b", "one", persistent()}),
        publish({"x", "a.c", "two", persistent(), true}),
        publish({"x", "none", "back", {}, true}),
        publish({"", "mine", std::string(5000, 'x')}),
        method(1, amqp::channel::flow{true}),
        method(2, amqp::channel::open{}),
        method(2, prefetch(1)),
        method(2, consume("kept", "k")),
        method(2, consume("auto", "a")),
        method(2, consume("mine", "m", {.no_ack = true})),
        method(2, amqp::basic::nack{1, false, false}),
        method(2, amqp::basic::ack{2, false}),
        publish({"", "kept", "three", persistent()}),
        method(1, get_from("kept")),
        method(2, amqp::basic::recover{true}),
        method(1, amqp::basic::ack{99, false}),  // an error: the channel goes
        method(1, amqp::channel::close_ok{}),
        method(1, amqp::channel::open{}),
        publish({"", "kept", "four", persistent()}),
        method(2, amqp::basic::cancel{"a", false}),
        method(1, unbind_queue("kept", "x", "a.#")),
        method(2, amqp::channel::close{200, "", 0, 0}),
        method(1, delete_queue("kept")),
        method(0, amqp::connection::close{200, "", 0, 0}),
    };
}

/// The generated names differ from run to run, and the script has none.
std::string run_cut(std::size_t chunk) {
    broker_under_test broker;
    broker.chunk = chunk;
    client& peer = broker.connect();
    for (const step& each : script()) {
        each(peer);
    }
    return peer.transcript();
}

TEST(Scenario, InputInPiecesGivesTheSameOutput) {
    const std::string whole = run_cut(0);
    ASSERT_GT(whole.size(), 1000U);
    for (const std::size_t chunk : {1U, 2U, 3U, 5U, 7U, 8U, 11U, 13U, 64U, 1000U}) {
        EXPECT_EQ(run_cut(chunk), whole) << "in pieces of " << chunk;
    }
}

TEST(Scenario, InputInTwoPiecesAtEveryOctetGivesTheSameOutput) {
    byte_buffer all;
    all.append(amqp::protocol_header);
    amqp::write_method(all, 0, plain_login(octets{"\0guest\0guest", 12}));
    amqp::write_method(all, 0, amqp::connection::tune_ok{2047, 131072, 0});
    amqp::connection::open open;
    open.virtual_host = "/";
    amqp::write_method(all, 0, open);
    amqp::write_method(all, 1, amqp::channel::open{});
    amqp::write_method(all, 1, declare_queue("q"));
    amqp::basic::publish publish;
    publish.routing_key = "q";
    amqp::write_method(all, 1, publish);
    amqp::write_content_header(all, 1, 5, octets{"\0\0", 2});
    amqp::write_body(all, 1, "hello", 4096);
    amqp::write_method(all, 1, get_from("q"));
    const octets input = all.view();
    std::string whole;
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        broker_under_test broker;
        client& peer = broker.connect_raw();
        peer.send_octets(input.substr(0, cut));
        peer.send_octets(input.substr(cut));
        whole = whole.empty() ? peer.transcript() : whole;
        ASSERT_EQ(peer.transcript(), whole) << "cut at " << cut;
    }
    EXPECT_NE(whole.find("hello"), std::string::npos);
}

TEST(Scenario, ConnectionLostAfterEachStepLeavesNothingBehind) {
    const auto steps = script();
    for (const bool syncs : {true, false}) {
        for (std::size_t upto = 0; upto <= steps.size(); ++upto) {
            SCOPED_TRACE("lost after step " + std::to_string(upto));
            broker_under_test broker;
            client& peer = broker.connect();
            broker.sync_at_once = syncs;
            for (std::size_t i = 0; i < upto; ++i) {
                steps[i](peer);
            }
            peer.vanish();
            broker.sync_at_once = true;
            broker.sync();

            // A second client sees no trace of what was the first one's alone...
            EXPECT_FALSE(broker.has_queue("mine"));
            for (const queue_status& each : broker.broker().queue_statuses()) {
                EXPECT_EQ(each.unacked, 0U) << each.name;
                EXPECT_EQ(each.consumers, 0U) << each.name;
            }
            // ...can take what is left, in order, and then nothing is held any more.
            client& heir = broker.connect();
            for (const octets name : {"kept", "auto"}) {
                if (!broker.has_queue(name)) {
                    continue;
                }
                for (std::size_t left = broker.status(name).ready; left > 0; --left) {
                    heir.send(1, get_from(name, true));
                    EXPECT_FALSE(heir.expect_get_ok(1).body.empty());
                }
                heir.send(1, delete_queue(name));
                heir.expect<amqp::queue::delete_ok>(1);
            }
            heir.send(1, amqp::exchange::delete_{0, "x", false, false});
            heir.expect<amqp::exchange::delete_ok>(1);
            EXPECT_EQ(broker.journal.live(), 0U);
            EXPECT_EQ(broker.held_octets(), 0U);
        }
    }
}

/// Does one thing after another that a client may do, and now and then what it may not.
class random_session {
public:
    random_session(broker_under_test& broker, std::mt19937& random)
        : broker_(broker), random_(random) {
        for (client*& each : clients_) {
            each = &broker_.connect();
        }
    }

    void act() {
        client*& c = clients_[pick(clients_.size())];
        if (c->dropped() || pick(200) == 0) {
            if (!c->dropped()) {
                c->vanish();
            }
            c = &broker_.connect();
            return;
        }
        c->reads = pick(10) != 0;
        for (const std::uint16_t closed : c->discard()) {
            c->send(closed, amqp::channel::close_ok{});
            c->send(closed, amqp::channel::open{});
        }
        switch (pick(8)) {
            case 0: declare_something(*c); break;
            case 1: bind_something(*c); break;
            case 2:
            case 3: publish_something(*c); break;
            case 4: consume_something(*c); break;
            case 5:
            case 6: settle_something(*c); break;
            default: something_else(*c); break;
        }
    }

private:
    std::size_t pick(std::size_t below) { return random_() % below; }
    bool flip() { return pick(2) == 0; }
    bool flip_seldom() { return pick(10) == 0; }
    octets queue_name() {
        static constexpr std::array<octets, 6> names{"a", "b", "c", "d", "e", ""};
        return names[pick(names.size())];
    }
    octets exchange_name() {
        static constexpr std::array<octets, 6> names{
            "x", "y", "amq.topic", "amq.fanout", "amq.direct", "z"};
        return names[pick(names.size())];
    }
    octets key() {
        static constexpr std::array<octets, 7> keys{"a", "b", "a.b", "#", "a.*", "", "c"};
        return keys[pick(keys.size())];
    }
    std::uint16_t channel() { return static_cast<std::uint16_t>(1 + pick(pick(20) == 0 ? 3 : 1)); }

    void declare_something(client& c) {
        amqp::table arguments;
        // One set of arguments a name, mostly, so that declaring again is no error.
        const octets name = queue_name();
        if (name == "a") {
            arguments = {
                {"x-dead-letter-exchange", "amq.fanout"},
                {"x-max-length", std::int32_t{5}},
                {"x-max-priority", std::int32_t{3}}};
        } else if (name == "b") {
            arguments = {
                {"x-message-ttl", std::int32_t{50}},
                {"x-dead-letter-exchange", ""},
                {"x-dead-letter-routing-key", "a"}};
        } else if (name == "c") {
            arguments = {{"x-expires", std::int32_t{300}}, {"x-single-active-consumer", true}};
        } else if (name == "d") {
            arguments = {
                {"x-dead-letter-exchange", "y"},
                {"x-max-length-bytes", std::int32_t{200}},
                {"x-overflow", flip_seldom() ? "drop-head" : "reject-publish-dlx"},
                {"x-delivery-limit", std::int32_t{2}}};
        }
        const bool odd = pick(20) == 0;
        c.send(
            channel(),
            declare_queue(
                name,
                {.passive = odd,
                 .durable = name != "d",
                 .exclusive = name == "e" || odd,
                 .auto_delete = name == "c"},
                arguments));
        if (pick(4) == 0) {
            static constexpr std::array<octets, 3> types{"topic", "headers", "fanout"};
            auto method = declare_exchange(
                exchange_name(),
                types[pick(types.size())],
                {.durable = flip(), .auto_delete = flip()});
            if (flip()) {
                method.arguments = {{"alternate-exchange", exchange_name()}};
            }
            c.send(1, method);
        }
    }
    void bind_something(client& c) {
        const amqp::table arguments = flip() ? amqp::table{} : amqp::table{{"h", "1"}};
        switch (pick(6)) {
            case 0:
                c.send(
                    channel(),
                    amqp::exchange::bind{0, exchange_name(), exchange_name(), key(), flip(), {}});
                break;
            case 1:
                c.send(
                    channel(),
                    amqp::exchange::unbind{0, exchange_name(), exchange_name(), key(), flip(), {}});
                break;
            case 2:
                c.send(channel(), unbind_queue(queue_name(), exchange_name(), key(), arguments));
                break;
            default:
                c.send(channel(), bind_queue(queue_name(), exchange_name(), key(), arguments));
                break;
        }
    }
    void publish_something(client& c) {
        outgoing_message m;
        m.exchange = flip() ? octets{} : exchange_name();
        m.routing_key = flip() ? queue_name() : key();
        m.body = std::string(pick(40) == 0 ? 6000 : pick(50), 'x');
        m.mandatory = pick(5) == 0;
        m.properties = flip() ? persistent() : amqp::basic_properties{};
        if (pick(10) == 0) {
            m.properties.expiration = std::to_string(pick(100));
        }
        if (pick(4) == 0) {
            m.properties.headers = amqp::table{
                {"h", "1"},
                {flip() ? "CC" : "BCC", amqp::field_array{queue_name(), std::string(key())}}};
        }
        if (pick(3) == 0) {
            m.properties.priority = static_cast<std::uint8_t>(pick(5));
        }
        if (pick(20) == 0) {
            m.properties.reply_to = "amq.rabbitmq.reply-to";
        }
        c.publish(channel(), m);
    }
    void consume_something(client& c) {
        if (pick(3) == 0) {
            c.send(channel(), get_from(queue_name(), flip()));
            return;
        }
        static constexpr std::array<octets, 4> tags{"t1", "t2", "t3", ""};
        const octets tag = tags[pick(tags.size())];
        if (flip()) {
            c.send(channel(), amqp::basic::cancel{tag, false});
        }
        const octets source = pick(10) == 0 ? octets{"amq.rabbitmq.reply-to"} : queue_name();
        auto method = consume(source, tag, {.no_ack = pick(4) == 0, .exclusive = pick(15) == 0});
        if (flip()) {
            method.arguments = {{"x-priority", static_cast<std::int32_t>(pick(3))}};
        }
        c.send(channel(), method);
    }
    void settle_something(client& c) {
        const std::uint64_t tag = pick(12);
        switch (pick(5)) {
            case 0: c.ack(1, tag, flip()); break;
            case 1: c.nack(1, tag, flip(), flip()); break;
            case 2: c.nack(1, 0, flip(), true); break;
            case 3: c.ack(1, 0, true); break;
            default: c.send(1, amqp::basic::reject{tag, flip()}); break;
        }
    }
    void something_else(client& c) {
        switch (pick(17)) {
            case 0: c.send(1, amqp::confirm::select{}); break;
            case 13: c.send(channel(), amqp::tx::select{}); break;
            case 14: c.send(channel(), amqp::tx::commit{}); break;
            case 15: c.send(channel(), amqp::tx::rollback{}); break;
            case 1: c.send(1, prefetch(static_cast<std::uint16_t>(pick(4)), flip())); break;
            case 2: c.send(1, amqp::basic::recover{true}); break;
            case 3: c.send(1, delete_queue(queue_name(), flip(), flip())); break;
            case 4: c.send(1, amqp::queue::purge{0, queue_name(), flip()}); break;
            case 5: c.send(1, amqp::exchange::delete_{0, exchange_name(), flip(), false}); break;
            case 6:
                c.send(1, amqp::channel::close{200, "", 0, 0});
                c.send(1, amqp::channel::open{});
                break;
            case 7: broker_.advance(milliseconds{static_cast<int>(pick(200))}); break;
            case 8: broker_.sync_at_once = flip(); break;
            case 9: broker_.sync(); break;
            case 10:
                ++broker_.journal.file;
                broker_.rewrite(broker_.journal.file - 1);
                break;
            case 11: broker_.chunk = flip() ? 0 : 1 + pick(50); break;
            case 12:
                if (pick(5) == 0) {
                    c.send_frame(3, 1, "stray");
                }
                break;
            default: break;
        }
    }

    broker_under_test& broker_;
    std::mt19937& random_;
    std::array<client*, 3> clients_{};
};

TEST(Scenario, RandomSessionsKeepTheInvariants) {
    const unsigned base = std::random_device{}();
    for (unsigned run = 0; run < 20; ++run) {
        const unsigned seed = base + run;
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random{seed};
        engine_options options;
        options.output_octets_high = 20'000;
        options.memory_octets_max = 200'000;
        broker_under_test broker{options};
        random_session session{broker, random};
        for (int i = 0; i < 500 && !testing::Test::HasFailure(); ++i) {
            session.act();
        }
    }
}

}  // namespace
}  // namespace lovage::broker::test
