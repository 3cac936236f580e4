// What clients and brokers tell each other to be able to do: booleans in the table "capabilities"
// of client-properties and server-properties. And what goes with them. Pure.
#pragma once

#include "framework/amqp/table.hpp"

#include <cstdint>
#include <string_view>

namespace lovage::amqp {

/// lovage-broker's own: whatever a connection sends is stored in the order in which it was sent. A
/// crash that keeps an acknowledgement keeps the persistent messages published before it.
inline constexpr std::string_view ordered_store_capability = "lovage.ordered_store";

/// lovage-broker's own: a consumer subscribed with the argument uncounted_requeue_argument = true
/// gives messages back without raising their x-delivery-count; only what it loses with its channel
/// or connection is counted.
inline constexpr std::string_view uncounted_requeue_capability = "lovage.uncounted_requeue";
inline constexpr std::string_view uncounted_requeue_argument = "x-uncounted-requeue";

/// lovage-broker's own, of basic.return: nothing is wrong, it has such a message already.
inline constexpr std::uint16_t duplicate_reply_code = 208;

/// False unless the properties name the capability and it is true.
[[nodiscard]] bool has_capability(const table& properties, std::string_view capability);

}  // namespace lovage::amqp
