// The other side of nursery.hpp: the loop of the nursery's own process and its answers. Included by
// nursery.cpp and nursery_process.cpp only.
#pragma once

#include "workers/run/nursery.hpp"

#include <cstdint>

namespace lovage::workers {

struct nursery_reply {
    enum kind : std::uint32_t { born, failed, ended };
    kind what = born;
    std::int32_t status = 0;  ///< of waitpid(), or errno
    child_serial serial = 0;
    pid_t pid = 0;
};

/// Does not return. `worker` is the process that must live on for this one to make sense.
[[noreturn]] void run_nursery(int socket, pid_t worker, const nursery::child_main& body);

}  // namespace lovage::workers
