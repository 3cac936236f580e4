// expect: lovage: a remote task is declared with a function type
#include <lovage/task.hpp>
void define() {
    lovage::remote_task<"images.resize", int>();
}
