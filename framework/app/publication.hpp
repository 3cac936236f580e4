// From the task layer's messages to what a client publishes. Used by app and workers; pure.
#pragma once

#include "framework/amqp/properties.hpp"
#include "framework/client/types.hpp"
#include "framework/task/envelope.hpp"

#include <string>

namespace lovage {

/// Properties in their encoded form.
[[nodiscard]] std::string encode_properties(const amqp::basic_properties& properties);

/// A call as a publication to the default exchange with `queue` as routing key. Always persistent:
/// it survives a restart of the broker as its durable queue does. Results do not come by here.
[[nodiscard]] client::publication make_publication(outgoing_message&& message, std::string queue);

}  // namespace lovage
