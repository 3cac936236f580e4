#include "broker/server/disk_thread.hpp"

namespace lovage::broker {

disk_thread::disk_thread(store::log_writer& writer, std::function<void(report&&)> done)
    : writer_(writer), done_(std::move(done)), thread_([this] { run(); }) {}

disk_thread::~disk_thread() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void disk_thread::write(store::batch&& next) {
    {
        const std::lock_guard lock{mutex_};
        next_ = std::move(next);
    }
    wake_.notify_one();
}

void disk_thread::look_for_space() {
    {
        const std::lock_guard lock{mutex_};
        look_ = true;
    }
    wake_.notify_one();
}

void disk_thread::run() {
    for (;;) {
        report result;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return stopping_ || next_ || look_; });
            if (!next_ && !look_) {
                return;
            }
            result.wrote = next_.has_value();
            if (next_) {
                result.written = std::move(*next_);
                next_.reset();
            }
            look_ = false;
        }
        if (result.wrote) {
            result.error = writer_.write(result.written);
        } else {
            writer_.look_for_space();
        }
        result.problem = writer_.problem();
        result.counters = writer_.counters();
        result.space_low = writer_.space_low();
        done_(std::move(result));
    }
}

}  // namespace lovage::broker
