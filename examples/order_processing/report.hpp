// What the demo shows: a progress bar while it runs, the report at its end.
#pragma once

#include "examples/order_processing/database.hpp"
#include "examples/order_processing/service.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>

namespace shop {

/// On a terminal a line that is drawn again; in a log a line every quarter.
class progress_bar {
public:
    progress_bar(std::string name, std::int64_t total);
    ~progress_bar();
    progress_bar(const progress_bar&) = delete;
    progress_bar& operator=(const progress_bar&) = delete;
    void show(std::int64_t done);

private:
    std::string name_;
    std::int64_t total_;
    bool terminal_;
    std::int64_t shown_ = -1;
};

struct report_times {
    double service_s = 0;  ///< until the service had returned
    double all_s = 0;      ///< until the last task had ended
};

/// Totals first, which are the same in every run; then the times, which are not.
void print_report(
    std::ostream& out,
    const service_report& taken,
    database& shop,
    const report_times& times);

}  // namespace shop
