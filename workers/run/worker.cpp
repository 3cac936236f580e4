#include "workers/run/worker.hpp"

#include "framework/app/amqp_client.hpp"
#include "framework/app/task_queues.hpp"
#include "framework/base/log.hpp"
#include "workers/core/pool.hpp"
#include "workers/run/exit_status.hpp"
#include "workers/run/executors.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <random>
#include <unordered_set>
#include <utility>

namespace lovage::workers {

namespace asio = boost::asio;

namespace {

/// Messages wait for the connection as long as it takes; draining has its own deadline.
constexpr milliseconds publish_timeout = std::chrono::hours(24);
/// Until a subscription that the broker has refused is tried again.
constexpr milliseconds resubscribe_pause = std::chrono::seconds(5);

class worker;

/// One consumer of one queue.
class queue_consumer final : public delivery_handler {
public:
    queue_consumer(worker& owner, std::size_t index, std::string queue)
        : owner_(owner), index_(index), queue_(std::move(queue)) {}
    void delivered(const client::delivery& message) override;
    void subscribed() override;
    void lost(const client::problem& why, bool final) override;

    [[nodiscard]] const std::string& queue() const { return queue_; }
    client::consumer_id id = 0;  ///< 0: not subscribed, or refused
    bool ready = false;

private:
    worker& owner_;
    std::size_t index_;
    std::string queue_;
};

class worker final : public executor_events, public connection_observer {
public:
    worker(const registry& tasks, const worker_options& options, std::optional<nursery> source);
    int run();

    // from consumers
    void delivered(queue_consumer& from, const client::delivery& message);
    void subscribed();
    void lost(queue_consumer& from, std::size_t index, const client::problem& why, bool final);
    // from executors
    void executor_started(executor_id executor) override;
    void executor_lost(executor_id executor, std::string_view how, bool untouched) override;
    void executor_answered(executor_id executor, answer&& what) override;
    void executors_broken(std::string_view why) override;
    // from the connections
    void connected() override { ever_connected_ = true; }
    void disconnected(const client::problem& why, milliseconds retry_in) override;
    // from publications
    void result_published(delivery_id delivery, const client::problem* failed);
    void follow_up_published(
        delivery_id delivery,
        const std::string& dead_queue,
        const client::problem* failed);

private:
    static moment now() {
        return {
            std::chrono::steady_clock::now(),
            std::chrono::floor<milliseconds>(std::chrono::system_clock::now())};
    }
    void declare_and_consume(const std::string& queue);
    void subscribe(std::size_t consumer);
    void wait_for_signal();
    void carry_out();
    void rearm();
    void finish(bool clean);
    void fail(std::string_view why);

    void perform(const start_executor& what) { executors_->start(what.executor); }
    void perform(const kill_executor& what) { executors_->kill(what.executor); }
    void perform(const run_job& what) {
        executors_->run(what.executor, pool_.job_frame(what.delivery));
    }
    void perform(const publish_result& what);
    void perform(publish_progress& what);
    void perform(publish_follow_up& what);
    void perform(const acknowledge& what) { consuming_->ack(what.ref); }
    void perform(const requeue& what) { consuming_->nack(what.ref, true); }
    void perform(const stop_consuming&);
    void perform(const pool_finished& what) { finish(what.clean); }
    void perform(const note& what);

    const worker_options& options_;
    asio::io_context io_;
    asio::signal_set signals_;
    asio::steady_timer timer_;
    pool pool_;
    std::vector<effect> batch_;
    std::unique_ptr<executors> executors_;
    std::shared_ptr<amqp_client> consuming_;
    std::shared_ptr<amqp_client> publishing_;
    task_queues declared_here_;   ///< on the consuming connection, for what is consumed
    task_queues queues_;          ///< on the publishing one
    std::unordered_set<std::string> dead_queues_;
    std::vector<std::shared_ptr<queue_consumer>> consumers_;
    std::mt19937_64 random_{std::random_device{}()};
    std::optional<time_point> armed_;
    int status_ = exit_done;
    bool ever_connected_ = false;
    bool announced_ = false;
    bool stopping_ = false;   ///< SIGTERM came
    bool finished_ = false;
    bool busy_ = false;       ///< effects are being carried out
};

void queue_consumer::delivered(const client::delivery& message) {
    owner_.delivered(*this, message);
}
void queue_consumer::subscribed() {
    ready = true;
    owner_.subscribed();
}
void queue_consumer::lost(const client::problem& why, bool final) {
    ready = false;
    owner_.lost(*this, index_, why, final);
}

amqp_client_options client_options(const worker_options& options, std::string_view use) {
    amqp_client_options out;
    out.address = options.broker;
    out.name = options.node + " " + std::string(use);
    out.may_use_threads = false;
    return out;
}

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out.append(out.empty() ? "" : ",").append(name);
    }
    return out;
}

