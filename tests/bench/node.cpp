#include "tests/bench/node.hpp"

#include <thread>

namespace lovage::bench {
namespace {

constexpr std::chrono::milliseconds settle_step{200};
constexpr int settle_steps_max = 25;
/// A broker that uses less of a core than this does nothing but its timers.
constexpr double idle_share = 0.03;

}  // namespace

void node::settle() const {
    const double step = std::chrono::duration<double>(settle_step).count();
    double before = cpu_seconds(pid());
    for (int i = 0; i < settle_steps_max; ++i) {
        std::this_thread::sleep_for(settle_step);
        const double now = cpu_seconds(pid());
        if (now - before < idle_share * step) {
            return;
        }
        before = now;
    }
}

}  // namespace lovage::bench
