// Seeds of the simulation, and the canaries: what is broken on purpose must be found.
//
//   LOVAGE_SIMULATION_SEED=N   plays that one and nothing else
//   LOVAGE_SIMULATION_SEEDS=N  so many instead of the usual number
//   LOVAGE_SIMULATION_FIRST=N  from that one on
#include "tests/broker/simulation/simulation.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace lovage::broker::simulation {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoull(text);
}

constexpr std::uint64_t usual_seeds = 3000;

TEST(Simulation, NothingIsLostDoubledOrDamagedWhateverFails) {
    const std::uint64_t one = number_of("LOVAGE_SIMULATION_SEED", 0);
    const std::uint64_t first = one != 0 ? one : number_of("LOVAGE_SIMULATION_FIRST", 1);
    const std::uint64_t seeds = one != 0 ? 1 : number_of("LOVAGE_SIMULATION_SEEDS", usual_seeds);
    play_result sum;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const play_result result = play({.seed = seed});
        ASSERT_EQ(result.violated, "")
            << result.report << "seed " << seed << ", step " << result.steps
            << ". Once more: LOVAGE_SIMULATION_SEED=" << seed
            << " build/release/bin/broker_simulation_test --gtest_filter='Simulation.Nothing*'";
        sum.steps += result.steps;
        sum.crashes += result.crashes;
        sum.refused_starts += result.refused_starts;
        sum.messages += result.messages;
        sum.published += result.published;
    }
    std::cout << "seeds " << first << " to " << first + seeds - 1 << ": " << sum.steps
              << " steps, " << sum.crashes << " crashes, " << sum.refused_starts
              << " starts refused, " << sum.published << " messages published, " << sum.messages
              << " seen\n";
}

}  // namespace
}  // namespace lovage::broker::simulation
