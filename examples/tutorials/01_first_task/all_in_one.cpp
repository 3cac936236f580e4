// All of the tutorial in one command: a broker inside this process, a worker and a caller beside
// it. Expects the other two programs in its own folder; exits as the caller does.
#include <lovage/broker.hpp>

#include <csignal>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

/// A child process; its end is waited for.
class child {
public:
    enum class output { shown, hidden };

    child(
        const std::filesystem::path& program,
        std::vector<std::string> arguments,
        output wanted = output::shown) {
        arguments.insert(arguments.begin(), program.string());
        std::vector<char*> raw;
        for (std::string& argument : arguments) {
            raw.push_back(argument.data());
        }
        raw.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        if (wanted == output::hidden) {
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        }
        const int failed =
            ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, raw.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (failed != 0) {
            throw std::runtime_error(program.string() + ": " + std::strerror(failed));
        }
    }
    ~child() {
        terminate();
        wait();
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// SIGTERM: a worker finishes its tasks, then ends.
    void terminate() const {
        if (pid_ > 0) {
            ::kill(pid_, SIGTERM);
        }
    }
    /// The exit status, or 1 if a signal ended it.
    int wait() {
        int status = 0;
        if (pid_ > 0 && ::waitpid(std::exchange(pid_, 0), &status, 0) > 0) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        }
        return 1;
    }

private:
    ::pid_t pid_ = 0;
};

int run(const std::filesystem::path& folder) {
    lovage::broker::server server{lovage::broker::server_options{}};  // any free port, nothing kept
    server.start();
    child worker(
        folder / "tutorial_worker",
        {"worker", "-b", server.url(), "-c", "2", "-l", "off"},
        child::output::hidden);
    child caller(folder / "tutorial_caller", {server.url()});
    const int called = caller.wait();
    worker.terminate();
    const int worked = worker.wait();
    server.stop();
    return called != 0 ? called : worked;
}

}  // namespace

int main() {
    try {
        return run(std::filesystem::read_symlink("/proc/self/exe").parent_path());
    } catch (const std::exception& problem) {
        std::cerr << "tutorial_first_task: " << problem.what() << '\n';
        return 1;
    }
}
