#include "framework/app/connection_core.hpp"
#include "framework/app/message_codec.hpp"
#include "framework/app/reply_slot.hpp"

#include <lovage/connection.hpp>

#include <boost/asio/system_executor.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <stdexcept>
#include <utility>

namespace lovage {
namespace {

/// What a blocking call may take beyond the operation's own timeout, which always ends it; only an
/// executor that nobody runs makes it last that long.
constexpr std::chrono::seconds patience{10};
/// Longer timeouts are waited for in vain: added to the clock, they would overflow.
constexpr std::chrono::milliseconds timeout_max = std::chrono::hours(24 * 365);

/// Runs `start(completion)` and waits for it.
template <class... Values, class Start>
auto wait_for(connection_core& core, Start start) {
    using result =
        std::conditional_t<sizeof...(Values) == 0, std::tuple<char>, std::tuple<Values...>>;
    if (core.is_on_executor()) {
        throw std::logic_error(
            "lovage: a blocking call on the connection's executor would never end; use the "
            "asynchronous form");
    }
    const auto promise = std::make_shared<std::promise<result>>();
    auto future = promise->get_future();
    start(detail::completion<Values...>([promise](std::exception_ptr error, Values... values) {
        if (error != nullptr) {
            promise->set_exception(error);
        } else if constexpr (sizeof...(Values) == 0) {
            promise->set_value(result{});
        } else {
            promise->set_value(result{std::move(values)...});
        }
    }));
    const auto longest = std::min(core.options().timeout, timeout_max) + patience;
    if (future.wait_for(longest) != std::future_status::ready) {
        throw broker_error(
            broker_errc::timeout, 0, "no answer: does anybody run the connection's executor?");
    }
    return std::get<0>(future.get());
}

template <class Pending>
auto share(Pending&& waiting) {
    return std::make_shared<std::remove_cvref_t<Pending>>(std::forward<Pending>(waiting));
}

/// Asks and completes with what `read(answer)` gives.
template <class Value, class Read>
void ask_for(
    const std::shared_ptr<connection_core>& core,
    client::request what,
    detail::completion<Value> handler,
    Read read) {
    core->run(
        [what = std::move(what), read](connection_core& in, auto waiting) mutable {
            in.ask(
                std::move(what),
                [read, waiting = share(std::move(waiting))](
                    const client::problem* failed, const client::answer* answer) {
                    (*waiting)(
                        failed == nullptr ? nullptr : detail::exception_of(*failed),
                        failed == nullptr ? read(*answer) : Value{});
                });
        },
        std::move(handler));
}

void ask_only(
    const std::shared_ptr<connection_core>& core,
    client::request what,
    detail::completion<> handler) {
    core->run(
        [what = std::move(what)](connection_core& in, auto waiting) mutable {
            in.ask(
                std::move(what),
                [waiting = share(std::move(waiting))](
                    const client::problem* failed, const client::answer*) {
                    (*waiting)(failed == nullptr ? nullptr : detail::exception_of(*failed));
                });
        },
        std::move(handler));
}

}  // namespace

void consumer::cancel() {
    const auto core = core_.lock();
    if (core == nullptr) {
        return;
    }
    if (core->is_on_executor()) {
        core->cancel(id_);
        return;
    }
    try {
        wait_for<>(*core, [&](detail::completion<> handler) {
            start_cancel(core_, id_, std::move(handler));
        });
    } catch (const broker_error&) {  // a closed connection has no consumers
    }
}

void consumer::start_cancel(
    const std::weak_ptr<connection_core>& from,
    std::uint64_t id,
    detail::completion<> handler) {
    const auto core = from.lock();
    if (core == nullptr) {
        pending_completion<>(std::move(handler), boost::asio::system_executor())(nullptr);
        return;
    }
    core->run(
        [id](connection_core& in, auto waiting) {
            in.cancel(id);
            waiting(nullptr);
        },
        std::move(handler));
}

connection::connection(connection_options options)
    : core_(std::make_shared<connection_core>(std::nullopt, std::move(options))) {}
connection::connection(boost::asio::any_io_executor executor, connection_options options)
    : core_(std::make_shared<connection_core>(std::move(executor), std::move(options))) {}
connection::~connection() {
    let_go();
}
void connection::let_go() noexcept {
    if (core_ == nullptr) {
        return;
    }
    if (core_->has_own_thread() && !core_->is_on_executor()) {
        try {
            close();
        } catch (...) {  // a destructor that cannot say goodbye goes without
        }
        return;
    }
    // Nobody may be running the caller's executor any more: do not wait for it.
    core_->close(detail::completion<>([core = core_](std::exception_ptr) {}));
}
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&& other) noexcept {
    if (this != &other) {
        let_go();
        core_ = std::move(other.core_);
    }
    return *this;
}

