// How task queues are declared and how messages are delayed, on any broker. Used by app and workers
// over one amqp_client (the publishing one), on its executor.
// Task queues are declared exactly as Celery does, because whoever declares first wins: a durable
// queue without arguments, a durable direct exchange of the same name, bound with the same key.
// A delayed message waits in a durable queue for its delay and target, whose messages expire into
// the target; nobody consumes it, and it goes away when it was not used for a while.
// A queue that was declared here and deleted by somebody else is declared once more by the message
// that finds it gone.
#pragma once

#include "framework/app/amqp_client.hpp"

#include <memory>
#include <string>

namespace lovage {

/// Longer delays are cut to this; the worker that gets the message early delays it again.
inline constexpr milliseconds broker_delay_max = std::chrono::hours(24 * 30);

/// `delay` rounded up to a step: 1, 1.25, 1.5, ... so that there are few delay queues. At most an
/// eighth longer than asked for, never shorter; at least 10 ms.
[[nodiscard]] milliseconds delay_step(milliseconds delay);

class task_queues {
public:
    explicit task_queues(std::shared_ptr<amqp_client> client);

    /// Declares the queue unless this object has done so before. A queue that exists with other
    /// arguments (quorum, priorities) is taken as it is. Publishes made after this on the same
    /// client wait for the declaration.
    void ensure(const std::string& queue);
    /// Publishes to the queue by the default exchange, declaring it first.
    void publish(
        const std::string& queue,
        client::publication message,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter);
    /// The same, but the queue gets the message `delay` later (see delay_step).
    /// Exchange and routing key of `message` are ignored. `now` is the monotonic time.
    void publish_delayed(
        const std::string& queue,
        client::publication message,
        milliseconds delay,
        time_point now,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter);

private:
    struct target;
    struct state;
    class second_try;

    /// Shared with the messages under way, which may outlive this object.
    std::shared_ptr<state> state_;
};

}  // namespace lovage
