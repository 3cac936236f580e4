#include "tests/bench/report.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

namespace lovage::bench {
namespace {

namespace json = boost::json;

using row = std::vector<std::string>;

std::string fixed(double value, int decimals) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
    return text.data();
}

std::optional<double> ratio_of(
    const figures& ours,
    const figures& theirs,
    const std::string& name) {
    const double* mine = find_figure(ours, name);
    const double* other = find_figure(theirs, name);
    if (mine == nullptr || other == nullptr || *mine <= 0 || *other <= 0 || name == "n") {
        return std::nullopt;
    }
    return *mine / *other;
}

row names_of(const std::vector<figures>& medians) {
    row names;
    for (const figures& side : medians) {
        for (const figure& each : side) {
            if (std::ranges::count(names, each.name) == 0) {
                names.push_back(each.name);
            }
        }
    }
    return names;
}

std::vector<figures> medians_of(const workload_result& result) {
    std::vector<figures> medians;
    for (const side_result& side : result.sides) {
        medians.push_back(median_of_runs(side.runs));
    }
    return medians;
}

std::string format_rows(const std::vector<row>& rows) {
    std::vector<std::size_t> widths(rows.front().size(), 0);
    for (const row& cells : rows) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            widths[i] = std::max(widths[i], cells[i].size());
        }
    }
    std::string text;
    for (const row& cells : rows) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string padding(widths[i] - cells[i].size(), ' ');
            // Names stand left, numbers right.
            line += i < 2 ? cells[i] + padding : padding + cells[i];
            line += i + 1 < cells.size() ? "  " : "";
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

json::object object_of(const figures& values) {
    json::object object;
    for (const figure& each : values) {
        object[each.name] = each.value;
    }
    return object;
}

}  // namespace

std::string format_number(double value) {
    if (std::abs(value) < 1000) {
        const double size = std::abs(value);
        const bool whole = value == std::floor(value);
        return fixed(value, whole ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4);
    }
    std::string digits = fixed(std::abs(value), 0);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return (value < 0 ? "-" : "") + digits;
}

std::string format_ratio(double ratio) {
    return ratio >= 1 ? fixed(ratio, 1) + "x" : "1/" + fixed(1 / ratio, 1);
}

std::string format_table(const workload_result& result) {
    const std::vector<figures> medians = medians_of(result);
    const row names = names_of(medians);
    std::vector<row> rows{{"workload", "broker"}};
    rows.front().insert(rows.front().end(), names.begin(), names.end());
    for (std::size_t side = 0; side < medians.size(); ++side) {
        row cells{result.workload, result.sides[side].side};
        for (const std::string& name : names) {
            const double* value = find_figure(medians[side], name);
            cells.push_back(value == nullptr ? "-" : format_number(*value));
        }
        rows.push_back(std::move(cells));
    }
    if (medians.size() == 2) {
        row cells{result.workload, "ratio"};
        for (const std::string& name : names) {
            const auto ratio = ratio_of(medians[0], medians[1], name);
            cells.push_back(ratio ? format_ratio(*ratio) : "");
        }
        rows.push_back(std::move(cells));
    }
    return "# " + result.workload + ": " + result.conditions + '\n' + format_rows(rows);
}

std::string format_json(const std::vector<workload_result>& results) {
    json::array workloads;
    for (const workload_result& result : results) {
        const std::vector<figures> medians = medians_of(result);
        json::object workload{{"workload", result.workload}, {"conditions", result.conditions}};
        json::array sides;
        for (std::size_t side = 0; side < medians.size(); ++side) {
            json::array runs;
            for (const figures& run : result.sides[side].runs) {
                runs.push_back(object_of(run));
            }
            sides.push_back(json::object{
                {"broker", result.sides[side].side},
                {"median", object_of(medians[side])},
                {"runs", std::move(runs)}});
        }
        workload["sides"] = std::move(sides);
        if (medians.size() == 2) {
            json::object ratios;
            for (const std::string& name : names_of(medians)) {
                if (const auto ratio = ratio_of(medians[0], medians[1], name)) {
                    ratios[name] = *ratio;
                }
            }
            workload["ratio"] = std::move(ratios);
        }
        workloads.push_back(std::move(workload));
    }
    return json::serialize(json::object{{"workloads", std::move(workloads)}}) + '\n';
}

}  // namespace lovage::bench
