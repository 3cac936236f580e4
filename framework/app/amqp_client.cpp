#include "framework/app/amqp_client.hpp"

#include "framework/app/waiter_table.hpp"
#include "framework/base/log.hpp"
#include "framework/client/session.hpp"
#include "framework/net/connector.hpp"
#include "framework/net/pump.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lovage {
namespace {

namespace asio = boost::asio;

/// How long a broker may take to answer our goodbye.
constexpr milliseconds goodbye_max{2000};

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

class client_driver;

/// The owner of one pump. The driver outlives neither it nor its pump's loops necessarily.
class link final : public net::pump_owner {
public:
    explicit link(std::weak_ptr<client_driver> driver) : driver_(std::move(driver)) {}
    std::size_t received(octets input) override;
    void drained(std::size_t) override {}
    void closed(net::error_code error) override;

private:
    std::weak_ptr<client_driver> driver_;
};

class client_driver final : public amqp_client,
                            public std::enable_shared_from_this<client_driver> {
public:
    client_driver(const asio::any_io_executor& executor, const amqp_client_options& options)
        : executor_(executor),
          options_(options),
          session_(settings_of(options)),
          timer_(executor),
          goodbye_(executor),
          random_(random_seed()) {}

    ~client_driver() override { drop_pump(); }

    void observe(connection_observer* observer) override { observer_ = observer; }
    void open() override { use(); }
    [[nodiscard]] bool connected() const override { return session_.is_up(); }
    [[nodiscard]] std::size_t unconfirmed() const override { return session_.unconfirmed(); }

    void publish(
        client::publication message,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter) override {
        session_.publish(std::move(message), publishes_.put(std::move(waiter)), now() + timeout);
        use();
    }
    void request(
        client::request what,
        milliseconds timeout,
        std::unique_ptr<request_waiter> waiter) override {
        session_.ask(std::move(what), requests_.put(std::move(waiter)), now() + timeout);
        use();
    }
    client::consumer_id consume(
        client::subscription what,
        std::shared_ptr<delivery_handler> handler) override {
        const client::consumer_id id = session_.consume(std::move(what));
        consumers_.emplace(id, consumer_entry{std::move(handler), false});
        use();
        return id;
    }
    void cancel(client::consumer_id consumer, std::function<void()> done) override {
        if (const auto found = consumers_.find(consumer); found != consumers_.end()) {
            found->second.muted = true;
        }
        session_.cancel(
            consumer, cancels_.put(std::make_unique<std::function<void()>>(std::move(done))));
        use();
    }
    void forget(client::consumer_id consumer) override {
        consumers_.erase(consumer);
        session_.forget(consumer);
        use();
    }
    void ack(const client::delivery_ref& delivery, bool multiple) override {
        session_.ack(delivery, multiple);
        schedule_turn();
    }
    void nack(const client::delivery_ref& delivery, bool requeue, bool multiple) override {
        session_.nack(delivery, requeue, multiple);
        schedule_turn();
    }
    void stop(std::function<void()> done) override;
    void abandon() override {
        stopped_ = true;
        timer_.cancel();
        goodbye_.cancel();
        if (attempt_) {
            std::exchange(attempt_, nullptr)->cancel();
        }
        drop_pump();
    }

    // from link
    std::size_t received(const link* from, octets input);
    void closed(const link* from, net::error_code error);

private:
    struct consumer_entry {
        std::shared_ptr<delivery_handler> handler;
        bool touched = false;  ///< has had a delivery in this batch
        bool muted = false;    ///< cancelled: no deliveries any more
    };

    static time_point now() { return std::chrono::steady_clock::now(); }
    std::uint64_t random() { return random_(); }
    void use() {
        used_ = true;
        schedule_turn();
    }
    void schedule_turn();
    void turn();
    void drain_events(octets& input);
    void dispatch(client::event& what);
    void dispatch_delivery(const client::event& what);
    void dispatch_lost(const client::event& what);
    void on_down(const client::event& what);
    void finish_batch();
    void flush();
    void connect_if_due();
    void on_connected(net::connect_result result);
    void rearm();
    void drop_pump();
    void finish_stop();

    asio::any_io_executor executor_;
    amqp_client_options options_;
    client::session session_;
    asio::steady_timer timer_;
    asio::steady_timer goodbye_;
    std::mt19937_64 random_;
    std::shared_ptr<net::pump> pump_;
    std::shared_ptr<link> link_;
    std::shared_ptr<net::connect_attempt> attempt_;
    connection_observer* observer_ = nullptr;

    waiter_table<publish_waiter> publishes_;
    waiter_table<request_waiter> requests_;
    waiter_table<std::function<void()>> cancels_;
    std::unordered_map<client::consumer_id, consumer_entry> consumers_;
    std::vector<client::consumer_id> touched_;
    std::vector<std::function<void()>> stop_waiters_;
    time_point armed_ = time_point::max();
    bool used_ = false;
    bool turn_posted_ = false;
    bool draining_ = false;
    bool stopping_ = false;
    bool stopped_ = false;
};

std::size_t link::received(octets input) {
    const auto driver = driver_.lock();
    return driver ? driver->received(this, input) : input.size();
}

void link::closed(net::error_code error) {
    if (const auto driver = driver_.lock()) {
        driver->closed(this, error);
    }
}

// Turns: whatever was asked for in one round of the executor goes out in one write.

void client_driver::schedule_turn() {
    if (turn_posted_ || draining_ || stopped_) {
        return;
    }
    turn_posted_ = true;
    asio::post(executor_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->turn_posted_ = false;
            self->turn();
        }
    });
}

