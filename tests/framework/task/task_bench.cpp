// How long the task layer takes for one call, one execution and one result: the parts that every
// task pays on top of broker and network. Prints one line each: name, nanoseconds, n.
#include "framework/task/call.hpp"
#include "framework/task/execute.hpp"
#include "framework/task/result_message.hpp"
#include "framework/task/task_id.hpp"

#include <lovage/registry.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

constexpr auto add = lovage::task<"demo.add">([](int a, int b) { return a + b; });
constexpr int rounds = 7;
constexpr int calls_per_round = 100000;

/// Keeps a result alive that nothing else looks at.
std::size_t sink = 0;

template <class F>
void measure(const char* name, F&& body) {
    std::vector<double> nanoseconds;
    for (int round = 0; round < rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < calls_per_round; ++i) {
            sink += body(i);
        }
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        nanoseconds.push_back(took.count() / calls_per_round);
    }
    std::sort(nanoseconds.begin(), nanoseconds.end());
    std::printf("%-10s %8.0f ns  n=%d\n", name, nanoseconds[rounds / 2], rounds * calls_per_round);
}

}  // namespace

int main() {
    lovage::task_id_generator ids(1, 2);
    const lovage::wall_time now(std::chrono::seconds(1795166611));
    const std::string reply_to = ids.next();
    const auto send = [&](int i) {
        return lovage::make_message(
            add.s(i, 3),
            lovage::how(),
            {.id = ids.next(),
             .reply_to = reply_to,
             .origin = "gen12345@host1",
             .root_id = {},
             .parent_id = {},
             .now = now});
    };
    const auto message = send(1);
    const lovage::registry tasks({add});
    const auto run = [&](int) {
        lovage::task_message received;
        if (lovage::read_task_message(message.properties, message.body, received).has_value()) {
            return std::size_t{0};
        }
        lovage::context ctx(lovage::context_of(received));
        return lovage::execute(tasks, received, ctx, 0).value.size();
    };
    lovage::outcome done;
    done.value = "4";
    const lovage::result_facts facts{.task_id = reply_to, .correlation_id = reply_to};
    const auto answer = [&](int) { return lovage::write_result(done, facts).body.size(); };
    const auto result = lovage::write_result(done, facts);
    const auto read = [&](int) {
        std::string reason;
        return lovage::read_result(result.properties, result.body, reason)->task_id.size();
    };

    measure("id", [&](int) { return ids.next().size(); });
    measure("send", [&](int i) { return send(i).body.size(); });
    measure("run", run);
    measure("answer", answer);
    measure("result", read);
    return sink == 0 ? 1 : 0;
}
