#include "examples/order_processing/report.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <unistd.h>

namespace shop {
namespace {

constexpr std::int64_t bar_width = 40;
constexpr std::int64_t log_steps = 4;

std::ostream& row(std::ostream& out, const std::string& name, std::int64_t value) {
    return out << "  " << std::left << std::setw(24) << name << std::right << std::setw(10) << value
               << '\n';
}

}  // namespace

progress_bar::progress_bar(std::string name, std::int64_t total)
    : name_(std::move(name)), total_(std::max<std::int64_t>(total, 1)), terminal_(isatty(1) == 1) {}

progress_bar::~progress_bar() {
    if (terminal_ && shown_ >= 0) {
        std::cout << '\n';
    }
}

void progress_bar::show(std::int64_t done) {
    const std::int64_t step = done * (terminal_ ? bar_width : log_steps) / total_;
    if (step == shown_) {
        return;
    }
    shown_ = step;
    if (!terminal_) {
        std::cout << name_ << ": " << done << " of " << total_ << std::endl;
        return;
    }
    const auto full = static_cast<std::size_t>(std::min(step, bar_width));
    std::cout << '\r' << name_ << " [" << std::string(full, '#')
              << std::string(static_cast<std::size_t>(bar_width) - full, '.') << "] " << done
              << " of " << total_ << std::flush;
}

void print_report(
    std::ostream& out,
    const service_report& taken,
    database& shop,
    const report_times& times) {
    const auto summaries = shop.summaries();
    out << "\nOrders\n";
    row(out, "lines read", taken.lines);
    row(out, "placed", taken.placed);
    std::int64_t refused = 0;
    for (const auto& [reason, count] : taken.refused) {
        refused += count;
    }
    row(out, "refused", refused);
    for (const auto& [reason, count] : taken.refused) {
        row(out, "  " + reason, count);
    }
    out << "\nTasks" << std::right << std::setw(31) << "done" << std::setw(10) << "retried"
        << std::setw(10) << "failed" << '\n';
    for (const auto& [task, summary] : summaries) {
        out << "  " << std::left << std::setw(24) << task << std::right << std::setw(10)
            << summary.done << std::setw(10) << summary.retried << std::setw(10) << summary.failed
            << '\n';
    }
    out << "\nRevenue, minor units\n";
    for (const auto& [currency, sum] : shop.revenue_minor()) {
        row(out, currency, sum);
    }
    out << std::fixed << std::setprecision(2) << "\nTimes (not the same in every run)\n"
        << "  core step                " << taken.core_ms / static_cast<double>(taken.lines)
        << " ms an order\n"
        << "  enqueueing, confirmed    " << taken.enqueue_ms / static_cast<double>(taken.tasks)
        << " ms a task\n";
    for (const auto& [task, summary] : summaries) {
        out << "  " << std::left << std::setw(25) << task << std::right << summary.run_ms_mean
            << " ms running, " << summary.wait_ms_mean << " ms from order to end\n";
    }
    out << "  service returned after " << times.service_s << " s, everything was done after "
        << times.all_s << " s\n";
}

}  // namespace shop
