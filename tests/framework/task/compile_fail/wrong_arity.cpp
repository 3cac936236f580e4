// expect: lovage: wrong number of arguments for this task
#include <lovage/task.hpp>
inline constexpr auto add = lovage::task<"demo.add">([](int a, int b) { return a + b; });
auto call() {
    return add.s(1);
}
