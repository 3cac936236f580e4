// What a broker that starts on a disk would hold, found out by a client: on a copy of the disk, so
// that looking changes nothing. Used by the simulation after every crash.
#pragma once

#include "tests/broker/simulation/model.hpp"
#include "tests/broker/simulation/sim_node.hpp"

namespace lovage::broker::simulation {

/// Throws a violation if the broker does not start on it.
[[nodiscard]] snapshot inspect(const fake_disk& image, node_options options, clock_reading clock);

/// What a crash leaves is no damage: throws a violation if verification finds any in it, or salvage
/// loses any of it.
void look_offline(const fake_disk& image, const node_options& options);

}  // namespace lovage::broker::simulation
