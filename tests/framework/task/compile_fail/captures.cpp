// expect: lovage: a task's lambda captures nothing
#include <lovage/task.hpp>
void define(int offset) {
    auto add = lovage::task<"demo.add">([offset](int a) { return a + offset; });
}
