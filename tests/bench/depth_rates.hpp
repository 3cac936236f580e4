// How fast something went while a backlog was a tenth full, half full, all but full: rates over
// three parts of a long run, noted as it goes, in constant memory.
// Used by one thread. Pure; the time comes in as seconds since any moment.
#pragma once

#include <array>
#include <cstdint>

namespace lovage::bench {

class depth_rates {
public:
    static constexpr std::size_t parts = 3;

    explicit depth_rates(std::uint64_t total) {
        constexpr std::array<std::array<std::uint64_t, 2>, parts> percent{
            {{0, 10}, {45, 55}, {90, 100}}};
        for (std::size_t i = 0; i < parts; ++i) {
            parts_[i].from = total * percent[i][0] / 100;
            parts_[i].to = total * percent[i][1] / 100;
        }
    }

    /// So many are done by now; must be called before the first one too.
    void note(std::uint64_t done, double seconds) {
        for (part& each : parts_) {
            if (!each.begun && done >= each.from) {
                each.begun = true;
                each.from = done;
                each.began = seconds;
            }
            if (each.begun && !each.ended && done >= each.to) {
                each.ended = true;
                each.to = done;
                each.end = seconds;
            }
        }
    }

    /// Per second in the first, middle or last tenth; 0 if the run went through it at one stroke.
    [[nodiscard]] double rate(std::size_t which) const {
        const part& of = parts_.at(which);
        const double seconds = of.end - of.began;
        return of.ended && seconds > 0 ? static_cast<double>(of.to - of.from) / seconds : 0;
    }

private:
    struct part {
        std::uint64_t from = 0;
        std::uint64_t to = 0;
        double began = 0;
        double end = 0;
        bool begun = false;
        bool ended = false;
    };
    std::array<part, parts> parts_{};
};

}  // namespace lovage::bench
