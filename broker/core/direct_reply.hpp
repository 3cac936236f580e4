// Direct reply-to (rows 225 to 233 of RabbitMQ's behaviour): a channel that consumes this name gets
// an address that nobody can guess, by which its requests' replies reach it without a queue.
#pragma once

#include "framework/base/bytes.hpp"

namespace lovage::broker {

/// What clients consume and write into the property reply-to.
inline constexpr octets reply_to_name = "amq.rabbitmq.reply-to";
/// What an address begins with.
inline constexpr octets reply_address_prefix = "amq.rabbitmq.reply-to.";
/// Output waiting on a connection, in multiples of the limit from which on consumers get nothing,
/// above which replies to it are dropped: they have no queue to wait in.
inline constexpr std::size_t reply_output_factor = 16;

}  // namespace lovage::broker
