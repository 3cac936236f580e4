// Many tasks while everything that can die dies: the broker is killed twice, each worker once.
// Every task whose send() returned must end, and its result must arrive.
//
//   chaos_test          sends LOVAGE_CHAOS_TASKS tasks (default 3,000) and exits 0 if all is well
//   chaos_test worker   is what it starts: each task writes its number to LOVAGE_CHAOS_FILE
//
// Tasks run at least once: how often more than once is printed, not judged.
#include "tests/workers/run/process.hpp"

#include <lovage/lovage.hpp>
#include <lovage/main.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using lovage::workers::test::eventually;
using lovage::workers::test::process;
namespace fs = std::filesystem;

constexpr int tasks_default = 3000;
constexpr int tasks_most = 9'999'999;
constexpr std::size_t calls_at_once = 250;
constexpr std::size_t workers = 2;
constexpr const char* file_variable = "LOVAGE_CHAOS_FILE";
constexpr const char* tasks_variable = "LOVAGE_CHAOS_TASKS";
/// Of one line of the file: seven digits and the end of the line.
constexpr std::size_t line_octets = 8;
/// Nothing has happened for so long: something hangs.
constexpr std::chrono::seconds stall_limit{60};

/// One write() to the end of the file, so that lines of different processes do not mix and a killed
/// process leaves either the whole line or none.
void write_line(int number) {
    const char* file = std::getenv(file_variable);
    const int out = file == nullptr ? -1 : ::open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    std::array<char, line_octets + 1> line{};
    std::snprintf(line.data(), line.size(), "%07d\n", number);
    const bool written =
        out >= 0 && ::write(out, line.data(), line_octets) == static_cast<ssize_t>(line_octets);
    ::close(out);
    if (!written) {
        throw std::runtime_error("cannot write to the chaos file");
    }
}

constexpr auto mark = lovage::task<"chaos.mark">(
    [](int number) {
        write_line(number);
        return number;
    },
    {.queue = "chaos"});

/// The broker and the workers, and their deaths.
class victims {
public:
    victims(fs::path self, fs::path folder) : self_(std::move(self)), folder_(std::move(folder)) {
        start_broker();
        for (std::size_t i = 0; i < workers; ++i) {
            start_worker(i);
        }
        for (const auto& each : workers_) {
            each->wait_for("ready worker=");
        }
    }

    [[nodiscard]] std::string url() const { return "amqp://guest:guest@" + address_ + "//"; }

    void kill_broker() {
        kill(*broker_);
        start_broker();
    }
    void kill_worker(std::size_t which) {
        kill(*workers_[which]);
        start_worker(which);
        workers_[which]->wait_for("ready worker=");
    }
    /// Throws if anything has died that was not killed, or does not end when asked to.
    void stop() {
        for (const auto& each : workers_) {
            each->signal(SIGTERM);
        }
        for (const auto& each : workers_) {
            expect_clean("a worker", *each);
        }
        broker_->signal(SIGTERM);
        expect_clean("the broker", *broker_);
    }

private:
    static void kill(process& victim) {
        victim.signal(SIGKILL);
        if (victim.wait() != 128 + SIGKILL) {
            throw std::runtime_error("ended before it was killed: " + victim.stderr_text());
        }
    }
    static void expect_clean(const char* what, process& ended) {
        if (const int status = ended.wait(); status != 0) {
            throw std::runtime_error(
                std::string(what) + " ended with " + std::to_string(status) + ": " +
                ended.stderr_text());
        }
    }
    void start_broker() {
        broker_ = std::make_unique<process>(std::vector<std::string>{
            (self_.parent_path() / "lovage-broker").string(),
            "--port",
            address_.empty() ? "0" : address_.substr(address_.rfind(':') + 1),
            "--management-port",
            "0",
            "--data-dir",
            (folder_ / "broker").string(),
            "--log-level",
            "error"});
        constexpr std::string_view before = "ready amqp=";
        const std::string line = broker_->wait_for(std::string(before));
        address_ = line.substr(before.size(), line.find(' ', before.size()) - before.size());
    }
    void start_worker(std::size_t which) {
        workers_[which] = std::make_unique<process>(
            std::vector<std::string>{
                self_.string(),
                "worker",
                "--broker",
                url(),
                "-Q",
                "chaos",
                "-c",
                "2",
                "-n",
                "chaos" + std::to_string(which) + "@%h",
                "-l",
                "error"},
            std::vector<std::string>{
                std::string(file_variable) + "=" + (folder_ / "executions").string()});
    }

