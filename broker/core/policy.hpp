// Policies: what operators give to queues and exchanges by patterns over their names, besides what
// those were declared with. Parsing, checking, choosing and merging, as RabbitMQ 3.10 does it.
// Pure; the vhost holds a policy_set for each kind, policies.cpp carries out what follows.
//
// Of all policies of a kind that fit a name, one applies: that of the highest priority. A second
// policy, of the operators' kind, is merged with the first: of two numbers the smaller is in force.
#pragma once

#include "broker/core/name_pattern.hpp"
#include "broker/core/queue_rules.hpp"
#include "framework/amqp/table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lovage::broker {

enum class policy_kind : std::uint8_t {
    user,       ///< every key
    operators,  ///< only those that limit
};

/// Of a kind in one vhost: a declaration and, for each queue, a change of policies tries all of
/// them.
inline constexpr std::size_t policies_max = 200;
inline constexpr std::size_t policy_name_octets_max = 255;

/// As it is set and shown.
struct policy_settings {
    std::string name;
    std::string pattern;
    /// all, queues, classic_queues, quorum_queues or exchanges.
    std::string apply_to = "all";
    std::int64_t priority = 0;
    amqp::table definition;  ///< keys like "max-length", without "x-"

    bool operator==(const policy_settings&) const = default;
};

/// For the settings store.
[[nodiscard]] amqp::table policy_to_table(const policy_settings& what);
/// Nothing if the table was not made by policy_to_table().
[[nodiscard]] std::optional<policy_settings> policy_from_table(
    const std::string& name,
    const amqp::table& from);

class policy {
public:
    /// Nothing, and `problem` in words that can follow "Validation failed".
    static std::optional<policy> make(policy_kind kind, policy_settings what, std::string& problem);

    [[nodiscard]] const policy_settings& settings() const { return settings_; }
    /// For queues.
    [[nodiscard]] const queue_rules& rules() const { return rules_; }
    /// For exchanges: the alternate exchange.
    [[nodiscard]] const std::optional<std::string>& alternate() const { return alternate_; }
    /// False also for one with a key that such a queue does not know: then the policy with the next
    /// priority has its turn, as in RabbitMQ.
    [[nodiscard]] bool fits_queue(octets name, bool quorum) const;
    [[nodiscard]] bool fits_exchange(octets name) const;

private:
    policy(policy_settings what, name_pattern pattern)
        : settings_(std::move(what)), pattern_(std::move(pattern)) {}
    std::string read_target();
    std::string read_definition(policy_kind kind);

    policy_settings settings_;
    name_pattern pattern_;
    queue_rules rules_;
    std::optional<std::string> alternate_;
    bool for_classic_ = true;
    bool for_quorum_ = true;
    bool for_exchanges_ = true;
};

/// The policies of one kind in a vhost, the highest priority first; of equal ones the first name.
class policy_set {
public:
    [[nodiscard]] bool empty() const { return sorted_.empty(); }
    [[nodiscard]] std::size_t size() const { return sorted_.size(); }
    [[nodiscard]] const std::vector<policy>& sorted() const { return sorted_; }
    /// Null if there is none. Valid until the set changes; so are the next two.
    [[nodiscard]] const policy* find(octets name) const;
    [[nodiscard]] const policy* for_queue(octets name, bool quorum) const;
    [[nodiscard]] const policy* for_exchange(octets name) const;

    /// Replaces the one of that name.
    void put(policy added);
    /// False if there was none.
    bool erase(octets name);

private:
    std::vector<policy> sorted_;
};

/// What applies to one queue or exchange; both may be null.
struct policy_choice {
    const policy* user = nullptr;
    const policy* operators = nullptr;
};

/// What is set in `into` stays, but of two numbers the smaller one does.
void merge_rules(queue_rules& into, const queue_rules& other);
/// The definitions of both in one.
[[nodiscard]] amqp::table merged_definition(const policy_choice& of);

}  // namespace lovage::broker
