// lovage::message and JSON arguments to AMQP properties and tables, and back. Used by
// connection_core; pure.
#pragma once

#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"
#include "framework/client/types.hpp"

#include <lovage/message.hpp>

#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace lovage {

/// What AMQP cannot carry of the message's properties: texts and names of headers that are longer
/// than a short string. Nothing: fine.
[[nodiscard]] std::optional<client::problem> check_properties(const message& what);
/// Encoded properties. What check_properties complains of is cut.
[[nodiscard]] std::string properties_of(const message& from);
/// False if the octets are no properties. The body is not touched.
[[nodiscard]] bool read_properties_into(octets encoded, message& to);
[[nodiscard]] amqp::table table_of(const boost::json::object& from);

}  // namespace lovage