// The blocking forms.

void connection::open() {
    wait_for<>(*core_, [&](done<> handler) { start_open(core_, std::move(handler)); });
}
void connection::close() {
    wait_for<>(*core_, [&](done<> handler) { start_close(core_, std::move(handler)); });
}
queue_info connection::declare_queue(std::string name, queue_options options) {
    return wait_for<queue_info>(*core_, [&](done<queue_info> handler) {
        start_declare_queue(core_, std::move(name), std::move(options), false, std::move(handler));
    });
}
queue_info connection::queue_status(std::string name) {
    return wait_for<queue_info>(*core_, [&](done<queue_info> handler) {
        start_declare_queue(core_, std::move(name), {}, true, std::move(handler));
    });
}
void connection::declare_exchange(std::string name, std::string type, exchange_options options) {
    wait_for<>(*core_, [&](done<> handler) {
        start_declare_exchange(
            core_, std::move(name), std::move(type), std::move(options), std::move(handler));
    });
}
void connection::bind(
    std::string queue,
    std::string exchange,
    std::string key,
    boost::json::object arguments) {
    wait_for<>(*core_, [&](done<> handler) {
        binding what{std::move(queue), std::move(exchange), std::move(key), std::move(arguments)};
        start_bind(core_, std::move(what), false, std::move(handler));
    });
}
void connection::unbind(
    std::string queue,
    std::string exchange,
    std::string key,
    boost::json::object arguments) {
    wait_for<>(*core_, [&](done<> handler) {
        binding what{std::move(queue), std::move(exchange), std::move(key), std::move(arguments)};
        start_bind(core_, std::move(what), true, std::move(handler));
    });
}
std::uint32_t connection::purge(std::string queue) {
    return wait_for<std::uint32_t>(*core_, [&](done<std::uint32_t> handler) {
        start_purge(core_, std::move(queue), std::move(handler));
    });
}
std::uint32_t connection::delete_queue(std::string name, bool if_unused, bool if_empty) {
    return wait_for<std::uint32_t>(*core_, [&](done<std::uint32_t> handler) {
        start_delete_queue(core_, std::move(name), if_unused, if_empty, std::move(handler));
    });
}
void connection::delete_exchange(std::string name, bool if_unused) {
    wait_for<>(*core_, [&](done<> handler) {
        start_delete_exchange(core_, std::move(name), if_unused, std::move(handler));
    });
}
void connection::publish(
    std::string exchange,
    std::string key,
    message what,
    publish_options options) {
    wait_for<>(*core_, [&](done<> handler) {
        start_publish(
            core_,
            std::move(exchange),
            std::move(key),
            std::move(what),
            options,
            std::move(handler));
    });
}
consumer connection::consume(
    std::string queue,
    consume_options options,
    delivery_function handler) {
    return wait_for<consumer>(*core_, [&](done<consumer> completed) {
        start_consume(
            core_, std::move(queue), std::move(options), std::move(handler), std::move(completed));
    });
}
std::optional<delivery> connection::get(std::string queue, bool no_ack) {
    return wait_for<std::optional<delivery>>(*core_, [&](done<std::optional<delivery>> handler) {
        start_get(core_, std::move(queue), no_ack, std::move(handler));
    });
}

// What both forms start.

void connection::start_open(const core_ptr& core, done<> handler) {
    core->run(
        [](connection_core& in, auto waiting) { in.open(std::move(waiting)); }, std::move(handler));
}

void connection::start_close(const core_ptr& core, done<> handler) {
    core->close(std::move(handler));
}

void connection::start_declare_queue(
    const core_ptr& core,
    std::string name,
    queue_options options,
    bool passive,
    done<queue_info> handler) {
    client::declare_queue what;
    what.name = name.empty() && !passive ? core->new_name() : std::move(name);
    what.passive = passive;
    what.durable = options.durable;
    what.exclusive = options.exclusive;
    what.auto_delete = options.auto_delete;
    what.arguments = table_of(options.arguments);
    ask_for<queue_info>(
        core, std::move(what), std::move(handler), [](const client::answer& answer) {
            return queue_info{answer.queue, answer.message_count, answer.consumer_count};
        });
}

