// What a broker that starts on a disk would hold, found out by a client: on a copy of the disk, so
// that looking changes nothing. Used by the simulation after every crash.
#pragma once

#include "tests/broker/simulation/model.hpp"
#include "tests/broker/simulation/sim_node.hpp"

namespace lovage::broker::simulation {

/// Throws a violation if the broker does not start on it.
[[nodiscard]] snapshot inspect(const fake_disk& image, node_options options, clock_reading clock);

}  // namespace lovage::broker::simulation
