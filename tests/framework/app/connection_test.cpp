#include "tests/framework/app/broker_fixture.hpp"

#include <lovage/connection.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace lovage {
namespace {

using namespace std::chrono_literals;
using test::broker_url;
using test::unique_name;

class Connection : public ::testing::Test {
protected:
    connection_options options() {
        connection_options made(broker_url());
        made.timeout = 20s;
        return made;
    }
    std::string queue_ = unique_name("connection");
};

TEST_F(Connection, DeclaresPublishesAndGets) {
    connection c{options()};
    EXPECT_EQ(c.declare_queue(queue_).messages, 0U);
    message out("hello", "text/plain");
    out.headers["number"] = 7;
    out.headers["text"] = "x";
    out.priority = 3;
    out.correlation_id = "id";

    c.publish("", queue_, out);
    auto got = c.get(queue_);

    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->message.body, "hello");
    EXPECT_EQ(got->message.content_type, "text/plain");
    EXPECT_EQ(got->message.headers.at("number").to_number<int>(), 7);
    EXPECT_EQ(got->message.priority, 3);
    EXPECT_EQ(got->message.correlation_id, "id");
    EXPECT_TRUE(got->message.persistent);
    EXPECT_EQ(got->routing_key, queue_);
    auto copy = *got;
    got->ack();
    got->ack();
    copy.nack();  // the same delivery: a second answer would make the broker close the channel
    EXPECT_FALSE(c.get(queue_).has_value());
    EXPECT_EQ(c.delete_queue(queue_), 0U);
}

TEST_F(Connection, QueueWithoutANameGetsOne) {
    connection c{options()};
    queue_options mine;
    mine.exclusive = true;
    mine.durable = false;

    const queue_info made = c.declare_queue("", mine);

    EXPECT_EQ(made.name.substr(0, 11), "lovage.gen-");
    EXPECT_EQ(c.queue_status(made.name).consumers, 0U);
}

TEST_F(Connection, UnroutableMessageIsAnError) {
    connection c{options()};

    try {
        c.publish("", queue_, message("lost"));
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::unroutable);
        EXPECT_EQ(problem.reply_code(), 312);
    }
    publish_options any;
    any.mandatory = false;
    EXPECT_NO_THROW(c.publish("", queue_, message("dropped"), any));
}

TEST_F(Connection, MissingExchangeIsRefusedAndTheConnectionGoesOn) {
    connection c{options()};
    c.declare_queue(queue_);

    try {
        c.publish(unique_name("no-exchange"), "key", message("x"));
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::refused);
        EXPECT_EQ(problem.reply_code(), 404);
    }
    EXPECT_NO_THROW(c.publish("", queue_, message("y")));
    c.delete_queue(queue_);
}

TEST_F(Connection, MissingQueueIsRefusedWith404) {
    connection c{options()};

    try {
        static_cast<void>(c.queue_status(queue_));
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.reply_code(), 404);
        EXPECT_NE(std::string(problem.what()).find(queue_), std::string::npos);
    }
    EXPECT_THROW(c.consume(queue_, {}, [](delivery) {}), broker_error);
}

TEST_F(Connection, BindingsRouteAndCanBeUndone) {
    connection c{options()};
    const std::string exchange = unique_name("exchange");
    c.declare_queue(queue_);
    c.declare_exchange(exchange, "topic");
    c.bind(queue_, exchange, "orders.*");

    c.publish(exchange, "orders.new", message("routed"));
    c.unbind(queue_, exchange, "orders.*");

    EXPECT_THROW(c.publish(exchange, "orders.new", message("not")), broker_error);
    EXPECT_EQ(c.purge(queue_), 1U);
    c.delete_exchange(exchange);
    c.delete_queue(queue_);
}

TEST_F(Connection, ConsumerGetsMessagesWithinItsPrefetch) {
    connection c{options()};
    c.declare_queue(queue_);
    std::mutex mutex;
    std::vector<delivery> held;
    std::promise<void> two;
    consume_options limits;
    limits.prefetch = 2;
    auto consumer = c.consume(queue_, limits, [&](delivery d) {
        const std::scoped_lock lock(mutex);
        held.push_back(std::move(d));
        if (held.size() == 2) {
            two.set_value();
        }
    });
    for (int i = 0; i < 5; ++i) {
        c.publish("", queue_, message(std::to_string(i)));
    }

    ASSERT_EQ(two.get_future().wait_for(20s), std::future_status::ready);
    EXPECT_EQ(c.queue_status(queue_).messages, 3U);
    consumer.cancel();
    consumer.cancel();
    {
        const std::scoped_lock lock(mutex);
        held[0].ack();   // from this thread
        held[1].nack();  // back into the queue
    }

    std::uint32_t left = 0;
    for (int i = 0; i < 1000 && left != 4; ++i) {
        left = c.queue_status(queue_).messages;
    }
    EXPECT_EQ(left, 4U);
    c.delete_queue(queue_);
}

