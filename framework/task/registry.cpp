#include <lovage/registry.hpp>

#include <algorithm>
#include <stdexcept>

namespace lovage {

namespace {

void check_entry(const task_entry& entry) {
    const task_options& options = entry.options();
    std::string problem;
    if (!detail::valid_task_name(entry.name())) {
        problem = "is not a valid name (1 to 255 printable ASCII characters, no spaces or quotes)";
    } else if (options.retries.max < 0) {
        problem = "has a negative number of retries";
    } else if (
        options.retries.base < options.retries.base.zero() ||
        options.retries.cap < options.retries.cap.zero()) {
        problem = "has a negative retry delay";
    } else if (options.time_limit < options.time_limit.zero()) {
        problem = "has a negative time limit";
    } else if (options.max_crashes < 1) {
        problem = "allows no crash; max_crashes counts the one that gives it up";
    }
    if (!problem.empty()) {
        throw registration_error("task \"" + entry.name() + "\" " + problem);
    }
}

}  // namespace

void detail::names_must_cover_all_parameters() {
    throw std::invalid_argument("lovage: .names must name all parameters of the task");
}

registry::registry(std::vector<task_entry> entries) : entries_(std::move(entries)) {
    for (const task_entry& entry : entries_) {
        check_entry(entry);
    }
    const auto by_name = [](const task_entry& a, const task_entry& b) {
        return a.name() < b.name();
    };
    std::sort(entries_.begin(), entries_.end(), by_name);
    const auto twin = std::adjacent_find(
        entries_.begin(), entries_.end(), [](const task_entry& a, const task_entry& b) {
            return a.name() == b.name();
        });
    if (twin != entries_.end()) {
        throw registration_error("task \"" + twin->name() + "\" is registered twice");
    }
}

const task_entry* registry::find(std::string_view name) const {
    const auto at = std::lower_bound(
        entries_.begin(), entries_.end(), name, [](const task_entry& entry, std::string_view key) {
            return entry.name() < key;
        });
    return at != entries_.end() && at->name() == name ? &*at : nullptr;
}

}  // namespace lovage
