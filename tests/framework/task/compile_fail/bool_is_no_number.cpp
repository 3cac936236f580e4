// expect: lovage: an argument does not convert to the task's parameter
#include <lovage/task.hpp>
inline constexpr auto flag = lovage::task<"demo.flag">([](bool on) { return on; });
auto call() {
    return flag.s("yes");
}
