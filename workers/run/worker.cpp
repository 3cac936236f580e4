#include "workers/run/worker.hpp"

#include "framework/amqp/capabilities.hpp"
#include "framework/base/log.hpp"
#include "workers/run/worker_process.hpp"

#include <csignal>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace lovage::workers {

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

namespace {

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

}  // namespace

worker::worker(const registry& tasks, const worker_options& options, std::optional<nursery> source)
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
            consumers_.push_back(std::make_shared<queue_consumer>(*this, consumers_.size(), queue));
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
    what.arguments.set(amqp::uncounted_requeue_argument, true);
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

void worker::lost(queue_consumer& from, std::size_t index, const client::problem& why, bool final) {
    if (finished_) {
        return;
    }
    pool_.consumer_lost(from.id);
    if (final && !pool_.draining()) {
        log_event(
            log_level::error, "cannot_consume", {{"queue", from.queue()}, {"reason", why.text}});
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
        from.queue(),
        message.properties,
        message.body,
        message.redelivered,
        consuming_->requeue_may_be_uncounted()};
    pool_.delivered(message.ref, view, random_(), now());
    carry_out();
}

void worker::disconnected(const client::problem& why, milliseconds) {
    if (!ever_connected_ && why.code == broker_errc::access_denied) {
        // Waiting would not help: the address or the password is wrong.
        fail(why.text, exit_unavailable);
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

void worker::executors_broken(std::string_view why) {
    fail(why, exit_failed);
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

void worker::fail(std::string_view why, int status) {
    if (finished_) {
        return;
    }
    std::fprintf(stderr, "lovage: %.*s\n", static_cast<int>(why.size()), why.data());
    status_ = status;
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

int run_worker(
    const registry& tasks,
    const worker_options& options,
    std::optional<nursery> source) {
    worker process(tasks, options, std::move(source));
    return process.run();
}

}  // namespace lovage::workers
