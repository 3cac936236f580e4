// The threads pool: each executor is a thread of this process. A finished task posts its answer to
// the I/O loop, which wakes at once.
#include "workers/core/perform.hpp"
#include "workers/run/executors.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace lovage::workers {

namespace asio = boost::asio;

namespace {

/// One thread and its mailbox of one job. Kept alive by its thread, which may outlive the pool.
struct thread_slot {
    std::mutex guard;
    std::condition_variable wake;
    std::string frame;      ///< empty: no job
    std::stop_source stop;  ///< of the job under way
    bool ending = false;
    bool busy = false;
    bool killed = false;  ///< the pool has settled the task without its answer
};

/// Where threads post to; the I/O loop may be gone before the last of them.
struct loop_gate {
    std::mutex guard;
    asio::io_context* io = nullptr;

    template <class F>
    void post(F&& function) {
        const std::lock_guard lock(guard);
        if (io != nullptr) {
            asio::post(*io, std::forward<F>(function));
        }
    }
};

class thread_progress final : public progress_sink {
public:
    thread_progress(std::shared_ptr<loop_gate> gate, executor_events& events, executor_id executor)
        : gate_(std::move(gate)), events_(events), executor_(executor) {}

    void progress(std::string_view json) override {
        answer state;
        state.kind = answer_kind::progress;
        state.text = json;
        gate_->post([&events = events_, executor = executor_, state = std::move(state)]() mutable {
            events.executor_answered(executor, std::move(state));
        });
    }

private:
    std::shared_ptr<loop_gate> gate_;
    executor_events& events_;
    executor_id executor_;
};

class thread_executors final : public executors {
public:
    thread_executors(
        asio::io_context& io,
        const registry& tasks,
        std::size_t count,
        executor_events& events)
        : tasks_(tasks), events_(events), gate_(std::make_shared<loop_gate>()) {
        gate_->io = &io;
        for (std::size_t i = 0; i < count; ++i) {
            slots_.push_back(std::make_shared<thread_slot>());
            threads_.emplace_back();
        }
    }
    ~thread_executors() override { static_cast<void>(stop()); }

    void start(executor_id executor) override {
        if (!threads_[executor].joinable()) {
            threads_[executor] =
                std::thread([slot = slots_[executor],
                             gate = gate_,
                             &tasks = tasks_,
                             &events = events_,
                             executor] { serve(*slot, gate, tasks, events, executor); });
        }
        gate_->post([this, executor] { events_.executor_started(executor); });
    }

    void run(executor_id executor, const std::string& frame) override {
        thread_slot& slot = *slots_[executor];
        {
            const std::lock_guard lock(slot.guard);
            slot.frame = frame;
            slot.stop = std::stop_source();
            slot.busy = true;
            slot.killed = false;
        }
        slot.wake.notify_one();
    }

    void kill(executor_id executor) override {
        thread_slot& slot = *slots_[executor];
        std::stop_source stop;
        {
            const std::lock_guard lock(slot.guard);
            slot.killed = true;
            stop = slot.stop;
            if (!slot.busy) {
                // It has answered meanwhile, and the answer will be dropped.
                gate_->post([this, executor] { events_.executor_lost(executor, "stopped"); });
                slot.killed = false;
            }
        }
        stop.request_stop();  // callbacks of the task's own run here: not under the lock
    }

    [[nodiscard]] bool stop() override {
        {
            const std::lock_guard lock(gate_->guard);
            gate_->io = nullptr;
        }
        bool all = true;
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (threads_[i].joinable()) {
                all = end(*slots_[i], threads_[i]) && all;
            }
        }
        return all;
    }

private:
    static bool end(thread_slot& slot, std::thread& thread) {
        bool busy = false;
        std::stop_source running;
        {
            const std::lock_guard lock(slot.guard);
            slot.ending = true;
            busy = slot.busy;
            running = slot.stop;
        }
        slot.wake.notify_one();
        if (busy) {
            running.request_stop();
            thread.detach();
        } else {
            thread.join();
        }
        return !busy;
    }

    static void serve(
        thread_slot& slot,
        const std::shared_ptr<loop_gate>& gate,
        const registry& tasks,
        executor_events& events,
        executor_id executor) {
        thread_progress progress(gate, events, executor);
        while (true) {
            std::string frame;
            std::stop_token stop;
            {
                std::unique_lock lock(slot.guard);
                slot.wake.wait(lock, [&] { return slot.ending || !slot.frame.empty(); });
                if (slot.ending) {
                    return;
                }
                frame.swap(slot.frame);
                stop = slot.stop.get_token();
            }
            answer what = run_job_here(tasks, frame, stop, progress);
            bool killed = false;
            {
                const std::lock_guard lock(slot.guard);
                slot.busy = false;
                killed = slot.killed;
                slot.killed = false;
            }
            if (killed) {
                gate->post([&events, executor] { events.executor_lost(executor, "stopped"); });
            } else {
                gate->post([&events, executor, what = std::move(what)]() mutable {
                    events.executor_answered(executor, std::move(what));
                });
            }
        }
    }

    static answer run_job_here(
        const registry& tasks,
        const std::string& frame,
        const std::stop_token& stop,
        progress_sink& progress) {
        const auto job = read_job(octets(frame).substr(frame_length_octets));
        return perform(
            tasks, job.value_or(job_view{}), {std::chrono::steady_clock::now(), stop, &progress});
    }

    const registry& tasks_;
    executor_events& events_;
    std::shared_ptr<loop_gate> gate_;
    std::vector<std::shared_ptr<thread_slot>> slots_;
    std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<executors> make_thread_executors(
    asio::io_context& io,
    const registry& tasks,
    std::size_t count,
    executor_events& events) {
    return std::make_unique<thread_executors>(io, tasks, count, events);
}

}  // namespace lovage::workers
