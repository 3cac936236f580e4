// expect: lovage: a task name is 1 to 255 printable ASCII characters
#include <lovage/task.hpp>
inline constexpr auto spaced = lovage::task<"demo add">([](int x) { return x; });
