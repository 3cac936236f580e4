// A channel's transaction: publishes and acknowledgements that wait for tx.commit. Publishes have
// passed all their checks; they are routed when they are committed. Owned by the channel.
#pragma once

#include "broker/core/channel.hpp"
#include "broker/core/vhost.hpp"

#include <string>
#include <vector>

namespace lovage::broker {

/// A publish with its own copy of everything.
struct held_publish {
    std::string exchange;
    std::string routing_key;
    std::string properties;
    std::string body;
    std::vector<std::string> copies;
    bool mandatory = false;
    bool persistent = false;
    std::uint8_t priority = 0;
    std::uint64_t expiration_ms = message::no_expiration;
    std::string complete_properties;

    held_publish(const publication& what, bool is_mandatory);
    /// As new at `now_ms`; views of this.
    [[nodiscard]] publication as_publication(std::uint64_t now_ms) const;
    /// Memory that it takes, for the engine's account.
    [[nodiscard]] std::size_t footprint() const;
};

struct held_settlement {
    std::uint64_t tag = 0;
    verdict how = verdict::ack;
};

struct transaction {
    std::vector<held_publish> publishes;
    std::vector<held_settlement> settlements;
    std::uint64_t rights = 0;     ///< access_control::generation() when the last was checked
    std::size_t octets_held = 0;  ///< of the publishes, as counted in the engine's account
};

}  // namespace lovage::broker
