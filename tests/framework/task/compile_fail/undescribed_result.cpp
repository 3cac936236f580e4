// expect: lovage: the result type of this task has no JSON form
#include <lovage/task.hpp>
struct receipt {
    int number;
};
inline constexpr auto pay = lovage::task<"shop.pay">([](int n) { return receipt{n}; });
