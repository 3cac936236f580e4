// AMQP field tables as JSON and back: arguments of queues and exchanges, definitions of policies.
// Called by the handlers of the management API. Knows no limits: the body's size and depth have
// been checked by the parser, and tables of clients by theirs.
#pragma once

#include "framework/amqp/table.hpp"

#include <boost/json/object.hpp>

namespace lovage::broker {

/// Octets of text stay as they are; timestamps are seconds, decimals fractions. Of names that
/// repeat the first one is shown.
[[nodiscard]] boost::json::object json_of(const amqp::table& what);

/// Integers become signed 64-bit ones; those that do not fit become fractions.
[[nodiscard]] amqp::table table_of(const boost::json::object& what);

}  // namespace lovage::broker