void client_driver::turn() {
    octets nothing;
    drain_events(nothing);
}

std::size_t client_driver::received(const link* from, octets input) {
    if (from != link_.get()) {
        return input.size();
    }
    octets rest = input;
    drain_events(rest);
    return input.size() - rest.size();
}

void client_driver::drain_events(octets& input) {
    if (draining_ || stopped_) {
        return;
    }
    draining_ = true;  // calls from handlers are part of this turn
    const time_point at = now();
    client::event what;
    while (!stopped_ && session_.next(input, what, at, random())) {
        dispatch(what);
    }
    finish_batch();
    if (!stopped_) {
        // What batch ends and handlers asked for may have made events at once.
        octets nothing;
        while (!stopped_ && session_.next(nothing, what, at, random())) {
            dispatch(what);
        }
    }
    draining_ = false;
    flush();
    connect_if_due();
    rearm();
}

void client_driver::closed(const link* from, net::error_code error) {
    if (from != link_.get() || stopped_) {
        return;
    }
    pump_ = nullptr;
    link_ = nullptr;
    client::problem why;
    why.code = broker_errc::connection_lost;
    why.text = options_.address.display() + ": the connection was lost: " + error.message();
    session_.disconnected(why, now(), random());
    turn();
}

void client_driver::flush() {
    byte_buffer& made = session_.out();
    if (pump_ == nullptr || made.empty()) {
        return;
    }
    byte_buffer& out = pump_->out();
    if (out.empty()) {
        out.swap(made);
    } else {
        out.append(made.view());
        made.clear();
    }
    pump_->flush();
}

// Connecting.

void client_driver::connect_if_due() {
    if (!used_ || stopped_ || attempt_ != nullptr || !session_.wants_connection() ||
        session_.connect_at() > now()) {
        return;
    }
    session_.connecting();
    net::connect_options how;
    how.timeout = options_.address.connection_timeout.value_or(options_.connect_timeout);
    how.may_use_threads = options_.may_use_threads;
    attempt_ = net::async_connect(
        executor_, options_.address, how, [weak = weak_from_this()](net::connect_result result) {
            if (const auto self = weak.lock()) {
                self->on_connected(std::move(result));
            }
        });
}

void client_driver::on_connected(net::connect_result result) {
    attempt_ = nullptr;
    if (stopped_) {
        return;
    }
    if (result.error) {
        session_.disconnected(
            {broker_errc::connect_failed, 0, result.problem}, now(), random());
        turn();
        return;
    }
    pump_ = net::pump::create(std::move(result.connection));
    link_ = std::make_shared<link>(weak_from_this());
    session_.connected(now());
    pump_->start(link_);
    turn();
}

void client_driver::drop_pump() {
    link_ = nullptr;
    if (pump_ != nullptr) {
        std::exchange(pump_, nullptr)->detach();
    }
}

