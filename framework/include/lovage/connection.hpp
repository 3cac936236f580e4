// A plain AMQP 0-9-1 client: declare, publish with confirms, consume, on any broker. For programs
// that need more than tasks; lovage::app is built on the same parts.
// Any thread may use it, all at once. It connects when first used, reconnects by itself, declares
// again what it declared, subscribes again, and sends unconfirmed messages again. Each blocking
// call has an asynchronous form that takes a completion token and completes with (exception_ptr[,
// T]). Blocking calls throw broker_error; do not make them in handlers that run on the I/O thread.
#pragma once

#include <lovage/broker_error.hpp>
#include <lovage/detail/async.hpp>
#include <lovage/message.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lovage {

class connection_options {
public:
    connection_options() {}
    /// amqp:// or amqps://, see docs; query parameters win over the members below.
    connection_options(std::string address) : url(std::move(address)) {}
    connection_options(const char* address) : url(address) {}

    std::string url;  ///< empty: LOVAGE_BROKER_URL, else amqp://guest:guest@127.0.0.1:5672//
    std::string name = "lovage";  ///< shown in the broker's list of connections
    std::chrono::milliseconds timeout = std::chrono::seconds(30);  ///< of every blocking call
    std::uint16_t heartbeat_seconds = 30;
    std::size_t window_messages = 4096;  ///< unconfirmed messages on the wire at most
};

class queue_options {
public:
    queue_options() {}
    bool durable = true;
    bool exclusive = false;    ///< for this connection only, deleted with it
    bool auto_delete = false;  ///< deleted when its last consumer goes
    boost::json::object arguments;
};
class exchange_options {
public:
    exchange_options() {}
    bool durable = true;
    bool auto_delete = false;
    bool internal = false;
    boost::json::object arguments;
};
class consume_options {
public:
    consume_options() {}
    std::uint16_t prefetch = 1;  ///< unacknowledged deliveries at most; 0: no limit
    bool no_ack = false;
    bool exclusive = false;
    std::string tag;  ///< empty: made up
    boost::json::object arguments;
};
class publish_options {
public:
    publish_options() {}
    bool mandatory = true;  ///< a message that no queue wants is an error
};

struct queue_info {
    std::string name;
    std::uint32_t messages = 0;  ///< ready
    std::uint32_t consumers = 0;
};

class connection_core;

/// A running subscription. Copies are the same one; dropping all copies does not cancel it.
class consumer {
public:
    consumer() {}
    /// No handler call starts after this returns (one may be running on another thread). Messages
    /// delivered before may still be acknowledged; when all are, or the program has let go of
    /// them, the broker gets back those that were not. May be called twice.
    void cancel();
    /// The same without blocking. Fails on a closed connection, which has no consumers.
    template <class Token>
    auto async_cancel(Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token), [core = core_, id = id_](detail::completion<> handler) {
                start_cancel(core, id, std::move(handler));
            });
    }

    consumer(std::weak_ptr<connection_core> core, std::uint64_t id)
        : core_(std::move(core)), id_(id) {}

private:
    static void start_cancel(
        const std::weak_ptr<connection_core>& from,
        std::uint64_t id,
        detail::completion<> handler);

    std::weak_ptr<connection_core> core_;
    std::uint64_t id_ = 0;
};

class connection {
public:
    using delivery_function = std::function<void(delivery)>;
    template <class... T>
    using done = detail::completion<T...>;

    /// With an I/O thread of its own, started when first used. Throws broker_error for a bad URL.
    explicit connection(connection_options options = {});
    /// On the caller's executor, which somebody must run while blocking calls wait.
    connection(boost::asio::any_io_executor executor, connection_options options = {});
    /// As close(), without waiting for the broker.
    ~connection();
    connection(connection&&) noexcept;
    /// What was assigned to is let go as the destructor would.
    connection& operator=(connection&&) noexcept;

    /// Connects now, and throws if that fails within the timeout. Without it the first use
    /// connects.
    void open();
    /// Fails what is outstanding, says goodbye, waits for it. May be called twice and before use.
    void close();