worker::worker(
    const registry& tasks,
    const worker_options& options,
    std::optional<nursery> source)
    : options_(options),
      io_(1),
      signals_(io_, SIGTERM, SIGINT, SIGQUIT),
      timer_(io_),
      pool_(
          tasks,
          {options.node, options.max_crashes, options.time_limit, !options.transient_results},
          options.concurrency),
      executors_(
          source.has_value()
              ? make_prefork_executors(io_, std::move(*source), options.concurrency, *this)
              : make_thread_executors(io_, tasks, options.concurrency, *this)),
      consuming_(amqp_client::create(io_.get_executor(), client_options(options, "consuming"))),
      publishing_(amqp_client::create(io_.get_executor(), client_options(options, "publishing"))),
      declared_here_(consuming_),
      queues_(publishing_) {}

int worker::run() {
    wait_for_signal();
    consuming_->observe(this);
    publishing_->open();
    pool_.start();
    carry_out();
    for (const std::string& queue : options_.queues) {
        for (std::size_t i = 0; i < options_.concurrency; ++i) {
            consumers_.push_back(
                std::make_shared<queue_consumer>(*this, consumers_.size(), queue));
        }
    }
    for (const std::string& queue : options_.queues) {
        declare_and_consume(queue);
    }
    io_.run();
    if (!executors_->stop()) {
        std::fflush(nullptr);
        ::_exit(status_);  // threads that do not end must not be waited for
    }
    return status_;
}

// Consuming.

/// Declares as Celery does, then asks for the queue to know when that is done, then subscribes.
void worker::declare_and_consume(const std::string& queue) {
    declared_here_.ensure(queue);
    client::declare_queue ask;
    ask.name = queue;
    ask.passive = true;
    consuming_->request(
        std::move(ask),
        publish_timeout,
        on_answer([this, queue](const client::problem* failed, const client::answer*) {
            if (failed != nullptr && failed->code == broker_errc::stopped) {
                return;
            }
            for (std::size_t i = 0; i < consumers_.size(); ++i) {
                if (consumers_[i]->queue() == queue && consumers_[i]->id == 0) {
                    subscribe(i);
                }
            }
        }));
}

void worker::subscribe(std::size_t consumer) {
    if (pool_.draining()) {
        return;
    }
    queue_consumer& one = *consumers_[consumer];
    client::subscription what;
    what.queue = one.queue();
    what.tag = options_.node + "." + std::to_string(consumer);
    what.prefetch = options_.prefetch;
    one.id = consuming_->consume(std::move(what), consumers_[consumer]);
}

void worker::subscribed() {
    for (const auto& one : consumers_) {
        if (!one->ready) {
            return;
        }
    }
    log_event(
        log_level::info,
        "worker_ready",
        {{"node", options_.node},
         {"queues", joined(options_.queues)},
         {"concurrency", options_.concurrency},
         {"broker", options_.broker.display()}});
    if (!announced_) {
        announced_ = true;
        std::printf(
            "ready worker=%s queues=%s\n", options_.node.c_str(), joined(options_.queues).c_str());
        std::fflush(stdout);
    }
}

void worker::lost(
    queue_consumer& from,
    std::size_t index,
    const client::problem& why,
    bool final) {
    if (finished_) {
        return;
    }
    pool_.consumer_lost(from.id);
    if (final && !pool_.draining()) {
        log_event(
            log_level::error,
            "cannot_consume",
            {{"queue", from.queue()}, {"reason", why.text}});
        from.id = 0;
        auto pause = std::make_shared<asio::steady_timer>(io_, resubscribe_pause);
        pause->async_wait([this, pause, index](const boost::system::error_code& error) {
            if (!error && !finished_ && consumers_[index]->id == 0) {
                declare_and_consume(consumers_[index]->queue());
            }
        });
    }
    carry_out();
}

void worker::delivered(queue_consumer& from, const client::delivery& message) {
    const message_view view{
        from.queue(), message.properties, message.body, message.redelivered};
    pool_.delivered(message.ref, view, random_(), now());
    carry_out();
}

void worker::disconnected(const client::problem& why, milliseconds) {
    if (!ever_connected_ && why.code == broker_errc::access_denied) {
        // Waiting would not help: the address or the password is wrong.
        fail(why.text);
    }
}

// Executors.

void worker::executor_started(executor_id executor) {
    pool_.executor_started(executor, now());
    carry_out();
}

void worker::executor_lost(executor_id executor, std::string_view how, bool untouched) {
    pool_.executor_lost(executor, how, now(), untouched);
    carry_out();
}

void worker::executor_answered(executor_id executor, answer&& what) {
    pool_.answered(executor, std::move(what), now());
    carry_out();
}

void worker::executors_broken(std::string_view why) { fail(why); }

// Effects.

void worker::carry_out() {
    if (busy_) {
        return;
    }
    busy_ = true;
    while (!pool_.effects().empty()) {
        batch_.swap(pool_.effects());
        for (effect& one : batch_) {
            std::visit([this](auto& what) { perform(what); }, one);
        }
        batch_.clear();
    }
    busy_ = false;
    rearm();
}

namespace {

/// Carries the number of a delivery to the confirm of its result.
class result_waiter final : public publish_waiter {
public:
    result_waiter(worker& owner, delivery_id delivery) : owner_(owner), delivery_(delivery) {}
    void published(const client::problem* failed) override {
        owner_.result_published(delivery_, failed);
    }

private:
    worker& owner_;
    delivery_id delivery_;
};

}  // namespace

