// The command line of an application: worker, call, purge, status, help.
//
//   int main(int argc, char** argv) {
//       lovage::app app{lovage::app_options(), price, charge};
//       return lovage::main(argc, argv, app);
//   }
//
// Call it before anything in the program has started a thread: the worker verb forks. Link
// lovage::workers (lovage::lovage has it).
#pragma once

namespace lovage {

class app;

/// Runs the verb that the command line names and returns the process's exit status: 0 done, 1 the
/// task failed or the worker was stopped in the middle of a task, 2 no result in time, 64 the
/// command line makes no sense, 69 the broker cannot be used. Prints errors on stderr, one line
/// each. Throws nothing.
int main(int argc, char** argv, app& application);

}  // namespace lovage
