// Fixture of the tests about deliveries: a durable queue `q` and two clients.
#pragma once

#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {

class one_queue : public testing::Test {
protected:
    void publish(std::initializer_list<const char*> texts, const std::string& to = "q") {
        for (const char* text : texts) {
            peer.publish(1, {"", to, text, persistent()});
        }
    }
    void limit(client& whose, std::uint16_t count, bool global = false) {
        whose.send(1, prefetch(count, global));
        whose.expect<amqp::basic::qos_ok>(1);
    }

    void SetUp() override { declare(peer, "q", durable); }

    broker_under_test broker;
    client& peer = broker.connect();
    client& other = broker.connect();
};

}  // namespace lovage::broker::test
