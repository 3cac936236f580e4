// When an executor whose process has died is started again: at once the first time, later and later
// while it dies quickly again. One object an executor, owned by the pool. Pure.
#pragma once

#include "framework/base/time.hpp"

namespace lovage::workers {

/// A process that lived this long, or finished a task, was healthy: its death starts a new count.
inline constexpr milliseconds healthy_life = std::chrono::seconds(10);
inline constexpr milliseconds restart_delay_first = milliseconds(100);
inline constexpr milliseconds restart_delay_max = std::chrono::seconds(10);

class restart_policy {
public:
    /// How long to wait before the next start. `lived` is the time since the last start.
    [[nodiscard]] milliseconds died(milliseconds lived);
    /// A task has been finished since the last start.
    void finished_task() { quick_deaths_ = 0; }
    [[nodiscard]] int quick_deaths() const { return quick_deaths_; }

private:
    int quick_deaths_ = 0;  ///< in a row
};

}  // namespace lovage::workers
