// expect: lovage: a task takes its arguments by value or const reference
#include <lovage/task.hpp>
inline constexpr auto grow = lovage::task<"demo.grow">([](int& x) { ++x; });
