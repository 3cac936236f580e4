// What a queue's own arguments and policies may both set: times to live, lengths, dead letters.
// A queue keeps those that were declared and those in force, which are merged from them and from
// policies (vhost::rules_for) when one of the two changes, so that no message pays for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lovage::broker {

/// What happens to a publish that a queue is too full for.
enum class overflow_mode : std::uint8_t {
    drop_head,           ///< it is taken, and ready messages go until the rest fits
    reject_publish,      ///< it is refused
    reject_publish_dlx,  ///< it is refused and dead-lettered
};

struct queue_rules {
    std::optional<std::uint64_t> message_ttl_ms;
    std::optional<std::uint64_t> expires_ms;
    std::optional<std::uint64_t> length_max;         ///< ready messages
    std::optional<std::uint64_t> length_octets_max;  ///< sum of their bodies
    /// Times that a message may come back; once more and it is dead-lettered or dropped.
    std::optional<std::uint64_t> delivery_limit;
    /// How long a consumer may keep a delivery open before the message goes to somebody else.
    std::optional<std::uint64_t> consumer_timeout_ms;
    std::optional<std::string> dead_letter_exchange;
    std::optional<std::string> dead_letter_routing_key;
    std::optional<overflow_mode> overflow;  ///< drop_head, unless something else is said

    bool operator==(const queue_rules&) const = default;
};

}  // namespace lovage::broker
