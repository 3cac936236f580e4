#include "tests/bench/stats.hpp"

#include <algorithm>
#include <cmath>

namespace lovage::bench {

const double* find_figure(const figures& in, std::string_view name) {
    const auto found = std::ranges::find(in, name, &figure::name);
    return found == in.end() ? nullptr : &found->value;
}

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double percentile(std::vector<double>& values, double share) {
    if (values.empty()) {
        return 0;
    }
    std::ranges::sort(values);
    const auto rank = std::ceil(share * static_cast<double>(values.size()));
    const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
    return values[std::min(index, values.size() - 1)];
}

figures median_of_runs(const std::vector<figures>& runs) {
    figures result;
    for (const figures& run : runs) {
        for (const figure& each : run) {
            if (find_figure(result, each.name) != nullptr) {
                continue;
            }
            std::vector<double> values;
            for (const figures& other : runs) {
                if (const double* value = find_figure(other, each.name)) {
                    values.push_back(*value);
                }
            }
            result.push_back({each.name, median(std::move(values))});
        }
    }
    return result;
}

}  // namespace lovage::bench
