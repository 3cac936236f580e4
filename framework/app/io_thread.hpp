// An io_context with a thread of its own, for programs that have no event loop. Started by its
// owner; ends when told to. Exceptions of users' handlers end up in the log, not in std::terminate.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>

namespace lovage {

class io_thread {
public:
    io_thread();
    /// As stop().
    ~io_thread();
    io_thread(const io_thread&) = delete;
    io_thread& operator=(const io_thread&) = delete;

    /// No handler runs when this returns, and none will. Called on the I/O thread itself, it lets
    /// the running handler finish and be the last. Owners call it before they destroy what handlers
    /// use. Twice is fine.
    void stop();
    [[nodiscard]] boost::asio::io_context& context() { return *context_; }
    [[nodiscard]] bool is_this_thread() const { return std::this_thread::get_id() == id_; }

private:
    std::shared_ptr<boost::asio::io_context> context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
    std::thread::id id_;
};

/// A number that changes in the child of a fork: what was made before is the parent's. Any thread.
[[nodiscard]] unsigned fork_generation();

}  // namespace lovage
