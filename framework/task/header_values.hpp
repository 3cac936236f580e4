// Headers of a message as JSON and back, for the headers that applications add themselves.
// Pure; used by context::header() and by the encoding of how().header().
#pragma once

#include "framework/amqp/table.hpp"

#include <boost/json/value.hpp>

namespace lovage {

/// Timestamps become seconds, decimals floating point, octets text if they are UTF-8 and else null.
[[nodiscard]] boost::json::value header_to_json(const amqp::field_value& value);
/// Integers take the smaller of the types I and l, which all clients read.
[[nodiscard]] amqp::field_value header_from_json(const boost::json::value& value);

}  // namespace lovage
