// A small application: tasks to try lovage with, used by its tests and benchmarks, too.
//
//   demo_tasks worker -c 2                        runs them
//   demo_tasks call demo.add --args '[2,3]'       asks for one
#include <lovage/lovage.hpp>
#include <lovage/main.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;

/// How long demo.flaky waits before it is tried again, and demo.progress between two steps.
constexpr auto pause = 50ms;

constexpr auto add =
    lovage::task<"demo.add">([](int a, int b) { return a + b; }, {.queue = "demo"});

constexpr auto echo = lovage::task<"demo.echo">(
    [](const boost::json::value& anything) { return anything; },
    {.queue = "demo"});

constexpr auto fail = lovage::task<"demo.fail">(
    [](const std::string& why) { throw std::runtime_error(why); },
    {.queue = "demo"});

/// Looks at its context, so that a thread of a pool is free again soon after its time limit.
constexpr auto sleep_for = lovage::task<"demo.sleep">(
    [](lovage::context& ctx, double seconds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        while (std::chrono::steady_clock::now() < end && !ctx.stop_requested()) {
            std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(
                end - std::chrono::steady_clock::now(), std::chrono::duration<double>(pause)));
        }
        return seconds;
    },
    {.queue = "demo"});

/// Fails `times` times, then returns the number of its attempts.
constexpr auto flaky = lovage::task<"demo.flaky">(
    [](lovage::context& ctx, int times) {
        if (ctx.retries() < times) {
            throw lovage::retry_after(pause, "not yet");
        }
        return ctx.attempt();
    },
    {.queue = "demo", .retries = {.max = 1000}});

constexpr auto progress = lovage::task<"demo.progress">(
    [](lovage::context& ctx, int steps) {
        for (int step = 1; step <= steps; ++step) {
            ctx.progress(step);
            std::this_thread::sleep_for(pause);
        }
        return steps;
    },
    {.queue = "demo"});

constexpr auto print = lovage::task<"demo.print">(
    [](const std::string& text) { std::printf("%s\n", text.c_str()); },
    {.queue = "demo"});

/// Ends its process, to show what becomes of the task and of the others.
constexpr auto crash = lovage::task<"demo.crash">([] { std::abort(); }, {.queue = "demo"});

}  // namespace

int main(int argc, char** argv) {
    lovage::app_options options;
    options.name = "demo_tasks";
    options.default_queue = "demo";
    lovage::app app{options, add, echo, fail, sleep_for, flaky, progress, print, crash};
    return lovage::main(argc, argv, app);
}
