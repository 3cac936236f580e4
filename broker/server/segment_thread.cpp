#include "broker/server/segment_thread.hpp"

namespace lovage::broker {

segment_thread::segment_thread(
    store::disk& files,
    std::uint64_t salt,
    std::function<void(report&&)> done)
    : files_(files), salt_(salt), done_(std::move(done)), thread_([this] { run(); }) {}

segment_thread::~segment_thread() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void segment_thread::write(store::built_segment&& next) {
    {
        const std::lock_guard lock{mutex_};
        next_ = std::move(next);
    }
    wake_.notify_one();
}

void segment_thread::remove(const std::vector<std::string>& gone) {
    if (gone.empty()) {
        return;
    }
    {
        const std::lock_guard lock{mutex_};
        gone_.insert(gone_.end(), gone.begin(), gone.end());
    }
    wake_.notify_one();
}

void segment_thread::run() {
    for (;;) {
        std::optional<store::built_segment> next;
        std::vector<std::string> gone;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return stopping_ || next_ || !gone_.empty(); });
            if (!next_ && gone_.empty()) {
                return;
            }
            next.swap(next_);
            gone.swap(gone_);
        }
        if (next) {
            report result;
            result.number = next->number;
            result.error = store::write_segment(files_, salt_, *next, result.problem);
            done_(std::move(result));
        }
        for (const std::string& each : gone) {
            static_cast<void>(files_.remove(each));
        }
    }
}

}  // namespace lovage::broker
