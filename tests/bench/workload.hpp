// What the workloads have in common: how much a run does, what is measured around it, and the list
// that main works through. Each workload is one .cpp file.
// Main thread; the threads of a workload end before it returns. Throws std::runtime_error when the
// broker fails, stalls, or loses or repeats a message.
#pragma once

#include "tests/bench/node.hpp"
#include "tests/bench/options.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/stats.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lovage::bench {

using bench_clock = std::chrono::steady_clock;

/// How much one run publishes: `count` messages, or for `seconds` when `count` is 0.
struct amount {
    std::uint64_t count = 0;
    double seconds = 0;

    [[nodiscard]] std::uint64_t count_max() const { return count == 0 ? UINT64_MAX : count; }
    /// Far away when the count decides.
    [[nodiscard]] bench_clock::time_point deadline(bench_clock::time_point start) const {
        const std::chrono::duration<double> limit(count == 0 ? seconds : 86'400.0);
        return start + std::chrono::duration_cast<bench_clock::duration>(limit);
    }
};

struct workload {
    std::string name;
    std::string conditions;
    std::function<figures(node&, const amount&)> run;
};

/// Reads the broker's counters at its construction and again in add_to().
class broker_meter {
public:
    explicit broker_meter(const node& broker)
        : broker_(broker), before_(broker.counters()), cpu_(cpu_seconds(broker.pid())) {}

    /// Adds the broker's CPU seconds per million messages, and its syncs where it counts them.
    void add_to(figures& out, std::uint64_t messages, const std::string& prefix = "") const;
    /// What the broker has counted since.
    [[nodiscard]] std::optional<disk_counters> counted() const;

private:
    const node& broker_;
    std::optional<disk_counters> before_;
    double cpu_;
};

/// A queue name that no other run uses.
[[nodiscard]] std::string unique_queue();
/// Adds p50, p95 and p99 of latencies in microseconds. Sorts `microseconds`.
void add_percentiles(figures& out, std::vector<double>& microseconds);
[[nodiscard]] double seconds_between(bench_clock::time_point from, bench_clock::time_point to);

[[nodiscard]] workload publish_confirm(const options& given, std::uint32_t size);
/// `count` messages wait before they are drained; `kill`: after kill -9 and a new start.
[[nodiscard]] workload backlog(
    const options& given,
    std::uint32_t size,
    std::uint64_t count,
    bool kill);
[[nodiscard]] workload churn(const options& given, std::uint32_t size);
[[nodiscard]] workload sync_batches(
    const options& given,
    std::uint32_t size,
    std::size_t publishers);
[[nodiscard]] workload transient(const options& given, std::uint32_t size);
[[nodiscard]] workload fair_work(const options& given, std::uint32_t size);
[[nodiscard]] workload fanout(const options& given, std::uint32_t size);
[[nodiscard]] workload topic(const options& given, std::uint32_t size);
[[nodiscard]] workload many_queues(const options& given, std::uint32_t size);
[[nodiscard]] workload many_connections(const options& given, std::uint32_t size);
[[nodiscard]] workload rpc(const options& given, std::uint32_t size);
[[nodiscard]] workload latency(const options& given, std::uint32_t size);

/// Workloads that start their own nodes: time to ready, memory of idle connections.
using node_factory = std::function<std::unique_ptr<node>()>;
[[nodiscard]] figures start_to_ready(const node_factory& make);
[[nodiscard]] figures idle_connections(const node_factory& make, std::uint64_t connections);

}  // namespace lovage::bench