    /// An empty name lets us make one (lovage.gen-...), returned in the result.
    queue_info declare_queue(std::string name, queue_options options = {});
    /// Asks for a queue without creating it; throws `refused` with code 404 if there is none.
    queue_info queue_status(std::string name);
    void declare_exchange(
        std::string name,
        std::string type = "direct",
        exchange_options options = {});
    void bind(
        std::string queue,
        std::string exchange,
        std::string key,
        boost::json::object arguments = {});
    void unbind(
        std::string queue,
        std::string exchange,
        std::string key,
        boost::json::object arguments = {});
    /// Number of messages that were dropped.
    std::uint32_t purge(std::string queue);
    std::uint32_t delete_queue(std::string name, bool if_unused = false, bool if_empty = false);
    void delete_exchange(std::string name, bool if_unused = false);

    /// Returns when the broker has confirmed. Throws unroutable, not_accepted, timeout, ...
    void publish(std::string exchange, std::string key, message what, publish_options options = {});
    /// Calls `handler` for each message, on the I/O thread, one at a time: it must not block. Acks
    /// may come later and from any thread. What it throws is logged, and the message stays
    /// unacknowledged. Returns when the broker has accepted the subscription. Throws, and
    /// does not consume, when it has not within the timeout.
    consumer consume(std::string queue, consume_options options, delivery_function handler);
    /// One message, or nothing if the queue is empty.
    std::optional<delivery> get(std::string queue, bool no_ack = false);

    template <class Token>
    auto async_open(Token&& token) {
        return detail::initiate<>(std::forward<Token>(token), [core = core_](done<> handler) {
            start_open(core, std::move(handler));
        });
    }
    template <class Token>
    auto async_close(Token&& token) {
        return detail::initiate<>(std::forward<Token>(token), [core = core_](done<> handler) {
            start_close(core, std::move(handler));
        });
    }
    template <class Token>
    auto async_declare_queue(std::string name, queue_options options, Token&& token) {
        return detail::initiate<queue_info>(
            std::forward<Token>(token),
            [core = core_, name = std::move(name), options = std::move(options)](
                done<queue_info> handler) mutable {
                start_declare_queue(
                    core, std::move(name), std::move(options), false, std::move(handler));
            });
    }
    template <class Token>
    auto async_queue_status(std::string name, Token&& token) {
        return detail::initiate<queue_info>(
            std::forward<Token>(token),
            [core = core_, name = std::move(name)](done<queue_info> handler) mutable {
                start_declare_queue(core, std::move(name), {}, true, std::move(handler));
            });
    }
    template <class Token>
    auto async_declare_exchange(
        std::string name,
        std::string type,
        exchange_options options,
        Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token),
            [core = core_,
             name = std::move(name),
             type = std::move(type),
             options = std::move(options)](done<> handler) mutable {
                start_declare_exchange(
                    core, std::move(name), std::move(type), std::move(options), std::move(handler));
            });
    }
    template <class Token>
    auto async_bind(
        std::string queue,
        std::string exchange,
        std::string key,
        boost::json::object arguments,
        Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token),
            [core = core_,
             queue = std::move(queue),
             exchange = std::move(exchange),
             key = std::move(key),
             arguments = std::move(arguments)](done<> handler) mutable {
                start_bind(
                    core,
                    binding{
                        std::move(queue),
                        std::move(exchange),
                        std::move(key),
                        std::move(arguments)},
                    false,
                    std::move(handler));
            });
    }
    template <class Token>
    auto async_unbind(
        std::string queue,
        std::string exchange,
        std::string key,
        boost::json::object arguments,
        Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token),
            [core = core_,
             queue = std::move(queue),
             exchange = std::move(exchange),
             key = std::move(key),
             arguments = std::move(arguments)](done<> handler) mutable {
                start_bind(
                    core,
                    binding{
                        std::move(queue),
                        std::move(exchange),
                        std::move(key),
                        std::move(arguments)},
                    true,
                    std::move(handler));
            });
    }
    template <class Token>
    auto async_purge(std::string queue, Token&& token) {
        return detail::initiate<std::uint32_t>(
            std::forward<Token>(token),
            [core = core_, queue = std::move(queue)](done<std::uint32_t> handler) mutable {
                start_purge(core, std::move(queue), std::move(handler));
            });
    }
    template <class Token>
    auto async_delete_queue(std::string name, bool if_unused, bool if_empty, Token&& token) {
        return detail::initiate<std::uint32_t>(
            std::forward<Token>(token),
            [core = core_, name = std::move(name), if_unused, if_empty](
                done<std::uint32_t> handler) mutable {
                start_delete_queue(core, std::move(name), if_unused, if_empty, std::move(handler));
            });
    }
    template <class Token>
    auto async_delete_exchange(std::string name, bool if_unused, Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token),
            [core = core_, name = std::move(name), if_unused](done<> handler) mutable {
                start_delete_exchange(core, std::move(name), if_unused, std::move(handler));
            });
    }
    template <class Token>
    auto async_publish(std::string exchange, std::string key, message what, Token&& token) {
        return async_publish(
            std::move(exchange),
            std::move(key),
            std::move(what),
            publish_options(),
            std::forward<Token>(token));
    }
    template <class Token>
    auto async_publish(
        std::string exchange,
        std::string key,
        message what,
        publish_options options,
        Token&& token) {
        return detail::initiate<>(
            std::forward<Token>(token),
            [core = core_,
             exchange = std::move(exchange),
             key = std::move(key),
             what = std::move(what),
             options](done<> handler) mutable {
                start_publish(
                    core,
                    std::move(exchange),
                    std::move(key),
                    std::move(what),
                    options,
                    std::move(handler));
            });
    }
    template <class Token>
    auto async_consume(
        std::string queue,
        consume_options options,
        delivery_function handler,
        Token&& token) {
        return detail::initiate<consumer>(
            std::forward<Token>(token),
            [core = core_,
             queue = std::move(queue),
             options = std::move(options),
             function = std::move(handler)](done<consumer> completed) mutable {
                start_consume(
                    core,
                    std::move(queue),
                    std::move(options),
                    std::move(function),
                    std::move(completed));
            });
    }
    template <class Token>
    auto async_get(std::string queue, bool no_ack, Token&& token) {
        return detail::initiate<std::optional<delivery>>(
            std::forward<Token>(token),
            [core = core_, queue = std::move(queue), no_ack](
                done<std::optional<delivery>> handler) mutable {
                start_get(core, std::move(queue), no_ack, std::move(handler));
            });
    }

