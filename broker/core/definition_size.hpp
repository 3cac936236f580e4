// What queues, exchanges and bindings take in memory by being there, so that clients cannot fill it
// with definitions: their names, arguments and places in tables, about, from above. The vhost gives
// each its share of the engine's account; channels ask before they define something new.
// On the engine's thread. Counts no messages and no keys of deduplication, which have accounts.
#pragma once

#include "broker/core/account_share.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>

namespace lovage::broker {

class exchange;
struct exchange_settings;
struct queue_settings;

/// Octets of an owned table, with all that is in it.
[[nodiscard]] std::uint64_t footprint(const amqp::table& what);

[[nodiscard]] std::uint64_t definition_octets(const queue_settings& what);
[[nodiscard]] std::uint64_t definition_octets(const exchange_settings& what);
/// Of a binding from `source` to a target of that name; `arguments` are encoded, with their length.
[[nodiscard]] std::uint64_t definition_octets(
    const exchange& source,
    octets target_name,
    octets key,
    octets arguments);

}  // namespace lovage::broker
