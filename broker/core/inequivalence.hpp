// Texts of the errors about names and about declarations that differ from what is there, in the
// words of RabbitMQ 3.10, which clients and people search for.
#pragma once

#include "broker/core/fault.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <string>

namespace lovage::broker {

/// CR and LF are taken out of the names of exchanges and queues.
[[nodiscard]] std::string without_line_breaks(octets name);
/// "no queue 'q' in vhost '/'".
fault not_found(octets kind, octets name, octets vhost);
/// "operation not permitted on the default exchange".
fault default_exchange_fault();
/// A value in an error text, as RabbitMQ prints it.
[[nodiscard]] std::string printed_value(const amqp::field_value& value);

/// Builds "inequivalent arg 'durable' for queue 'q' in vhost '/': received ... but current is ...".
class inequivalence {
public:
    inequivalence(octets kind, octets name, octets vhost)
        : kind_(kind), name_(name), vhost_(vhost) {}

    [[nodiscard]] fault flags(octets argument, bool received, bool current) const;
    [[nodiscard]] fault values(octets argument, octets received, octets current) const;
    /// Either may be null, which is "none".
    [[nodiscard]] fault arguments(
        octets argument,
        const amqp::field_value* received,
        const amqp::field_value* current) const;

private:
    [[nodiscard]] fault make(octets argument, const std::string& difference) const;

    octets kind_;
    octets name_;
    octets vhost_;
};

}  // namespace lovage::broker
