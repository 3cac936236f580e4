// The worker's driver as a class: what worker.cpp (consuming, executors, time, signals) and
// worker_effects.cpp (publishing, acknowledging) share. Included by these two only. Everything on
// one thread.
#pragma once

#include "framework/app/amqp_client.hpp"
#include "framework/app/task_queues.hpp"
#include "workers/core/pool.hpp"
#include "workers/run/executors.hpp"
#include "workers/run/exit_status.hpp"
#include "workers/run/worker.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <random>
#include <unordered_set>

namespace lovage::workers {

namespace asio = boost::asio;

/// Messages wait for the connection as long as it takes; draining has its own deadline.
inline constexpr milliseconds publish_timeout = std::chrono::hours(24);
/// Progress that does not get out in this time is of no interest any more.
inline constexpr milliseconds progress_timeout = std::chrono::seconds(10);
/// Until a subscription that the broker has refused is tried again.
inline constexpr milliseconds resubscribe_pause = std::chrono::seconds(5);

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
    void fail(std::string_view why, int status);

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
    task_queues declared_here_;  ///< on the consuming connection, for what is consumed
    task_queues queues_;         ///< on the publishing one
    std::unordered_set<std::string> dead_queues_;
    std::vector<std::shared_ptr<queue_consumer>> consumers_;
    std::mt19937_64 random_{std::random_device{}()};
    std::optional<time_point> armed_;
    int status_ = exit_done;
    bool ever_connected_ = false;
    bool announced_ = false;
    bool stopping_ = false;  ///< SIGTERM came
    bool finished_ = false;
    bool busy_ = false;  ///< effects are being carried out
};

}  // namespace lovage::workers
