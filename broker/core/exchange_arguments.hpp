// The type and the arguments of an exchange: what exchange.declare says and the log keeps, read and
// checked. Pure; called by channels and by the server's restore.
#pragma once

#include "broker/core/exchange.hpp"
#include "broker/core/fault.hpp"

namespace lovage::broker {

/// Sets type and `delayed` of `into` by what was declared; arguments are taken over.
fault read_exchange_type(octets type, const amqp::table& arguments, exchange_settings& into);

/// The type as it was declared.
[[nodiscard]] octets declared_type(const exchange_settings& of);

}  // namespace lovage::broker
