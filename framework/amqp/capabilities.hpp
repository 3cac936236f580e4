// What clients and brokers tell each other to be able to do: booleans in the table "capabilities"
// of client-properties and server-properties. Read by both sides in the handshake. Pure.
#pragma once

#include "framework/amqp/table.hpp"

#include <string_view>

namespace lovage::amqp {

/// lovage-broker's own: whatever a connection sends is stored in the order in which it was sent. A
/// crash that keeps an acknowledgement keeps the persistent messages published before it.
inline constexpr std::string_view ordered_store_capability = "lovage.ordered_store";

/// False unless the properties name the capability and it is true.
[[nodiscard]] bool has_capability(const table& properties, std::string_view capability);

}  // namespace lovage::amqp
