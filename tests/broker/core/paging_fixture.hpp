// Fixture of the tests about long queues on disk: a durable queue `q`, and a window of nothing.
#pragma once

#include "tests/broker/core/harness.hpp"

#include <algorithm>

namespace lovage::broker::test {

using bodies = std::vector<std::string>;

inline constexpr std::uint64_t no_window = 0;

inline engine_options paged_options(std::uint64_t window = no_window) {
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

}  // namespace lovage::broker::test
