#include "framework/app/task_queues.hpp"

#include "framework/base/log.hpp"

#include <algorithm>
#include <bit>
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

void task_queues::ensure(const std::string& queue) {
    if (!declared_.insert(queue).second) {
        return;
    }
    client::declare_queue declare;
    declare.name = queue;
    client_->request(std::move(declare), declare_timeout, log_refusal(queue));
    client::declare_exchange exchange;
    exchange.name = queue;
    client_->request(std::move(exchange), declare_timeout, log_refusal(queue));
    client::bind_queue bind;
    bind.queue = bind.exchange = bind.routing_key = queue;
    client_->request(std::move(bind), declare_timeout, log_refusal(queue));
}

void task_queues::publish(
    const std::string& queue,
    client::publication message,
    milliseconds timeout,
    std::unique_ptr<publish_waiter> waiter) {
    ensure(queue);
    message.exchange.clear();
    message.routing_key = queue;
    client_->publish(std::move(message), timeout, std::move(waiter));
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
    ensure(queue);
    const milliseconds step = delay_step(delay);
    const std::string name = "lovage.delay." + std::to_string(step.count()) + "." + queue;
    const auto [entry, added] = delays_declared_.try_emplace(name, now);
    if (added || now - entry->second >= declared_for) {
        entry->second = now;
        client::declare_queue declare;
        declare.name = name;
        declare.arguments.set("x-message-ttl", number(step));
        declare.arguments.set("x-expires", number(step + delay_queue_grace));
        declare.arguments.set("x-dead-letter-exchange", "");
        declare.arguments.set("x-dead-letter-routing-key", std::string_view(queue));
        client_->request(std::move(declare), declare_timeout, log_refusal(name));
    }
    message.exchange.clear();
    message.routing_key = name;
    client_->publish(std::move(message), timeout, std::move(waiter));
}

}  // namespace lovage
