// A stream of messages: one publisher, one consumer, each a thread with its own connection,
// everything pipelined. The part that publish_confirm, transient, backlog and the workloads of
// routing share.
#pragma once

#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace lovage::bench {

struct flow {
    std::vector<std::string> queues;  ///< all of them are consumed
    std::string exchange;             ///< empty: the default exchange
    std::vector<std::string> keys;    ///< of equal length, taken in turn; empty: the first queue
    std::uint64_t copies = 1;         ///< queues that each message reaches
    std::uint32_t size = 100;
    std::uint64_t window = 1000;  ///< unconfirmed messages
    std::uint16_t prefetch = 1000;
    std::uint64_t ack_batch = 100;
    bool confirms = true;
    bool persistent = true;
};

/// What publisher and consumer tell each other.
struct flow_progress {
    /// How many messages are published in all, set when the publisher knows.
    std::atomic<std::uint64_t> total{UINT64_MAX};
    std::atomic<bool> failed{false};
};

/// Publishes, and returns how many when all of them are confirmed (if the flow has confirms).
std::uint64_t publish_all(
    wire_client& client,
    const flow& how,
    const amount& much,
    flow_progress& progress);
/// Publishes and consumes at once; returns how many were published when all is confirmed, delivered
/// and acked and no queue holds anything.
std::uint64_t stream(const node& broker, const flow& how, const amount& much);
/// The figures of one stream over things that are there already.
figures measure_stream(node& broker, const flow& how, const amount& much);
[[nodiscard]] flow flow_of(const options& given, std::uint32_t size);
[[nodiscard]] std::string conditions_of(const flow& how);
/// Consumes until the publisher's total is there and the broker has handled every ack.
void consume_all(wire_client& client, const flow& how, const flow_progress& progress);

}  // namespace lovage::bench
