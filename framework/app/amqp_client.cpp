// What the broker says and the clock demands: the driver's turns, connections and events.
#include "framework/app/client_driver.hpp"
#include "framework/app/guarded.hpp"
#include "framework/base/log.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace lovage {

namespace asio = boost::asio;

namespace {

/// Sets a flag for as long as it lives, whatever is thrown meanwhile.
class flag_guard {
public:
    explicit flag_guard(bool& flag) : flag_(flag) { flag_ = true; }
    ~flag_guard() { flag_ = false; }
    flag_guard(const flag_guard&) = delete;
    flag_guard& operator=(const flag_guard&) = delete;

private:
    bool& flag_;
};

}  // namespace

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
    {
        const flag_guard guard(draining_);  // calls from handlers are part of this turn
        const time_point at = now();
        dispatch_all(input, at);
        finish_batch();
        // What batch ends and handlers asked for may have made events at once.
        octets nothing;
        dispatch_all(nothing, at);
    }
    flush();
    connect_if_due();
    rearm();
}

void client_driver::dispatch_all(octets& input, time_point at) {
    client::event what;
    while (!stopped_ && session_.next(input, what, at, random())) {
        call_guarded([&] { dispatch(what); });
    }
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
        session_.disconnected({broker_errc::connect_failed, 0, result.problem}, now(), random());
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
                if (what.returned != nullptr) {
                    waiter->given_back(std::move(*what.returned));
                }
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
    if (what.error.code != broker_errc::stopped) {
        log_event(
            log_level::warning,
            "consumer_lost",
            {{"reason", what.error.text}, {"final", what.final ? "true" : "false"}});
    }
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
            call_guarded([&] { handler->batch_end(); });
        }
    }
    touched_.clear();
}

}  // namespace lovage
