#include "tests/bench/options.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <stdexcept>

namespace lovage::bench {
namespace {

namespace po = boost::program_options;

std::string own_folder() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

po::options_description describe(options& into) {
    po::options_description all("Usage: lovage_bench [options] WORKLOAD...\n\nOptions");
    auto add = all.add_options();
    add("help", "print this text");
    add("against", po::value(&into.against), "rabbitmq, or celery for tasks");
    add("only-peer", po::bool_switch(&into.only_peer), "measure the peer alone");
    add("runs", po::value(&into.runs), "runs of each workload and broker; medians are printed");
    add("seconds", po::value(&into.seconds), "how long one run publishes");
    add("count", po::value(&into.count), "messages (or tasks) of one run, instead of --seconds");
    add("size", po::value<std::uint32_t>(), "octets of a body");
    add("window", po::value(&into.window), "unconfirmed messages");
    add("prefetch", po::value(&into.prefetch), "prefetch of the consumer");
    add("ack-batch", po::value(&into.ack_batch), "deliveries settled by one ack");
    add("consumers", po::value(&into.consumers), "fair_work: consumers, one connection each");
    add("rate", po::value(&into.rate), "latency, churn: messages a second");
    add("no-consumer", "latency: nothing takes the messages away");
    add("backlog", po::value(&into.backlog), "publish_confirm: queue so many, then drain them");
    add("kill", po::bool_switch(&into.kill), "with --backlog: kill -9 and restart before draining");
    add("connections", po::value(&into.connections), "idle, many_connections: connections");
    add("queues", po::value(&into.queues), "many_queues: queues");
    add("outstanding", po::value(&into.outstanding), "tasks: tasks without a result at a time");
    add("worker",
        po::value(&into.worker)->composing(),
        "tasks: a further argument of our worker, e.g. --worker=--transient-results");
    add("bin-dir", po::value(&into.bin_dir), "folder of lovage-broker and demo_tasks");
    add("source-dir", po::value(&into.source_dir), "folder of celery_app.py and celery_client.py");
    add("data-root", po::value(&into.data_root), "folder for temporary data folders");
    add("python", po::value(&into.python), "Python with Celery");
    add("json", po::bool_switch(&into.json), "print JSON instead of tables");
    add("workload", po::value(&into.workloads), "same as a positional argument");
    return all;
}

void check(const options& given) {
    const auto need = [](bool condition, const std::string& text) {
        if (!condition) {
            throw std::runtime_error(text);
        }
    };
    need(!given.workloads.empty(), "name a workload; see --help");
    for (const std::string& name : given.workloads) {
        need(std::ranges::count(workload_names(), name) == 1, "unknown workload " + name);
    }
    need(
        given.against.empty() || given.against == "rabbitmq" || given.against == "celery",
        "--against takes rabbitmq or celery");
    need(
        given.against != "celery" || given.workloads == std::vector<std::string>{"tasks"},
        "--against celery goes with the workload tasks alone");
    need(!given.only_peer || !given.against.empty(), "--only-peer goes with --against");
    need(given.runs >= 1 && given.runs <= 1000, "--runs takes 1 to 1000");
    need(given.seconds > 0 && given.seconds <= 3600, "--seconds takes up to 3600");
    need(given.window >= 1 && given.window <= 1'000'000, "--window takes 1 to 1000000");
    need(given.ack_batch >= 1, "--ack-batch takes 1 or more");
    need(
        given.prefetch == 0 || given.ack_batch <= given.prefetch,
        "--ack-batch is at most --prefetch, or the broker waits for ever");
    need(given.consumers >= 1 && given.consumers <= 1000, "--consumers takes 1 to 1000");
    need(given.rate >= 1 && given.rate <= 1'000'000, "--rate takes 1 to 1000000");
    need(!given.size || *given.size <= 16U << 20U, "--size takes up to 16 MiB");
    need(given.queues >= 1 && given.queues <= 50'000, "--queues takes up to 50000");
    need(given.connections >= 1 && given.connections <= 20'000, "--connections takes up to 20000");
}

}  // namespace

const std::vector<std::string>& workload_names() {
    static const std::vector<std::string> names{
        "publish_confirm",
        "transient",
        "fair_work",
        "fanout",
        "topic",
        "many_queues",
        "many_connections",
        "rpc",
        "latency",
        "sync_batches",
        "churn",
        "backlog",
        "tasks",
        "start",
        "idle"};
    return names;
}

std::optional<options> read_options(int argc, const char* const* argv) {
    options result;
    result.bin_dir = own_folder();
    result.source_dir = LOVAGE_BENCH_SOURCE_DIR;
    result.data_root = std::filesystem::temp_directory_path().string();

    const po::options_description all = describe(result);
    po::positional_options_description positions;
    positions.add("workload", -1);
    po::variables_map values;
    try {
        po::store(
            po::command_line_parser(argc, argv).options(all).positional(positions).run(), values);
        po::notify(values);
    } catch (const po::error& wrong) {
        throw std::runtime_error(wrong.what());
    }
    if (values.contains("help")) {
        std::cout << all << "\nWorkloads:";
        for (const std::string& name : workload_names()) {
            std::cout << ' ' << name;
        }
        std::cout << "; all of them: all\n";
        return std::nullopt;
    }
    if (values.contains("size")) {
        result.size = values["size"].as<std::uint32_t>();
    }
    result.consume = !values.contains("no-consumer");
    if (result.workloads == std::vector<std::string>{"all"}) {
        result.workloads = workload_names();
    }
    check(result);
    return result;
}

}  // namespace lovage::bench
