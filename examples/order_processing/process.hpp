// A program that the demo starts and stops: its broker, its workers. One owner; ends the program
// (SIGTERM, after a while SIGKILL) when it goes.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace shop {

class process {
public:
    process() = default;
    /// Starts the program and waits for a line on its stdout that begins with "ready". Throws
    /// std::runtime_error if it ends or says nothing in time.
    explicit process(const std::vector<std::string>& command);
    ~process() { stop(); }
    process(process&& other) noexcept { swap(other); }
    process& operator=(process&& other) noexcept {
        swap(other);
        return *this;
    }

    /// Without the word "ready ".
    [[nodiscard]] const std::string& ready_line() const { return ready_line_; }
    [[nodiscard]] bool running() const { return pid_ > 0; }
    /// Asks it to end and waits.
    void stop();
    /// kill -9.
    void kill();

private:
    void swap(process& other) noexcept;
    void read_ready_line(const std::string& name);

    pid_t pid_ = -1;
    int output_ = -1;
    std::string ready_line_;
};

}  // namespace shop
