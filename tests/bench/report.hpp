// The results as aligned tables or as JSON. Called by main only. Pure: text in, text out.
#pragma once

#include "tests/bench/stats.hpp"

#include <string>
#include <vector>

namespace lovage::bench {

/// What one side (a broker, or a framework on a broker) did in one workload.
struct side_result {
    std::string side;  ///< product and version
    std::vector<figures> runs;
};

struct workload_result {
    std::string workload;
    std::string conditions;          ///< what the figures depend on, e.g. size=100 window=1000
    std::vector<side_result> sides;  ///< the first is ours; the ratio is its value over the other's
};

/// A block of lines for one workload: conditions, one row a side with medians, the ratio.
[[nodiscard]] std::string format_table(const workload_result& result);
/// One JSON document with every run, the medians and the ratios.
[[nodiscard]] std::string format_json(const std::vector<workload_result>& results);

/// 1234567.8 as "1,234,568", 12.345 as "12.3", 0.01234 as "0.0123".
[[nodiscard]] std::string format_number(double value);
/// 16.24 as "16.2x", 0.04 as "1/25.0".
[[nodiscard]] std::string format_ratio(double ratio);

}  // namespace lovage::bench
