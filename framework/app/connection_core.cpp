#include "framework/app/connection_core.hpp"

#include "framework/app/address.hpp"
#include "framework/app/message_codec.hpp"
#include "framework/app/reply_slot.hpp"
#include "framework/task/task_id.hpp"

#include <boost/asio/system_executor.hpp>

#include <random>
#include <utility>

namespace lovage {
namespace {

amqp_client_options client_options(
    const connection_options& options,
    const net::uri& address,
    const char* role) {
    amqp_client_options made;
    made.address = address;
    made.name = options.name + role;
    made.connect_timeout = options.timeout;
    made.heartbeat_seconds = options.heartbeat_seconds;
    made.window_messages = options.window_messages;
    return made;
}

}  // namespace

/// One user's consumer: copies deliveries, counts those that may still be acknowledged, and calls
/// the user's function.
class connection_core::consumer_handler final : public delivery_handler {
public:
    consumer_handler(
        std::weak_ptr<connection_core> core,
        bool no_ack,
        connection::delivery_function function,
        pending<consumer> started)
        : core_(std::move(core)),
          no_ack_(no_ack),
          function_(std::move(function)),
          started_(std::move(started)) {}

    void set_id(client::consumer_id id) { id_ = id; }

    void delivered(const client::delivery& message) override {
        if (const auto core = core_.lock()) {
            if (!no_ack_) {
                unsettled_ = message.ref.epoch == epoch_ ? unsettled_ + 1 : 1;
                epoch_ = message.ref.epoch;
            }
            function_(core->make_delivery(message, no_ack_));
        }
    }
    void subscribed() override {
        if (started_) {
            auto started = *std::exchange(started_, std::nullopt);
            started(nullptr, consumer(core_, id_));
        }
    }
    void lost(const client::problem& why, bool final) override {
        unsettled_ = 0;  // the broker has them back
        if (const auto core = core_.lock(); final && core != nullptr) {
            core->consumers_.erase(id_);
        }
        if (final && started_) {
            auto started = *std::exchange(started_, std::nullopt);
            started(detail::exception_of(why), consumer());
        }
    }

