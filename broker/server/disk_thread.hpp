// The thread that writes and syncs the log, one batch after another. The engine's thread hands a
// batch over when the one before has come back; what arrives meanwhile is the next batch.
// What the mutex guards is all that the threads share.
#pragma once

#include "broker/store/log_writer.hpp"

#include <boost/system/error_code.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lovage::broker {

class disk_thread {
public:
    struct report {
        store::batch written;
        boost::system::error_code error;
        std::string problem;  ///< more about the error
        store::writer_counters counters;
        bool space_low = false;
        bool wrote = true;  ///< false after look_for_space(): no batch, no error
    };

    /// `done` is called on the disk thread for each batch; it is to post the report elsewhere.
    disk_thread(store::log_writer& writer, std::function<void(report&&)> done);
    /// Finishes the batch under way.
    ~disk_thread();
    disk_thread(const disk_thread&) = delete;
    disk_thread& operator=(const disk_thread&) = delete;

    /// Only when the one before was reported.
    void write(store::batch&& next);
    /// Instead of a batch: finds out whether there is space again.
    void look_for_space();

private:
    void run();

    store::log_writer& writer_;
    std::function<void(report&&)> done_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<store::batch> next_;  ///< these three: guarded by mutex_
    bool look_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace lovage::broker
