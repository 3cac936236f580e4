#include "framework/app/app_engine.hpp"

#include "framework/amqp/properties.hpp"
#include "framework/base/deadline.hpp"
#include "framework/base/log.hpp"
#include "framework/task/result_message.hpp"

#include <utility>

namespace lovage {
namespace {

constexpr milliseconds delete_reply_queue_timeout{1000};
/// Replies are taken in as they come; this only bounds what the broker has to keep as unacked.
constexpr std::uint16_t reply_prefetch = 2000;
constexpr milliseconds reply_declare_timeout = std::chrono::hours(24);

amqp_client_options client_options(
    const app_options& options,
    const net::uri& address,
    const char* role) {
    amqp_client_options made;
    made.address = address;
    made.name = options.name + " " + role;
    made.connect_timeout = options.send_timeout;
    made.heartbeat_seconds = options.heartbeat_seconds;
    made.window_messages = options.window_messages;
    return made;
}

client::declare_queue declare_replies(const std::string& name, milliseconds expires) {
    client::declare_queue declare;
    declare.name = name;
    declare.arguments.set("x-expires", std::int64_t{expires.count()});
    return declare;
}

template <class Slots>
void stop_all(Slots& slots, const client::problem& why) {
    slots.for_each([&](std::weak_ptr<detail::reply_slot>& waiting) {
        if (const auto slot = waiting.lock()) {
            slot->stop(why);
        }
    });
    slots.clear();
}

}  // namespace

/// Replies in, one ack for all that came together.
class app_engine::reply_handler final : public delivery_handler {
public:
    explicit reply_handler(app_engine& engine) : engine_(engine) {}

    void delivered(const client::delivery& message) override {
        last_ = message.ref;
        engine_.on_reply(message);
    }
    void batch_end() override {
        if (last_) {
            engine_.listener_->ack(*last_, true);
            last_.reset();
        }
    }
    void lost(const client::problem& why, bool final) override {
        last_.reset();
        if (final && why.code != broker_errc::stopped) {
            engine_.on_replies_lost(why);
        }
    }

private:
    app_engine& engine_;
    std::optional<client::delivery_ref> last_;
};

class app_engine::confirm_waiter final : public publish_waiter {
public:
    explicit confirm_waiter(outgoing_call call, app_engine& engine)
        : slot_(std::move(call.slot)), handler_(std::move(call.handler)), engine_(engine) {}

