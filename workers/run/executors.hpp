// Where tasks run: child processes (prefork) or threads of this process, behind one interface. Used
// by worker.cpp, on its I/O thread; all callbacks come there, too, never from within a call.
#pragma once

#include "workers/core/effects.hpp"
#include "workers/core/job.hpp"
#include "workers/run/nursery.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace lovage {
class registry;
}

namespace lovage::workers {

class executor_events {
public:
    virtual ~executor_events() = default;
    virtual void executor_started(executor_id executor) = 0;
    /// `untouched`: the job that it was given last came too late to be at fault.
    virtual void executor_lost(
        executor_id executor,
        std::string_view how,
        bool untouched = false) = 0;
    virtual void executor_answered(executor_id executor, answer&& what) = 0;
    /// No executor can be started any more.
    virtual void executors_broken(std::string_view why) = 0;
};

class executors {
public:
    virtual ~executors() = default;
    /// Answered by executor_started or executor_lost.
    virtual void start(executor_id executor) = 0;
    /// `frame` is copied if it cannot be handed over at once.
    virtual void run(executor_id executor, const std::string& frame) = 0;
    /// See kill_executor in workers/core/effects.hpp. Threads are asked to stop: they cannot be
    /// ended, and are lost only when the task returns.
    virtual void kill(executor_id executor) = 0;
    /// False if tasks still run that cannot be ended (threads): the process must not wait for them.
    [[nodiscard]] virtual bool stop() = 0;
};

[[nodiscard]] std::unique_ptr<executors> make_prefork_executors(
    boost::asio::io_context& io,
    nursery source,
    std::size_t count,
    executor_events& events);
/// `tasks` outlives the process's last task.
[[nodiscard]] std::unique_ptr<executors> make_thread_executors(
    boost::asio::io_context& io,
    const registry& tasks,
    std::size_t count,
    executor_events& events);

}  // namespace lovage::workers
