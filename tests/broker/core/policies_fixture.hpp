// A broker with one client, for tests that set policies as an operator does: setting, clearing, and
// what queues hold afterwards. Used by the tests of policies; one thread.
#pragma once

#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {

inline amqp::field_value number(std::int64_t value) {
    return amqp::field_value{value};
}

class policies_fixture : public testing::Test {
protected:
    std::string try_set(
        policy_settings what,
        policy_kind kind = policy_kind::user,
        octets vhost = "/") {
        std::string problem;
        broker.as_event([&](engine& at) { problem = at.set_policy(kind, vhost, std::move(what)); });
        return problem;
    }
    void set(
        const std::string& name,
        const std::string& pattern,
        amqp::table definition,
        std::int64_t priority = 0,
        policy_kind kind = policy_kind::user) {
        EXPECT_EQ(try_set({name, pattern, "all", priority, std::move(definition)}, kind), "");
    }
    bool clear(octets name, policy_kind kind = policy_kind::user) {
        bool cleared = false;
        broker.as_event([&](engine& at) { cleared = at.clear_policy(kind, "/", name); });
        return cleared;
    }
    void publish(octets queue, std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            peer->publish(1, {"", std::string(queue), text, persistent()});
        }
    }
    std::vector<std::string> drain(octets queue) {
        std::vector<std::string> taken;
        while (broker.status(queue).ready > 0) {
            peer->send(1, get_from(queue, true));
            taken.push_back(peer->expect_get_ok(1).body);
        }
        return taken;
    }
    void declare_alternates(octets name, octets type, amqp::table arguments = {}) {
        auto wanted = declare_exchange(name, type);
        wanted.arguments = std::move(arguments);
        peer->send(1, wanted);
        peer->expect<amqp::exchange::declare_ok>(1);
    }
    void bind(octets queue, octets exchange) {
        peer->send(1, bind_queue(queue, exchange, "k"));
        peer->expect<amqp::queue::bind_ok>(1);
    }
    void recover() {
        broker.recover();
        peer = &broker.connect();
    }

    broker_under_test broker;
    client* peer = &broker.connect();
};

}  // namespace lovage::broker::test
