#include "tests/framework/app/broker_fixture.hpp"
#include "tests/framework/app/shop_tasks.hpp"
#include "tests/framework/app/test_worker.hpp"

#include <lovage/app.hpp>
#include <lovage/connection.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <thread>

namespace lovage {
namespace {

using namespace std::chrono_literals;
using test::add;
using test::broker_url;
using test::fail;
using test::greet;
using test::nothing;
using test::test_worker;
using test::unique_name;

class App : public ::testing::Test {
protected:
    registry all() {
        return registry(
            {task_entry(add), task_entry(greet), task_entry(fail), task_entry(nothing)});
    }
    app_options options() {
        app_options made(broker_url());
        made.default_queue = queue_;
        return made;
    }
    std::string queue_ = unique_name("app");
};

TEST_F(App, DelayedCallReturnsItsResult) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};

    const auto sum = app.delay(add, 2, 3);

    EXPECT_EQ(sum.get(20s), 5);
    EXPECT_TRUE(sum.ready());
    EXPECT_EQ(sum.state(), task_state::succeeded);
    EXPECT_EQ(sum.get(), 5);
    EXPECT_EQ(sum.id().size(), 36U);
}

TEST_F(App, CallWaitsInItsQueueUntilAWorkerComes) {
    app app{options(), add};
    const auto sum = app.delay(add, 2, 3);
    EXPECT_FALSE(sum.ready());
    EXPECT_FALSE(sum.wait(10ms));
    EXPECT_EQ(sum.state(), task_state::unknown);

    test_worker worker(broker_url(), all(), queue_);

    EXPECT_EQ(sum.get(20s), 5);
}

TEST_F(App, NoResultInTimeIsWaitTimeoutWithTheTasksId) {
    app app{options(), add};
    const auto sum = app.delay(add, 2, 3);

    try {
        static_cast<void>(sum.get(20ms));
        FAIL() << "no exception";
    } catch (const wait_timeout& late) {
        EXPECT_EQ(late.task_id(), sum.id());
    }
}

TEST_F(App, FailureOfATaskIsThrownByGet) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), fail};
    const auto call = app.delay(fail, "no stock");

    try {
        call.get(20s);
        FAIL() << "no exception";
    } catch (const task_failed& failed) {
        EXPECT_EQ(failed.type(), "std::runtime_error");
        EXPECT_EQ(failed.message(), "no stock");
    }
}

TEST_F(App, SignaturesTakeTheWayTheyAreToBeSent) {
    const std::string other = unique_name("other");
    test_worker worker(broker_url(), all(), other);
    app app{options(), add};

    const auto sum =
        app.send(add.s(2, 3), how().queue(other).id("my-id-" + other).header("who", "anna"));

    EXPECT_EQ(sum.id(), "my-id-" + other);
    EXPECT_EQ(sum.get(20s), 5);
}

TEST_F(App, RawCallsTakeKeywordArguments) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options()};

    const auto text = app.send_raw("test.greet", R"(["anna"])", R"({"times": 2})");

    EXPECT_EQ(text.get(20s).as_string(), "hello anna hello anna ");
    EXPECT_THROW(static_cast<void>(app.send_raw("test.greet", "{}")), decode_error);
    EXPECT_THROW(static_cast<void>(app.send_raw("test.greet", "[]", "[]")), decode_error);
}

TEST_F(App, ManyCallsAreSentTogether) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};
    std::vector<signature<int>> calls;
    for (int i = 0; i < 1000; ++i) {
        calls.push_back(add.s(i, i));
    }

    const auto sums = app.send_all(calls);

    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(sums[static_cast<std::size_t>(i)].get(20s), 2 * i);
    }
}

TEST_F(App, AnyThreadMaySendAndWait) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;

    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                right += app.delay(add, t, i).get(20s) == t + i ? 1 : 0;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }

    EXPECT_EQ(right, 200);
}

TEST_F(App, CoroutinesAwaitSendingAndResults) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};
    boost::asio::io_context context;
    int sum = 0;
    std::thread::id where;

    boost::asio::co_spawn(
        context,
        [&]() -> boost::asio::awaitable<void> {
            const auto call = co_await app.async_send(add.s(2, 3), boost::asio::use_awaitable);
            sum = co_await call.async_get(20s, boost::asio::use_awaitable);
            where = std::this_thread::get_id();
        },
        boost::asio::detached);
    context.run();  // returns only when all is done: the operations keep it busy

    EXPECT_EQ(sum, 5);
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(App, FuturesAndDeferredWork) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add, nothing};

    auto sent = app.async_delay(boost::asio::use_future, add, 4, 5).get();
    EXPECT_EQ(sent.async_get(20s, boost::asio::use_future).get(), 9);
    auto later = app.async_send(nothing.s(), boost::asio::deferred);
    auto done = std::move(later)(boost::asio::use_future).get();
    EXPECT_NO_THROW(done.async_get(20s, boost::asio::use_future).get());
}

TEST_F(App, AsyncGetGivesTheTasksFailureAndTimeouts) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add, fail};
    const auto bad = app.delay(fail, "oops");
    EXPECT_THROW(bad.async_get(20s, boost::asio::use_future).get(), task_failed);

    const auto never = app.send(add.s(1, 1), how().queue(unique_name("nobody")));
    EXPECT_THROW(never.async_get(30ms, boost::asio::use_future).get(), wait_timeout);
}

