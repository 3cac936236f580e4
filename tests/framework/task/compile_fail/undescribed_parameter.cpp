// expect: lovage: a parameter type of this task has no JSON form
#include <lovage/task.hpp>
struct order {
    int quantity;
};
inline constexpr auto price = lovage::task<"shop.price">([](const order& o) { return o.quantity; });
