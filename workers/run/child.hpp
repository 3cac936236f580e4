// What a child process of the prefork pool does: read a job from its socket, run it, write the
// answer, until the worker closes the socket. One thread, blocking I/O, one read and one write a
// task. Called in the child by nursery.hpp; knows nothing of the broker.
#pragma once

namespace lovage {
class registry;
}

namespace lovage::workers {

/// Returns the process's exit status.
int run_child(const registry& tasks, int socket);

}  // namespace lovage::workers
