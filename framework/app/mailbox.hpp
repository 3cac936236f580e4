// Work for an I/O thread from any other: jobs are put into a list under a lock, and one post wakes
// the I/O thread for all that came meanwhile. A batch of sends costs one hop, not one each.
// push() from any thread; jobs run on the executor, in order. What a job throws is logged.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace lovage {

class job {
public:
    virtual ~job() = default;
    virtual void run() = 0;
};

namespace detail {
template <class F>
class function_job final : public job {
public:
    explicit function_job(F function) : function_(std::move(function)) {}
    void run() override { function_(); }

private:
    F function_;
};
}  // namespace detail

class mailbox : public std::enable_shared_from_this<mailbox> {
public:
    explicit mailbox(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

    void push(std::unique_ptr<job> work);
    template <class F>
    void push(F function) {
        push(std::unique_ptr<job>(std::make_unique<detail::function_job<F>>(std::move(function))));
    }

private:
    void drain();

    boost::asio::any_io_executor executor_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<job>> waiting_;
    std::vector<std::unique_ptr<job>> running_;  ///< drain() only; kept for its memory
    bool scheduled_ = false;
};

}  // namespace lovage
