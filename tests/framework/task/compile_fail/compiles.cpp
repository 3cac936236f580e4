// expect: compiles
// The control: what the other files of this folder get wrong, done right. Installed headers only.
#include <lovage/control.hpp>
#include <lovage/how.hpp>
#include <lovage/registry.hpp>
#include <lovage/result.hpp>
#include <lovage/task.hpp>

#include <boost/describe.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct order {
    std::string sku;
    int quantity;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(order, (), (sku, quantity, note))

int twice(int x) {
    return 2 * x;
}

inline constexpr auto price =
    lovage::task<"shop.price">([](const order& o) { return o.quantity * 2.5; });
inline constexpr auto charge = lovage::task<"shop.charge">(
    [](lovage::context& ctx, double amount, std::string card) -> order {
        ctx.progress(0.5);
        return {card, static_cast<int>(amount), {}};
    },
    {.queue = "money",
     .names = {"amount", "card"},
     .retries = {.max = 5, .base = 1s, .cap = 10min},
     .time_limit = 10s});
inline constexpr auto resize =
    lovage::remote_task<"images.resize", std::string(std::string, int)>({.queue = "pyq"});
inline constexpr auto doubled = lovage::task<"math.twice">(twice);
inline constexpr auto nothing = lovage::task<"demo.nothing">([] {});
inline constexpr auto counts = lovage::task<"demo.counts">(
    [](const std::map<std::string, std::vector<double>>& m) { return m.size(); });

lovage::registry make() {
    return lovage::registry({price, charge, doubled, nothing, counts});
}
lovage::how way() {
    return lovage::how().after(5s).expires(1min).priority(3);
}
auto calls() {
    nothing.s();
    resize.s("x", 3);
    charge.s(9, "visa");
    doubled(price(order{"x", 2, {}}) > 1 ? 3 : 4);
    return price.s(order{"x", 2, {}});
}
