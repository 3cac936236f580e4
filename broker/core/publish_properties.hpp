// What basic.publish makes of a message's properties: the checks of rows 152, 153, 184 to 186 and
// 228 of RabbitMQ's behaviour, and what is changed on the way in (BCC, direct reply-to). Everything
// else is passed on octet for octet. Pure; called by channels.
#pragma once

#include "broker/core/fault.hpp"
#include "broker/core/message.hpp"
#include "framework/amqp/properties.hpp"

#include <string>
#include <vector>

namespace lovage::broker {

struct publish_properties {
    /// As they are delivered: a view of what came, or of `rewritten`.
    octets encoded;
    /// With the header BCC, where that was taken out of `encoded`; else empty.
    octets complete;
    bool persistent = false;
    std::uint8_t priority = 0;
    std::uint64_t expiration_ms = message::no_expiration;
    /// Further routing keys, from the headers CC and BCC.
    std::vector<std::string> copies;
    byte_buffer rewritten;
    byte_buffer without_blind;  ///< `rewritten` once more, when BCC was taken out
};

struct publisher {
    octets user_name;
    octets reply_address;  ///< empty if the channel takes no direct replies
};

/// Appends the keys of the headers CC and BCC, which have been checked.
void append_copies(const amqp::table& headers, std::vector<std::string>& into);

/// The property expiration, in milliseconds; refuses all that row 184 refuses.
fault read_expiration(octets text, std::uint64_t& milliseconds);

/// `encoded` must outlive `into`; it has been scanned into `known`.
fault read_publish_properties(
    octets encoded,
    const amqp::properties_view& known,
    const publisher& by,
    publish_properties& into);

}  // namespace lovage::broker
