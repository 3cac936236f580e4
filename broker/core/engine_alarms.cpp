// engine: alarms of memory and disk, and who has to wait for their end.
#include "broker/core/connection_send.hpp"

#include <utility>

namespace lovage::broker {
namespace {

/// Publishers go on when this much of the memory limit is in use again at most.
constexpr double alarm_ends_at = 0.8;
/// How far above the limit those may go on who hold deliveries.
constexpr double reserve_ends_at = 1.25;

}  // namespace

/// They may have waited for memory.
void engine::schedule_paged() {
    for (const auto& [name, home] : vhosts_) {
        for (const auto& [queue_name, each] : home->queues()) {
            if (each->ready().has_pages()) {
                schedule(*each);
            }
        }
    }
}

void engine::update_memory_alarm() {
    const auto limit = static_cast<double>(options_.memory_octets_max);
    memory_peak_ = std::max(memory_peak_, memory_octets());
    const auto used = static_cast<double>(memory_octets());
    if (memory_alarm_ ? used < alarm_ends_at * limit : used > limit) {
        memory_alarm_ = !memory_alarm_;
        if (!memory_alarm_) {
            schedule_paged();
        }
        const octets state = memory_alarm_ ? "on" : "off";
        log(log_level::warning,
            format_log_line("memory_alarm", {{"state", state}, {"octets", memory_octets()}}));
    }
    // Also those that were stopped in an event at whose end there was room again.
    unblock_all();
}

void engine::disk_alarm(bool on, clock_reading clock) {
    begin(clock);
    disk_alarm_ = on;
    log(log_level::warning, format_log_line("disk_alarm", {{"state", on ? "on" : "off"}}));
    unblock_all();
    finish();
}

void engine::unblock_all() {
    if (blocked_.empty() || pages_.behind()) {
        return;
    }
    if (alarmed()) {
        unblock_holders();
        return;
    }
    holders_blocked_ = false;
    for (const connection_id id : std::exchange(blocked_, {})) {
        if (connection* known = find(id); known != nullptr) {
            known->unblock();
        }
    }
}

bool engine::reserve_used_up() const {
    const auto reserve = reserve_ends_at * static_cast<double>(options_.memory_octets_max);
    return static_cast<double>(memory_octets()) > reserve;
}

bool engine::publishes_wait(const connection& from) const {
    if (!alarmed() || disk_alarm_) {
        return disk_alarm_ || pages_.behind();
    }
    return reserve_used_up() || !from.holds_deliveries();
}

/// The alarm goes on, but there is a reserve again for those who hold deliveries.
void engine::unblock_holders() {
    if (disk_alarm_ || reserve_used_up() || !std::exchange(holders_blocked_, false)) {
        return;
    }
    for (const connection_id id : std::exchange(blocked_, {})) {
        connection* known = find(id);
        if (known != nullptr && known->holds_deliveries()) {
            known->unblock();
        } else if (known != nullptr) {
            blocked_.push_back(id);
        }
    }
}

octets engine::alarm_reason() const {
    if (memory_alarm_ && disk_alarm_) {
        return "low on disk & memory";
    }
    return disk_alarm_ ? "low on disk" : "low on memory";
}

void engine::block(connection& what) {
    blocked_.push_back(what.id());
    holders_blocked_ = holders_blocked_ || what.holds_deliveries();
}

}  // namespace lovage::broker
