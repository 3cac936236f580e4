// An exchange: a name, a type and a router, which finds the targets of a message in a way of the
// type's own. Bindings are counted by the exchange; the vhost owns both and writes the journal.
#pragma once

#include "broker/core/journal.hpp"
#include "broker/core/octets_map.hpp"
#include "broker/core/route_target.hpp"
#include "broker/core/router.hpp"
#include "framework/amqp/table.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

class delay_line;
class exchange;

/// Target, key and arguments together identify a binding (RabbitMQ; specification 3.1.2 leaves
/// arguments out).
struct binding {
    exchange* source = nullptr;
    route_target* target = nullptr;
    std::string key;
    std::string arguments;  ///< encoded table
    journal_location location;
    std::size_t place_in_target = 0;  ///< its index among the target's incoming bindings
    account_share definition;         ///< what its being there takes; set by the vhost
};

struct exchange_settings {
    std::string name;
    exchange_type type = exchange_type::direct;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    amqp::table arguments;
    /// Of type x-delayed-message: messages wait here until they are due; `type` routes them then.
    bool delayed = false;
    /// Of type x-message-deduplication: what it has taken lately is dropped; else a fanout
    /// exchange.
    std::optional<dedup_limits> deduplication = std::nullopt;
};

/// Argument of a delayed exchange that says how it routes.
inline constexpr octets delayed_type_argument = "x-delayed-type";

class exchange : public route_target {
public:
    explicit exchange(exchange_settings settings);
    ~exchange();

    [[nodiscard]] const exchange_settings& settings() const { return settings_; }
    [[nodiscard]] const std::string& name() const { return settings_.name; }
    /// The exchange that takes what has no match here, by name: it may be missing or come later.
    [[nodiscard]] const std::optional<std::string>& alternate() const { return alternate_; }
    /// What a policy says of it; its own argument has the word.
    void set_alternate_by_policy(const std::optional<std::string>& name);
    /// False if every key has the same match.
    [[nodiscard]] bool looks_at_keys() const {
        return settings_.type == exchange_type::direct || settings_.type == exchange_type::topic;
    }
    void match(octets key, message_headers& headers, std::vector<route_target*>& into) {
        router_->match(key, headers, into);
    }

    [[nodiscard]] binding* find(const route_target& target, octets key, octets arguments);
    /// The pair must not be bound yet.
    binding& bind(route_target& target, octets key, octets arguments);
    void unbind(binding& gone);
    [[nodiscard]] bool has_bindings() const { return !bindings_.empty(); }
    [[nodiscard]] const octets_map<std::unique_ptr<binding>>& bindings() const { return bindings_; }

    journal_location location;
    std::unique_ptr<delay_line> delays;  ///< of a delayed exchange; null for others

private:
    exchange_settings settings_;
    std::optional<std::string> alternate_;  // in force now
    std::unique_ptr<router> router_;
    octets_map<std::unique_ptr<binding>> bindings_;  // by identity()
};

}  // namespace lovage::broker