TEST_F(Connection, HandlerThatThrowsDoesNotEndTheConnection) {
    connection c{options()};
    c.declare_queue(queue_);
    std::promise<void> second;
    consume_options limits;
    limits.prefetch = 2;
    auto consumer = c.consume(queue_, limits, [&](delivery d) {
        if (d.message.body == "bad") {
            throw std::runtime_error("a handler's mistake");
        }
        second.set_value();
    });

    c.publish("", queue_, message("bad"));
    c.publish("", queue_, message("good"));

    EXPECT_EQ(second.get_future().wait_for(20s), std::future_status::ready);
    EXPECT_EQ(c.queue_status(queue_).messages, 0U);
    c.delete_queue(queue_);
}

TEST_F(Connection, CancelledConsumersLeaveNoChannelsBehind) {
    connection c{options()};
    c.declare_queue(queue_);

    // More than a connection has channels.
    for (int i = 0; i < 2100; ++i) {
        consume_options way;
        way.no_ack = i % 2 == 0;
        consumer one;
        ASSERT_NO_THROW(one = c.consume(queue_, way, [](delivery) {})) << "consumer " << i;
        one.cancel();
    }

    EXPECT_EQ(c.queue_status(queue_).consumers, 0U);
    c.delete_queue(queue_);
}

TEST_F(Connection, CancelledConsumersDeliveriesCanBeAcknowledgedAndDroppedOnesGoBack) {
    connection c{options()};
    c.declare_queue(queue_);
    std::mutex mutex;
    std::vector<delivery> held;
    std::promise<void> two;
    consume_options limits;
    limits.prefetch = 2;
    auto consumer = c.consume(queue_, limits, [&](delivery d) {
        const std::scoped_lock lock(mutex);
        held.push_back(std::move(d));
        if (held.size() == 2) {
            two.set_value();
        }
    });
    c.publish("", queue_, message("acknowledged"));
    c.publish("", queue_, message("dropped"));
    ASSERT_EQ(two.get_future().wait_for(20s), std::future_status::ready);

    consumer.cancel();
    EXPECT_EQ(c.queue_status(queue_).messages, 0U);
    {
        const std::scoped_lock lock(mutex);
        held[0].ack();
        held.clear();
    }

    std::uint32_t left = 0;
    for (int i = 0; i < 1000 && left == 0; ++i) {
        left = c.queue_status(queue_).messages;
    }
    EXPECT_EQ(left, 1U);
    const auto back = c.get(queue_, true);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->message.body, "dropped");
    c.delete_queue(queue_);
}

TEST_F(Connection, PublishesFromManyThreadsAllArrive) {
    connection c{options()};
    c.declare_queue(queue_);
    std::vector<std::thread> threads;

    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            std::vector<std::future<void>> confirms;
            for (int i = 0; i < 500; ++i) {
                confirms.push_back(
                    c.async_publish("", queue_, message("x"), boost::asio::use_future));
            }
            for (auto& confirm : confirms) {
                confirm.get();
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }

    EXPECT_EQ(c.queue_status(queue_).messages, 2000U);
    c.delete_queue(queue_);
}

TEST_F(Connection, WorksOnTheCallersExecutorInCoroutines) {
    boost::asio::io_context context;
    connection c{context.get_executor(), options()};
    std::string body;
    std::exception_ptr failed;

    boost::asio::co_spawn(
        context,
        [&]() -> boost::asio::awaitable<void> {
            const queue_options plain;
            co_await c.async_declare_queue(queue_, plain, boost::asio::use_awaitable);
            const message out("hello");
            co_await c.async_publish("", queue_, out, boost::asio::use_awaitable);
            auto got = co_await c.async_get(queue_, true, boost::asio::use_awaitable);
            body = got->message.body;
            co_await c.async_delete_queue(queue_, false, false, boost::asio::use_awaitable);
            co_await c.async_close(boost::asio::use_awaitable);
        },
        [&](std::exception_ptr error) { failed = error; });
    context.run();

    EXPECT_EQ(failed, nullptr);
    EXPECT_EQ(body, "hello");
}

