// Task ids: random UUIDs, version 4, from a generator that its owner seeds. Fast and without system
// calls; unique, but not secret: who has seen some can work out the others.
// One per thread or under the owner's lock. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace lovage {

class task_id_generator {
public:
    /// Two generators with the same seed give the same ids: seed from the system's entropy.
    task_id_generator(std::uint64_t seed_high, std::uint64_t seed_low)
        : high_(seed_high), low_(seed_low) {}

    /// 36 characters: 8-4-4-4-12 hexadecimal digits in lower case.
    [[nodiscard]] std::string next();
    /// 64 random bits, e.g. for the jitter of a retry.
    [[nodiscard]] std::uint64_t random();

private:
    std::uint64_t high_;
    std::uint64_t low_;
};

}  // namespace lovage