    void published(const client::problem* failed) override {
        slot_->confirm(failed);
        if (failed != nullptr) {
            engine_.router_.remove(slot_->id());
        }
        if (handler_) {
            (*handler_)(failed == nullptr ? nullptr : detail::exception_of(*failed), slot_);
        }
    }

private:
    slot_ptr slot_;
    std::optional<pending_completion<slot_ptr>> handler_;
    app_engine& engine_;
};

app_engine::app_engine(const app_options& options, const net::uri& address, std::string reply_queue)
    : options_(options),
      where_(address.display()),
      reply_queue_(std::move(reply_queue)),
      generation_(fork_generation()),
      mailbox_(std::make_shared<mailbox>(executor())),
      publisher_(amqp_client::create(executor(), client_options(options, address, "publisher"))),
      listener_(amqp_client::create(executor(), client_options(options, address, "replies"))),
      queues_(publisher_),
      replies_(std::make_shared<reply_handler>(*this)),
      deadline_timer_(executor()) {}

app_engine::~app_engine() {
    thread_.stop();
}

void app_engine::send(outgoing_call call) {
    mailbox_->push([this, call = std::move(call)]() mutable { send_now(call); });
}

void app_engine::send_now(outgoing_call& call) {
    if (stopping_) {
        const client::problem why{broker_errc::stopped, 0, "the app is stopped"};
        confirm_waiter(std::move(call), *this).published(&why);
        return;
    }
    if (!call.slot->ignored()) {
        listen();
        router_.sweep([](const auto& waiting) { return waiting.expired(); });
        if (!router_.add(call.slot->id(), call.slot)) {
            // The id was chosen by the program and sent before: the newest handle hears of it.
            router_.remove(call.slot->id());
            router_.add(call.slot->id(), call.slot);
        }
        if (replies_lost_) {
            call.slot->stop(*replies_lost_);
        }
    }
    const std::string queue = std::move(call.queue);
    client::publication message = std::move(call.message);
    const milliseconds delay = call.delay;
    auto waiter = std::make_unique<confirm_waiter>(std::move(call), *this);
    if (delay > milliseconds(0)) {
        queues_.publish_delayed(
            queue,
            std::move(message),
            delay,
            std::chrono::steady_clock::now(),
            options_.send_timeout,
            std::move(waiter));
    } else {
        queues_.publish(queue, std::move(message), options_.send_timeout, std::move(waiter));
    }
}

/// The reply queue must stand before a call that names it: the publisher declares it, too, and its
/// messages wait for that.
void app_engine::listen() {
    if (listening_) {
        return;
    }
    listening_ = true;
    const auto declare = declare_replies(reply_queue_, options_.reply_queue_expires);
    publisher_->request(declare, reply_declare_timeout, nullptr);
    listener_->request(declare, reply_declare_timeout, nullptr);
    client::subscription subscription;
    subscription.queue = reply_queue_;
    subscription.prefetch = reply_prefetch;
    listener_->consume(std::move(subscription), replies_);
}

void app_engine::on_reply(const client::delivery& message) {
    const auto properties = amqp::read_properties(message.properties);
    if (!properties || !properties->correlation_id) {
        log_event(log_level::warning, "reply_dropped", {{"reason", "no correlation id"}});
        return;
    }
    auto* waiting = router_.find(*properties->correlation_id);
    const auto slot = waiting == nullptr ? nullptr : waiting->lock();
    if (slot == nullptr) {
        router_.remove(*properties->correlation_id);
        return;
    }
    std::string reason;
    auto result = read_result(*properties, message.body, reason);
    if (!result) {
        log_event(
            log_level::warning,
            "reply_unreadable",
            {{"task_id", *properties->correlation_id}, {"reason", reason}});
        // It may be the only one that comes: who waits must hear of it.
        result = unreadable_result(*properties->correlation_id, reason);
    }
    on_result(slot, std::move(*result));
}

void app_engine::on_result(const slot_ptr& slot, task_result&& result) {
    const bool last = terminal(result.state);
    slot->deliver(std::make_shared<const task_result>(std::move(result)));
    if (last) {
        deadlines_.remove(slot.get());
        router_.remove(slot->id());
    }
}

/// The broker does not let us consume our reply queue: no result that is waited for will come.
void app_engine::on_replies_lost(const client::problem& why) {
    log_event(log_level::error, "reply_queue_lost", {{"reason", why.text}});
    replies_lost_ = why;
    replies_lost_->text = "results cannot be received: " + why.text;
    stop_all(router_, *replies_lost_);
}

// Asynchronous waiting: one timer for all.

void app_engine::wait_for_result(
    const slot_ptr& slot,
    milliseconds timeout,
    detail::result_completion handler) {
    const auto engine = slot->engine().lock();
    if (engine == nullptr) {
        // The app is gone; whatever has arrived is there, and nothing else will come.
        pending_completion<detail::reply_slot::result_ptr> pending(
            std::move(handler), boost::asio::system_executor());
        slot->stop({broker_errc::stopped, 0, "the app is stopped"});
        slot->add_waiter(std::move(pending));
        return;
    }
    pending_completion<detail::reply_slot::result_ptr> pending(
        std::move(handler), engine->executor());
    const time_point at = deadline_after(std::chrono::steady_clock::now(), timeout);
    engine->mailbox_->push(
        [engine = engine.get(), slot, at, pending = std::move(pending)]() mutable {
            const std::uint64_t waiter = slot->add_waiter(std::move(pending));
            if (waiter != 0) {
                engine->add_deadline(at, slot, waiter);
            }
        });
}

void app_engine::add_deadline(time_point at, const slot_ptr& slot, std::uint64_t waiter) {
    const bool first = at < deadlines_.earliest();
    deadlines_.add(at, slot, waiter);
    if (first) {
        arm_deadline();
    }
}

void app_engine::arm_deadline() {
    if (deadlines_.earliest() == time_point::max()) {
        return;
    }
    deadline_timer_.expires_at(deadlines_.earliest());
    deadline_timer_.async_wait([this](boost::system::error_code error) {
        if (error) {
            return;
        }
        const time_point now = std::chrono::steady_clock::now();
        deadline_table<detail::reply_slot>::entry due;
        while (deadlines_.take_due(now, due)) {
            if (const auto slot = due.who.lock()) {
                slot->give_up(due.number);
            }
        }
        arm_deadline();
    });
}

// Stopping.

void app_engine::stop() {
    std::unique_lock lock(stop_mutex_);
    if (!std::exchange(stop_asked_, true)) {
        mailbox_->push([this] { stop_now(); });
    }
    if (!is_io_thread()) {
        stop_done_.wait(lock, [&] { return stopped_; });
    }
}

void app_engine::stop_now() {
    stopping_ = true;
    deadline_timer_.cancel();
    stop_all(router_, {broker_errc::stopped, 0, "the app was stopped before a result came"});
    if (!listening_ || !listener_->connected()) {
        stop_clients();
        return;
    }
    client::delete_queue gone;
    gone.queue = reply_queue_;
    listener_->request(
        std::move(gone),
        delete_reply_queue_timeout,
        on_answer([this](const client::problem*, const client::answer*) { stop_clients(); }));
}

void app_engine::stop_clients() {
    if (clients_left_ != 0) {
        return;
    }
    clients_left_ = 2;
    const auto done = [this] {
        if (--clients_left_ == 0) {
            const std::scoped_lock lock(stop_mutex_);
            stopped_ = true;
            stop_done_.notify_all();
        }
    };
    publisher_->stop(done);
    listener_->stop(done);
}

}  // namespace lovage
