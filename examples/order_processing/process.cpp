#include "examples/order_processing/process.hpp"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace shop {
namespace {

constexpr int ready_timeout_ms = 30'000;
constexpr std::chrono::seconds stop_patience{20};

}  // namespace

process::process(const std::vector<std::string>& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("cannot make a pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words = command;
    std::vector<char*> argv;
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, argv.front(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
    if (error != 0) {
        pid_ = -1;
        ::close(output_);
        throw std::runtime_error("cannot start " + command.front());
    }
    read_ready_line(command.front());
}

void process::read_ready_line(const std::string& name) {
    std::string line;
    for (;;) {
        pollfd waiting{output_, POLLIN, 0};
        char c = 0;
        if (::poll(&waiting, 1, ready_timeout_ms) <= 0 || ::read(output_, &c, 1) != 1) {
            kill();
            throw std::runtime_error(name + " did not get ready; see its messages above");
        }
        if (c != '\n') {
            line += c;
        } else if (line.starts_with("ready ")) {
            ready_line_ = line.substr(6);
            return;
        } else {
            line.clear();
        }
    }
}

void process::stop() {
    if (pid_ <= 0) {
        return;
    }
    ::kill(pid_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + stop_patience;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > deadline) {
            kill();
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    pid_ = -1;
    ::close(output_);
}

void process::kill() {
    if (pid_ <= 0) {
        return;
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    ::close(output_);
}

void process::swap(process& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(output_, other.output_);
    std::swap(ready_line_, other.ready_line_);
}

}  // namespace shop
