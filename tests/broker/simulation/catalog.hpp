// What the clients of a simulation know of: queues of all kinds, exchanges, and how they may be
// bound. The script chooses from it, the model says by it what is to be expected. Constants only.
#pragma once

#include "framework/base/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lovage::broker::simulation {

/// Always declared in the same way, so that a second declaration is none.
struct queue_kind {
    octets name;
    bool durable = true;
    std::uint8_t priorities = 0;
    std::uint32_t ttl_ms = 0;
    std::uint32_t length_max = 0;
    bool refuses = false;  ///< when it is full; others drop their oldest message
    bool dead_letters = false;
    bool single_active = false;
    bool takes_delayed = false;  ///< may be bound to the delayed exchange
};

inline constexpr octets dead_queue = "dead";
inline constexpr octets transient_queue = "transient";

inline constexpr std::array<queue_kind, 10> queue_kinds{
    {{.name = "plain", .takes_delayed = true},
     {.name = "other", .takes_delayed = true},
     {.name = "prio", .priorities = 3, .takes_delayed = true},
     {.name = "single", .single_active = true, .takes_delayed = true},
     {.name = "ttl", .ttl_ms = 400, .dead_letters = true, .takes_delayed = true},
     {.name = "short", .length_max = 6, .dead_letters = true},
     {.name = "dying", .dead_letters = true},
     {.name = "full", .length_max = 6, .refuses = true},
     {.name = dead_queue},
     {.name = transient_queue, .durable = false}}};

inline const queue_kind& kind_of(octets queue) {
    return *std::ranges::find(queue_kinds, queue, &queue_kind::name);
}

struct exchange_kind {
    octets name;
    octets type;
    std::array<octets, 2> keys;  ///< of bindings; the delayed one is bound by the queue's name
    bool delayed = false;
};

inline constexpr std::array<exchange_kind, 3> exchange_kinds{
    {{.name = "fan", .type = "fanout", .keys = {"", ""}},
     {.name = "direct", .type = "direct", .keys = {"one", "two"}},
     {.name = "later", .type = "direct", .keys = {}, .delayed = true}}};

inline const exchange_kind& exchange_of(octets name) {
    return *std::ranges::find(exchange_kinds, name, &exchange_kind::name);
}

}  // namespace lovage::broker::simulation
