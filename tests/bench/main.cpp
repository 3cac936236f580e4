// lovage_bench: named workloads against lovage-broker and, for comparison, against RabbitMQ or
// Celery, started by the program itself. See README.md.
#include "tests/bench/tasks.hpp"
#include "tests/bench/workload.hpp"

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <sys/resource.h>

namespace lovage::bench {
namespace {

constexpr std::uint32_t default_size = 100;
constexpr std::uint64_t default_backlog = 1'000'000;
constexpr std::size_t publishers_max = 64;
/// The second size of publish_confirm when none is asked for, and that of churn.
constexpr std::uint32_t larger_size = 1024;
/// A warm-up run does this share of a measured one.
constexpr std::uint64_t warm_up_divisor = 3;

// A broker of the comparison: how to make one, and the one that all workloads share.
struct side {
    node_factory make;
    std::unique_ptr<node> shared;

    node& running() {
        if (!shared) {
            shared = make();
            shared->start();
        }
        return *shared;
    }
};

std::vector<side> sides_of(const options& given) {
    std::vector<side> sides;
    if (!given.only_peer) {
        sides.push_back({[&given] { return make_lovage_node(given); }, nullptr});
    }
    if (!given.against.empty()) {
        sides.push_back({[&given] { return make_rabbit_node(given); }, nullptr});
    }
    return sides;
}

std::vector<workload> stream_workloads(const std::string& name, const options& given) {
    const std::uint32_t size = given.size.value_or(default_size);
    if (name == "publish_confirm" && given.backlog != 0) {
        return {backlog(given, size, given.backlog, given.kill)};
    }
    if (name == "backlog") {
        return {backlog(given, size, given.count == 0 ? default_backlog : given.count, true)};
    }
    if (name == "churn") {
        return {churn(given, given.size.value_or(larger_size))};
    }
    if (name == "sync_batches") {
        std::vector<workload> all;
        for (std::size_t publishers = 1; publishers <= publishers_max; publishers *= 2) {
            all.push_back(sync_batches(given, size, publishers));
        }
        return all;
    }
    if (name == "publish_confirm") {
        std::vector<workload> both{publish_confirm(given, size)};
        if (!given.size) {
            both.push_back(publish_confirm(given, larger_size));
        }
        return both;
    }
    if (name == "transient") {
        return {transient(given, size)};
    }
    using maker = workload (*)(const options&, std::uint32_t);
    static const std::map<std::string, maker> makers{
        {"fair_work", fair_work},
        {"fanout", fanout},
        {"topic", topic},
        {"many_queues", many_queues},
        {"many_connections", many_connections},
        {"rpc", rpc},
        {"latency", latency}};
    return {makers.at(name)(given, size)};
}

// The sides take turns, so that a machine that gets slower or faster meanwhile does it to both.
workload_result compare(const workload& work, std::vector<side>& sides, const options& given) {
    workload_result result{work.name, work.conditions, {}};
    const amount much{given.count, given.seconds};
    const amount warm_up{
        given.count == 0 ? 0 : std::max<std::uint64_t>(given.count / warm_up_divisor, 1),
        given.seconds / static_cast<double>(warm_up_divisor)};
    for (side& each : sides) {
        node& broker = each.running();
        result.sides.push_back({broker.product(), {}});
        if (work.name != "backlog") {
            work.run(broker, warm_up);
        }
    }
    for (int run = 0; run < given.runs; ++run) {
        for (std::size_t i = 0; i < sides.size(); ++i) {
            node& broker = sides[i].running();
            broker.settle();
            result.sides[i].runs.push_back(work.run(broker, much));
        }
    }
    return result;
}

// Workloads whose every run starts a node of its own; the shared ones would only disturb.
workload_result compare_footprint(
    const std::string& name,
    std::vector<side>& sides,
    const options& given) {
    const bool idle = name == "idle";
    workload_result result{
        name, idle ? "idle connections with one channel" : "no data, to the first login", {}};
    for (side& each : sides) {
        each.shared.reset();
    }
    for (const side& each : sides) {
        const std::unique_ptr<node> probe = each.make();
        probe->start();
        result.sides.push_back({probe->product(), {}});
    }
    for (int run = 0; run < given.runs; ++run) {
        for (std::size_t i = 0; i < sides.size(); ++i) {
            result.sides[i].runs.push_back(
                idle ? idle_connections(sides[i].make, given.connections)
                     : start_to_ready(sides[i].make));
        }
    }
    return result;
}

std::vector<workload_result> run_all(const options& given) {
    std::vector<side> sides = sides_of(given);
    std::vector<workload_result> results;
    const auto done = [&](workload_result result) {
        if (!given.json) {
            std::cout << format_table(result) << std::endl;
        }
        results.push_back(std::move(result));
    };
    for (const std::string& name : given.workloads) {
        if (name == "tasks") {
            done(compare_tasks(given));
        } else if (name == "start" || name == "idle") {
            done(compare_footprint(name, sides, given));
        } else {
            for (const workload& work : stream_workloads(name, given)) {
                done(compare(work, sides, given));
            }
        }
    }
    return results;
}

// Each idle connection is a file of ours and one of the broker's, which inherits the limit.
void raise_file_limit() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int run(int argc, const char* const* argv) {
    try {
        const std::optional<options> given = read_options(argc, argv);
        if (!given) {
            return 0;
        }
        raise_file_limit();
        clean_up_on_signals();
        const std::vector<workload_result> results = run_all(*given);
        if (given->json) {
            std::cout << format_json(results);
        }
        return 0;
    } catch (const std::exception& failed) {
        std::cerr << "lovage_bench: " << failed.what() << '\n';
        return 1;
    }
}

}  // namespace
}  // namespace lovage::bench

int main(int argc, char** argv) {
    return lovage::bench::run(argc, argv);
}
