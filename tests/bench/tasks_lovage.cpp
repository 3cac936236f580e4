#include "tests/bench/tasks.hpp"

#include <lovage/app.hpp>
#include <lovage/task.hpp>

#include <algorithm>
#include <ctime>
#include <deque>
#include <stdexcept>
#include <type_traits>

namespace lovage::bench {
namespace {

inline constexpr auto add =
    lovage::remote_task<"demo.add", int(int, int)>(lovage::task_options{.queue = "demo"});

constexpr std::uint64_t lovage_outstanding = 1000;
/// Calls go out in groups of this share of what may be outstanding: one wait for their confirms.
constexpr std::uint64_t groups_per_window = 10;
constexpr std::chrono::seconds result_limit{60};

class lovage_tasks final : public task_system {
public:
    lovage_tasks(const options& given, const node& on)
        : folder_(given.data_root), worker_(start_worker(given, on)), app_(on.url()) {}

    std::string name() const override { return "lovage tasks"; }
    std::uint64_t outstanding() const override { return lovage_outstanding; }

    task_run run(const amount& much, std::uint64_t outstanding) override {
        return with_log([&] { return run_window(much, outstanding); });
    }
    std::vector<double> call_microseconds(std::uint64_t count) override {
        return with_log([&] { return call_in_turn(count); });
    }

    double client_cpu() const override {
        timespec now{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
    }
    double worker_cpu() const override { return tree_cpu_seconds(worker_.pid()); }

private:
    struct call {
        handle<int> result;
        int expected = 0;
    };

    // What the worker wrote says why a result does not come.
    template <class Function>
    std::invoke_result_t<Function> with_log(Function function) {
        try {
            return function();
        } catch (const std::exception& failed) {
            throw std::runtime_error(
                std::string("lovage tasks: ") + failed.what() + '\n' +
                read_text(folder_.path() / "worker.log"));
        }
    }

    task_run run_window(const amount& much, std::uint64_t outstanding) {
        const std::uint64_t group = std::max<std::uint64_t>(outstanding / groups_per_window, 1);
        const auto start = bench_clock::now();
        const auto deadline = much.deadline(start);
        std::uint64_t sent = 0;
        while (sent < much.count_max() && bench_clock::now() < deadline) {
            const std::uint64_t now = std::min(group, much.count_max() - sent);
            send(sent, now);
            sent += now;
            while (waiting_.size() + group > outstanding && !waiting_.empty()) {
                take();
            }
        }
        while (!waiting_.empty()) {
            take();
        }
        return {sent, seconds_between(start, bench_clock::now())};
    }

    std::vector<double> call_in_turn(std::uint64_t count) {
        std::vector<double> result;
        for (std::uint64_t i = 0; i < count; ++i) {
            const int first = number(i);
            const auto start = bench_clock::now();
            check(app_.delay(add, first, 1).get(result_limit), first + 1);
            result.push_back(seconds_between(start, bench_clock::now()) * 1e6);
        }
        return result;
    }

    child start_worker(const options& given, const node& on) {
        command_line command;
        command.arguments = {
            given.bin_dir + "/demo_tasks",
            "worker",
            "-c",
            "2",
            "--pool",
            "prefork",
            "-l",
            "warning"};
        command.arguments.insert(command.arguments.end(), given.worker.begin(), given.worker.end());
        command.environment = {{"LOVAGE_BROKER_URL", on.url()}};
        command.folder = folder_.path();
        command.output = folder_.path() / "worker.log";
        return child(command);
    }

    // Numbers repeat, so that sums stay small whatever the count.
    static int number(std::uint64_t index) { return static_cast<int>(index % 1'000'000); }

    static void check(int result, int expected) {
        if (result != expected) {
            throw std::runtime_error("a task returned a wrong result");
        }
    }

    void send(std::uint64_t first, std::uint64_t count) {
        std::vector<signature<int>> calls;
        calls.reserve(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            calls.push_back(add.s(number(first + i), 1));
        }
        std::vector<handle<int>> handles = app_.send_all(calls);
        for (std::uint64_t i = 0; i < count; ++i) {
            waiting_.push_back({std::move(handles[i]), number(first + i) + 1});
        }
    }

    void take() {
        const call oldest = std::move(waiting_.front());
        waiting_.pop_front();
        check(oldest.result.get(result_limit), oldest.expected);
    }

    temporary_folder folder_;
    child worker_;
    app app_;
    std::deque<call> waiting_;
};

}  // namespace

std::unique_ptr<task_system> make_lovage_tasks(const options& given, const node& on) {
    return std::make_unique<lovage_tasks>(given, on);
}

}  // namespace lovage::bench
