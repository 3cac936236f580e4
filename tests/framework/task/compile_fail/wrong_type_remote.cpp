// expect: lovage: an argument does not convert to the task's parameter
#include <lovage/task.hpp>
inline constexpr auto resize =
    lovage::remote_task<"images.resize", std::string(std::string, int)>();
auto call() {
    return resize.s(3, "x");
}
