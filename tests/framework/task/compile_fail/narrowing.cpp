// expect: lovage: an argument does not convert to the task's parameter
#include <lovage/task.hpp>
inline constexpr auto add = lovage::task<"demo.add">([](int a, int b) { return a + b; });
auto call() {
    return add.s(1, 2.5);
}
