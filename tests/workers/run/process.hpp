// Real processes for the integration tests: started with posix_spawn, their stdout read line by
// line with a deadline, ended by process id. The destructor kills what still runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lovage::workers::test {

using namespace std::chrono_literals;

/// How long anything may take before a test gives up; on a busy machine seconds mean little.
inline constexpr std::chrono::milliseconds patience = 60s;

class process {
public:
    /// Throws std::runtime_error. `environment` is added to ours, as NAME=value.
    explicit process(
        const std::vector<std::string>& command,
        const std::vector<std::string>& environment = {});
    ~process();
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// The next line of stdout without its end; nothing if it ends or the time is over.
    std::optional<std::string> read_line(std::chrono::milliseconds limit = patience);
    /// The next line that begins so; throws if none comes.
    std::string wait_for(const std::string& beginning);
    void signal(int number) const;
    /// Waits for the end; exit status, or 128 + signal. Throws when the time is over.
    int wait(std::chrono::milliseconds limit = patience);
    /// All of stdout and stderr so far; stdout only what read_line() has not returned.
    [[nodiscard]] std::string rest_of_stdout();
    [[nodiscard]] std::string stderr_text() const;

private:
    bool fill(std::chrono::steady_clock::time_point deadline);

    pid_t pid_ = -1;
    int stdout_ = -1;
    std::string unread_;
    std::filesystem::path stderr_file_;
};

/// What a command that ends by itself has said.
struct finished {
    int status = 0;
    std::string out;
    std::string err;
};
[[nodiscard]] finished run(
    const std::vector<std::string>& command,
    const std::vector<std::string>& environment = {});

/// Removed with everything in it.
class temporary_folder {
public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Children of a process and theirs, by /proc.
[[nodiscard]] std::vector<pid_t> descendants(pid_t pid);
[[nodiscard]] bool alive(pid_t pid);
/// Asks again and again until `condition` holds; false when the time is over.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::milliseconds limit = patience);
void pause_briefly();

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        pause_briefly();
    }
    return true;
}

}  // namespace lovage::workers::test
