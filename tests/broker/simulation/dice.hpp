// The one source of chance in a simulation: everything that is random comes from here, so that a
// seed is all it takes to play the same once more, on any machine and with any standard library.
// A value; single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lovage::broker::simulation {

class dice {
public:
    /// Mixed, or neighbouring seeds would be the same numbers one place further on.
    explicit dice(std::uint64_t seed) : state_(mixed(seed)) {}

    std::uint64_t next() { return mixed(state_ += golden); }  // splitmix64
    /// 0 to `end` - 1; `end` is above 0.
    std::size_t below(std::size_t end) { return static_cast<std::size_t>(next() % end); }
    /// True that many times of a hundred.
    bool percent(unsigned chance) { return below(100) < chance; }
    template <class Range>
    auto& pick(Range& from) {
        return from[below(from.size())];
    }

private:
    static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ULL;

    static std::uint64_t mixed(std::uint64_t number) {
        number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        number = (number ^ (number >> 27U)) * 0x94D049BB133111EBULL;
        return number ^ (number >> 31U);
    }

    std::uint64_t state_;
};

}  // namespace lovage::broker::simulation
