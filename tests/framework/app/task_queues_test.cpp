#include "framework/app/task_queues.hpp"

#include "framework/app/address.hpp"
#include "tests/framework/app/broker_fixture.hpp"

#include <lovage/connection.hpp>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <optional>

namespace lovage {
namespace {

using namespace std::chrono_literals;
using test::broker_url;
using test::unique_name;

/// A client and its task queues on one io_context, driven by the test: no threads.
class TaskQueues : public ::testing::Test {
protected:
    void SetUp() override {
        amqp_client_options options;
        options.address = parse_address(broker_url());
        options.may_use_threads = false;
        client_ = amqp_client::create(context_.get_executor(), options);
        queues_.emplace(client_);
    }
    void TearDown() override {
        if (client_ == nullptr) {
            return;
        }
        bool stopped = false;
        client_->stop([&] { stopped = true; });
        run_until([&] { return stopped; });
    }
    template <class Done>
    void run_until(Done done) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            context_.restart();
            context_.run_one_for(100ms);
        }
        EXPECT_TRUE(done());
    }
    static client::publication text(const std::string& body) {
        client::publication made;
        made.properties = std::string(2, '\0');
        made.body = body;
        return made;
    }

    boost::asio::io_context context_{1};
    std::shared_ptr<amqp_client> client_;
    std::optional<task_queues> queues_;
    std::string queue_ = unique_name("tasks");
};

TEST_F(TaskQueues, QueueIsDeclaredAsCeleryDoes) {
    std::optional<bool> failed;
    queues_->publish(queue_, text("x"), 20s, on_published([&](const client::problem* why) {
                         failed = why != nullptr;
                     }));
    run_until([&] { return failed.has_value(); });
    EXPECT_FALSE(*failed);

    // The same declaration again is accepted, so it was durable and without arguments; and the
    // exchange of the same name routes to it.
    connection c{broker_url()};
    EXPECT_EQ(c.declare_queue(queue_).messages, 1U);
    c.declare_exchange(queue_, "direct");
    EXPECT_NO_THROW(c.publish(queue_, queue_, message("y")));
    c.delete_queue(queue_);
    c.delete_exchange(queue_);
}

TEST_F(TaskQueues, QueueWithOtherArgumentsIsTakenAsItIs) {
    connection c{broker_url()};
    queue_options special;
    special.arguments["x-expires"] = 600'000;
    c.declare_queue(queue_, special);

    std::optional<bool> failed;
    queues_->publish(queue_, text("x"), 20s, on_published([&](const client::problem* why) {
                         failed = why != nullptr;
                     }));
    run_until([&] { return failed.has_value(); });

    EXPECT_FALSE(*failed);
    EXPECT_EQ(c.delete_queue(queue_), 1U);
}

TEST_F(TaskQueues, QueueThatSomebodyHasDeletedIsDeclaredAgain) {
    int confirmed = 0;
    std::string problem;
    const auto send = [&](int count) {
        for (int i = 0; i < count; ++i) {
            queues_->publish(queue_, text("x"), 20s, on_published([&](const client::problem* why) {
                                 ++confirmed;
                                 problem += why != nullptr ? why->text : "";
                             }));
        }
    };
    send(1);
    run_until([&] { return confirmed == 1; });
    connection c{broker_url()};
    EXPECT_EQ(c.delete_queue(queue_), 1U);

    send(3);
    run_until([&] { return confirmed == 4; });

    EXPECT_EQ(problem, "");
    EXPECT_EQ(c.delete_queue(queue_), 3U);
}

TEST_F(TaskQueues, DelayedMessageArrivesWhenItIsDue) {
    class receiver : public delivery_handler {
    public:
        void delivered(const client::delivery& message) override { body = message.body; }
        std::string body;
    };
    const auto handler = std::make_shared<receiver>();
    queues_->ensure(queue_);
    client::subscription subscription;
    subscription.queue = queue_;
    subscription.no_ack = true;
    client_->consume(std::move(subscription), handler);
    const auto before = std::chrono::steady_clock::now();

    queues_->publish_delayed(queue_, text("later"), 250ms, before, 20s, nullptr);
    run_until([&] { return !handler->body.empty(); });

    EXPECT_EQ(handler->body, "later");
    EXPECT_GE(std::chrono::steady_clock::now() - before, 250ms);
}

}  // namespace
}  // namespace lovage
