// node: how much the log can still take, and when publishers have to wait for the disk.
#include "broker/server/node.hpp"
#include "framework/base/log.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace lovage::broker {
namespace {

/// More unwritten log than this, and publishers wait for the disk.
constexpr std::size_t unwritten_octets_max = 64 * 1024 * 1024;
/// What is under way when publishers are stopped must leave so many files of the log.
constexpr std::uint64_t files_left_min = 2;
constexpr std::chrono::seconds look_interval{1};
/// Of the file system, not for segments.
constexpr std::uint64_t segment_margin = 1024 * 1024;
/// After so much of segments, how much space there is has to be looked up.
constexpr std::uint64_t segments_between_looks = 32 * 1024 * 1024;

}  // namespace

std::uint64_t node::disk_room_left() const {
    return disk_room_ -
           std::min(disk_room_, octets_in_flight_ + log_->batch_bytes() + segments_since_room_);
}

/// Publishers are too fast for the disk, or the log's last files are for what frees space.
bool node::disk_is_crowded() const {
    return disk_full_ || space_low_ || log_->batch_bytes() > unwritten_octets_max ||
           disk_room_left() < files_left_min * options_.log_file_octets;
}

void node::feed_segments() {
    auto sealed = pages_->take_sealed();
    if (!sealed) {
        return;
    }
    // What the log needs to free space comes first; messages can wait in memory. But what frees
    // segments is written while it fits.
    const std::uint64_t size = sealed->content.size() + segments_since_room_;
    const bool fits = disk_free_ > size + segment_margin;
    const std::uint64_t left = disk_room_left() - std::min(disk_room_left(), size);
    const bool wanted =
        sealed->frees || (!disk_is_crowded() && left >= files_left_min * options_.log_file_octets);
    if (!fits || !wanted) {
        boost::asio::post(io_, [this, number = sealed->number] {
            engine_->segment_written(number, false, read_clocks());
            perform();
        });
        return;
    }
    segment_in_flight_ = sealed->content.size();
    segments_since_room_ += segment_in_flight_;
    segment_thread_->write(std::move(*sealed));
}

void node::on_segment(segment_thread::report&& report) {
    const bool full = report.error == store::errc::disk_full;
    segment_in_flight_ = 0;
    if (report.error && !full) {
        end_process(report.problem);
    }
    if (full) {
        log_event(log_level::error, "disk_full", {{"problem", report.problem}});
    }
    // The log's batches say how much space there is; pages of transient messages have none.
    if (segments_since_room_ > segments_between_looks && !disk_busy_) {
        disk_busy_ = true;
        disk_thread_->look_for_space();
    }
    engine_->segment_written(report.number, !full, read_clocks());
    perform();
}

void node::space_looked_for() {
    log_->space_is_low(space_low_);
    set_disk_alarm(disk_is_crowded());
    if (space_low_) {
        look_for_space_later();
    }
}

/// With the queues drained nothing is written any more that could tell that there is space again.
void node::look_for_space_later() {
    if (stopping_ || std::exchange(space_timer_armed_, true)) {
        return;
    }
    space_timer_.expires_after(look_interval);
    space_timer_.async_wait([this](boost::system::error_code cancelled) {
        space_timer_armed_ = false;
        if (cancelled || stopping_ || disk_busy_ || !space_low_) {
            return;  // a batch under way brings the news
        }
        disk_busy_ = true;
        disk_thread_->look_for_space();
    });
}

void node::set_disk_alarm(bool on) {
    if (std::exchange(disk_alarm_, on) != on) {
        engine_->disk_alarm(on, read_clocks());
        perform();
    }
}

}  // namespace lovage::broker