TEST_F(Connection, HandlerOnTheCallersExecutorCanCancelItsConsumer) {
    boost::asio::io_context context;
    connection c{context.get_executor(), options()};
    const auto before = std::chrono::steady_clock::now();
    consumer mine;
    int delivered = 0;
    bool blocking_call_refused = false;
    std::exception_ptr failed;

    boost::asio::co_spawn(
        context,
        [&]() -> boost::asio::awaitable<void> {
            const queue_options plain;
            co_await c.async_declare_queue(queue_, plain, boost::asio::use_awaitable);
            const consume_options one;
            const connection::delivery_function handler = [&](delivery d) {
                ++delivered;
                d.ack();
                mine.cancel();
                try {
                    c.open();
                } catch (const std::logic_error&) {
                    blocking_call_refused = true;
                }
            };
            mine = co_await c.async_consume(queue_, one, handler, boost::asio::use_awaitable);
            const message out("hello");
            co_await c.async_publish("", queue_, out, boost::asio::use_awaitable);
            while (delivered == 0) {
                co_await c.async_queue_status(queue_, boost::asio::use_awaitable);
            }
            co_await mine.async_cancel(boost::asio::use_awaitable);
            co_await c.async_delete_queue(queue_, false, false, boost::asio::use_awaitable);
            co_await c.async_close(boost::asio::use_awaitable);
        },
        [&](std::exception_ptr error) { failed = error; });
    context.run();

    EXPECT_EQ(failed, nullptr);
    EXPECT_EQ(delivered, 1);
    EXPECT_TRUE(blocking_call_refused);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 15s);
}

TEST_F(Connection, OpenAndCloseMayBeCalledTwice) {
    connection c{options()};

    c.open();
    c.open();
    c.close();
    c.close();

    EXPECT_THROW(c.declare_queue(queue_), broker_error);
}

TEST(ConnectionWithoutBroker, OpenSaysWhatIsWrong) {
    connection_options options("amqp://127.0.0.1:1");
    options.timeout = 200ms;
    connection c{options};

    try {
        c.open();
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_NE(std::string(problem.what()).find("127.0.0.1:1"), std::string::npos)
            << problem.what();
        EXPECT_NE(std::string(problem.what()).find("refused"), std::string::npos) << problem.what();
    }
}

TEST(ConnectionWithoutBroker, ConsumeEndsWithItsTimeoutSaysWhatIsWrongAndKeepsNothing) {
    connection_options options("amqp://127.0.0.1:1");
    options.timeout = 200ms;
    connection c{options};
    auto captured = std::make_shared<int>(1);
    const std::weak_ptr<int> alive = captured;

    try {
        c.consume(
            "queue", {}, [held = std::move(captured)](delivery) { static_cast<void>(*held); });
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::timeout);
        EXPECT_NE(std::string(problem.what()).find("refused"), std::string::npos) << problem.what();
    }
    c.close();
    EXPECT_TRUE(alive.expired());
}

TEST(ConnectionWithoutBroker, CloseFailsAConsumeThatWaits) {
    connection c{"amqp://127.0.0.1:1"};
    auto consuming = c.async_consume("queue", {}, [](delivery) {}, boost::asio::use_future);

    c.close();

    ASSERT_EQ(consuming.wait_for(20s), std::future_status::ready);
    EXPECT_THROW(consuming.get(), broker_error);
}

TEST(ConnectionWithoutBroker, LongestTimeoutIsNoTimeout) {
    connection_options options("amqp://127.0.0.1:1");
    options.timeout = std::chrono::milliseconds::max();
    connection c{options};
    auto opening = c.async_open(boost::asio::use_future);

    EXPECT_EQ(opening.wait_for(50ms), std::future_status::timeout);
    c.close();
    EXPECT_THROW(opening.get(), broker_error);
}

TEST(ConnectionWithoutBroker, MoveAssignmentClosesWhatWasThere) {
    connection c{"amqp://127.0.0.1:1"};
    auto opening = c.async_open(boost::asio::use_future);

    c = connection{"amqp://127.0.0.1:1"};

    EXPECT_THROW(opening.get(), broker_error);
    c.close();
}

TEST(ConnectionWithoutBroker, CloseBeforeUseDoesNothing) {
    connection c{"amqp://127.0.0.1:1"};

    c.close();
    c.close();
}

TEST_F(Connection, WrongPasswordIsReportedAtOnce) {
    std::string url = broker_url();
    const auto at = url.find('@');
    ASSERT_NE(at, std::string::npos);
    url = "amqp://guest:wrong" + url.substr(at);
    connection c{url};
    const auto before = std::chrono::steady_clock::now();

    try {
        c.open();
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::access_denied) << problem.what();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - before, 15s);
}

}  // namespace
}  // namespace lovage