void worker::perform(const publish_result& what) {
    const sent_result* result = pool_.result_of(what.delivery);
    if (result == nullptr) {
        return;
    }
    client::publication message;
    message.routing_key = result->queue;
    message.properties = result->properties;
    message.body = result->body;
    message.mandatory = false;
    publishing_->publish(
        std::move(message),
        publish_timeout,
        std::make_unique<result_waiter>(*this, what.delivery));
}

void worker::perform(publish_progress& what) {
    client::publication message;
    message.routing_key = std::move(what.queue);
    message.properties = std::move(what.properties);
    message.body = std::move(what.body);
    message.mandatory = false;
    publishing_->publish(std::move(message), publish_timeout, nullptr);
}

void worker::perform(publish_follow_up& what) {
    follow_up& copy = what.message;
    client::publication message;
    message.routing_key = copy.queue;
    message.properties = std::move(copy.properties);
    message.body = std::move(copy.body);
    const bool dead = copy.queue.ends_with(dead_queue_suffix) && copy.delay == milliseconds(0);
    auto waiter = on_published(
        [this, id = what.delivery, queue = dead ? copy.queue : std::string()](
            const client::problem* failed) { follow_up_published(id, queue, failed); });
    if (!dead) {
        queues_.publish_delayed(
            copy.queue,
            std::move(message),
            copy.delay,
            std::chrono::steady_clock::now(),
            publish_timeout,
            std::move(waiter));
        return;
    }
    if (dead_queues_.insert(copy.queue).second) {
        client::declare_queue declare;
        declare.name = copy.queue;
        publishing_->request(std::move(declare), publish_timeout, nullptr);
    }
    publishing_->publish(std::move(message), publish_timeout, std::move(waiter));
}

void worker::perform(const stop_consuming&) {
    for (const auto& one : consumers_) {
        if (one->id != 0) {
            consuming_->cancel(one->id, [] {});
        }
    }
}

void worker::perform(const note& what) {
    if (!log_enabled(what.level)) {
        return;
    }
    // At most four fields: task, id, queue, text.
    const auto field = [&](std::size_t i) {
        return i < what.fields.size() ? log_field(what.fields[i].first, what.fields[i].second)
                                      : log_field("worker", options_.node);
    };
    log_event(what.level, what.event, {field(0), field(1), field(2), field(3)});
}

void worker::result_published(delivery_id delivery, const client::problem* failed) {
    if (finished_) {
        return;
    }
    pool_.result_published(delivery, failed != nullptr);
    carry_out();
}

void worker::follow_up_published(
    delivery_id delivery,
    const std::string& dead_queue,
    const client::problem* failed) {
    if (finished_) {
        return;
    }
    if (failed != nullptr) {
        dead_queues_.erase(dead_queue);  // somebody may have deleted it; declared again next time
        log_event(log_level::error, "publish_failed", {{"reason", failed->text}});
    }
    pool_.follow_up_published(delivery, failed != nullptr, now());
    carry_out();
}

// Time, signals, the end.

void worker::rearm() {
    const auto next = pool_.next_deadline();
    if (!next.has_value() || (armed_.has_value() && *armed_ <= *next)) {
        return;  // one sweep for all: a timer that fires too early costs nothing
    }
    armed_ = next;
    timer_.expires_at(*next);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        armed_.reset();
        pool_.tick(now());
        carry_out();
    });
}

void worker::wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
        if (error || finished_) {
            return;
        }
        if (number == SIGQUIT || stopping_) {
            log_event(log_level::warning, "worker_stopping", {{"how", "at once"}});
            pool_.stop();
        } else {
            stopping_ = true;
            log_event(
                log_level::info,
                "worker_draining",
                {{"running", pool_.running()}, {"grace_ms", options_.grace.count()}});
            pool_.drain(options_.grace, now());
        }
        carry_out();
        wait_for_signal();
    });
}

void worker::fail(std::string_view why) {
    if (finished_) {
        return;
    }
    std::fprintf(stderr, "lovage: %.*s\n", static_cast<int>(why.size()), why.data());
    status_ = exit_unavailable;
    pool_.stop();
    carry_out();
}

void worker::finish(bool clean) {
    if (finished_) {
        return;
    }
    finished_ = true;
    if (status_ == exit_done && !clean) {
        status_ = exit_failed;
    }
    timer_.cancel();
    signals_.cancel();
    log_event(
        log_level::info,
        "worker_stopped",
        {{"processed", pool_.processed()}, {"clean", clean ? "true" : "false"}});
    // Acknowledgements first; results of tasks that were given back may still go out meanwhile.
    consuming_->stop([this] { publishing_->stop([this] { io_.stop(); }); });
}

}  // namespace

int run_worker(
    const registry& tasks,
    const worker_options& options,
    std::optional<nursery> source) {
    worker process(tasks, options, std::move(source));
    return process.run();
}

}  // namespace lovage::workers
