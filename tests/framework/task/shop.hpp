// The types and tasks that the tests of this folder share: a small shop.
#pragma once

#include <lovage/control.hpp>
#include <lovage/task.hpp>

#include <boost/describe.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

using namespace std::chrono_literals;

enum class color { red, green, blue };
BOOST_DESCRIBE_ENUM(color, red, green, blue)

struct item {
    std::string sku;
    int quantity;
    bool operator==(const item&) const = default;
};
BOOST_DESCRIBE_STRUCT(item, (), (sku, quantity))

struct order {
    std::uint64_t number;
    std::vector<item> items;
    std::optional<std::string> note;
    color paint = color::green;
    std::map<std::string, double> prices = {{"base", 1.5}};
    bool operator==(const order&) const = default;
};
BOOST_DESCRIBE_STRUCT(order, (), (number, items, note, paint, prices))

struct priority_order : order {
    int level = 7;
    bool operator==(const priority_order&) const = default;
};
BOOST_DESCRIBE_STRUCT(priority_order, (order), (level))

struct loose {
    int a;
    std::string b;
    bool operator==(const loose&) const = default;
};
BOOST_DESCRIBE_STRUCT(loose, (), (a, b))

/// A struct that contains itself.
struct tree {
    std::string name;
    std::vector<tree> children = {};
    bool operator==(const tree&) const = default;
};
BOOST_DESCRIBE_STRUCT(tree, (), (name, children))

struct out_of_stock : std::runtime_error {
    using runtime_error::runtime_error;
};

inline constexpr auto add = lovage::task<"demo.add">([](int a, int b) { return a + b; });
inline constexpr auto named = lovage::task<"demo.named">(
    [](int a, const std::string& text, std::optional<int> rest) {
        return std::to_string(a) + text + std::to_string(rest.value_or(0));
    },
    {.names = {"a", "text", "rest"}});
inline constexpr auto total = lovage::task<"shop.total">([](const order& o) {
    int sum = 0;
    for (const item& part : o.items) {
        sum += part.quantity;
    }
    return sum;
});
inline constexpr auto who = lovage::task<"demo.who">([](lovage::context& ctx, int n) {
    return std::string(ctx.id()) + " " + std::to_string(ctx.attempt() * n);
});
inline constexpr auto quiet = lovage::task<"demo.quiet">([] {}, {.ignore_result = true});
inline constexpr auto length =
    lovage::task<"demo.length">([](std::string_view text) { return text.size(); });
inline constexpr auto fragile = lovage::task<"shop.fragile">(
    [](std::string what) -> int { throw out_of_stock(what); },
    {.queue = "money", .retries = {.max = 2, .base = 1s, .cap = 10min}, .time_limit = 10s});
inline constexpr auto resize =
    lovage::remote_task<"images.resize", std::string(std::string, int)>({.queue = "pyq"});

}  // namespace shop

template <>
inline constexpr bool lovage::tolerant<shop::loose> = true;
