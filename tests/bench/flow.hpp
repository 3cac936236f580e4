// A stream of messages through one queue: one publisher, one consumer, each a thread with its own
// connection, everything pipelined. The part that publish_confirm, transient and backlog share.
#pragma once

#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace lovage::bench {

struct flow {
    std::string queue;
    std::uint32_t size = 100;
    std::uint64_t window = 1000;  ///< unconfirmed messages
    std::uint16_t prefetch = 1000;
    std::uint64_t ack_batch = 100;
    bool confirms = true;
    bool persistent = true;
};

/// What publisher and consumer tell each other.
struct flow_progress {
    /// How many messages there are in all, set when the publisher knows.
    std::atomic<std::uint64_t> total{UINT64_MAX};
    std::atomic<bool> failed{false};
};

/// Publishes, and returns how many when all of them are confirmed (if the flow has confirms).
std::uint64_t publish_all(
    wire_client& client,
    const flow& how,
    const amount& much,
    flow_progress& progress);
/// Consumes until the publisher's total is there and the broker has handled every ack.
void consume_all(wire_client& client, const flow& how, const flow_progress& progress);

}  // namespace lovage::bench
