// Clients that do not read and publishers that are too fast: memory stays bounded, others are
// served.
#include "tests/broker/server/support.hpp"
#include "tests/broker/server/wire_client.hpp"

#include <lovage/broker_error.hpp>
#include <lovage/connection.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace lovage::broker::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1024 * 1024;

amqp::queue::declare declaration(octets name) {
    amqp::queue::declare wanted;
    wanted.queue = name;
    return wanted;
}

TEST(SlowReader, GetsNoMoreThanABoundIntoItsBufferAndOthersAreServed) {
    constexpr std::size_t messages = 100;
    constexpr std::size_t growth_max = 16 * mebibyte;
    server broker{server_options{}};
    broker.start();
    const std::string body(mebibyte, 'x');
    wire_client publisher{broker.port()};
    publisher.call<amqp::queue::declare_ok>(declaration("big"));
    for (std::size_t i = 0; i < messages; ++i) {
        publisher.publish("big", body);
    }
    connection other{broker.url()};
    ASSERT_TRUE(eventually([&] { return other.queue_status("big").messages == messages; }));

    // The messages are in memory anyway; what a reader that does not read adds must be little.
    const std::uint64_t before = resident_octets();
    wire_client slow{broker.port(), 64 * 1024};
    amqp::basic::consume consume;
    consume.queue = "big";
    consume.no_ack = true;
    slow.send(consume);
    ASSERT_TRUE(eventually([&] { return other.queue_status("big").messages < messages; }));

    const std::string queue = other.declare_queue("").name;
    for (int i = 0; i < 100; ++i) {
        other.publish("", queue, message("hello"));
        ASSERT_TRUE(other.get(queue, true).has_value());
    }
    const std::uint64_t after = resident_octets();
    EXPECT_LT(after, before + growth_max);
    EXPECT_GT(other.queue_status("big").messages, messages / 2);

    slow.await_bodies(messages, mebibyte);  // and nothing is lost when it reads at last
    EXPECT_EQ(other.queue_status("big").messages, 0U);
}

TEST(SlowReader, DoesNotDelayTheEnd) {
    server broker{server_options{}};
    broker.start();
    const std::string body(mebibyte, 'x');
    wire_client slow{broker.port(), 64 * 1024};
    slow.call<amqp::queue::declare_ok>(declaration("big"));
    amqp::basic::consume consume;
    consume.queue = "big";
    consume.no_ack = true;
    slow.send(consume);
    for (int i = 0; i < 20; ++i) {
        slow.publish("big", body);
    }
    connection other{broker.url()};
    ASSERT_TRUE(eventually([&] { return other.queue_status("big").messages > 10; }));
    broker.stop();
}

class MemoryLimit : public testing::Test {
protected:
    static constexpr std::size_t body_octets = 100'000;

    MemoryLimit() : broker_(options()) { broker_.start(); }

    static server_options options() {
        server_options wanted;
        wanted.memory_octets_max = 4 * mebibyte;
        return wanted;
    }

    /// Publishes in a thread of its own until the broker says that it is blocked.
    static void publish_until_blocked(wire_client& publisher) {
        std::atomic<bool> enough = false;
        auto publishing = std::async(std::launch::async, [&] {
            const std::string body(body_octets, 'x');
            // More than the limit and the socket's buffers could hold stops by itself.
            for (int i = 0; i < 45 && !enough; ++i) {
                publisher.publish("work", body);
            }
        });
        publisher.await<amqp::connection::blocked>();
        enough = true;
        publishing.get();
    }

    server broker_;
};

TEST_F(MemoryLimit, PublisherIsToldAndGoesOnWhenMessagesAreConsumed) {
    wire_client publisher{broker_.port()};
    publisher.call<amqp::queue::declare_ok>(declaration("work"));
    publish_until_blocked(publisher);

    connection consumer{broker_.url()};
    const auto held = consumer.queue_status("work").messages;
    EXPECT_LE(held * body_octets, 4 * mebibyte + 2 * body_octets);
    while (consumer.get("work", true).has_value()) {
    }
    publisher.await<amqp::connection::unblocked>();
    // What was sent while it was blocked comes now; then the channel answers again.
    while (consumer.get("work", true).has_value()) {
    }
    publisher.call<amqp::queue::declare_ok>(declaration("work"));
}

TEST_F(MemoryLimit, ConsumersAndAcksAreServedMeanwhile) {
    wire_client publisher{broker_.port()};
    publisher.call<amqp::queue::declare_ok>(declaration("work"));
    publish_until_blocked(publisher);

    connection consumer{broker_.url()};
    auto first = consumer.get("work");
    ASSERT_TRUE(first.has_value());
    first->ack();
    EXPECT_NO_THROW(static_cast<void>(consumer.declare_queue("another")));
}

TEST_F(MemoryLimit, ConnectionThatIsStoppedAndGoesOnAtOnceIsReadFurther) {
    wire_client publisher{broker_.port()};
    publisher.call<amqp::queue::declare_ok>(declaration("work"));
    publisher.call<amqp::queue::declare_ok>(declaration("jobs"));
    wire_client worker{broker_.port()};
    amqp::basic::qos one;
    one.prefetch_count = 1;
    worker.call<amqp::basic::qos_ok>(one);
    worker.call<amqp::confirm::select_ok>(amqp::confirm::select{});
    amqp::basic::consume consume;
    consume.queue = "jobs";
    worker.call<amqp::basic::consume_ok>(consume);
    publisher.publish("jobs", "first");
    publisher.publish("jobs", "second");
    worker.await<amqp::basic::deliver>();
    publish_until_blocked(publisher);

    // The ack makes it one that holds nothing, so the publish behind it has to wait; the delivery
    // that it gets for the ack lets it go on. Nothing more comes from it.
    byte_buffer both;
    amqp::write_method(both, 1, amqp::basic::ack{1, false});
    wire_client::write_publish(both, "jobs", "result");
    worker.send_octets(both.view());

    worker.await<amqp::basic::deliver>();
    worker.await<amqp::basic::ack>();
}

TEST_F(MemoryLimit, PublishOfTheClientWaitsInsteadOfFailing) {
    wire_client filler{broker_.port()};
    filler.call<amqp::queue::declare_ok>(declaration("work"));
    publish_until_blocked(filler);

    connection client{broker_.url()};
    client.declare_queue("mine");
    auto published =
        std::async(std::launch::async, [&] { client.publish("", "mine", message("waited")); });
    EXPECT_EQ(published.wait_for(300ms), std::future_status::timeout);
    connection consumer{broker_.url()};
    EXPECT_EQ(consumer.queue_status("mine").messages, 0U);
    ASSERT_TRUE(eventually([&] {
        while (consumer.get("work", true).has_value()) {
        }
        return published.wait_for(0ms) == std::future_status::ready;
    }));
    EXPECT_NO_THROW(published.get());
    const auto got = consumer.get("mine", true);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->message.body, "waited");
}

}  // namespace
}  // namespace lovage::broker::test
