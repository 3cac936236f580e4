#include "tests/framework/app/test_worker.hpp"

#include "framework/app/address.hpp"
#include "framework/app/publication.hpp"
#include "framework/app/task_queues.hpp"
#include "framework/task/envelope.hpp"
#include "framework/task/execute.hpp"
#include "framework/task/result_message.hpp"

#include <boost/asio/post.hpp>

#include <future>

namespace lovage::test {

void test_worker::state::delivered(const client::delivery& message) {
    ++runs;
    const auto properties = amqp::read_properties(message.properties);
    task_message call;
    if (!properties || read_task_message(*properties, message.body, call)) {
        consumer->nack(message.ref, false);
        return;
    }
    context ctx(context_of(call));
    const outcome result = execute(tasks, call, ctx, 0);
    if (call.head.reply_to.empty() || call.head.ignore_result) {
        consumer->ack(message.ref);
        return;
    }
    const result_facts facts{call.head.id, call.head.correlation_id, "test", {}};
    publisher->publish(
        make_publication(write_result(result, facts), call.head.reply_to),
        std::chrono::seconds(30),
        on_published([self = shared_from_this(), ref = message.ref](const client::problem* failed) {
            if (failed == nullptr) {
                self->consumer->ack(ref);
            } else {
                self->consumer->nack(ref, true);
            }
        }));
}

test_worker::test_worker(const std::string& url, registry tasks, std::string queue)
    : state_(std::make_shared<state>()) {
    amqp_client_options options;
    options.address = parse_address(url);
    options.name = "test worker";
    const auto executor = thread_.context().get_executor();
    state_->tasks = std::move(tasks);
    state_->consumer = amqp_client::create(executor, options);
    state_->publisher = amqp_client::create(executor, options);
    boost::asio::post(executor, [state = state_, queue = std::move(queue)] {
        task_queues(state->consumer).ensure(queue);
        client::subscription subscription;
        subscription.queue = queue;
        subscription.prefetch = 100;
        state->consumer->consume(std::move(subscription), state);
    });
}

test_worker::~test_worker() {
    std::promise<void> stopped;
    boost::asio::post(thread_.context(), [&] {
        state_->consumer->stop([&] { state_->publisher->stop([&] { stopped.set_value(); }); });
    });
    stopped.get_future().wait();
    thread_.stop();
    state_->consumer = nullptr;
    state_->publisher = nullptr;
}

}  // namespace lovage::test
