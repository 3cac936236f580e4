// Routers: how an exchange finds the targets of a message, in a way of its type's own. They count,
// because a target may be bound more than once to the same key (with different arguments), and
// match() may name a target twice. Owned and called by exchanges; know nothing of the journal.
#pragma once

#include "broker/core/route_target.hpp"
#include "broker/core/topic_trie.hpp"
#include "framework/amqp/table.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace lovage::broker {

enum class exchange_type : std::uint8_t { direct, fanout, topic, headers };
[[nodiscard]] std::optional<exchange_type> parse_exchange_type(octets name);
[[nodiscard]] octets exchange_type_name(exchange_type type);

/// Headers of the message that is being routed: decoded when the first headers exchange asks.
class message_headers {
public:
    /// `properties` are encoded and have passed scan_properties; they must outlive this.
    explicit message_headers(octets properties) : properties_(properties) {}
    /// By name; headers of the same name in the order in which they came.
    const std::vector<amqp::table::entry>& sorted();

private:
    octets properties_;
    bool decoded_ = false;
    std::vector<amqp::table::entry> entries_;
};

class router {
public:
    virtual ~router() = default;
    virtual void add(const binding& what) = 0;
    virtual void remove(const binding& what) = 0;
    /// Appends the targets.
    virtual void match(octets key, message_headers& headers, std::vector<route_target*>& into) = 0;
};

[[nodiscard]] std::unique_ptr<router> make_router(exchange_type type);

}  // namespace lovage::broker
