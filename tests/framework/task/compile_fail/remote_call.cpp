// expect: lovage: a remote task has no function to run here
#include <lovage/task.hpp>
inline constexpr auto resize =
    lovage::remote_task<"images.resize", std::string(std::string, int)>();
auto call() {
    return resize("x", 3);
}
