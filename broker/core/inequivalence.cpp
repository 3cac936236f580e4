#include "broker/core/inequivalence.hpp"

namespace lovage::broker {
namespace {

std::string quoted(octets text) {
    return "'" + std::string(text) + "'";
}

std::string typed(const amqp::field_value& value) {
    return "the value " + quoted(printed_value(value)) + " of type " + quoted(value.type_name());
}

}  // namespace

std::string without_line_breaks(octets name) {
    std::string text{name};
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    return text;
}

fault not_found(octets kind, octets name, octets vhost) {
    return channel_fault(
        amqp::reply_code::not_found,
        "no " + std::string(kind) + " " + quoted(name) + " in vhost " + quoted(vhost));
}

fault default_exchange_fault() {
    return channel_fault(
        amqp::reply_code::access_refused, "operation not permitted on the default exchange");
}

std::string printed_value(const amqp::field_value& value) {
    if (const auto text = value.text()) {
        return std::string(*text);
    }
    if (const auto number = value.integer()) {
        return std::to_string(*number);
    }
    if (const auto* flag = value.as<bool>()) {
        return *flag ? "true" : "false";
    }
    if (const auto* number = value.as<double>()) {
        return std::to_string(*number);
    }
    if (const auto* number = value.as<amqp::decimal>()) {
        return "{" + std::to_string(number->scale) + "," + std::to_string(number->value) + "}";
    }
    if (const auto* time = value.as<amqp::timestamp>()) {
        return std::to_string(time->seconds);
    }
    if (const auto* bytes = value.as<amqp::byte_array>()) {
        return std::string(bytes->octets);
    }
    return std::string(value.type_name());
}

fault inequivalence::make(octets argument, const std::string& difference) const {
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "inequivalent arg " + quoted(argument) + " for " + std::string(kind_) + " " +
            quoted(name_) + " in vhost " + quoted(vhost_) + ": " + difference);
}

fault inequivalence::flags(octets argument, bool received, bool current) const {
    return values(argument, received ? "true" : "false", current ? "true" : "false");
}

fault inequivalence::values(octets argument, octets received, octets current) const {
    return make(argument, "received " + quoted(received) + " but current is " + quoted(current));
}

fault inequivalence::arguments(
    octets argument,
    const amqp::field_value* received,
    const amqp::field_value* current) const {
    if (current == nullptr) {
        return make(argument, "received " + typed(*received) + " but current is none");
    }
    if (received == nullptr) {
        return make(argument, "received none but current is " + typed(*current));
    }
    return values(argument, printed_value(*received), printed_value(*current));
}

}  // namespace lovage::broker
