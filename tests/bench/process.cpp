#include "tests/bench/process.hpp"

#include "tests/bench/options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace lovage::bench {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds poll_interval{5};

// What an interrupted benchmark must not leave behind.
struct leftovers {
    std::mutex mutex;
    std::set<pid_t> sessions;
    std::set<fs::path> folders;
};
leftovers& registry() {
    static leftovers all;
    return all;
}

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

// Between fork and exec only what POSIX calls async-signal-safe is used: memory is prepared before.
[[noreturn]] void become(
    char* const* arguments,
    char* const* environment,
    const char* folder,
    int output,
    int pipe) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int input = pipe >= 0 ? pipe : open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(input, STDIN_FILENO);
    dup2(pipe >= 0 ? pipe : output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (*folder == '\0' || chdir(folder) == 0) {
        execve(arguments[0], arguments, environment);
    }
    _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> environment_of(const command_line& command) {
    std::vector<std::string> texts;
    std::set<std::string> given;
    for (const auto& [name, value] : command.environment) {
        texts.push_back(name + '=' + value);
        given.insert(name);
    }
    for (char** each = environ; !command.clean && *each != nullptr; ++each) {
        const std::string text = *each;
        if (!given.contains(text.substr(0, text.find('=')))) {
            texts.push_back(text);
        }
    }
    return texts;
}

// The fields of /proc/PID/stat that matter here (proc(5), numbers from 1).
struct process_stat {
    pid_t parent = 0;             // 4
    pid_t session = 0;            // 6
    double children_seconds = 0;  // 16 and 17: children that were waited for
};
std::optional<process_stat> stat_of(const std::string& pid) {
    const std::string text = read_text("/proc/" + pid + "/stat");
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream rest(text.substr(name_end + 1));
    const std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
    if (fields.size() < 15) {
        return std::nullopt;
    }
    static const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    return process_stat{
        std::stoi(fields[1]),
        std::stoi(fields[3]),
        (std::stod(fields[13]) + std::stod(fields[14])) / ticks};
}

std::optional<double> try_cpu_seconds(pid_t pid) {
    clockid_t id{};
    timespec now{};
    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &now) != 0) {
        return std::nullopt;
    }
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

child::child(const command_line& command) {
    std::vector<std::string> argument_texts = command.arguments;
    std::vector<std::string> environment_texts = environment_of(command);
    const std::vector<char*> arguments = pointers(argument_texts);
    const std::vector<char*> environment = pointers(environment_texts);
    const std::string folder = command.folder.string();
    const std::string output_name = command.output.empty() ? "/dev/null" : command.output.string();
    const int output =
        open(output_name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (output < 0) {
        fail("cannot write " + output_name);
    }
    std::array<int, 2> pair{-1, -1};
    if (command.pipe && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        fail("socketpair");
    }
    pid_ = fork();
    if (pid_ == 0) {
        become(arguments.data(), environment.data(), folder.c_str(), output, pair[1]);
    }
    close(output);
    if (pair[1] >= 0) {
        close(pair[1]);
    }
    pipe_ = pair[0];
    if (pid_ < 0) {
        fail("cannot start " + command.arguments.front());
    }
    const std::scoped_lock lock(registry().mutex);
    registry().sessions.insert(pid_);
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      unread_(std::move(other.unread_)) {}

child::~child() {
    stop();
    if (pipe_ >= 0) {
        close(pipe_);
    }
}

bool child::alive() {
    return pid_ > 0 && !wait_until(clock::now());
}

bool child::wait_until(clock::time_point deadline) {
    siginfo_t info{};
    // WNOWAIT: the process id stays ours until the rest of its session is ended.
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
        if (clock::now() >= deadline) {
            return false;
        }
        std::this_thread::sleep_for(poll_interval);
    }
    return true;
}

void child::stop() {
    if (pid_ <= 0) {
        return;
    }
    ::kill(pid_, SIGTERM);
    wait_until(clock::now() + stop_limit);
    end_session();
}

void child::kill() {
    if (pid_ > 0) {
        end_session();
    }
}

void child::end_session() {
    ::kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    const std::scoped_lock lock(registry().mutex);
    registry().sessions.erase(pid_);
    pid_ = -1;
}

std::string child::read_line(std::chrono::milliseconds limit) {
    const auto deadline = clock::now() + limit;
    for (;;) {
        if (const std::size_t at = unread_.find('\n'); at != std::string::npos) {
            std::string line = unread_.substr(0, at);
            unread_.erase(0, at + 1);
            return line;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
        pollfd ready{pipe_, POLLIN, 0};
        if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0) {
            throw std::runtime_error("a child process stays silent");
        }
        std::array<char, 4096> piece{};
        const ssize_t got = read(pipe_, piece.data(), piece.size());
        if (got <= 0) {
            throw std::runtime_error("a child process ended");
        }
        unread_.append(piece.data(), static_cast<std::size_t>(got));
    }
}

void child::write_line(std::string_view text) {
    const std::string line = std::string(text) + '\n';
    if (::send(pipe_, line.data(), line.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(line.size())) {
        fail("cannot write to a child process");
    }
}

double cpu_seconds(pid_t pid) {
    const auto seconds = try_cpu_seconds(pid);
    if (!seconds) {
        throw std::runtime_error("process " + std::to_string(pid) + " is gone");
    }
    return *seconds;
}

double tree_cpu_seconds(pid_t pid) {
    std::vector<std::pair<pid_t, process_stat>> all;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == std::string::npos) {
            if (const auto stat = stat_of(name)) {
                all.emplace_back(std::stoi(name), *stat);
            }
        }
    }
    std::set<pid_t> members{pid};
    // Parents may come behind their children in the list: repeat until nothing is added.
    for (std::size_t before = 0; before != members.size();) {
        before = members.size();
        for (const auto& [id, stat] : all) {
            if (stat.session == pid || members.contains(stat.parent)) {
                members.insert(id);
            }
        }
    }
    double seconds = 0;
    for (const auto& [id, stat] : all) {
        if (members.contains(id)) {
            seconds += stat.children_seconds + try_cpu_seconds(id).value_or(0);
        }
    }
    return seconds;
}