TEST_F(App, CallbackWithoutExecutorMayNotBlock) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};
    std::promise<bool> refused;

    app.async_delay(
        [&](std::exception_ptr, handle<int> call) {
            try {
                static_cast<void>(call.get(1s));
                refused.set_value(false);
            } catch (const std::logic_error&) {
                refused.set_value(true);
            }
        },
        add,
        1,
        2);

    EXPECT_TRUE(refused.get_future().get());
}

TEST_F(App, IgnoredResultsAreNotWaitedFor) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};

    const auto call = app.send(add.s(1, 2), how().ignore_result());

    EXPECT_THROW(static_cast<void>(call.get(1s)), std::logic_error);
}

TEST_F(App, CountdownHoldsTheCallBack) {
    test_worker worker(broker_url(), all(), queue_);
    app app{options(), add};
    const auto before = std::chrono::steady_clock::now();

    const auto sum = app.send(add.s(2, 3), how().after(300ms));

    EXPECT_EQ(sum.get(20s), 5);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 300ms);
}

TEST_F(App, StopFailsWaitersAndFurtherCalls) {
    app app{options(), add};
    const auto call = app.delay(add, 1, 2);
    auto waiting = call.async_get(1min, boost::asio::use_future);

    app.stop();
    app.stop();

    EXPECT_THROW(waiting.get(), broker_error);
    EXPECT_THROW(static_cast<void>(call.get(1s)), broker_error);
    EXPECT_THROW(static_cast<void>(app.delay(add, 1, 2)), broker_error);
}

TEST_F(App, ReplyQueueIsGoneAfterStop) {
    connection watcher{broker_url()};
    app app{options(), add};
    static_cast<void>(app.delay(add, 1, 2));
    const auto call = watcher.get(queue_, true);
    ASSERT_TRUE(call.has_value());
    const std::string replies = call->message.reply_to;
    std::uint32_t listeners = 0;
    for (int i = 0; i < 10'000 && listeners == 0; ++i) {
        listeners = watcher.queue_status(replies).consumers;
    }
    ASSERT_EQ(listeners, 1U);

    app.stop();

    EXPECT_THROW(static_cast<void>(watcher.queue_status(replies)), broker_error);
}

TEST_F(App, UnreadableReplyFailsItsCall) {
    connection worker{broker_url()};
    app app{options(), add};
    const auto sum = app.delay(add, 1, 2);
    const auto call = worker.get(queue_, true);
    ASSERT_TRUE(call.has_value());

    message reply("\x80\x04.", "application/x-python-serialize");
    reply.correlation_id = call->message.correlation_id;
    worker.publish("", call->message.reply_to, reply);

    try {
        static_cast<void>(sum.get(20s));
        FAIL() << "no exception";
    } catch (const task_failed& problem) {
        EXPECT_EQ(problem.type(), "UnreadableResult");
        EXPECT_NE(problem.message().find("application/x-python-serialize"), std::string::npos)
            << problem.message();
    }
}

TEST_F(App, LostReplyQueueFailsWaitsOfTheseCallsAndLaterOnes) {
    app_options narrow = options();
    narrow.url += "?channel_max=3";  // none is left for the replies' consumer
    app app{narrow, add};
    const auto first = app.delay(add, 1, 2);

    EXPECT_THROW(static_cast<void>(first.get(20s)), broker_error);
    const auto second = app.delay(add, 1, 2);
    EXPECT_THROW(static_cast<void>(second.get(20s)), broker_error);
    EXPECT_THROW(second.async_get(20s, boost::asio::use_future).get(), broker_error);
}

TEST_F(App, HandlesMayOutliveTheirApp) {
    test_worker worker(broker_url(), all(), queue_);
    handle<int> done;
    handle<int> open;
    {
        app app{options(), add};
        done = app.delay(add, 1, 2);
        EXPECT_EQ(done.get(20s), 3);
        open = app.send(add.s(1, 2), how().queue(unique_name("nobody")));
    }

    EXPECT_EQ(done.get(1s), 3);
    EXPECT_THROW(static_cast<void>(open.get(1s)), broker_error);
    EXPECT_THROW(open.async_get(1s, boost::asio::use_future).get(), broker_error);
}

TEST(AppWithoutBroker, NothingIsConnectedBeforeTheFirstUse) {
    app app{"amqp://127.0.0.1:1", add};

    EXPECT_EQ(app.tasks().entries().size(), 1U);
    app.stop();
}

TEST(AppWithoutBroker, DuplicateTasksAreRefused) {
    EXPECT_THROW((app{"amqp://localhost", add, add}), registration_error);
}

TEST(AppWithoutBroker, UnreadableAddressIsRefusedWithoutItsPassword) {
    try {
        app app{"amqp://anna:hunter2@host:port", add};
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::invalid_address);
        EXPECT_EQ(std::string(problem.what()).find("hunter2"), std::string::npos);
    }
}

TEST(AppWithoutBroker, SendingTimesOutAndSaysWhere) {
    app_options options("amqp://127.0.0.1:1");
    options.send_timeout = 200ms;
    app app{options, add};

    try {
        static_cast<void>(app.delay(add, 1, 2));
        FAIL() << "no exception";
    } catch (const broker_error& problem) {
        EXPECT_EQ(problem.code(), broker_errc::timeout);
        EXPECT_NE(std::string(problem.what()).find("127.0.0.1:1"), std::string::npos);
    }
}

}  // namespace
}  // namespace lovage
