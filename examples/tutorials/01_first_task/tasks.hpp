// The tasks of the tutorial, shared by who calls them (caller.cpp) and who runs them (worker.cpp).
// Constants; any thread. Nothing here knows a broker.
#pragma once

#include <lovage/control.hpp>
#include <lovage/task.hpp>

#include <boost/describe/class.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace tutorial {

using namespace std::chrono_literals;

struct order {
    std::string sku;
    int quantity = 0;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(order, (), (sku, quantity, note))

inline constexpr const char* queue_name = "tutorial";

/// A plain function: arguments and result travel as JSON.
inline constexpr auto add =
    lovage::task<"tutorial.add">([](int a, int b) { return a + b; }, {.queue = queue_name});

/// Structs travel as JSON objects. What it throws ends in the caller's get().
inline constexpr auto price = lovage::task<"tutorial.price">(
    [](const order& wanted) {
        if (wanted.quantity < 1) {
            throw std::invalid_argument("an order needs at least one piece");
        }
        return wanted.quantity * 2.5;
    },
    {.queue = queue_name});

/// The first two attempts find the printer busy; the broker keeps the task until it is tried again.
inline constexpr auto print_label = lovage::task<"tutorial.print_label">(
    [](lovage::context& ctx, const std::string& sku) {
        if (ctx.attempt() < 3) {
            throw lovage::retry_after(50ms, "the printer is busy");
        }
        return "label for " + sku + ", attempt " + std::to_string(ctx.attempt());
    },
    {.queue = queue_name, .retries = {.max = 5}});

}  // namespace tutorial
