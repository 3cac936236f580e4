// What was declared is there after a restart, by the broker's own log: bindings of all kinds,
// arguments of queues and exchanges, the order of what they hold.
#include "tests/broker/server/wire_client.hpp"

#include <lovage/broker_error.hpp>
#include <lovage/connection.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <set>

namespace lovage::broker::test {
namespace {

/// A broker that is stopped and started again on the same directory.
class Restart : public testing::Test {
protected:
    Restart() { start(); }

    void start() {
        server_options options;
        options.data_directory = (folder_.path() / "data").string();
        broker_ = std::make_unique<server>(options);
        broker_->start();
        client_ = std::make_unique<connection>(broker_->url());
    }
    void restart() {
        client_->close();
        broker_->stop();
        start();
    }
    [[nodiscard]] connection& client() { return *client_; }
    [[nodiscard]] std::uint16_t port() const { return broker_->port(); }
    /// Exchange to exchange, which lovage::connection has no call for.
    void join(octets source, octets target, octets key) {
        wire_client wire{broker_->port()};
        wire.call<amqp::exchange::bind_ok>(amqp::exchange::bind{0, target, source, key, false, {}});
    }
    void part(octets source, octets target, octets key) {
        wire_client wire{broker_->port()};
        wire.call<amqp::exchange::unbind_ok>(
            amqp::exchange::unbind{0, target, source, key, false, {}});
    }
    [[nodiscard]] bool routed(const std::string& exchange, const std::string& key) {
        return routed(exchange, key, message("m"));
    }
    [[nodiscard]] bool routed(
        const std::string& exchange,
        const std::string& key,
        const message& what) {
        try {
            client().publish(exchange, key, what);
            return true;
        } catch (const broker_error& refused) {
            EXPECT_EQ(refused.code(), broker_errc::unroutable) << refused.what();
            return false;
        }
    }
    /// Takes the queue's head.
    std::string take(const std::string& queue) {
        auto got = client().get(queue);
        if (!got) {
            return "nothing";
        }
        got->ack();
        return got->message.body;
    }

private:
    temporary_folder folder_;
    std::unique_ptr<server> broker_;
    std::unique_ptr<connection> client_;
};

TEST_F(Restart, KeepsBindingsBetweenExchanges) {
    client().declare_exchange("first", "topic");
    client().declare_exchange("second", "fanout");
    client().declare_queue("q");
    client().bind("q", "second", "");
    join("first", "second", "a.*");
    join("first", "second", "b");
    part("first", "second", "b");
    ASSERT_TRUE(routed("first", "a.b"));

    restart();

    EXPECT_TRUE(routed("first", "a.c"));
    EXPECT_FALSE(routed("first", "b"));
    EXPECT_EQ(client().queue_status("q").messages, 2U);
}

TEST_F(Restart, KeepsHeadersBindingsAndAlternateExchanges) {
    exchange_options options;
    options.arguments = {{"alternate-exchange", "others"}};
    client().declare_exchange("by-headers", "headers", options);
    client().declare_exchange("others", "fanout");
    client().declare_queue("pdf");
    client().declare_queue("rest");
    client().bind("pdf", "by-headers", "", {{"x-match", "any"}, {"format", "pdf"}});
    client().bind("rest", "others", "");

    restart();

    message pdf("pdf");
    pdf.headers = {{"format", "pdf"}};
    EXPECT_TRUE(routed("by-headers", "", pdf));
    EXPECT_TRUE(routed("by-headers", "", message("other")));
    EXPECT_EQ(take("pdf"), "pdf");
    EXPECT_EQ(take("pdf"), "nothing");
    EXPECT_EQ(take("rest"), "other");
}

TEST_F(Restart, KeepsWhatWaitsInADelayedExchange) {
    exchange_options options;
    options.arguments = {{"x-delayed-type", "topic"}};
    client().declare_exchange("later", "x-delayed-message", options);
    client().declare_queue("q");
    client().bind("q", "later", "a.*");
    const auto publish = [&](const std::string& body, std::int64_t delay_ms) {
        message what(body);
        what.headers = {{"x-delay", delay_ms}};
        client().publish("later", "a.b", what);
    };
    publish("much later", 3'600'000);
    publish("second", 150);
    publish("first", 100);

    restart();

    ASSERT_TRUE(eventually([&] { return client().queue_status("q").messages == 2; }));
    EXPECT_EQ(take("q"), "first");
    EXPECT_EQ(take("q"), "second");
    restart();
    EXPECT_EQ(take("q"), "nothing");
}

TEST_F(Restart, ForgetsWhatWaitedInAnExchangeThatWasDeleted) {
    exchange_options options;
    options.arguments = {{"x-delayed-type", "fanout"}};
    const auto declare = [&] {
        client().declare_exchange("later", "x-delayed-message", options);
        client().declare_queue("q");
        client().bind("q", "later", "");
    };
    declare();
    message what("m");
    what.headers = {{"x-delay", 100}};
    client().publish("later", "", what);
    wire_client{port()}.call<amqp::exchange::delete_ok>(
        amqp::exchange::delete_{0, "later", false, false});
    declare();

    restart();

    what.body = "new";
    client().publish("later", "", what);
    ASSERT_TRUE(eventually([&] { return client().queue_status("q").messages == 1; }));
    EXPECT_EQ(take("q"), "new");
}

TEST_F(Restart, KeepsWhatWasTakenLately) {
    const auto publish = [&](const std::string& exchange, const std::string& key) {
        message what("m");
        what.headers = {{"x-deduplication-header", key}};
        try {
            client().publish(exchange, "q", what);
            return true;
        } catch (const broker_error& refused) {
            EXPECT_EQ(refused.code(), broker_errc::duplicate) << refused.what();
            return false;
        }
    };
    const auto declare = [&] {
        exchange_options exchange;
        exchange.arguments = {{"x-cache-size", 10}};
        client().declare_exchange("once", "x-message-deduplication", exchange);
        queue_options queue;
        queue.arguments = {{"x-message-deduplication", true}, {"x-cache-ttl", 3'600'000}};
        client().declare_queue("q", queue);
        client().declare_queue("plain");
        client().bind("plain", "once", "");
    };
    declare();
    EXPECT_TRUE(publish("", "a"));
    EXPECT_TRUE(publish("once", "b"));

    restart();

    EXPECT_FALSE(publish("", "a"));
    EXPECT_FALSE(publish("once", "b"));
    EXPECT_EQ(client().queue_status("q").messages, 1U);
    EXPECT_EQ(client().queue_status("plain").messages, 1U);

    wire_client wire{port()};
    wire.call<amqp::exchange::delete_ok>(amqp::exchange::delete_{0, "once", false, false});
    wire.call<amqp::queue::delete_ok>(amqp::queue::delete_{0, "q", false, false, false});
    declare();
    restart();
    EXPECT_TRUE(publish("", "a"));
    EXPECT_TRUE(publish("once", "b"));
    EXPECT_EQ(client().queue_status("q").messages, 1U);
    EXPECT_EQ(client().queue_status("plain").messages, 2U);
}

TEST_F(Restart, KeepsWhatDiedInOneQueueOnly) {
    queue_options options;
    options.arguments = {{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}};
    client().declare_queue("q", options);
    client().declare_queue("dead");
    for (const char* body : {"refused", "kept", "expired"}) {
        message what(body);
        if (what.body == "expired") {
            what.expiration = std::chrono::milliseconds{1};
        }
        client().publish("", "q", what);
    }
    client().get("q")->reject();
    ASSERT_TRUE(eventually([&] { return client().queue_status("dead").messages == 2; }));

    restart();

    EXPECT_EQ(client().queue_status("dead").messages, 2U);
    EXPECT_EQ(take("q"), "kept");
    EXPECT_EQ(take("q"), "nothing");
    restart();
    const std::set<std::string> dead{take("dead"), take("dead")};
    EXPECT_EQ(dead, (std::set<std::string>{"expired", "refused"}));
    EXPECT_EQ(take("dead"), "nothing");
}

TEST_F(Restart, KeepsPrioritiesAndLimits) {
    queue_options options;
    options.arguments = {{"x-max-priority", 9}, {"x-max-length", 3}};
    client().declare_queue("q", options);
    for (const int priority : {1, 9, 5}) {
        message what(std::to_string(priority));
        what.priority = static_cast<std::uint8_t>(priority);
        client().publish("", "q", what);
    }

    restart();

    client().declare_queue("q", options);
    message high("8");
    high.priority = std::uint8_t{8};
    client().publish("", "q", high);  // the lowest, 1, goes
    for (const char* body : {"9", "8", "5", "nothing"}) {
        EXPECT_EQ(take("q"), body);
    }
}

TEST_F(Restart, KeepsQuorumQueuesAndTheirDeliveryCounts) {
    queue_options options;
    options.arguments = {{"x-queue-type", "quorum"}, {"x-delivery-limit", 2}};
    client().declare_queue("q", options);
    client().publish("", "q", message("poison"));
    const auto bounce = [&] {
        auto got = client().get("q");
        ASSERT_TRUE(got.has_value());
        got->nack();
        // Its way to the broker is the same as that of what asks.
        EXPECT_LE(client().queue_status("q").messages, 1U);
    };
    bounce();
    bounce();

    restart();

    client().declare_queue("q", options);
    EXPECT_EQ(client().queue_status("q").messages, 1U);
    bounce();
    EXPECT_EQ(client().queue_status("q").messages, 0U);
}

}  // namespace
}  // namespace lovage::broker::test
