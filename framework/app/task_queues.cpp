#include "framework/app/task_queues.hpp"

#include "framework/base/log.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>
#include <utility>

namespace lovage {
namespace {

constexpr milliseconds delay_min{10};
/// Queues for delays expire when nobody declares or uses them for their delay and this long, and
/// are declared again when the last time was `declared_for` ago: so a message never outlives them.
constexpr milliseconds delay_queue_grace = std::chrono::minutes(10);
constexpr milliseconds declared_for = std::chrono::minutes(5);
/// Declarations need no deadline of their own: they wait for the connection as messages do.
constexpr milliseconds declare_timeout = std::chrono::hours(24);

amqp::field_value number(milliseconds value) {
    return std::int64_t{value.count()};
}

std::unique_ptr<request_waiter> log_refusal(const std::string& queue) {
    return on_answer([queue](const client::problem* failed, const client::answer*) {
        if (failed != nullptr && failed->code == broker_errc::refused) {
            // Exists with other arguments, or declaring is not permitted. Publishing is mandatory,
            // so a queue that is not there is found out by the message itself.
            log_event(
                log_level::info,
                "queue_taken_as_it_is",
                {{"queue", queue}, {"reason", failed->text}});
        }
    });
}

}  // namespace

milliseconds delay_step(milliseconds delay) {
    const auto wanted = std::clamp(delay, delay_min, broker_delay_max);
    const auto value = static_cast<std::uint64_t>(wanted.count());
    // Eight steps to each doubling.
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    const std::uint64_t step = bits <= 4 ? 1 : std::uint64_t{1} << (bits - 4);
    return milliseconds(static_cast<milliseconds::rep>((value + step - 1) / step * step));
}

/// Where a message goes: a queue, or a queue of delays in front of it.
struct task_queues::target {
    std::string queue;
    std::string delay = {};  ///< name of the delays' queue; empty: no delay
    milliseconds step{0};
    time_point now{};  ///< when the delay was asked for
};

/// What is declared, each time with a new serial, so that of many messages that find a queue gone
/// but the first declares it again.
struct task_queues::state {
    struct delay_queue {
        time_point declared{};
        std::uint64_t serial = 0;
    };

    explicit state(std::shared_ptr<amqp_client> to) : sender(std::move(to)) {}

    std::uint64_t ensure(const target& to) {
        const std::uint64_t serial = ensure_queue(to.queue);
        return to.delay.empty() ? serial : ensure_delay(to);
    }
    /// The declaration with that serial does not hold any more.
    void forget(const target& to, std::uint64_t serial) {
        if (to.delay.empty()) {
            if (const auto found = queues.find(to.queue);
                found != queues.end() && found->second == serial) {
                queues.erase(found);
            }
        } else if (const auto found = delays.find(to.delay);
                   found != delays.end() && found->second.serial == serial) {
            delays.erase(found);
        }
    }

    std::uint64_t ensure_queue(const std::string& queue);
    std::uint64_t ensure_delay(const target& to);

    std::shared_ptr<amqp_client> sender;
    std::unordered_map<std::string, std::uint64_t> queues;
    std::unordered_map<std::string, delay_queue> delays;
    std::uint64_t last_serial = 0;
};

/// The waiter of a message: if the queue turns out to be gone, declares it and sends the message
/// once more.
class task_queues::second_try final : public publish_waiter {
public:
    second_try(
        const std::shared_ptr<state>& queues,
        target to,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter)
        : state_(queues),
          to_(std::move(to)),
          serial_(queues->ensure(to_)),
          timeout_(timeout),
          waiter_(std::move(waiter)) {}

    void given_back(client::publication&& message) override { message_ = std::move(message); }
    void published(const client::problem* problem) override {
        const auto queues = state_.lock();
        if (message_ && queues != nullptr) {
            queues->forget(to_, serial_);
            static_cast<void>(queues->ensure(to_));
            queues->sender->publish(std::move(*message_), timeout_, std::move(waiter_));
        } else if (waiter_ != nullptr) {
            waiter_->published(problem);
        }
    }

private:
    std::weak_ptr<state> state_;
    target to_;
    std::uint64_t serial_;
    milliseconds timeout_;
    std::unique_ptr<publish_waiter> waiter_;
    std::optional<client::publication> message_;
};

std::uint64_t task_queues::state::ensure_queue(const std::string& queue) {
    const auto [entry, added] = queues.try_emplace(queue, last_serial + 1);
    if (!added) {
        return entry->second;
    }
    ++last_serial;
    client::declare_queue declare;
    declare.name = queue;
    sender->request(std::move(declare), declare_timeout, log_refusal(queue));
    client::declare_exchange exchange;
    exchange.name = queue;
    sender->request(std::move(exchange), declare_timeout, log_refusal(queue));
    client::bind_queue bind;
    bind.queue = bind.exchange = bind.routing_key = queue;
    sender->request(std::move(bind), declare_timeout, log_refusal(queue));
    return last_serial;
}

std::uint64_t task_queues::state::ensure_delay(const target& to) {
    const auto [entry, added] = delays.try_emplace(to.delay);
    delay_queue& known = entry->second;
    if (!added && to.now - known.declared < declared_for) {
        return known.serial;
    }
    known = {to.now, ++last_serial};
    client::declare_queue declare;
    declare.name = to.delay;
    declare.arguments.set("x-message-ttl", number(to.step));
    declare.arguments.set("x-expires", number(to.step + delay_queue_grace));
    declare.arguments.set("x-dead-letter-exchange", "");
    declare.arguments.set("x-dead-letter-routing-key", std::string_view(to.queue));
    sender->request(std::move(declare), declare_timeout, log_refusal(to.delay));
    return known.serial;
}

task_queues::task_queues(std::shared_ptr<amqp_client> client)
    : state_(std::make_shared<state>(std::move(client))) {}

void task_queues::ensure(const std::string& queue) {
    state_->ensure_queue(queue);
}

void task_queues::publish(
    const std::string& queue,
    client::publication message,
    milliseconds timeout,
    std::unique_ptr<publish_waiter> waiter) {
    auto waiting = std::make_unique<second_try>(state_, target{queue}, timeout, std::move(waiter));
    message.exchange.clear();
    message.routing_key = queue;
    state_->sender->publish(std::move(message), timeout, std::move(waiting));
}

void task_queues::publish_delayed(
    const std::string& queue,
    client::publication message,
    milliseconds delay,
    time_point now,
    milliseconds timeout,
    std::unique_ptr<publish_waiter> waiter) {
    if (delay <= milliseconds(0)) {
        publish(queue, std::move(message), timeout, std::move(waiter));
        return;
    }
    const milliseconds step = delay_step(delay);
    const std::string name = "lovage.delay." + std::to_string(step.count()) + "." + queue;
    auto waiting = std::make_unique<second_try>(
        state_, target{queue, name, step, now}, timeout, std::move(waiter));
    message.exchange.clear();
    message.routing_key = name;
    state_->sender->publish(std::move(message), timeout, std::move(waiting));
}

}  // namespace lovage
