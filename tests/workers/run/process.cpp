#include "tests/workers/run/process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace lovage::workers::test {

namespace {

using clock = std::chrono::steady_clock;

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) {
        out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
}

std::string read_file(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::filesystem::path new_path(const std::string& kind) {
    std::string name =
        (std::filesystem::temp_directory_path() / ("lovage-" + kind + "-XXXXXX")).string();
    if (kind == "folder" ? ::mkdtemp(name.data()) == nullptr
                         : ::close(::mkstemp(name.data())) != 0) {
        throw std::runtime_error("cannot make a temporary " + kind);
    }
    return name;
}

}  // namespace

process::process(
    const std::vector<std::string>& command,
    const std::vector<std::string>& environment)
    : stderr_file_(new_path("stderr")) {
    std::vector<std::string> arguments = command;
    std::vector<std::string> variables;
    for (char** one = environ; *one != nullptr; ++one) {
        if (!std::string_view(*one).starts_with("LOVAGE_")) {
            variables.emplace_back(*one);
        }
    }
    variables.insert(variables.end(), environment.begin(), environment.end());

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, stderr_file_.c_str(), O_WRONLY, 0600);
    const int problem = ::posix_spawn(
        &pid_,
        arguments[0].c_str(),
        &actions,
        nullptr,
        pointers(arguments).data(),
        pointers(variables).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    stdout_ = ends[0];
    if (problem != 0) {
        pid_ = -1;
        throw std::runtime_error("cannot start " + arguments[0]);
    }
}

process::~process() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(stdout_);
    std::error_code ignored;
    std::filesystem::remove(stderr_file_, ignored);
}

bool process::fill(clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
    pollfd wait{stdout_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
        return false;
    }
    char buffer[4096];
    const ssize_t got = ::read(stdout_, buffer, sizeof buffer);
    if (got <= 0) {
        return false;
    }
    unread_.append(buffer, static_cast<std::size_t>(got));
    return true;
}

std::optional<std::string> process::read_line(std::chrono::milliseconds limit) {
    const auto deadline = clock::now() + limit;
    std::size_t end = unread_.find('\n');
    while (end == std::string::npos) {
        if (!fill(deadline)) {
            return std::nullopt;
        }
        end = unread_.find('\n');
    }
    std::string line = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    return line;
}

std::string process::wait_for(const std::string& beginning) {
    while (const auto line = read_line()) {
        if (line->starts_with(beginning)) {
            return *line;
        }
    }
    throw std::runtime_error("no line \"" + beginning + "\"; stderr: " + stderr_text());
}

void process::signal(int number) const {
    ::kill(pid_, number);
}

int process::wait(std::chrono::milliseconds limit) {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit)) {
        throw std::runtime_error("a process does not end; stderr: " + stderr_text());
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string process::rest_of_stdout() {
    while (fill(clock::now() + 50ms)) {
    }
    return std::exchange(unread_, {});
}

std::string process::stderr_text() const {
    return read_file(stderr_file_);
}

finished run(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
    process child(command, environment);
    finished out;
    out.status = child.wait();
    out.out = child.rest_of_stdout();
    out.err = child.stderr_text();
    return out;
}

temporary_folder::temporary_folder() : path_(new_path("folder")) {}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::vector<pid_t> descendants(pid_t pid) {
    const std::string number = std::to_string(pid);
    std::stringstream children(read_file("/proc/" + number + "/task/" + number + "/children"));
    std::vector<pid_t> out;
    pid_t child = 0;
    while (children >> child) {
        out.push_back(child);
        const std::vector<pid_t> more = descendants(child);
        out.insert(out.end(), more.begin(), more.end());
    }
    return out;
}

bool alive(pid_t pid) {
    const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
    return !status.empty() && status.find("State:\tZ") == std::string::npos;
}

void pause_briefly() {
    std::this_thread::sleep_for(5ms);
}

}  // namespace lovage::workers::test