    fs::path self_;
    fs::path folder_;
    std::string address_;
    std::unique_ptr<process> broker_;
    std::array<std::unique_ptr<process>, workers> workers_;
};

/// How often each number stands in the file.
std::vector<int> count_executions(const fs::path& file, int tasks) {
    std::vector<int> times(static_cast<std::size_t>(tasks));
    std::ifstream in{file};
    for (std::string line; std::getline(in, line);) {
        ++times.at(static_cast<std::size_t>(std::stoi(line)));
    }
    return times;
}

/// Kills one after the other as the work goes on. `executions` has the share that is done.
void make_trouble(victims& machines, const fs::path& file, int tasks) {
    const auto wait_until_done = [&](int percent) {
        const auto wanted = static_cast<std::uintmax_t>(tasks) *
                            static_cast<std::uintmax_t>(percent) / 100 * line_octets;
        if (!eventually([&] { return fs::file_size(file) >= wanted; }, 2 * stall_limit)) {
            throw std::runtime_error(
                "fewer than " + std::to_string(percent) + " % were run when time was over");
        }
    };
    wait_until_done(10);
    machines.kill_broker();
    wait_until_done(30);
    machines.kill_worker(0);
    wait_until_done(50);
    machines.kill_broker();
    wait_until_done(70);
    machines.kill_worker(1);
}

std::vector<lovage::handle<int>> send_all(lovage::app& app, int tasks) {
    std::vector<lovage::handle<int>> handles;
    std::vector<lovage::signature<int>> calls;
    for (int number = 0; number < tasks; ++number) {
        calls.push_back(mark.s(number));
        if (calls.size() == calls_at_once || number + 1 == tasks) {
            for (auto& each : app.send_all(calls)) {
                handles.push_back(std::move(each));
            }
            calls.clear();
        }
    }
    return handles;
}

int run(int tasks) {
    const lovage::workers::test::temporary_folder folder;
    const fs::path file = folder.path() / "executions";
    std::ofstream{file}.flush();
    victims machines{fs::read_symlink("/proc/self/exe"), folder.path()};

    const std::string url = machines.url();  // the same after every restart
    std::exception_ptr problem;
    std::thread trouble{[&] {
        try {
            make_trouble(machines, file, tasks);
        } catch (...) {
            problem = std::current_exception();
        }
    }};
    int wrong = 0;
    try {
        lovage::app app{lovage::app_options{url}, mark};
        const auto handles = send_all(app, tasks);
        std::cout << "confirmed " << handles.size() << std::endl;
        for (int number = 0; number < tasks; ++number) {
            wrong += handles[static_cast<std::size_t>(number)].get(stall_limit) == number ? 0 : 1;
        }
    } catch (const std::exception& error) {
        std::cerr << "chaos_test: " << error.what() << '\n';
        wrong = tasks;
    }
    trouble.join();
    if (problem) {
        std::rethrow_exception(problem);
    }
    machines.stop();

    const auto times = count_executions(file, tasks);
    const auto missing = std::count(times.begin(), times.end(), 0);
    const auto again = std::count_if(times.begin(), times.end(), [](int n) { return n > 1; });
    std::cout << "tasks " << tasks << ", never run " << missing << ", run again " << again
              << ", wrong results " << wrong << '\n';
    return missing == 0 && wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int task_count() {
    const char* wanted = std::getenv(tasks_variable);
    const int tasks = wanted == nullptr ? tasks_default : std::atoi(wanted);
    if (tasks < 1 || tasks > tasks_most) {
        throw std::runtime_error(std::string(tasks_variable) + " is no number of tasks");
    }
    return tasks;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        lovage::app app{lovage::app_options{}, mark};
        return lovage::main(argc, argv, app);
    }
    try {
        return run(task_count());
    } catch (const std::exception& error) {
        std::cerr << "chaos_test: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
