// The one implementation of amqp_client: client::session driven by a pump, a connector and a timer.
// Included by its own source files alone; the same thread rules as amqp_client.
// client_driver.cpp has what a program asks for, amqp_client.cpp what the broker says.
#pragma once

#include "framework/app/amqp_client.hpp"
#include "framework/app/waiter_table.hpp"
#include "framework/client/session.hpp"
#include "framework/net/connector.hpp"
#include "framework/net/pump.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lovage {

class client_driver;

/// The owner of one pump. A pump may outlive the driver, and the driver its pump.
class link final : public net::pump_owner {
public:
    explicit link(std::weak_ptr<client_driver> driver) : driver_(std::move(driver)) {}
    std::size_t received(octets input) override;
    void drained(std::size_t) override {}
    void closed(net::error_code error) override;

private:
    std::weak_ptr<client_driver> driver_;
};

class client_driver final : public amqp_client, public std::enable_shared_from_this<client_driver> {
public:
    client_driver(const boost::asio::any_io_executor& executor, const amqp_client_options& options);
    ~client_driver() override { drop_pump(); }

    void observe(connection_observer* observer) override { observer_ = observer; }
    void open() override { use(); }
    [[nodiscard]] bool connected() const override { return session_.is_up(); }
    [[nodiscard]] std::size_t unconfirmed() const override { return session_.unconfirmed(); }
    void publish(
        client::publication message,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter) override;
    void request(client::request what, milliseconds timeout, std::unique_ptr<request_waiter> waiter)
        override;
    client::consumer_id consume(
        client::subscription what,
        std::shared_ptr<delivery_handler> handler,
        milliseconds timeout) override;
    void cancel(client::consumer_id consumer, std::function<void()> done) override;
    void forget(client::consumer_id consumer) override;
    [[nodiscard]] bool store_is_ordered() const override { return session_.store_is_ordered(); }
    [[nodiscard]] bool requeue_may_be_uncounted() const override {
        return session_.requeue_may_be_uncounted();
    }
    [[nodiscard]] bool publishes_at_once(std::size_t size) const override {
        return !stopped_ && session_.publishes_at_once(size);
    }
    void ack(const client::delivery_ref& delivery, bool multiple) override;
    void nack(const client::delivery_ref& delivery, bool requeue, bool multiple) override;
    void stop(std::function<void()> done) override;
    void abandon() override;

    // from link
    std::size_t received(const link* from, octets input);
    void closed(const link* from, net::error_code error);

private:
    struct consumer_entry {
        std::shared_ptr<delivery_handler> handler;
        bool touched = false;  ///< has had a delivery in this batch
        bool muted = false;    ///< cancelled: no deliveries any more
    };

    static time_point now() { return std::chrono::steady_clock::now(); }
    std::uint64_t random() { return random_(); }
    void use();
    void refuse(std::unique_ptr<publish_waiter> waiter);
    void refuse(std::unique_ptr<request_waiter> waiter);
    void schedule_turn();
    void turn();
    void drain_events(octets& input);
    void dispatch_all(octets& input, time_point at);
    void dispatch(client::event& what);
    void dispatch_delivery(const client::event& what);
    void dispatch_lost(const client::event& what);
    void on_down(const client::event& what);
    void finish_batch();
    void flush();
    void connect_if_due();
    void on_connected(net::connect_result result);
    void rearm();
    void drop_pump();
    void finish_stop();
    void fail_the_rest();

    boost::asio::any_io_executor executor_;
    amqp_client_options options_;
    client::session session_;
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer goodbye_;
    std::mt19937_64 random_;
    std::shared_ptr<net::pump> pump_;
    std::shared_ptr<link> link_;
    std::shared_ptr<net::connect_attempt> attempt_;
    connection_observer* observer_ = nullptr;

    waiter_table<publish_waiter> publishes_;
    waiter_table<request_waiter> requests_;
    waiter_table<std::function<void()>> cancels_;
    std::unordered_map<client::consumer_id, consumer_entry> consumers_;
    std::vector<client::consumer_id> touched_;
    std::vector<std::function<void()>> stop_waiters_;
    time_point armed_ = time_point::max();
    bool used_ = false;
    bool turn_posted_ = false;
    bool draining_ = false;
    bool stopping_ = false;
    bool stopped_ = false;
};

}  // namespace lovage