void connection::start_declare_exchange(
    const core_ptr& core,
    std::string name,
    std::string type,
    exchange_options options,
    done<> handler) {
    client::declare_exchange what;
    what.name = std::move(name);
    what.type = std::move(type);
    what.durable = options.durable;
    what.auto_delete = options.auto_delete;
    what.internal = options.internal;
    what.arguments = table_of(options.arguments);
    ask_only(core, std::move(what), std::move(handler));
}

void connection::start_bind(const core_ptr& core, binding what, bool remove, done<> handler) {
    amqp::table arguments = table_of(what.arguments);
    if (remove) {
        ask_only(
            core,
            client::unbind_queue{
                std::move(what.queue),
                std::move(what.exchange),
                std::move(what.key),
                std::move(arguments)},
            std::move(handler));
        return;
    }
    ask_only(
        core,
        client::bind_queue{
            std::move(what.queue),
            std::move(what.exchange),
            std::move(what.key),
            std::move(arguments)},
        std::move(handler));
}

void connection::start_purge(const core_ptr& core, std::string queue, done<std::uint32_t> handler) {
    ask_for<std::uint32_t>(
        core,
        client::purge_queue{std::move(queue)},
        std::move(handler),
        [](const client::answer& answer) { return answer.message_count; });
}

void connection::start_delete_queue(
    const core_ptr& core,
    std::string name,
    bool if_unused,
    bool if_empty,
    done<std::uint32_t> handler) {
    ask_for<std::uint32_t>(
        core,
        client::delete_queue{std::move(name), if_unused, if_empty},
        std::move(handler),
        [](const client::answer& answer) { return answer.message_count; });
}

void connection::start_delete_exchange(
    const core_ptr& core,
    std::string name,
    bool if_unused,
    done<> handler) {
    ask_only(core, client::delete_exchange{std::move(name), if_unused}, std::move(handler));
}

void connection::start_publish(
    const core_ptr& core,
    std::string exchange,
    std::string key,
    message what,
    publish_options options,
    done<> handler) {
    if (auto wrong = check_properties(what)) {
        core->run(
            [wrong = std::move(*wrong)](connection_core&, auto waiting) {
                waiting(detail::exception_of(wrong));
            },
            std::move(handler));
        return;
    }
    client::publication message;
    message.exchange = std::move(exchange);
    message.routing_key = std::move(key);
    message.properties = properties_of(what);
    message.body = std::move(what.body);
    message.mandatory = options.mandatory;
    core->run(
        [message = std::move(message)](connection_core& in, auto waiting) mutable {
            in.publish(std::move(message), std::move(waiting));
        },
        std::move(handler));
}

void connection::start_consume(
    const core_ptr& core,
    std::string queue,
    consume_options options,
    delivery_function function,
    done<consumer> handler) {
    client::subscription what;
    what.queue = std::move(queue);
    what.tag = std::move(options.tag);
    what.prefetch = options.prefetch;
    what.no_ack = options.no_ack;
    what.exclusive = options.exclusive;
    what.arguments = table_of(options.arguments);
    core->run(
        [what = std::move(what), function = std::move(function)](
            connection_core& in, auto waiting) mutable {
            in.consume(std::move(what), std::move(function), std::move(waiting));
        },
        std::move(handler));
}

void connection::start_get(
    const core_ptr& core,
    std::string queue,
    bool no_ack,
    done<std::optional<delivery>> handler) {
    core->run(
        [queue = std::move(queue), no_ack](connection_core& in, auto waiting) mutable {
            in.ask(
                client::get_message{std::move(queue), no_ack},
                [core = in.weak_from_this(), no_ack, waiting = share(std::move(waiting))](
                    const client::problem* failed, const client::answer* answer) {
                    std::optional<delivery> got;
                    const auto alive = core.lock();
                    if (failed == nullptr && answer->found && alive != nullptr) {
                        got = alive->make_delivery(answer->message, no_ack);
                        got->left_in_queue = answer->message_count;
                    }
                    (*waiting)(
                        failed == nullptr ? nullptr : detail::exception_of(*failed),
                        std::move(got));
                });
        },
        std::move(handler));
}

}  // namespace lovage