    void cancel() { cancelled_ = true; }
    void settled(std::uint64_t epoch) {
        unsettled_ -= epoch == epoch_ && unsettled_ != 0 ? 1U : 0U;
    }
    /// Cancelled, and no delivery is left that may be acknowledged.
    [[nodiscard]] bool done() const { return cancelled_ && unsettled_ == 0; }

private:
    std::weak_ptr<connection_core> core_;
    bool no_ack_;
    connection::delivery_function function_;
    std::optional<pending<consumer>> started_;
    client::consumer_id id_ = 0;
    std::uint64_t epoch_ = 0;    ///< of the newest delivery
    std::size_t unsettled_ = 0;  ///< deliveries of that epoch without ack or nack
    bool cancelled_ = false;
};

connection_core::connection_core(
    std::optional<boost::asio::any_io_executor> executor,
    connection_options options)
    : options_(std::move(options)), address_(parse_address(effective_url(options_.url))) {
    if (executor) {
        strand_ = boost::asio::make_strand(*executor);
        executor_ = *strand_;
    }
}

connection_core::~connection_core() {
    if (thread_ != nullptr) {
        thread_->stop();
    }
}

std::shared_ptr<mailbox> connection_core::start() {
    const std::scoped_lock lock(mutex_);
    if (closed_) {
        return nullptr;
    }
    if (mailbox_ == nullptr) {
        if (!executor_) {
            thread_ = std::make_unique<io_thread>();
            started_thread_ = thread_.get();
            executor_ = thread_->context().get_executor();
        }
        mailbox_ = std::make_shared<mailbox>(*executor_);
        publisher_ =
            amqp_client::create(*executor_, client_options(options_, address_, " publisher"));
        worker_ = amqp_client::create(*executor_, client_options(options_, address_, ""));
    }
    return mailbox_;
}

boost::asio::any_io_executor connection_core::executor() {
    const std::scoped_lock lock(mutex_);
    return executor_ ? *executor_ : boost::asio::any_io_executor(boost::asio::system_executor());
}

bool connection_core::has_own_thread() const {
    return started_thread_ != nullptr;
}

bool connection_core::is_on_executor() const {
    const io_thread* const started = started_thread_;
    return started != nullptr ? started->is_this_thread()
                              : strand_ && strand_->running_in_this_thread();
}

std::exception_ptr connection_core::stopped_error() {
    return detail::exception_of({broker_errc::stopped, 0, "the connection is closed"});
}

std::string connection_core::new_name() {
    std::random_device device;
    const auto word = [&] { return (std::uint64_t{device()} << 32U) | device(); };
    return "lovage.gen-" + task_id_generator(word(), word()).next();
}

void connection_core::open(pending<> handler) {
    // A question that any broker answers as soon as we are connected; a refusal will do, too.
    client::declare_exchange question;
    question.name = "amq.direct";
    question.passive = true;
    ask(std::move(question),
        [waiting = std::make_shared<pending<>>(std::move(handler))](
            const client::problem* failed, const client::answer*) {
            const bool refused = failed != nullptr && failed->code == broker_errc::refused;
            (*waiting)(failed == nullptr || refused ? nullptr : detail::exception_of(*failed));
        });
}

void connection_core::ask(
    client::request what,
    std::function<void(const client::problem*, const client::answer*)> done) {
    worker_->request(std::move(what), options_.timeout, on_answer(std::move(done)));
}

void connection_core::publish(client::publication message, pending<> handler) {
    publisher_->publish(
        std::move(message),
        options_.timeout,
        on_published([waiting = std::move(handler)](const client::problem* failed) mutable {
            waiting(failed == nullptr ? nullptr : detail::exception_of(*failed));
        }));
}

void connection_core::consume(
    client::subscription what,
    connection::delivery_function function,
    pending<consumer> handler) {
    auto made = std::make_shared<consumer_handler>(
        weak_from_this(), what.no_ack, std::move(function), std::move(handler));
    const client::consumer_id id = worker_->consume(std::move(what), made, options_.timeout);
    made->set_id(id);
    if (id != 0) {
        consumers_.emplace(id, made);
    }
}

void connection_core::cancel(std::uint64_t consumer) {
    worker_->cancel(consumer, nullptr);
    if (const auto found = consumers_.find(consumer); found != consumers_.end()) {
        if (const auto handler = found->second.lock()) {
            handler->cancel();
        }
    }
    forget_if_done(consumer);
}

void connection_core::settled(std::uint64_t consumer, std::uint64_t epoch) {
    if (const auto found = consumers_.find(consumer); found != consumers_.end()) {
        if (const auto handler = found->second.lock()) {
            handler->settled(epoch);
        }
        forget_if_done(consumer);
    }
}

void connection_core::forget_if_done(std::uint64_t consumer) {
    const auto found = consumers_.find(consumer);
    if (found == consumers_.end()) {
        return;
    }
    const auto handler = found->second.lock();
    if (handler == nullptr || handler->done()) {
        consumers_.erase(found);
        worker_->forget(consumer);
    }
}

delivery connection_core::make_delivery(const client::delivery& from, bool no_ack) {
    std::shared_ptr<delivery::place> place;
    if (!no_ack) {
        place = std::make_shared<delivery::place>();
        place->to = weak_from_this();
        place->consumer = from.ref.consumer;
        place->epoch = from.ref.epoch;
        place->tag = from.ref.tag;
    }
    delivery made(std::move(place));
    made.exchange = from.exchange;
    made.routing_key = from.routing_key;
    made.redelivered = from.redelivered;
    made.message.body = from.body;
    static_cast<void>(read_properties_into(from.properties, made.message));
    return made;
}

void connection_core::acknowledge(std::uint64_t consumer, std::uint64_t epoch, std::uint64_t tag) {
    if (const auto to = start()) {
        to->push([self = shared_from_this(), ref = client::delivery_ref{consumer, epoch, tag}] {
            self->worker_->ack(ref);
            self->settled(ref.consumer, ref.epoch);
        });
    }
}

void connection_core::refuse(
    std::uint64_t consumer,
    std::uint64_t epoch,
    std::uint64_t tag,
    bool requeue) {
    if (const auto to = start()) {
        to->push(
            [self = shared_from_this(), ref = client::delivery_ref{consumer, epoch, tag}, requeue] {
                self->worker_->nack(ref, requeue);
                self->settled(ref.consumer, ref.epoch);
            });
    }
}

void connection_core::dropped(std::uint64_t consumer, std::uint64_t epoch) {
    if (consumer == 0) {
        return;  // a message that was got: its channel is not the consumer's
    }
    if (const auto to = start()) {
        to->push([self = shared_from_this(), consumer, epoch] { self->settled(consumer, epoch); });
    }
}

void connection_core::close(detail::completion<> handler) {
    std::shared_ptr<mailbox> to;
    {
        const std::scoped_lock lock(mutex_);
        to = closed_ ? nullptr : mailbox_;
        closed_ = true;
    }
    pending<> waiting(std::move(handler), executor());
    if (to == nullptr) {
        waiting(nullptr);
        return;
    }
    to->push([self = shared_from_this(), waiting = std::move(waiting)]() mutable {
        self->close_clients(
            [waiting = std::make_shared<pending<>>(std::move(waiting))] { (*waiting)(nullptr); });
    });
}

void connection_core::close_clients(std::function<void()> done) {
    const auto left = std::make_shared<int>(2);
    const auto one = [left, done = std::move(done)] {
        if (--*left == 0) {
            done();
        }
    };
    publisher_->stop(one);
    worker_->stop(one);
}

}  // namespace lovage
