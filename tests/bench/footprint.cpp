// start: time from starting a broker without data to its readiness. idle: memory of connections
// with one channel that do nothing. Both need a node of their own: memory that earlier work has
// freed inside the process would hide what connections cost.
#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <memory>
#include <vector>

namespace lovage::bench {

figures start_to_ready(const node_factory& make) {
    const std::unique_ptr<node> broker = make();
    const double ready_ms = broker->start();
    broker->settle();
    return {{"ready ms", ready_ms}, {"memory MiB", memory_mib(broker->pid(), "VmRSS")}};
}

figures idle_connections(const node_factory& make, std::uint64_t connections) {
    const std::unique_ptr<node> broker = make();
    broker->start();
    broker->settle();
    const double before = memory_mib(broker->pid(), "VmRSS");
    std::vector<std::unique_ptr<wire_client>> clients;
    for (std::uint64_t i = 0; i < connections; ++i) {
        clients.push_back(std::make_unique<wire_client>(broker->port()));
    }
    broker->settle();
    const double after = memory_mib(broker->pid(), "VmRSS");
    return {
        {"n", static_cast<double>(connections)},
        {"KiB/connection", (after - before) * 1024 / static_cast<double>(connections)}};
}

}  // namespace lovage::bench
