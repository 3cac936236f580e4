// Processes and folders of a benchmark: started in a session of their own, measured through the
// kernel's clocks and /proc, ended by process id, and ended too when the benchmark is interrupted.
// Spawned from the main thread only (the kernel ends them with the thread that started them).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace lovage::bench {

struct command_line {
    std::vector<std::string> arguments;  ///< the first is the program's path
    /// Added to our own environment, or all there is with `clean`.
    std::vector<std::pair<std::string, std::string>> environment;
    bool clean = false;
    std::filesystem::path folder;  ///< working folder; empty: ours
    std::filesystem::path output;  ///< file for stderr, and for stdout unless it is piped
    bool pipe = false;             ///< stdin and stdout are read_line() and write_line()
};

/// One child process, its session and whatever it starts. Ended by the destructor.
class child {
public:
    /// Throws std::runtime_error when it cannot be started.
    explicit child(const command_line& command);
    ~child();
    child(child&& other) noexcept;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    child& operator=(child&&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive();
    /// SIGTERM to the program alone; SIGKILL to its whole session after stop_limit. May be called
    /// twice.
    void stop();
    /// SIGKILL to its whole session at once.
    void kill();

    /// The next line of its stdout without the line break. Throws std::runtime_error when it ends
    /// or stays silent.
    std::string read_line(std::chrono::milliseconds limit);
    void write_line(std::string_view text);

private:
    bool wait_until(std::chrono::steady_clock::time_point deadline);
    void end_session();

    pid_t pid_ = -1;
    int pipe_ = -1;  // one end of a socket pair that is the child's stdin and stdout
    std::string unread_;
};

/// CPU seconds of one live process, all threads, without its children. Throws when it is gone.
[[nodiscard]] double cpu_seconds(pid_t pid);
/// CPU seconds of a process, everything it started that still runs or was waited for, and every
/// process of its session.
[[nodiscard]] double tree_cpu_seconds(pid_t pid);
/// Memory in MiB from /proc/PID/status: the `field` VmRSS (now), RssFile (of that, pages of
/// files) or VmHWM (peak); 0 when it is gone.
[[nodiscard]] double memory_mib(pid_t pid, std::string_view field);
/// What the process has made the kernel write to disks: write_bytes of /proc/PID/io; 0 on a tmpfs.
[[nodiscard]] double written_octets(pid_t pid);
/// What the disk under that folder has been given to write so far, by everybody: its `stat` in
/// sysfs. Nothing if there is no such disk (tmpfs, overlay).
[[nodiscard]] std::optional<double> device_octets(const std::filesystem::path& folder);
/// A TCP port of 127.0.0.1 that nothing uses at the moment.
[[nodiscard]] std::uint16_t free_port();
[[nodiscard]] std::string read_text(const std::filesystem::path& file);

/// A new folder below `root`, removed with everything in it by the destructor.
class temporary_folder {
public:
    explicit temporary_folder(const std::filesystem::path& root);
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// From now on SIGINT and SIGTERM end every child's session, remove the temporary folders and end
/// the benchmark with status 130. Call once, before any thread is started.
void clean_up_on_signals();

}  // namespace lovage::bench
