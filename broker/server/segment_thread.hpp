// The thread that writes segments and removes them, beside the one that writes the log, so that no
// confirm waits for it. One segment at a time; the engine's thread hands it over and gets a report.
// What the mutex guards is all that the threads share.
#pragma once

#include "broker/store/segment.hpp"

#include <boost/system/error_code.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace lovage::broker {

class segment_thread {
public:
    struct report {
        store::segment_number number = 0;
        boost::system::error_code error;
        std::string problem;  ///< more about the error
    };

    /// `done` is called on this thread for each segment; it is to post the report elsewhere.
    /// `files` is used for nothing else by other threads than for other files.
    segment_thread(store::disk& files, std::uint64_t salt, std::function<void(report&&)> done);
    /// Finishes the segment under way.
    ~segment_thread();
    segment_thread(const segment_thread&) = delete;
    segment_thread& operator=(const segment_thread&) = delete;

    /// Only when the one before was reported.
    void write(store::built_segment&& next);
    /// Failures are of no account: at the next start they are removed again.
    void remove(const std::vector<std::string>& gone);

private:
    void run();

    store::disk& files_;
    std::uint64_t salt_;
    std::function<void(report&&)> done_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<store::built_segment> next_;  ///< these three: guarded by mutex_
    std::vector<std::string> gone_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace lovage::broker