void client_driver::rearm() {
    if (!used_ || stopped_) {
        return;
    }
    const time_point next = session_.next_time();
    if (next >= armed_) {
        return;
    }
    armed_ = next;
    timer_.expires_at(next);
    timer_.async_wait([weak = weak_from_this()](net::error_code error) {
        const auto self = weak.lock();
        if (error || self == nullptr || self->stopped_) {
            return;
        }
        self->armed_ = time_point::max();
        self->session_.tick(now(), self->random());
        if (self->pump_ != nullptr) {
            self->pump_->trim();
        }
        self->turn();
    });
}

// Events.

void client_driver::dispatch(client::event& what) {
    const client::problem* failed = what.failed ? &what.error : nullptr;
    switch (what.kind) {
        case client::event_kind::published:
            if (const auto waiter = publishes_.take(what.token)) {
                waiter->published(failed);
            }
            return;
        case client::event_kind::answered:
            if (const auto waiter = requests_.take(what.token)) {
                waiter->answered(failed, what.failed ? nullptr : &what.reply);
            }
            return;
        case client::event_kind::delivered: dispatch_delivery(what); return;
        case client::event_kind::subscribed:
            if (const auto found = consumers_.find(what.consumer); found != consumers_.end()) {
                const auto handler = found->second.handler;
                handler->subscribed();
            }
            return;
        case client::event_kind::lost: dispatch_lost(what); return;
        case client::event_kind::cancelled:
            if (const auto done = cancels_.take(what.token); done != nullptr && *done) {
                (*done)();
            }
            return;
        case client::event_kind::up:
            log_event(log_level::info, "connected", {{"broker", options_.address.display()}});
            if (observer_ != nullptr) {
                observer_->connected();
            }
            return;
        case client::event_kind::down: on_down(what); return;
        case client::event_kind::blocked:
            log_event(log_level::warning, "publishing_blocked", {{"reason", what.error.text}});
            if (observer_ != nullptr) {
                observer_->blocked(what.error.text);
            }
            return;
        case client::event_kind::unblocked:
            log_event(log_level::info, "publishing_unblocked");
            if (observer_ != nullptr) {
                observer_->unblocked();
            }
            return;
        case client::event_kind::closed: finish_stop(); return;
    }
}

void client_driver::dispatch_delivery(const client::event& what) {
    const auto found = consumers_.find(what.consumer);
    if (found == consumers_.end() || found->second.muted) {
        session_.nack(what.message.ref, true, false);
        return;
    }
    if (!found->second.touched) {
        found->second.touched = true;
        touched_.push_back(what.consumer);
    }
    const auto handler = found->second.handler;
    handler->delivered(what.message);
}

void client_driver::dispatch_lost(const client::event& what) {
    const auto found = consumers_.find(what.consumer);
    if (found == consumers_.end()) {
        return;
    }
    log_event(
        log_level::warning,
        "consumer_lost",
        {{"reason", what.error.text}, {"final", what.final ? "true" : "false"}});
    const auto handler = found->second.handler;
    if (what.final) {
        consumers_.erase(found);
    }
    handler->lost(what.error, what.final);
}

void client_driver::on_down(const client::event& what) {
    const auto wait = std::chrono::duration_cast<milliseconds>(what.retry_at - now());
    const milliseconds retry_in = std::max(wait, milliseconds(0));
    log_event(
        log_level::warning,
        "disconnected",
        {{"reason", what.error.text}, {"retry_in_ms", retry_in.count()}});
    if (pump_ != nullptr) {
        // The broker may be waiting for our close-ok.
        flush();
        link_ = nullptr;
        std::exchange(pump_, nullptr)->close_after_flush();
    }
    if (observer_ != nullptr) {
        observer_->disconnected(what.error, retry_in);
    }
}

void client_driver::finish_batch() {
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        const auto found = consumers_.find(touched_[i]);
        if (found != consumers_.end()) {
            found->second.touched = false;
            const auto handler = found->second.handler;
            handler->batch_end();
        }
    }
    touched_.clear();
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
    cancels_.clear();
    consumers_.clear();
    auto waiters = std::exchange(stop_waiters_, {});
    for (auto& done : waiters) {
        if (done) {
            asio::post(executor_, std::move(done));
        }
    }
}

}  // namespace

std::shared_ptr<amqp_client> amqp_client::create(
    const asio::any_io_executor& executor,
    const amqp_client_options& options) {
    return std::make_shared<client_driver>(executor, options);
}

}  // namespace lovage
