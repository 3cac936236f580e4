// A broker of our own, workers on it, and an application that calls their tasks: what every
// integration test of the workers needs. LOVAGE_BIN has the programs under test.
#pragma once

#include "tests/workers/run/process.hpp"

#include <lovage/lovage.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace lovage::workers::test {

[[nodiscard]] std::string program_path(const std::string& name);

/// lovage-broker with a data folder of its own; can be killed and started again on the same port.
class test_broker {
public:
    test_broker();
    void kill();
    void start();
    [[nodiscard]] std::string url() const;
    [[nodiscard]] std::string host_port() const { return amqp_; }
    [[nodiscard]] std::string management_url() const { return "http://" + management_; }

private:
    temporary_folder data_;
    std::string amqp_;
    std::string management_;
    std::unique_ptr<process> process_;
};

inline constexpr auto add = remote_task<"demo.add", int(int, int)>({.queue = "demo"});
inline constexpr auto fail = remote_task<"demo.fail", void(std::string)>({.queue = "demo"});
inline constexpr auto sleep_for = remote_task<"demo.sleep", double(double)>({.queue = "demo"});
inline constexpr auto flaky = remote_task<"demo.flaky", int(int)>({.queue = "demo"});
inline constexpr auto progress = remote_task<"demo.progress", int(int)>({.queue = "demo"});
inline constexpr auto crash = remote_task<"demo.crash", void()>({.queue = "demo"});

class worker_fixture : public ::testing::Test {
protected:
    worker_fixture();
    ~worker_fixture() override;

    /// Starts demo_tasks' worker and waits until it consumes.
    std::unique_ptr<process> start_worker(std::vector<std::string> options = {});
    /// Runs a program's verb with this broker's address in the environment.
    finished command(const std::string& program, std::vector<std::string> arguments);
    /// Messages ready in a queue; 0 if there is no such queue.
    std::size_t ready(const std::string& queue);
    /// Takes one message out of a queue, waiting for it.
    delivery take(const std::string& queue);
    [[nodiscard]] app& caller() { return *caller_; }

    test_broker broker_;

private:
    std::unique_ptr<app> caller_;
    std::unique_ptr<connection> connection_;
};

}  // namespace lovage::workers::test
