#include "tests/bench/workload.hpp"

#include <unistd.h>

namespace lovage::bench {

void broker_meter::add_to(figures& out, std::uint64_t messages, const std::string& prefix) const {
    const double used = cpu_seconds(broker_.pid()) - cpu_;
    out.push_back({prefix + "CPU s/M", used * 1e6 / static_cast<double>(messages)});
    if (const auto done = counted()) {
        out.push_back({prefix + "syncs", done->syncs});
    }
}

std::optional<disk_counters> broker_meter::counted() const {
    const auto now = broker_.counters();
    if (!now || !before_) {
        return std::nullopt;
    }
    return disk_counters{
        now->syncs - before_->syncs,
        now->records - before_->records,
        now->octets - before_->octets};
}

std::string unique_queue() {
    static int counter = 0;
    return "bench." + std::to_string(getpid()) + '.' + std::to_string(++counter);
}

void add_percentiles(figures& out, std::vector<double>& microseconds) {
    out.push_back({"p50 us", percentile(microseconds, 0.50)});
    out.push_back({"p95 us", percentile(microseconds, 0.95)});
    out.push_back({"p99 us", percentile(microseconds, 0.99)});
}

double seconds_between(bench_clock::time_point from, bench_clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace lovage::bench
