// An exchange: a name, a type and a router, which finds the queues of a routing key in a way of the
// type's own. Bindings are counted by the exchange; the vhost owns both and writes the journal.
#pragma once

#include "broker/core/journal.hpp"
#include "broker/core/topic_trie.hpp"
#include "framework/amqp/table.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

enum class exchange_type : std::uint8_t { direct, fanout, topic };
[[nodiscard]] std::optional<exchange_type> parse_exchange_type(octets name);
[[nodiscard]] octets exchange_type_name(exchange_type type);

/// Finds queues by key. A queue may be bound more than once to the same key (with different
/// arguments), so routers count, and match() may name a queue twice.
class router {
public:
    virtual ~router() = default;
    virtual void add(octets key, queue* target) = 0;
    virtual void remove(octets key, queue* target) = 0;
    virtual void match(octets key, std::vector<queue*>& into) = 0;
};

class exchange;

/// Queue, key and arguments together identify a binding (RabbitMQ; specification 3.1.2 leaves
/// arguments out).
struct binding {
    exchange* source = nullptr;
    queue* target = nullptr;
    std::string key;
    std::string arguments;  ///< encoded table
    journal_location location;
    std::size_t place_in_queue = 0;  ///< its index among the queue's bindings
};

struct exchange_settings {
    std::string name;
    exchange_type type = exchange_type::direct;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    amqp::table arguments;
};

class exchange {
public:
    explicit exchange(exchange_settings settings);

    [[nodiscard]] const exchange_settings& settings() const { return settings_; }
    [[nodiscard]] const std::string& name() const { return settings_.name; }
    void match(octets key, std::vector<queue*>& into) { router_->match(key, into); }

    [[nodiscard]] binding* find(queue* target, octets key, octets arguments);
    /// The pair must not be bound yet.
    binding& bind(queue* target, octets key, octets arguments);
    void unbind(binding& gone);
    [[nodiscard]] bool has_bindings() const { return !bindings_.empty(); }
    [[nodiscard]] const octets_map<std::unique_ptr<binding>>& bindings() const { return bindings_; }

    journal_location location;

private:
    exchange_settings settings_;
    std::unique_ptr<router> router_;
    octets_map<std::unique_ptr<binding>> bindings_;  // by identity()
};

}  // namespace lovage::broker
