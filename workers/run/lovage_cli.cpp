// The program `lovage`: the verbs that need no tasks of their own, on any broker.
#include "workers/run/command_line.hpp"
#include "workers/run/exit_status.hpp"

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    const lovage::workers::program self{"lovage", nullptr};
    try {
        return lovage::workers::run_program(self, {argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& problem) {
        std::cerr << "lovage: " << problem.what() << '\n';
        return lovage::workers::exit_failed;
    }
}
