// tasks: no-op tasks end to end with their results: client, broker and a pool of two processes,
// through the real framework, and the same with Celery. Starts everything itself.
// Main thread only. CPU time is counted over all processes, see README.md.
#pragma once

#include "tests/bench/node.hpp"
#include "tests/bench/options.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/workload.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lovage::bench {

struct task_run {
    std::uint64_t count = 0;
    double seconds = 0;
};

/// A framework's client and worker on one broker. Both run from construction to destruction.
class task_system {
public:
    task_system() = default;
    virtual ~task_system() = default;
    task_system(const task_system&) = delete;
    task_system& operator=(const task_system&) = delete;

    [[nodiscard]] virtual std::string name() const = 0;
    /// Sends tasks with at most `outstanding` results missing and waits for all results.
    virtual task_run run(const amount& much, std::uint64_t outstanding) = 0;
    /// The times of `count` calls one after the other, each from sending to its result.
    virtual std::vector<double> call_microseconds(std::uint64_t count) = 0;
    /// How many results should be missing at a time for the best throughput.
    [[nodiscard]] virtual std::uint64_t outstanding() const = 0;

    /// CPU seconds so far.
    [[nodiscard]] virtual double client_cpu() const = 0;
    [[nodiscard]] virtual double worker_cpu() const = 0;
};

[[nodiscard]] std::unique_ptr<task_system> make_lovage_tasks(const options& given, const node& on);
[[nodiscard]] std::unique_ptr<task_system> make_celery_tasks(const options& given, const node& on);

[[nodiscard]] workload_result compare_tasks(const options& given);

}  // namespace lovage::bench
