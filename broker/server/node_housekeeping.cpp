// node: what is done every tenth of a second for all connections together.
#include "broker/server/node.hpp"

#include <algorithm>
#include <malloc.h>

namespace lovage::broker {
namespace {

/// When the memory in use has fallen by so much, the system gets it back at once.
constexpr std::uint64_t given_back_octets = 32ULL * 1024 * 1024;
/// Rounds, of a tenth of a second, after which buffers that nobody uses are given back, and memory
/// if it has fallen by this.
constexpr std::uint64_t rounds_of_a_trim = 50;
constexpr std::uint64_t given_back_late_octets = 8ULL * 1024 * 1024;

}  // namespace

/// What takes a look at every connection.
void node::keep_house() {
    const bool trimming = ++rounds_ % rounds_of_a_trim == 0;
    std::uint64_t buffered = 0;
    for (const auto& [id, each] : sessions_) {
        if (trimming) {
            each->pump().trim();
        }
        buffered += each->pump().buffer_octets() + engine_->held_output(id).size();
    }
    engine_->buffers_take(buffered);
    // The allocator keeps what lies below something that is still there, for ever if need be.
    memory_peak_ = std::max(memory_peak_, engine_->take_memory_peak());
    const std::uint64_t least = trimming ? given_back_late_octets : given_back_octets;
    if (memory_peak_ > engine_->memory_octets() + least) {
        malloc_trim(0);
        memory_peak_ = 0;
    }
}

}  // namespace lovage::broker
