// The application: an explicit list of tasks and a broker to send their calls to.
//
//   lovage::app app{"amqp://localhost", price, charge};     // nothing is connected yet
//   auto p = app.delay(price, order{"x", 2});                // safely queued when this returns
//   double total = p.get(5s);
//   auto h = app.send(charge.s(9.5, "visa"), lovage::how().after(5s).priority(3));
//   auto r = co_await app.async_send(charge.s(9.5, "visa"), boost::asio::use_awaitable);
//
// Any thread may use it, all at once, also from inside tasks. It connects when first used, with an
// I/O thread of its own; a process may fork before that. After a fork a child that uses it gets
// connections of its own. send() returns when the broker has confirmed the message; calls, replies
// and waiting survive lost connections and restarts of the broker.
// Worker and command line are in workers/run; options there read tasks() and options().
#pragma once

#include <lovage/broker_error.hpp>
#include <lovage/detail/async.hpp>
#include <lovage/handle.hpp>
#include <lovage/how.hpp>
#include <lovage/registry.hpp>
#include <lovage/signature.hpp>

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lovage {

class app_options {
public:
    app_options() {}
    app_options(std::string address) : url(std::move(address)) {}
    app_options(const char* address) : url(address) {}

    std::string url;  ///< empty: LOVAGE_BROKER_URL, else amqp://guest:guest@127.0.0.1:5672//
    std::string name = "lovage";           ///< shown in the broker's list of connections
    std::string default_queue = "celery";  ///< of tasks that name no queue; Celery's own default
    std::chrono::milliseconds send_timeout = std::chrono::seconds(30);    ///< until confirmed
    std::chrono::milliseconds result_timeout = std::chrono::minutes(10);  ///< of get() without one
    /// How long the broker keeps the reply queue, and results in it, while we are not connected.
    std::chrono::milliseconds reply_queue_expires = std::chrono::minutes(30);
    std::uint16_t heartbeat_seconds = 30;
    std::size_t window_messages = 4096;  ///< unconfirmed messages on the wire at most
};

class app_core;

class app {
public:
    /// `tasks` are definitions made by lovage::task. Throws registration_error for duplicates and
    /// broker_error for an address that cannot be read.
    template <class... Tasks>
    explicit app(app_options options, const Tasks&... tasks)
        : app(std::move(options), registry(std::vector<task_entry>{task_entry(tasks)...})) {}
    app(app_options options, registry tasks);
    /// As stop().
    ~app();
    app(app&&) noexcept;
    app& operator=(app&&) noexcept;

    [[nodiscard]] const registry& tasks() const;
    /// With the address filled in.
    [[nodiscard]] const app_options& options() const;

    /// Calls `task` with these arguments: send(task.s(arguments...)).
    template <class Task, class... Arguments>
    auto delay(const Task& task, Arguments&&... arguments) {
        return send(task.s(std::forward<Arguments>(arguments)...));
    }
    /// Returns when the broker has the call. Throws broker_error: unroutable, timeout, ...
    template <class Result>
    handle<Result> send(const signature<Result>& call, const how& way = how()) {
        return handle<Result>(send_one(call, way));
    }
    /// For tasks known by name only. `args` is a JSON list, `kwargs` a JSON object; throws
    /// decode_error if they are not.
    handle<boost::json::value> send_raw(
        std::string_view name,
        std::string_view args,
        std::string_view kwargs = "{}",
        const how& way = how());
    /// Many calls, their confirms awaited together. Throws for the first that failed, when all are
    /// answered; the others are sent.
    template <class Result>
    std::vector<handle<Result>> send_all(
        const std::vector<signature<Result>>& calls,
        const how& way = how()) {
        std::vector<slot_ptr> slots;
        slots.reserve(calls.size());
        for (const auto& call : calls) {
            slots.push_back(start_send(call, way));
        }
        wait_confirmed(slots);
        std::vector<handle<Result>> handles;
        handles.reserve(slots.size());
        for (auto& slot : slots) {
            handles.emplace_back(std::move(slot));
        }
        return handles;
    }

    /// Completes with (exception_ptr, handle<Result>) when the broker has the call.
    template <class Result, class Token>
    auto async_send(const signature<Result>& call, const how& way, Token&& token) {
        return detail::initiate<handle<Result>>(
            std::forward<Token>(token),
            [core = core_, call = call, way = way](
                detail::completion<handle<Result>> handler) mutable {
                start_async_send<Result>(core, call, way, std::move(handler));
            });
    }
    template <class Result, class Token>
    auto async_send(const signature<Result>& call, Token&& token) {
        return async_send(call, how(), std::forward<Token>(token));
    }
    /// The token comes first, because arguments are as many as the task has.
    template <class Token, class Task, class... Arguments>
    auto async_delay(Token&& token, const Task& task, Arguments&&... arguments) {
        return async_send(
            task.s(std::forward<Arguments>(arguments)...), how(), std::forward<Token>(token));
    }

    /// Fails what is outstanding, deletes the reply queue, says goodbye. May be called twice and
    /// before the first use; afterwards every call throws broker_errc::stopped.
    void stop();

private:
    using slot_ptr = std::shared_ptr<detail::reply_slot>;
    using core_ptr = std::shared_ptr<app_core>;
    using sent = detail::completion<slot_ptr>;

    slot_ptr send_one(const any_signature& call, const how& way);
    slot_ptr start_send(const any_signature& call, const how& way);
    void wait_confirmed(const std::vector<slot_ptr>& slots);
    static void async_send_slot(
        const core_ptr& core,
        const any_signature& call,
        const how& way,
        sent handler);
    template <class Result>
    static void start_async_send(
        const core_ptr& core,
        const any_signature& call,
        const how& way,
        detail::completion<handle<Result>> handler);

    core_ptr core_;
};

}  // namespace lovage

#include <lovage/detail/async_send.hpp>
