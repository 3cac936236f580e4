// Class exchange on a channel. Rows 79 to 96 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/inequivalence.hpp"

namespace lovage::broker {
namespace {

fault default_exchange_fault() {
    return channel_fault(
        amqp::reply_code::access_refused, "operation not permitted on the default exchange");
}

}  // namespace

fault channel::redeclare(const exchange& there, const amqp::exchange::declare& in) const {
    const auto& now = there.settings();
    const inequivalence differs{"exchange", now.name, home_.name()};
    const octets type = exchange_type_name(now.type);
    if (in.type != type) {
        return differs.values("type", in.type, type);
    }
    if (in.durable != now.durable) {
        return differs.flags("durable", in.durable, now.durable);
    }
    if (in.auto_delete != now.auto_delete) {
        return differs.flags("auto_delete", in.auto_delete, now.auto_delete);
    }
    if (in.internal != now.internal) {
        return differs.flags("internal", in.internal, now.internal);
    }
    return no_fault;
}

fault channel::on(const amqp::exchange::declare& in) {
    const std::string name = without_line_breaks(in.exchange);
    if (name.empty()) {
        return default_exchange_fault();
    }
    exchange* there = home_.find_exchange(name);
    if (in.passive) {
        if (there == nullptr) {
            return not_found("exchange", name, home_.name());
        }
    } else {
        const auto type = parse_exchange_type(in.type);
        if (!type) {
            return connection_fault(
                amqp::reply_code::command_invalid,
                "unknown exchange type '" + std::string(in.type) + "'");
        }
        if (in.arguments.find("alternate-exchange") != nullptr) {
            return connection_fault(amqp::reply_code::not_implemented, "alternate-exchange");
        }
        if (there != nullptr) {
            if (fault differs = redeclare(*there, in)) {
                return differs;
            }
        } else if (name.starts_with("amq.")) {
            return channel_fault(
                amqp::reply_code::access_refused,
                "exchange name '" + name + "' contains reserved prefix 'amq.*'");
        } else {
            home_.declare_exchange(
                {name, *type, in.durable, in.auto_delete, in.internal, in.arguments});
        }
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::exchange::declare_ok{});
    }
    return no_fault;
}

fault channel::on(const amqp::exchange::delete_& in) {
    const std::string name = without_line_breaks(in.exchange);
    if (name.empty()) {
        return default_exchange_fault();
    }
    if (name.starts_with("amq.")) {
        return channel_fault(
            amqp::reply_code::access_refused,
            "deletion of system exchange '" + name + "' in vhost '" + home_.name() +
                "' not allowed");
    }
    if (exchange* there = home_.find_exchange(name); there != nullptr) {
        if (in.if_unused && there->has_bindings()) {
            return channel_fault(
                amqp::reply_code::precondition_failed,
                "exchange '" + name + "' in vhost '" + home_.name() + "' in use");
        }
        home_.delete_exchange(*there);
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::exchange::delete_ok{});
    }
    return no_fault;
}

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

fault channel::on(const amqp::queue::bind& in) {
    const std::string exchange_name = without_line_breaks(in.exchange);
    if (exchange_name.empty()) {
        return default_exchange_fault();
    }
    queue* target = nullptr;
    exchange* source = nullptr;
    if (fault wrong = find_bound(in.queue, exchange_name, target, source)) {
        return wrong;
    }
    const octets key =
        in.queue.empty() && in.routing_key.empty() ? octets{target->name()} : in.routing_key;
    home_.bind(*source, *target, key, in.arguments);
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::queue::bind_ok{});
    }
    return no_fault;
}

fault channel::on(const amqp::queue::unbind& in) {
    const std::string exchange_name = without_line_breaks(in.exchange);
    if (exchange_name.empty()) {
        return default_exchange_fault();
    }
    queue* target = nullptr;
    exchange* source = nullptr;
    fault wrong = find_bound(in.queue, exchange_name, target, source);
    // Unbinding what is not there is no error, but another's queue and no queue at all are.
    if (wrong && (wrong.code == amqp::reply_code::resource_locked ||
                  (in.queue.empty() && last_queue_.empty()))) {
        return wrong;
    }
    if (!wrong) {
        const octets key =
            in.queue.empty() && in.routing_key.empty() ? octets{target->name()} : in.routing_key;
        home_.unbind(*source, *target, key, in.arguments);
    }
    owner_.send_when_durable(number_, amqp::queue::unbind_ok{});
    return no_fault;
}

}  // namespace lovage::broker
