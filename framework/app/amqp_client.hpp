// One robust AMQP connection on an executor: client::session driven by sockets and timers. Connects
// when first used, reconnects for ever with back-off, replays topology and consumers, sends
// unconfirmed messages again. The base of lovage::connection, lovage::app and of the workers.
// Single-threaded: every member and every callback on the executor, which must not run handlers
// concurrently (an io_context run by one thread, or a strand). Starts no threads if told so.
// Publishing and consuming belong on two clients, so that a broker that stops publishers (alarm)
// does not stop acknowledgements.
#pragma once

#include "framework/base/time.hpp"
#include "framework/client/types.hpp"
#include "framework/net/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace lovage {

/// Waits for ever.
inline constexpr milliseconds no_timeout = milliseconds::max();

struct amqp_client_options {
    net::uri address;
    std::string name = "lovage";  ///< connection_name, shown in the broker's lists
    milliseconds connect_timeout = std::chrono::seconds(30);  ///< of one attempt
    std::uint16_t heartbeat_seconds = 30;         ///< wanted; the broker may ask for less
    std::size_t window_messages = 4096;           ///< unconfirmed on the wire at most
    std::size_t window_octets = 64U << 20U;       ///< the same in octets of properties and bodies
    std::size_t outbox_messages_max = 1'000'000;  ///< waiting and unconfirmed; more are refused
    std::size_t outbox_octets_max = 512U << 20U;
    bool may_use_threads = true;  ///< name look-ups on a thread of Asio's; false: they block
};

/// Called once. A virtual class instead of std::function: one allocation, move-only captures.
class publish_waiter {
public:
    virtual ~publish_waiter() = default;
    /// Null: the broker has confirmed the message. Otherwise why not; it may still have it when the
    /// code is timeout or stopped.
    virtual void published(const client::problem* problem) = 0;
    /// The message that no queue wanted; published() with `unroutable` follows at once.
    virtual void given_back(client::publication&& message) { static_cast<void>(message); }
};
class request_waiter {
public:
    virtual ~request_waiter() = default;
    /// Exactly one of the two is not null; both valid during the call.
    virtual void answered(const client::problem* problem, const client::answer* answer) = 0;
};

/// What a consumer hears. What a member throws is logged and changes nothing. The client keeps it
/// until cancel() is done or the client is stopped.
class delivery_handler {
public:
    virtual ~delivery_handler() = default;
    /// Views are valid during the call. Acknowledge with amqp_client::ack and its relatives.
    virtual void delivered(const client::delivery& message) = 0;
    /// The broker has accepted the subscription: at first, and again after each loss.
    virtual void subscribed() {}
    /// Deliveries not yet acknowledged are void from here on: the broker gives them to somebody
    /// again. The client subscribes again by itself, unless `final`: the first subscription was
    /// refused or came too late, or the client is stopped; then the consumer is gone.
    virtual void lost(const client::problem& why, bool final) {
        static_cast<void>(why);
        static_cast<void>(final);
    }
    /// All deliveries that had arrived together have been handed over; a place to batch acks.
    virtual void batch_end() {}
};

/// What happens to the connection as a whole, for logs and readiness.
class connection_observer {
public:
    virtual ~connection_observer() = default;
    virtual void connected() {}
    /// `retry_in`: when the next attempt starts.
    virtual void disconnected(const client::problem& why, milliseconds retry_in) {
        static_cast<void>(why);
        static_cast<void>(retry_in);
    }
    /// The broker asks publishers to wait (memory, disk), or allows them again.
    virtual void blocked(const std::string& reason) { static_cast<void>(reason); }
    virtual void unblocked() {}
};

class amqp_client {
public:
    /// Nothing happens until the first request, publish or consume, or open().
    [[nodiscard]] static std::shared_ptr<amqp_client> create(
        const boost::asio::any_io_executor& executor,
        const amqp_client_options& options);
    virtual ~amqp_client() = default;

    /// Null or an observer that outlives the client or its stop().
    virtual void observe(connection_observer* observer) = 0;
    /// Connects now instead of with the first use.
    virtual void open() = 0;
    [[nodiscard]] virtual bool connected() const = 0;

