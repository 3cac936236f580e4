// Figures of a workload's runs and how they become one: the median by name.
// Called by the workloads and the report, on the main thread. Pure: measures nothing itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lovage::bench {

/// One number of one run. The name is its column's heading and says the unit.
struct figure {
    std::string name;
    double value = 0;
};
using figures = std::vector<figure>;

/// The value of that name, or null. Valid until the list changes.
[[nodiscard]] const double* find_figure(const figures& in, std::string_view name);

/// The middle value, the mean of the two middle ones for an even count; 0 for none.
[[nodiscard]] double median(std::vector<double> values);
/// The smallest value that `share` (0 to 1) of the values do not exceed; 0 for none.
/// Sorts `values`.
[[nodiscard]] double percentile(std::vector<double>& values, double share);
/// The median of each name over all runs, names in order of first appearance.
[[nodiscard]] figures median_of_runs(const std::vector<figures>& runs);

}  // namespace lovage::bench
