#include "broker/core/delivery_mark.hpp"

#include "broker/core/journal.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker {
namespace {

/// Extended again within so short a time, the mark was not far enough ahead.
constexpr milliseconds too_soon{50};
/// After so long a time the queue is not busy, and its marks are exact.
constexpr milliseconds long_ago{1000};
constexpr std::uint64_t ahead_min = 16;
constexpr std::uint64_t ahead_max = 64 * 1024;
constexpr std::uint64_t growth = 4;

}  // namespace

lsn delivery_mark::note(queue_id of, message_id id, bool ahead, const occasion& when) {
    delivered_ = std::max(delivered_, id);
    see(when.durable);
    if (id <= on_disk_) {
        if (ahead && ahead_ != 0 && oldest_.at == 0 && id + ahead_ / 2 > on_disk_) {
            extend(of, id, when);
        }
        return 0;
    }
    const bool open = id >= when.first_open;  // the mark stands before it in the same batch
    if (id > marked_) {
        if (ahead && !open) {
            extend(of, id, when);
        } else {
            mark(of, id, when.log);
        }
    }
    if (open) {
        return 0;
    }
    return id <= oldest_.up_to ? oldest_.at : newest_.at;
}

void delivery_mark::settle(queue_id of, journal& log) {
    if (marked_ > delivered_) {
        log.mark_lowered(of, delivered_);
        restore(delivered_);
        oldest_ = newest_ = {};
    }
}

void delivery_mark::see(lsn durable) {
    if (oldest_.at == 0 || oldest_.at > durable) {
        return;
    }
    on_disk_ = oldest_.up_to;
    oldest_ = std::exchange(newest_, {});
    if (oldest_.at != 0 && oldest_.at <= durable) {
        on_disk_ = oldest_.up_to;
        oldest_ = {};
    }
}

void delivery_mark::mark(queue_id of, message_id up_to, journal& log) {
    log.delivered(of, up_to);
    marked_ = up_to;
    (oldest_.at == 0 ? oldest_ : newest_) = {log.last(), up_to};
}

void delivery_mark::extend(queue_id of, message_id id, const occasion& when) {
    if (!extended_ || when.now - *extended_ > long_ago) {
        ahead_ = 0;
    } else if (when.now - *extended_ < too_soon) {
        ahead_ = std::clamp(ahead_ * growth, ahead_min, ahead_max);
    }
    extended_ = when.now;
    if (id + ahead_ > marked_) {
        mark(of, id + ahead_, when.log);
    }
}

}  // namespace lovage::broker