    /// Publishes with a confirm; messages of one client are sent in the order of the calls, again
    /// after a reconnect if need be. A message that is not confirmed after `timeout` is reported
    /// and not sent again. `waiter` may be null.
    virtual void publish(
        client::publication message,
        milliseconds timeout,
        std::unique_ptr<publish_waiter> waiter) = 0;

    /// The broker stores what this client sends in its order, so an acknowledgement survives a
    /// crash only together with what was published before it, confirmed or not. lovage-broker says
    /// so of itself, others do not; false while disconnected.
    [[nodiscard]] virtual bool store_is_ordered() const = 0;
    /// The broker counts only those deliveries of a consumer that were lost, not what it gave back,
    /// if the subscription has the argument for it (amqp/capabilities.hpp).
    [[nodiscard]] virtual bool requeue_may_be_uncounted() const = 0;
    /// publish() with a message of so many octets (publication::octets) would send it before any
    /// acknowledgement that follows; otherwise it waits, e.g. for a connection or an alarm's end.
    [[nodiscard]] virtual bool publishes_at_once(std::size_t size) const = 0;

    /// Requests are answered in the order of the calls; publishes wait for requests made before
    /// them, so that a queue may be declared and used without waiting. What was declared and bound
    /// is declared and bound again after a reconnect, until it is deleted.
    virtual void request(
        client::request what,
        milliseconds timeout,
        std::unique_ptr<request_waiter> waiter) = 0;

    /// Subscribes, again after each loss, until cancel(). subscribed() or lost() tell. If the
    /// broker has not accepted it once after `timeout`, it is finally lost.
    virtual client::consumer_id consume(
        client::subscription what,
        std::shared_ptr<delivery_handler> handler,
        milliseconds timeout = no_timeout) = 0;
    /// No deliveries come after this returns. `done` is called when the broker has answered, or at
    /// once if there is no such consumer. Deliveries handed over before may still be acknowledged
    /// until `forget` is called for the consumer; its channel stays open until then.
    virtual void cancel(client::consumer_id consumer, std::function<void()> done) = 0;
    /// Closes the channel of a cancelled (or active) consumer: unacknowledged messages go back.
    virtual void forget(client::consumer_id consumer) = 0;

    /// Dropped silently when the delivery's channel was lost.
    virtual void ack(const client::delivery_ref& delivery, bool multiple = false) = 0;
    virtual void nack(
        const client::delivery_ref& delivery,
        bool requeue,
        bool multiple = false) = 0;

    /// Fails everything outstanding with broker_errc::stopped, consumers too (lost), says goodbye
    /// to the broker, calls `done` within about two seconds even if the broker does not answer. May
    /// be called twice and before the first use. Nothing is called back after `done`.
    virtual void stop(std::function<void()> done) = 0;
    /// Drops the connection without a word, for processes that are about to end.
    virtual void abandon() = 0;

    /// Messages that were given to publish() and are not confirmed.
    [[nodiscard]] virtual std::size_t unconfirmed() const = 0;
};

namespace detail {
template <class F>
class publish_function final : public publish_waiter {
public:
    explicit publish_function(F function) : function_(std::move(function)) {}
    void published(const client::problem* problem) override { function_(problem); }

private:
    F function_;
};
template <class F>
class request_function final : public request_waiter {
public:
    explicit request_function(F function) : function_(std::move(function)) {}
    void answered(const client::problem* problem, const client::answer* answer) override {
        function_(problem, answer);
    }

private:
    F function_;
};
}  // namespace detail

/// A waiter from a callable, e.g. a lambda `[](const client::problem* failed) { ... }`.
template <class F>
[[nodiscard]] std::unique_ptr<publish_waiter> on_published(F function) {
    return std::make_unique<detail::publish_function<F>>(std::move(function));
}
template <class F>
[[nodiscard]] std::unique_ptr<request_waiter> on_answer(F function) {
    return std::make_unique<detail::request_function<F>>(std::move(function));
}

}  // namespace lovage
