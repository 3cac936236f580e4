#include "tests/bench/tasks.hpp"

#include <algorithm>
#include <stdexcept>

namespace lovage::bench {
namespace {

constexpr std::uint64_t calls_per_run = 300;
/// Before anything is measured: connections, caches, the pool's children.
constexpr std::uint64_t warm_up_calls = 100;

struct side {
    std::unique_ptr<node> broker;
    std::unique_ptr<task_system> system;  // goes before its broker
};

std::vector<side> make_sides(const options& given) {
    std::vector<side> sides;
    const auto add = [&](std::unique_ptr<node> broker, auto make_system) {
        broker->start();
        auto system = make_system(given, *broker);
        sides.push_back({std::move(broker), std::move(system)});
    };
    if (!given.only_peer) {
        add(make_lovage_node(given), make_lovage_tasks);
    }
    if (given.against == "rabbitmq") {
        add(make_rabbit_node(given), make_lovage_tasks);
    }
    if (given.against == "celery") {
        add(make_rabbit_node(given), make_celery_tasks);
    }
    return sides;
}

std::uint64_t outstanding_of(const side& at, const options& given) {
    return given.outstanding == 0 ? at.system->outstanding() : given.outstanding;
}

figures run_once(side& at, const options& given) {
    at.broker->settle();
    const double client = at.system->client_cpu();
    const double worker = at.system->worker_cpu();
    const double broker = cpu_seconds(at.broker->pid());
    const auto before = at.broker->counters();

    const task_run done = at.system->run({given.count, given.seconds}, outstanding_of(at, given));

    const auto count = static_cast<double>(done.count);
    const double client_ms = (at.system->client_cpu() - client) * 1e3 / count;
    const double worker_ms = (at.system->worker_cpu() - worker) * 1e3 / count;
    const double broker_ms = (cpu_seconds(at.broker->pid()) - broker) * 1e3 / count;
    figures result{
        {"n", count},
        {"tasks/s", count / done.seconds},
        {"CPU ms/task", client_ms + worker_ms + broker_ms},
        {"client", client_ms},
        {"broker", broker_ms},
        {"worker", worker_ms}};
    if (const auto now = at.broker->counters(); now && before) {
        result.push_back({"syncs", now->syncs - before->syncs});
    }
    std::vector<double> calls = at.system->call_microseconds(
        given.count == 0 ? calls_per_run : std::min(given.count, calls_per_run));
    result.push_back({"get p50 us", percentile(calls, 0.5)});
    result.push_back({"get p99 us", percentile(calls, 0.99)});
    return result;
}

}  // namespace

workload_result compare_tasks(const options& given) {
    std::vector<side> sides = make_sides(given);
    workload_result result{
        "tasks", "no-op with result, prefork 2, prefetch 1, confirms, late ack;", {}};
    for (const std::string& argument : given.worker) {
        result.conditions += ' ' + argument;
    }
    for (side& at : sides) {
        result.conditions += " outstanding=" + std::to_string(outstanding_of(at, given));
        result.sides.push_back({at.system->name() + " on " + at.broker->product(), {}});
        at.system->call_microseconds(warm_up_calls);
    }
    for (int run = 0; run < given.runs; ++run) {
        for (std::size_t i = 0; i < sides.size(); ++i) {
            result.sides[i].runs.push_back(run_once(sides[i], given));
        }
    }
    return result;
}

}  // namespace lovage::bench
