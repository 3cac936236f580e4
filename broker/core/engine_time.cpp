// engine: what happens by the clock alone. Messages and queues expire, delayed messages fall due;
// the driver is told when to come by next.
#include "broker/core/connection_send.hpp"
#include "broker/core/delay_line.hpp"

#include <algorithm>

namespace lovage::broker {

bool engine::earlier_expiry::operator()(
    const std::pair<std::uint64_t, queue*>& left,
    const std::pair<std::uint64_t, queue*>& right) const {
    return left.first != right.first ? left.first < right.first
                                     : left.second->id() < right.second->id();
}

void engine::expire_messages() {
    while (expired_left_ > 0 && !expiries_.empty() && expiries_.begin()->first <= wall_ms()) {
        queue& due = *expiries_.begin()->second;
        // Taken off first: a dead letter may put another queue in front of this one.
        expiries_.erase(expiries_.begin());
        due.expiry_scheduled_ms.reset();
        due.drop_expired();
        schedule(due);
        expiry_changed(due);
    }
}

void engine::release_due() {
    // One by one: what is due earlier in another exchange goes first.
    for (std::size_t left = options_.due_messages_per_event;
         left > 0 && !lines_due_.empty() && lines_due_.begin()->first <= wall_ms();
         --left) {
        delay_line& next = *lines_due_.begin()->second;
        next.home().release_due(next);
        due_changed(next);
    }
}

void engine::due_changed(delay_line& what) {
    const auto due = what.next_due_ms();
    if (due == what.scheduled_ms) {
        return;
    }
    forget(what);
    if (due) {
        lines_due_.insert({*due, &what});
    }
    what.scheduled_ms = due;
}

void engine::forget(delay_line& gone) {
    if (gone.scheduled_ms) {
        lines_due_.erase({*gone.scheduled_ms, &gone});
        gone.scheduled_ms.reset();
    }
}

void engine::idle_watch_changed(queue& what, bool was_watched) {
    const bool watched = what.rules().expires_ms.has_value();
    if (watched && !was_watched) {
        idle_watched_.push_back(&what);
    } else if (was_watched && !watched) {
        std::erase(idle_watched_, &what);
    }
}

void engine::expire_queues() {
    std::vector<queue*> gone;
    for (queue* each : idle_watched_) {
        const auto since = each->unused_since();
        if (since && now() - *since >= milliseconds{*each->rules().expires_ms}) {
            gone.push_back(each);
        }
    }
    for (queue* each : gone) {
        log(log_level::info, format_log_line("queue_expired", {{"queue", each->name()}}));
        tell(delete_queue(*each));
    }
}

std::optional<std::uint64_t> engine::next_expiry_ms() const {
    if (dead_letters_wait_) {
        return wall_ms();
    }
    std::optional<std::uint64_t> next;
    if (!expiries_.empty()) {
        next = expiries_.begin()->first;
    }
    if (!lines_due_.empty()) {
        next = std::min(next.value_or(lines_due_.begin()->first), lines_due_.begin()->first);
    }
    return next;
}

void engine::expiry_changed(queue& what) {
    const auto due = what.next_expires_at_ms();
    if (due == what.expiry_scheduled_ms) {
        return;
    }
    if (what.expiry_scheduled_ms) {
        expiries_.erase({*what.expiry_scheduled_ms, &what});
    }
    if (due) {
        expiries_.insert({*due, &what});
    }
    what.expiry_scheduled_ms = due;
}

}  // namespace lovage::broker