private:
    using core_ptr = std::shared_ptr<connection_core>;
    struct binding {
        std::string queue;
        std::string exchange;
        std::string key;
        boost::json::object arguments;
    };

    static void start_open(const core_ptr& core, done<> handler);
    static void start_close(const core_ptr& core, done<> handler);
    static void start_declare_queue(
        const core_ptr& core,
        std::string name,
        queue_options options,
        bool passive,
        done<queue_info> handler);
    static void start_declare_exchange(
        const core_ptr& core,
        std::string name,
        std::string type,
        exchange_options options,
        done<> handler);
    static void start_bind(const core_ptr& core, binding what, bool remove, done<> handler);
    static void start_purge(const core_ptr& core, std::string queue, done<std::uint32_t> handler);
    static void start_delete_queue(
        const core_ptr& core,
        std::string name,
        bool if_unused,
        bool if_empty,
        done<std::uint32_t> handler);
    static void start_delete_exchange(
        const core_ptr& core,
        std::string name,
        bool if_unused,
        done<> handler);
    static void start_publish(
        const core_ptr& core,
        std::string exchange,
        std::string key,
        message what,
        publish_options options,
        done<> handler);
    static void start_consume(
        const core_ptr& core,
        std::string queue,
        consume_options options,
        delivery_function function,
        done<consumer> handler);
    static void start_get(
        const core_ptr& core,
        std::string queue,
        bool no_ack,
        done<std::optional<delivery>> handler);
    void let_go() noexcept;

    core_ptr core_;
};

}  // namespace lovage
