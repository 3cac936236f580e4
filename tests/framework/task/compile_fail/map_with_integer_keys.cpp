// expect: lovage: a parameter type of this task has no JSON form
#include <lovage/task.hpp>

#include <map>
inline constexpr auto sum =
    lovage::task<"demo.sum">([](const std::map<int, int>& m) { return m.size(); });
