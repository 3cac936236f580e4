// Where the result of one call arrives: shared by the user's handles and, weakly, by the engine's
// reply router. Also says when the broker has confirmed the call.
// Any thread; the I/O thread writes, users' threads wait.
#pragma once

#include "framework/app/completion.hpp"
#include "framework/client/types.hpp"

#include <lovage/handle.hpp>
#include <lovage/result.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lovage {
class app_engine;
}

namespace lovage::detail {

class reply_slot {
public:
    using result_ptr = std::shared_ptr<const task_result>;

    reply_slot(
        std::string id,
        bool ignored,
        std::chrono::milliseconds default_timeout,
        std::weak_ptr<app_engine> engine)
        : id_(std::move(id)),
          ignored_(ignored),
          default_timeout_(default_timeout),
          engine_(std::move(engine)) {}

    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] std::chrono::milliseconds default_timeout() const { return default_timeout_; }
    [[nodiscard]] const std::weak_ptr<app_engine>& engine() const { return engine_; }
    /// Nobody sends a result.
    [[nodiscard]] bool ignored() const { return ignored_; }

    // The I/O thread's side.
    /// The broker's answer to the publish; null: confirmed.
    void confirm(const client::problem* failed);
    void deliver(result_ptr result);
    /// No result will come: the app was stopped.
    void stop(const client::problem& why);
    /// Calls `handler` when there is a terminal result or none will come; at once if so already.
    /// Returns a number for give_up(), 0 if the handler was called.
    std::uint64_t add_waiter(pending_completion<result_ptr> handler);
    /// The waiter's time is over; it gets wait_timeout.
    void give_up(std::uint64_t waiter);

    // The users' side.
    [[nodiscard]] result_ptr latest() const;
    /// Waits for the confirm; throws broker_error.
    void wait_confirmed();
    /// Null if the time is over; throws broker_error when stopped.
    [[nodiscard]] result_ptr wait(std::chrono::milliseconds timeout);

private:
    enum class sending { under_way, confirmed, failed };
    struct waiter {
        std::uint64_t number;
        pending_completion<result_ptr> handler;
    };

    [[nodiscard]] bool done() const { return latest_ != nullptr && terminal(latest_->state); }
    void call(
        std::vector<waiter>& waiters,
        const std::exception_ptr& error,
        const result_ptr& result);

    const std::string id_;
    const bool ignored_;
    const std::chrono::milliseconds default_timeout_;
    const std::weak_ptr<app_engine> engine_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    sending sending_ = sending::under_way;
    std::optional<client::problem> stopped_;
    client::problem send_problem_;
    result_ptr latest_;
    std::vector<waiter> waiters_;
    std::uint64_t last_waiter_ = 0;
};

/// The exception of a problem.
[[nodiscard]] std::exception_ptr exception_of(const client::problem& what);

}  // namespace lovage::detail
