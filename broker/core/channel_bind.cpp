// Bindings: queue.bind and unbind, exchange.bind and unbind on a channel. Rows 137 to 150 of
// RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/definition_size.hpp"
#include "broker/core/headers_router.hpp"
#include "broker/core/inequivalence.hpp"

namespace lovage::broker {
namespace {

fault check_arguments(const exchange& source, const amqp::table& arguments) {
    return source.settings().type == exchange_type::headers ? check_headers_binding(arguments)
                                                            : no_fault;
}

}  // namespace

fault channel::find_bound(
    octets queue_name,
    octets exchange_name,
    queue*& target,
    exchange*& source) {
    source = home_.find_exchange(exchange_name);
    if (source == nullptr) {
        return not_found("exchange", exchange_name, home_.name());
    }
    return find_accessible_queue(queue_name, target);
}

fault channel::bind(
    exchange& source,
    route_target& target,
    octets key,
    const amqp::table& arguments) {
    if (fault wrong = check_arguments(source, arguments)) {
        return wrong;
    }
    const std::string encoded = encode_table(arguments);
    if (source.find(target, key, encoded) != nullptr) {
        return no_fault;
    }
    const octets name = target.target_name();
    const std::string what = std::string("bind ") + (target.is_queue() ? "queue '" : "exchange '");
    const std::uint64_t size = definition_octets(source, name, key, encoded);
    if (fault full = check_room(size, what + std::string(name) + '\'')) {
        return full;
    }
    home_.bind(source, target, key, arguments);
    return no_fault;
}

fault channel::on(const amqp::queue::bind& in) {
    const std::string exchange_name = without_line_breaks(in.exchange);
    std::string queue_name;
    if (fault wrong = resolve_queue(in.queue, queue_name)) {
        return wrong;
    }
    const octets key =
        in.queue.empty() && in.routing_key.empty() ? octets{queue_name} : in.routing_key;
    if (fault refused = check_binding(resource_kind::queue, queue_name, exchange_name, key)) {
        return refused;
    }
    queue* target = nullptr;
    exchange* source = nullptr;
    if (fault wrong = find_bound(queue_name, exchange_name, target, source)) {
        return wrong;
    }
    if (fault wrong = bind(*source, *target, key, in.arguments)) {
        return wrong;
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::queue::bind_ok{});
    }
    return no_fault;
}

fault channel::on(const amqp::queue::unbind& in) {
    const std::string exchange_name = without_line_breaks(in.exchange);
    std::string queue_name;
    if (fault unnamed = resolve_queue(in.queue, queue_name)) {
        return unnamed;
    }
    const octets key =
        in.queue.empty() && in.routing_key.empty() ? octets{queue_name} : in.routing_key;
    if (fault refused = check_binding(resource_kind::queue, queue_name, exchange_name, key)) {
        return refused;
    }
    queue* target = nullptr;
    exchange* source = nullptr;
    fault wrong = find_bound(queue_name, exchange_name, target, source);
    // Unbinding what is not there is no error, but another's queue is.
    if (wrong && wrong.code == amqp::reply_code::resource_locked) {
        return wrong;
    }
    if (!wrong) {
        home_.unbind(*source, *target, key, in.arguments);
    }
    owner_.send_when_durable(number_, amqp::queue::unbind_ok{});
    return no_fault;
}

fault channel::find_exchange_pair(
    octets source_name,
    octets target_name,
    octets key,
    exchange*& source,
    exchange*& target) const {
    const std::string from = without_line_breaks(source_name);
    const std::string to = without_line_breaks(target_name);
    if (fault refused = check_binding(resource_kind::exchange, to, from, key)) {
        return refused;
    }
    source = home_.find_exchange(from);
    target = home_.find_exchange(to);
    if (source == nullptr) {
        return not_found("exchange", from, home_.name());
    }
    return target == nullptr ? not_found("exchange", to, home_.name()) : no_fault;
}

fault channel::on(const amqp::exchange::bind& in) {
    exchange* source = nullptr;
    exchange* target = nullptr;
    if (fault wrong =
            find_exchange_pair(in.source, in.destination, in.routing_key, source, target)) {
        return wrong;
    }
    if (fault wrong = bind(*source, *target, in.routing_key, in.arguments)) {
        return wrong;
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::exchange::bind_ok{});
    }
    return no_fault;
}

fault channel::on(const amqp::exchange::unbind& in) {
    exchange* source = nullptr;
    exchange* target = nullptr;
    fault wrong = find_exchange_pair(in.source, in.destination, in.routing_key, source, target);
    if (wrong && wrong.code != amqp::reply_code::not_found) {
        return wrong;
    }
    if (!wrong) {
        home_.unbind(*source, *target, in.routing_key, in.arguments);
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::exchange::unbind_ok{});
    }
    return no_fault;
}

}  // namespace lovage::broker
