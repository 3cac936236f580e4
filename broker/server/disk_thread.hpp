// The thread that writes and syncs the log, one batch after another. The engine's thread hands a
// batch over when the one before has come back; what arrives meanwhile is the next batch. While
// there is none, it writes ahead in small steps, so that the log has space in reserve.
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
    enum class occasion {
        batch,     ///< write() is done, or has failed
        look,      ///< look_for_space() is done: no batch
        prepared,  ///< nobody asked: writing ahead has failed, or has changed what is known of
                   ///< space
    };
    struct report {
        occasion about = occasion::batch;
        store::batch written;
        boost::system::error_code error;
        std::string problem;  ///< more about the error
        store::writer_counters counters;
        bool space_low = false;
        std::uint64_t room = 0;  ///< octets that the log can still take
        std::uint64_t free = 0;  ///< of these, what the file system has
    };

    /// `done` is called on the disk thread for each batch, and otherwise as `occasion` says; it is
    /// to post the report elsewhere.
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
    /// Waits for something to do and takes it; nothing when the time is better spent preparing.
    /// False at the end.
    [[nodiscard]] bool next_task(std::optional<report>& task);
    void prepare();
    void tell(report&& result);

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
