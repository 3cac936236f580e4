// expect: lovage: a task is a function or a lambda with one call operator
#include <lovage/task.hpp>
void define() {
    lovage::task<"demo.id">([](auto x) { return x; });
}