double memory_mib(pid_t pid, std::string_view field) {
    std::istringstream status(read_text("/proc/" + std::to_string(pid) + "/status"));
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(std::string(field) + ':')) {
            return std::stod(line.substr(field.size() + 1)) / 1024;
        }
    }
    return 0;
}

double written_octets(pid_t pid) {
    std::istringstream counters(read_text("/proc/" + std::to_string(pid) + "/io"));
    std::string name;
    for (double value = 0; counters >> name >> value;) {
        if (name == "write_bytes:") {
            return value;
        }
    }
    return 0;
}

std::optional<double> device_octets(const fs::path& folder) {
    struct stat where{};
    if (stat(folder.c_str(), &where) != 0) {
        return std::nullopt;
    }
    std::istringstream counters(read_text(
        "/sys/dev/block/" + std::to_string(major(where.st_dev)) + ':' +
        std::to_string(minor(where.st_dev)) + "/stat"));
    constexpr int sectors_written = 7;
    constexpr double sector_octets = 512;
    double value = 0;
    for (int i = 0; i < sectors_written; ++i) {
        counters >> value;
    }
    return counters ? std::optional(value * sector_octets) : std::nullopt;
}

std::uint16_t free_port() {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool good = bind(probe, generic, size) == 0 && getsockname(probe, generic, &size) == 0;
    close(probe);
    if (!good) {
        fail("no free port");
    }
    return ntohs(address.sin_port);
}

std::string read_text(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

temporary_folder::temporary_folder(const fs::path& root) {
    std::string name = (root / "lovage-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        fail("cannot make " + name);
    }
    path_ = name;
    const std::scoped_lock lock(registry().mutex);
    registry().folders.insert(path_);
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    const std::scoped_lock lock(registry().mutex);
    registry().folders.erase(path_);
}

void clean_up_on_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::thread([signals] {
        int which = 0;
        sigwait(&signals, &which);
        const std::scoped_lock lock(registry().mutex);
        for (const pid_t session : registry().sessions) {
            ::kill(-session, SIGKILL);
            // Its files go only after its last write.
            waitpid(session, nullptr, 0);
        }
        std::error_code ignored;
        for (const fs::path& folder : registry().folders) {
            fs::remove_all(folder, ignored);
        }
        _exit(130);
    }).detach();
}

}  // namespace lovage::bench
