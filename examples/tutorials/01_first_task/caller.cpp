// Calls the tasks and prints what becomes of them: tutorial_caller [BROKER_URL]
#include "examples/tutorials/01_first_task/tasks.hpp"

#include <lovage/app.hpp>
#include <lovage/error.hpp>

#include <exception>
#include <iostream>
#include <vector>

namespace {

constexpr auto patience = std::chrono::seconds(20);

void call_tasks(lovage::app& app) {
    using namespace tutorial;

    std::cout << "here and now: " << add(2, 3) << '\n';

    auto sum = app.delay(add, 2, 3);  // the broker has it on disk when this returns
    std::cout << "by a worker: " << sum.get(patience) << '\n';

    const order tea{"tea", 4, "as a present"};
    std::cout << "price: " << app.delay(price, tea).get(patience) << '\n';

    try {
        app.delay(price, order{"tea", 0, {}}).get(patience);
    } catch (const lovage::task_failed& failed) {
        std::cout << "refused: " << failed.message() << '\n';
    }

    std::cout << app.delay(print_label, "tea").get(patience) << '\n';

    auto later = app.send(add.s(20, 22), lovage::how().after(100ms));
    std::cout << "a little later: " << later.get(patience) << '\n';

    std::vector<lovage::signature<int>> calls;
    for (int number = 1; number <= 100; ++number) {
        calls.push_back(add.s(number, number));
    }
    int total = 0;
    for (const auto& each : app.send_all(calls)) {
        total += each.get(patience);
    }
    std::cout << "a hundred tasks: " << total << '\n';
}

}  // namespace

int main(int argc, char** argv) {
    try {
        // Without an address LOVAGE_BROKER_URL is taken, else the broker on this machine.
        lovage::app app{lovage::app_options(argc > 1 ? argv[1] : "")};
        call_tasks(app);
        return 0;
    } catch (const std::exception& problem) {
        std::cerr << "tutorial_caller: " << problem.what() << '\n';
        return 1;
    }
}
