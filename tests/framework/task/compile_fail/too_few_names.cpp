// expect: names_must_cover_all_parameters
#include <lovage/task.hpp>
inline constexpr auto add =
    lovage::task<"demo.add">([](int a, int b) { return a + b; }, {.names = {"a"}});
