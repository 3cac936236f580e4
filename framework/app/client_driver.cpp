#include "framework/app/client_driver.hpp"

#include "framework/app/guarded.hpp"
#include "framework/base/deadline.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace lovage {
namespace {

namespace asio = boost::asio;

/// How long a broker may take to answer our goodbye.
constexpr milliseconds goodbye_max{2000};

const client::problem stopped_problem{broker_errc::stopped, 0, "the client is stopped"};

client::session_settings settings_of(const amqp_client_options& options) {
    client::session_settings settings;
    settings.connection.user = options.address.user;
    settings.connection.password = options.address.password;
    settings.connection.vhost = options.address.vhost;
    settings.connection.name = options.name;
    settings.connection.where = options.address.display();
    settings.connection.heartbeat_seconds =
        options.address.heartbeat_seconds.value_or(options.heartbeat_seconds);
    settings.connection.channel_max =
        options.address.channel_max.value_or(settings.connection.channel_max);
    settings.connection.frame_max =
        options.address.frame_max.value_or(settings.connection.frame_max);
    settings.window.wire_messages = options.window_messages;
    settings.window.wire_octets = options.window_octets;
    settings.window.total_messages = options.outbox_messages_max;
    settings.window.total_octets = options.outbox_octets_max;
    settings.handshake_timeout = options.connect_timeout;
    return settings;
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace

client_driver::client_driver(
    const asio::any_io_executor& executor,
    const amqp_client_options& options)
    : executor_(executor),
      options_(options),
      session_(settings_of(options)),
      timer_(executor),
      goodbye_(executor),
      random_(random_seed()) {}

void client_driver::use() {
    used_ = true;
    schedule_turn();
}

void client_driver::refuse(std::unique_ptr<publish_waiter> waiter) {
    if (waiter != nullptr) {
        asio::post(
            executor_, [waiter = std::move(waiter)] { waiter->published(&stopped_problem); });
    }
}

void client_driver::refuse(std::unique_ptr<request_waiter> waiter) {
    if (waiter != nullptr) {
        asio::post(executor_, [waiter = std::move(waiter)] {
            waiter->answered(&stopped_problem, nullptr);
        });
    }
}

void client_driver::publish(
    client::publication message,
    milliseconds timeout,
    std::unique_ptr<publish_waiter> waiter) {
    if (stopped_) {
        refuse(std::move(waiter));
        return;
    }
    session_.publish(
        std::move(message), publishes_.put(std::move(waiter)), deadline_after(now(), timeout));
    use();
}

void client_driver::request(
    client::request what,
    milliseconds timeout,
    std::unique_ptr<request_waiter> waiter) {
    if (stopped_) {
        refuse(std::move(waiter));
        return;
    }
    session_.ask(std::move(what), requests_.put(std::move(waiter)), deadline_after(now(), timeout));
    use();
}

client::consumer_id client_driver::consume(
    client::subscription what,
    std::shared_ptr<delivery_handler> handler,
    milliseconds timeout) {
    if (stopped_) {
        asio::post(
            executor_, [handler = std::move(handler)] { handler->lost(stopped_problem, true); });
        return 0;
    }
    const client::consumer_id id =
        session_.consume(std::move(what), deadline_after(now(), timeout));
    consumers_.emplace(id, consumer_entry{std::move(handler), false, false});
    use();
    return id;
}

void client_driver::cancel(client::consumer_id consumer, std::function<void()> done) {
    if (const auto found = consumers_.find(consumer); found != consumers_.end()) {
        found->second.muted = true;
    }
    if (stopped_) {
        if (done) {
            asio::post(executor_, std::move(done));
        }
        return;
    }
    session_.cancel(
        consumer, cancels_.put(std::make_unique<std::function<void()>>(std::move(done))));
    use();
}

void client_driver::forget(client::consumer_id consumer) {
    consumers_.erase(consumer);
    session_.forget(consumer);
    use();
}

void client_driver::ack(const client::delivery_ref& delivery, bool multiple) {
    session_.ack(delivery, multiple);
    schedule_turn();
}

void client_driver::nack(const client::delivery_ref& delivery, bool requeue, bool multiple) {
    session_.nack(delivery, requeue, multiple);
    schedule_turn();
}

void client_driver::abandon() {
    stopped_ = true;
    timer_.cancel();
    goodbye_.cancel();
    if (attempt_) {
        std::exchange(attempt_, nullptr)->cancel();
    }
    drop_pump();
}

// Stopping.

void client_driver::stop(std::function<void()> done) {
    if (stopped_) {
        if (done) {
            asio::post(executor_, std::move(done));
        }
        return;
    }
    stop_waiters_.push_back(std::move(done));
    if (stopping_) {
        return;
    }
    stopping_ = true;
    if (attempt_) {
        std::exchange(attempt_, nullptr)->cancel();
    }
    session_.close();
    goodbye_.expires_after(goodbye_max);
    goodbye_.async_wait([self = shared_from_this()](net::error_code error) {
        if (!error && !self->stopped_) {
            self->finish_stop();
        }
    });
    schedule_turn();
}

void client_driver::finish_stop() {
    stopped_ = true;
    timer_.cancel();
    goodbye_.cancel();
    link_ = nullptr;
    if (pump_ != nullptr) {
        std::exchange(pump_, nullptr)->close_now();
    }
    fail_the_rest();
    auto waiters = std::exchange(stop_waiters_, {});
    for (auto& done : waiters) {
        if (done) {
            asio::post(executor_, std::move(done));
        }
    }
}

/// The session has failed everything by now, unless its events were not taken.
void client_driver::fail_the_rest() {
    for (const auto& waiter : publishes_.take_all()) {
        call_guarded([&] { waiter->published(&stopped_problem); });
    }
    for (const auto& waiter : requests_.take_all()) {
        call_guarded([&] { waiter->answered(&stopped_problem, nullptr); });
    }
    for (const auto& done : cancels_.take_all()) {
        if (*done) {
            call_guarded(*done);
        }
    }
    auto left = std::exchange(consumers_, {});
    for (auto& entry : left) {
        call_guarded([&] { entry.second.handler->lost(stopped_problem, true); });
    }
}

std::shared_ptr<amqp_client> amqp_client::create(
    const asio::any_io_executor& executor,
    const amqp_client_options& options) {
    return std::make_shared<client_driver>(executor, options);
}

}  // namespace lovage
