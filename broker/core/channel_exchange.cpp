// Class exchange on a channel. Rows 79 to 96 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/definition_size.hpp"
#include "broker/core/exchange_arguments.hpp"
#include "broker/core/inequivalence.hpp"

#include <array>

namespace lovage::broker {
namespace {

constexpr octets alternate_argument = "alternate-exchange";
/// All but the first mean something to types of their own only.
constexpr std::array<octets, 4> compared_arguments{
    alternate_argument,
    delayed_type_argument,
    "x-cache-size",
    "x-cache-ttl"};

fault check_alternate(const amqp::exchange::declare& in, octets name, octets vhost) {
    const auto* alternate = in.arguments.find(alternate_argument);
    if (alternate == nullptr || alternate->text()) {
        return no_fault;
    }
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "invalid type '" + std::string(alternate->type_name()) + "' for arg '" +
            std::string(alternate_argument) + "' in exchange '" + std::string(name) +
            "' in vhost '" + std::string(vhost) + "'");
}

}  // namespace

fault channel::redeclare(const exchange& there, const amqp::exchange::declare& in) const {
    const auto& now = there.settings();
    const inequivalence differs{"exchange", now.name, home_.name()};
    const octets type = declared_type(now);
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
    const bool plain = !now.delayed && !now.deduplication;
    for (const octets name : compared_arguments) {
        if (plain && name != alternate_argument) {
            continue;
        }
        const auto* wanted = in.arguments.find(name);
        const auto* current = now.arguments.find(name);
        const bool same =
            wanted == nullptr || current == nullptr ? wanted == current : *wanted == *current;
        if (!same) {
            return differs.arguments(name, wanted, current);
        }
    }
    return no_fault;
}

fault channel::check_new_exchange(octets name, const amqp::table& arguments) const {
    const amqp::field_value* alternate = arguments.find(alternate_argument);
    const auto target = alternate == nullptr ? std::nullopt : alternate->text();
    if (!target) {
        return no_fault;
    }
    if (fault refused = check_access(access_right::read, resource_kind::exchange, name)) {
        return refused;
    }
    return check_access(access_right::write, resource_kind::exchange, *target);
}

fault channel::on(const amqp::exchange::declare& in) {
    const std::string name = without_line_breaks(in.exchange);
    if (name.empty()) {
        return default_exchange_fault();
    }
    exchange* there = home_.find_exchange(name);
    if (in.passive) {
        if (fault refused = check_may_look(resource_kind::exchange, name)) {
            return refused;
        }
        if (there == nullptr) {
            return not_found("exchange", name, home_.name());
        }
    } else {
        exchange_settings settings{
            name, exchange_type::direct, in.durable, in.auto_delete, in.internal, {}, false, {}};
        if (fault unknown = read_exchange_type(in.type, in.arguments, settings)) {
            return unknown;
        }
        if (fault refused = check_access(access_right::configure, resource_kind::exchange, name)) {
            return refused;
        }
        if (there != nullptr) {
            if (fault differs = redeclare(*there, in)) {
                return differs;
            }
        } else if (name.starts_with("amq.")) {
            return channel_fault(
                amqp::reply_code::access_refused,
                "exchange name '" + name + "' contains reserved prefix 'amq.*'");
        } else if (fault wrong = check_alternate(in, name, home_.name())) {
            return wrong;
        } else if (fault refused = check_new_exchange(name, in.arguments)) {
            return refused;
        } else if (
            fault full =
                check_room(definition_octets(settings), "declare exchange '" + name + "'")) {
            return full;
        } else {
            home_.declare_exchange(std::move(settings));
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
    if (fault refused = check_access(access_right::configure, resource_kind::exchange, name)) {
        return refused;
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

}  // namespace lovage::broker
