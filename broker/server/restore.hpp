// From a data directory to an engine that knows what was in it. Before the first event.
#pragma once

#include "broker/core/engine.hpp"
#include "broker/store/posix_disk.hpp"
#include "broker/store/recovery.hpp"

#include <memory>
#include <string>

namespace lovage::broker {

struct opened_store {
    std::unique_ptr<store::posix_disk> disk;
    std::unique_ptr<store::recovery> found;
};

/// Locks and reads the directory; throws start_error with what is wrong and what to do.
[[nodiscard]] opened_store open_store(const std::string& directory);

/// Gives the engine all that was found; throws start_error if a message cannot be read any more.
void restore(engine& into, store::recovery& found);

}  // namespace lovage::broker
