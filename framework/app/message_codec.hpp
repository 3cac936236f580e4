// lovage::message and JSON arguments to AMQP properties and tables, and back. Used by
// connection_core; pure.
#pragma once

#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <lovage/message.hpp>

#include <boost/json/object.hpp>

#include <string>

namespace lovage {

/// Encoded properties.
[[nodiscard]] std::string properties_of(const message& from);
/// False if the octets are no properties. The body is not touched.
[[nodiscard]] bool read_properties_into(octets encoded, message& to);
[[nodiscard]] amqp::table table_of(const boost::json::object& from);

}  // namespace lovage
