#include "broker/core/exchange_arguments.hpp"

namespace lovage::broker {
namespace {

constexpr octets delayed_type = "x-delayed-message";
constexpr octets dedup_type = "x-message-deduplication";

}  // namespace

fault read_exchange_type(octets type, const amqp::table& arguments, exchange_settings& into) {
    into.arguments = arguments;
    into.delayed = type == delayed_type;
    if (into.delayed) {
        const auto* routes_as = arguments.find(delayed_type_argument);
        const auto named = routes_as == nullptr ? std::nullopt : routes_as->text();
        if (!named || *named == delayed_type) {
            return channel_fault(
                amqp::reply_code::precondition_failed,
                "Invalid argument, '" + std::string(delayed_type_argument) +
                    "' must be an existing exchange type");
        }
        type = *named;
    }
    if (type == dedup_type && !into.delayed) {
        into.type = exchange_type::fanout;
        into.deduplication.emplace();
        return read_dedup_limits(arguments, "exchange '" + into.name + "'", *into.deduplication);
    }
    const auto known = parse_exchange_type(type);
    if (!known) {
        return connection_fault(
            amqp::reply_code::command_invalid, "unknown exchange type '" + std::string(type) + "'");
    }
    into.type = *known;
    return no_fault;
}

octets declared_type(const exchange_settings& of) {
    if (of.deduplication) {
        return dedup_type;
    }
    return of.delayed ? delayed_type : exchange_type_name(of.type);
}

}  // namespace lovage::broker
