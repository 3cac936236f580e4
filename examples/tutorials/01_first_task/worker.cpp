// Runs the tasks: tutorial_worker worker -c 2
#include "examples/tutorials/01_first_task/tasks.hpp"

#include <lovage/app.hpp>
#include <lovage/main.hpp>

int main(int argc, char** argv) {
    lovage::app_options options;
    options.default_queue = tutorial::queue_name;  // what `worker` consumes without -Q
    lovage::app app{options, tutorial::add, tutorial::price, tutorial::print_label};
    return lovage::main(argc, argv, app);
}
