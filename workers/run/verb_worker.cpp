// `worker`: runs the application's tasks. Option names follow `celery worker`.
#include "framework/app/address.hpp"
#include "workers/core/node_name.hpp"
#include "workers/run/child.hpp"
#include "workers/run/command_line.hpp"
#include "workers/run/exit_status.hpp"
#include "workers/run/worker.hpp"

#include <lovage/app.hpp>
#include <lovage/logging.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace lovage::workers {

namespace {

constexpr int concurrency_max = 1024;
constexpr int prefetch_max = 10'000;
constexpr int crashes_max = 1'000'000;

std::string host_name() {
    char name[HOST_NAME_MAX + 1] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

options::options_description describe(const program& self) {
    options::options_description out("options");
    add_broker_option(out);
    const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    out.add_options()(
        "queues,Q",
        options::value<std::vector<std::string>>()->composing()->value_name("A,B"),
        ("queues to consume; default: " + default_queue(self) + " and the queues of the tasks")
            .c_str())(
        "concurrency,c",
        options::value<int>()->default_value(cores)->value_name("N"),
        "tasks at a time; default: one for each core")(
        "pool,P",
        options::value<std::string>()->default_value("prefork")->value_name("KIND"),
        "prefork: tasks run in child processes, and a crash or a hard time limit ends one child "
        "only; threads: tasks run in threads of the worker, which cannot be ended, only asked to")(
        "hostname,n",
        options::value<std::string>()->default_value("lovage@%h")->value_name("NAME"),
        "name of this worker; %h: host, %n: host without domain, %d: domain")(
        "loglevel,l",
        options::value<std::string>()->default_value("info")->value_name("LEVEL"),
        "trace, debug, info, warning, error or off; the log goes to stderr")(
        "prefetch",
        options::value<int>()->default_value(1)->value_name("N"),
        "messages that each of the N consumers of a queue may hold; more than 1 for tiny tasks")(
        "time-limit",
        options::value<double>()->default_value(0, "none")->value_name("SECONDS"),
        "hard limit of tasks that have none of their own")(
        "grace",
        options::value<double>()
            ->default_value(static_cast<double>(grace_default.count()) / 1000)
            ->value_name("SECONDS"),
        "time that running tasks have after SIGTERM")(
        "max-crashes",
        options::value<int>()->value_name("N"),
        "worker processes that may die of a task before it goes to the dead queue; lowers the "
        "tasks' own limits (3 unless they say otherwise)")(
        "transient-results",
        options::bool_switch(),
        "results need not survive a restart of the broker; faster on RabbitMQ");
    return out;
}

/// Each child costs one. The limit that programs start with is low for old ones that use select();
/// children keep it.
void allow_all_descriptors() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

/// A fork of a process with threads gives a child whose locks may be held by nobody.
bool has_threads() {
    std::error_code unknown;
    const std::filesystem::directory_iterator tasks("/proc/self/task", unknown);
    return !unknown && std::distance(begin(tasks), end(tasks)) > 1;
}

options::positional_options_description positions() {
    return {};
}

int number(const options::variables_map& values, const char* name, int least, int most) {
    const int value = values[name].as<int>();
    if (value < least || value > most) {
        throw usage_error(
            "--" + std::string(name) + " must be from " + std::to_string(least) + " to " +
            std::to_string(most));
    }
    return value;
}

/// The default queue first, then those that tasks have of their own.
std::vector<std::string> queues_of_tasks(const program& self) {
    std::vector<std::string> out{default_queue(self)};
    for (const task_entry& task : self.application->tasks().entries()) {
        const std::string_view own = task.options().queue;
        if (!own.empty() && std::ranges::find(out, own) == out.end()) {
            out.emplace_back(own);
        }
    }
    return out;
}

worker_options read_options(const program& self, const options::variables_map& values) {
    worker_options out;
    out.broker = parse_address(broker_url(self, values));
    out.queues = values.count("queues") != 0
                     ? split_names(values["queues"].as<std::vector<std::string>>())
                     : queues_of_tasks(self);
    std::string problem;
    const auto node = expand_node_name(values["hostname"].as<std::string>(), host_name(), problem);
    if (!node.has_value()) {
        throw usage_error("-n: " + problem);
    }
    out.node = *node;
    out.concurrency = static_cast<std::size_t>(number(values, "concurrency", 1, concurrency_max));
    out.prefetch = static_cast<std::uint16_t>(number(values, "prefetch", 1, prefetch_max));
    if (values.count("max-crashes") != 0) {
        out.max_crashes = number(values, "max-crashes", 1, crashes_max);
    }
    out.time_limit =
        milliseconds(to_milliseconds(values["time-limit"].as<double>(), "--time-limit"));
    out.grace = milliseconds(to_milliseconds(values["grace"].as<double>(), "--grace"));
    out.transient_results = values["transient-results"].as<bool>();
    return out;
}

int run(const program& self, const options::variables_map& values) {
    const worker_options how = read_options(self, values);
    const std::string pool = values["pool"].as<std::string>();
    if (pool != "prefork" && pool != "threads") {
        throw usage_error("--pool is prefork or threads, not \"" + pool + "\"");
    }
    if (!init_logging(values["loglevel"].as<std::string>())) {
        throw usage_error("--loglevel is trace, debug, info, warning, error or off");
    }
    const registry& tasks = self.application->tasks();
    std::optional<nursery> source;
    if (pool == "prefork" && has_threads()) {
        std::cerr << self.name << " worker: this program has started threads before "
                  << "lovage::main(), so that it cannot fork; use --pool threads\n";
        return exit_failed;
    }
    if (pool == "prefork") {
        source = nursery::open([&tasks](int socket) { return run_child(tasks, socket); });
        if (!source.has_value()) {
            std::cerr << self.name << " worker: cannot fork: " << std::strerror(errno) << '\n';
            return exit_failed;
        }
    }
    allow_all_descriptors();
    return run_worker(tasks, how, std::move(source));
}

}  // namespace

const verb worker_verb{
    "worker",
    "runs this application's tasks",
    "[OPTION...]",
    true,
    describe,
    positions,
    run};

}  // namespace lovage::workers
