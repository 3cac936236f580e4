#include "broker/server/disk_thread.hpp"

#include <chrono>

namespace lovage::broker {
namespace {

/// Without a batch for so long, the disk has time for other things.
constexpr std::chrono::milliseconds idle_time{20};

}  // namespace

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

bool disk_thread::next_task(std::optional<report>& task) {
    std::unique_lock lock{mutex_};
    const auto asked = [this] { return stopping_ || next_ || look_; };
    switch (writer_.preparing()) {
        case store::log_writer::preparation::none: wake_.wait(lock, asked); break;
        case store::log_writer::preparation::wanted:
        case store::log_writer::preparation::due: wake_.wait_for(lock, idle_time, asked); break;
    }
    if (next_) {
        task.emplace();
        task->written = std::move(*next_);
        next_.reset();
    } else if (look_) {
        task.emplace();
        task->about = occasion::look;
        look_ = false;
    } else if (stopping_) {
        return false;
    }
    return true;
}

void disk_thread::run() {
    for (std::optional<report> task; next_task(task); task.reset()) {
        if (!task) {
            prepare();
            continue;
        }
        if (task->about == occasion::batch) {
            task->error = writer_.write(task->written);
        } else {
            writer_.look_for_space();
        }
        tell(std::move(*task));
        if (writer_.preparing() == store::log_writer::preparation::due) {
            prepare();  // even if the next batch is there already: it must not outrun the reserve
        }
    }
}

void disk_thread::prepare() {
    const bool low = writer_.space_low();
    report result;
    result.about = occasion::prepared;
    result.error = writer_.prepare();
    if (result.error || low != writer_.space_low()) {
        tell(std::move(result));
    }
}

void disk_thread::tell(report&& result) {
    result.problem = writer_.problem();
    result.counters = writer_.counters();
    result.space_low = writer_.space_low();
    result.room = writer_.room();
    result.free = writer_.free_space();
    done_(std::move(result));
}

}  // namespace lovage::broker
