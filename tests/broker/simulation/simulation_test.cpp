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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_fast_build = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool is_fast_build = false;
#else
constexpr bool is_fast_build = true;
#endif
#elif defined(__OPTIMIZE__)
constexpr bool is_fast_build = true;
#else
constexpr bool is_fast_build = false;
#endif
constexpr std::uint64_t usual_seeds = is_fast_build ? 10'000 : 400;
/// Within so many seeds a canary has to be found.
constexpr std::uint64_t canary_seeds = 200;

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
        sum.segments += result.segments;
        sum.blobs += result.blobs;
        sum.messages += result.messages;
        sum.published += result.published;
    }
    std::cout << "seeds " << first << " to " << first + seeds - 1 << ": " << sum.steps << " steps, "
              << sum.crashes << " crashes, " << sum.refused_starts << " starts refused, "
              << sum.segments << " segments, " << sum.blobs << " blobs, " << sum.published
              << " messages published, " << sum.messages << " seen\n";
}

/// The first seed that finds it; 0: none does.
std::uint64_t seed_that_finds(sabotage what) {
    for (std::uint64_t seed = 1; seed <= canary_seeds; ++seed) {
        if (!play({.seed = seed, .broken = what}).violated.empty()) {
            return seed;
        }
    }
    return 0;
}

TEST(SimulationCanary, SyncsThatDoNothingAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::ignored_syncs), 0U);
}

TEST(SimulationCanary, ConfirmsSentBeforeTheBatchIsDurableAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::early_confirms), 0U);
}

TEST(SimulationCanary, SegmentsThatAreNamedBeforeTheyAreDurableAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::early_segments), 0U);
}

TEST(SimulationCanary, LargeBodiesThatAreWrittenBesideTheirBatchAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::late_blobs), 0U);
}

TEST(SimulationCanary, SettlementsThatAreNotLoggedAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::lost_settles), 0U);
}

TEST(SimulationCanary, ReturnsThatAreNotLoggedAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::lost_returns), 0U);
}

TEST(SimulationCanary, DeliveryMarksThatAreNotLoggedAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::lost_marks), 0U);
}

TEST(SimulationCanary, DeliveriesThatAreSentBeforeTheirMarksAreDurableAreFound) {
    EXPECT_NE(seed_that_finds(sabotage::early_deliveries), 0U);
}

TEST(Simulation, TheSameSeedPlaysTheSame) {
    const play_result once = play({.seed = 7, .traced = true});
    const play_result again = play({.seed = 7, .traced = true});

    EXPECT_EQ(once.steps, again.steps);
    EXPECT_EQ(once.report, again.report);
}

}  // namespace
}  // namespace lovage::broker::simulation
