#include "framework/client/request_codec.hpp"

#include <utility>

namespace lovage::client {
namespace {

template <class... F>
struct overloaded : F... {
    using F::operator()...;
};

amqp::queue::declare method(const declare_queue& from) {
    amqp::queue::declare to;
    to.queue = from.name;
    to.passive = from.passive;
    to.durable = from.durable;
    to.exclusive = from.exclusive;
    to.auto_delete = from.auto_delete;
    to.arguments = from.arguments;
    return to;
}
amqp::exchange::declare method(const declare_exchange& from) {
    amqp::exchange::declare to;
    to.exchange = from.name;
    to.type = from.type;
    to.passive = from.passive;
    to.durable = from.durable;
    to.auto_delete = from.auto_delete;
    to.internal = from.internal;
    to.arguments = from.arguments;
    return to;
}
amqp::queue::bind method(const bind_queue& from) {
    amqp::queue::bind to;
    to.queue = from.queue;
    to.exchange = from.exchange;
    to.routing_key = from.routing_key;
    to.arguments = from.arguments;
    return to;
}
amqp::queue::unbind method(const unbind_queue& from) {
    amqp::queue::unbind to;
    to.queue = from.queue;
    to.exchange = from.exchange;
    to.routing_key = from.routing_key;
    to.arguments = from.arguments;
    return to;
}
amqp::exchange::bind method(const bind_exchange& from) {
    amqp::exchange::bind to;
    to.destination = from.destination;
    to.source = from.source;
    to.routing_key = from.routing_key;
    to.arguments = from.arguments;
    return to;
}
amqp::exchange::unbind method(const unbind_exchange& from) {
    amqp::exchange::unbind to;
    to.destination = from.destination;
    to.source = from.source;
    to.routing_key = from.routing_key;
    to.arguments = from.arguments;
    return to;
}
amqp::queue::purge method(const purge_queue& from) {
    amqp::queue::purge to;
    to.queue = from.queue;
    return to;
}
amqp::queue::delete_ method(const delete_queue& from) {
    amqp::queue::delete_ to;
    to.queue = from.queue;
    to.if_unused = from.if_unused;
    to.if_empty = from.if_empty;
    return to;
}
amqp::exchange::delete_ method(const delete_exchange& from) {
    amqp::exchange::delete_ to;
    to.exchange = from.exchange;
    to.if_unused = from.if_unused;
    return to;
}
amqp::basic::get method(const get_message& from) {
    amqp::basic::get to;
    to.queue = from.queue;
    to.no_ack = from.no_ack;
    return to;
}

std::optional<problem> check_name(const char* what, const std::string& name) {
    if (name.size() > name_octets_max) {
        return problem{
            broker_errc::invalid_argument,
            0,
            std::string(what) + " is longer than 255 octets: " + name.substr(0, 40) + "..."};
    }
    if (!amqp::is_utf8(name)) {
        return problem{broker_errc::invalid_argument, 0, std::string(what) + " is not UTF-8"};
    }
    return std::nullopt;
}

std::optional<problem> check_arguments(const amqp::table& arguments);

std::optional<problem> check_argument(const amqp::field_value& value) {
    if (const auto* inner = value.as<amqp::table>()) {
        return check_arguments(*inner);
    }
    if (const auto* list = value.as<amqp::field_array>()) {
        for (const amqp::field_value& one : *list) {
            if (auto wrong = check_argument(one)) {
                return wrong;
            }
        }
    }
    return std::nullopt;
}

/// Names of arguments are cut when they are written; the values are not.
std::optional<problem> check_arguments(const amqp::table& arguments) {
    for (const auto& [name, value] : arguments) {
        if (auto wrong = check_name("an argument's name", name)) {
            return wrong;
        }
        if (auto wrong = check_argument(value)) {
            return wrong;
        }
    }
    return std::nullopt;
}

/// Names of a request, then its arguments.
std::optional<problem> first_of(std::optional<problem> names, const amqp::table& arguments) {
    return names ? std::move(names) : check_arguments(arguments);
}

std::optional<problem> check_names(
    const char* first,
    const std::string& a,
    const char* second,
    const std::string& b,
    const std::string& key) {
    if (auto wrong = check_name(first, a)) {
        return wrong;
    }
    if (auto wrong = check_name(second, b)) {
        return wrong;
    }
    return check_name("the routing key", key);
}

std::string quoted(const std::string& name) {
    return "\"" + name + "\"";
}

}  // namespace

bool send_request(
    connection& wire,
    byte_buffer& out,
    std::uint16_t channel,
    const request& what,
    std::uint64_t token) {
    return std::visit(
        [&](const auto& one) { return wire.call(out, channel, method(one), token); }, what);
}

std::optional<problem> check(const request& what) {
    return std::visit(
        overloaded{
            [](const declare_queue& one) {
                return first_of(check_name("the queue's name", one.name), one.arguments);
            },
            [](const declare_exchange& one) {
                auto wrong = check_name("the exchange's name", one.name);
                return first_of(
                    wrong ? std::move(wrong) : check_name("the exchange's type", one.type),
                    one.arguments);
            },
            [](const bind_exchange& one) {
                return first_of(
                    check_names(
                        "the destination's name",
                        one.destination,
                        "the source's name",
                        one.source,
                        one.routing_key),
                    one.arguments);
            },
            [](const unbind_exchange& one) {
                return check_names(
                    "the destination's name",
                    one.destination,
                    "the source's name",
                    one.source,
                    one.routing_key);
            },
            [](const delete_exchange& one) {
                return check_name("the exchange's name", one.exchange);
            },
            [](const bind_queue& one) {
                return first_of(
                    check_names(
                        "the queue's name",
                        one.queue,
                        "the exchange's name",
                        one.exchange,
                        one.routing_key),
                    one.arguments);
            },
            [](const unbind_queue& one) {
                return check_names(
                    "the queue's name",
                    one.queue,
                    "the exchange's name",
                    one.exchange,
                    one.routing_key);
            },
            [](const auto& one) { return check_name("the queue's name", one.queue); }},
        what);
}

std::optional<problem> check(const publication& what) {
    if (auto wrong = check_name("the exchange's name", what.exchange)) {
        return wrong;
    }
    return check_name("the routing key", what.routing_key);
}

std::optional<problem> check(const subscription& what) {
    if (auto wrong = check_name("the queue's name", what.queue)) {
        return wrong;
    }
    return first_of(check_name("the consumer tag", what.tag), what.arguments);
}

std::string describe(const request& what) {
    return std::visit(
        overloaded{
            [](const declare_queue& one) {
                return (one.passive ? "asking for queue " : "declaring queue ") + quoted(one.name);
            },
            [](const declare_exchange& one) {
                return (one.passive ? "asking for exchange " : "declaring exchange ") +
                       quoted(one.name);
            },
            [](const bind_queue& one) {
                return "binding queue " + quoted(one.queue) + " to exchange " +
                       quoted(one.exchange);
            },
            [](const unbind_queue& one) {
                return "unbinding queue " + quoted(one.queue) + " from exchange " +
                       quoted(one.exchange);
            },
            [](const bind_exchange& one) {
                return "binding exchange " + quoted(one.destination) + " to exchange " +
                       quoted(one.source);
            },
            [](const unbind_exchange& one) {
                return "unbinding exchange " + quoted(one.destination) + " from exchange " +
                       quoted(one.source);
            },
            [](const purge_queue& one) { return "purging queue " + quoted(one.queue); },
            [](const delete_queue& one) { return "deleting queue " + quoted(one.queue); },
            [](const delete_exchange& one) { return "deleting exchange " + quoted(one.exchange); },
            [](const get_message& one) { return "getting from queue " + quoted(one.queue); }},
        what);
}

amqp::method_id method_of(const request& what) {
    return std::visit([](const auto& one) { return decltype(method(one))::id; }, what);
}

answer read_answer(const wire_event& from) {
    answer result;
    if (const auto* declared = std::get_if<amqp::queue::declare_ok>(&from.method)) {
        result.queue = declared->queue;
        result.message_count = declared->message_count;
        result.consumer_count = declared->consumer_count;
    } else if (const auto* purged = std::get_if<amqp::queue::purge_ok>(&from.method)) {
        result.message_count = purged->message_count;
    } else if (const auto* deleted = std::get_if<amqp::queue::delete_ok>(&from.method)) {
        result.message_count = deleted->message_count;
    } else if (const auto* got = std::get_if<amqp::basic::get_ok>(&from.method)) {
        result.found = true;
        result.message_count = got->message_count;
        result.message.ref.tag = from.tag;
        result.message.redelivered = from.redelivered;
        result.message.exchange = from.exchange;
        result.message.routing_key = from.routing_key;
        result.message.properties = from.properties;
        result.message.body = from.body;
    }
    return result;
}

}  // namespace lovage::client
