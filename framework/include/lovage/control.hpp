// What a task throws to end in another way than by returning or failing. The worker turns each into
// an outcome (framework/task/execute.hpp); outside of a worker they are ordinary exceptions.
// Thrown by the user's functions on whatever thread runs them.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace lovage {

/// Run me again after `delay`. Costs an attempt: when `retries.max` attempts are used up (3 where
/// the task sets none) the task fails with MaxRetriesExceededError and `reason`.
class retry_after : public std::runtime_error {
public:
    explicit retry_after(std::chrono::milliseconds delay, const std::string& reason = {})
        : std::runtime_error(reason), delay_(delay) {}
    [[nodiscard]] std::chrono::milliseconds delay() const noexcept { return delay_; }

private:
    std::chrono::milliseconds delay_;
};

/// Run me again after `delay`; costs no attempt, however often.
class snooze : public std::runtime_error {
public:
    explicit snooze(std::chrono::milliseconds delay, const std::string& reason = {})
        : std::runtime_error(reason), delay_(delay) {}
    [[nodiscard]] std::chrono::milliseconds delay() const noexcept { return delay_; }

private:
    std::chrono::milliseconds delay_;
};

/// The work is no longer wanted: terminal, never retried. The caller gets lovage::task_revoked with
/// this reason, a Python caller TaskRevokedError.
class cancel : public std::runtime_error {
public:
    explicit cancel(const std::string& reason) : std::runtime_error(reason) {}
};

/// The message is at fault: terminal, never retried, put into the dead queue for a person to look
/// at. The caller gets a failure of type Reject.
class reject : public std::runtime_error {
public:
    explicit reject(const std::string& reason) : std::runtime_error(reason) {}
};

}  // namespace lovage
