#include "broker/core/policy.hpp"

#include "broker/core/inequivalence.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace lovage::broker {
namespace {

using amqp::field_value;

/// Ten years, as for the arguments of queues.
constexpr std::int64_t time_ms_max = 315'360'000'000;
constexpr std::int64_t no_bound = std::numeric_limits<std::int64_t>::max();

/// Where the value of a key goes.
struct policy_effect {
    queue_rules rules;
    std::optional<std::string> alternate;
};

template <auto Member, std::int64_t Least, std::int64_t Most>
bool read_number(const field_value& value, policy_effect& into) {
    const auto number = value.integer();
    if (!number || *number < Least || *number > Most) {
        return false;
    }
    into.rules.*Member = static_cast<std::uint64_t>(*number);
    return true;
}

template <auto Member>
bool read_text(const field_value& value, policy_effect& into) {
    const auto text = value.text();
    if (!text || text->size() > policy_name_octets_max) {
        return false;
    }
    into.rules.*Member = std::string(*text);
    return true;
}

bool read_alternate(const field_value& value, policy_effect& into) {
    const auto text = value.text();
    if (!text || text->size() > policy_name_octets_max) {
        return false;
    }
    into.alternate = std::string(*text);
    return true;
}

bool read_overflow(const field_value& value, policy_effect& into) {
    // In the order of the enumerators.
    constexpr std::array<octets, 3> modes{"drop-head", "reject-publish", "reject-publish-dlx"};
    const auto known = std::ranges::find(modes, value.text().value_or(octets{}));
    if (known == modes.end()) {
        return false;
    }
    into.rules.overflow = static_cast<overflow_mode>(known - modes.begin());
    return true;
}

bool read_queue_mode(const field_value& value, policy_effect&) {
    return value.text() == octets{"default"} || value.text() == octets{"lazy"};
}

bool read_queue_version(const field_value& value, policy_effect&) {
    return value.integer() == 1 || value.integer() == 2;
}

/// Of keys that have no meaning here: about mirrors, replicas and streams.
bool ignore(const field_value&, policy_effect&) {
    return true;
}

struct policy_key {
    octets name;
    octets meaning;  ///< in error texts: "is not a valid ..."
    bool (*read)(const field_value&, policy_effect&);
    bool by_operators = false;
    bool of_classic = true;
    bool of_quorum = true;
};

using rules = queue_rules;
constexpr std::array<policy_key, 27> keys{{
    {"message-ttl", "message TTL", &read_number<&rules::message_ttl_ms, 0, time_ms_max>, true},
    {"expires", "queue expiry", &read_number<&rules::expires_ms, 1, time_ms_max>, true},
    {"max-length", "maximum length", &read_number<&rules::length_max, 0, no_bound>, true},
    {"max-length-bytes",
     "maximum length in bytes",
     &read_number<&rules::length_octets_max, 0, no_bound>,
     true},
    {"delivery-limit", "delivery limit", &read_number<&rules::delivery_limit, 0, no_bound>, true},
    {"overflow", "overflow value", &read_overflow},
    {"dead-letter-exchange", "dead letter exchange name", &read_text<&rules::dead_letter_exchange>},
    {"dead-letter-routing-key",
     "dead letter routing key",
     &read_text<&rules::dead_letter_routing_key>},
    {"alternate-exchange", "alternate exchange name", &read_alternate},
    {"consumer-timeout",
     "consumer timeout",
     &read_number<&rules::consumer_timeout_ms, 1, time_ms_max>},
    {"max-in-memory-length", {}, &ignore, true},
    {"max-in-memory-bytes", {}, &ignore, true},
    {"queue-mode", "queue-mode value", &read_queue_mode, false, true, false},
    {"queue-version", "queue-version value", &read_queue_version, false, true, false},
    {"queue-master-locator", {}, &ignore, false, true, false},
    {"ha-mode", {}, &ignore, false, true, false},
    {"ha-params", {}, &ignore, false, true, false},
    {"ha-sync-mode", {}, &ignore, false, true, false},
    {"ha-sync-batch-size", {}, &ignore, false, true, false},
    {"ha-promote-on-shutdown", {}, &ignore, false, true, false},
    {"ha-promote-on-failure", {}, &ignore, false, true, false},
    {"dead-letter-strategy", {}, &ignore, false, false, true},
    {"queue-leader-locator", {}, &ignore, false, false, true},
    {"initial-cluster-size", {}, &ignore, false, false, true},
    {"max-age", {}, &ignore, false, false, false},
    {"stream-max-segment-size-bytes", {}, &ignore, false, false, false},
    {"stream-filter-size-bytes", {}, &ignore, false, false, false},
}};

const policy_key* find_key(octets name, policy_kind kind) {
    const auto found = std::ranges::find(keys, name, &policy_key::name);
    const bool known = found != keys.end() && (kind == policy_kind::user || found->by_operators);
    return known ? &*found : nullptr;
}

std::string in_quotes(const field_value& value) {
    return "'" + printed_value(value) + "'";
}

template <class Number>
void keep_smaller(std::optional<Number>& into, const std::optional<Number>& other) {
    if (other && (!into || *other < *into)) {
        into = other;
    }
}

template <class Value>
void keep_first(std::optional<Value>& into, const std::optional<Value>& other) {
    if (!into) {
        into = other;
    }
}

}  // namespace

amqp::table policy_to_table(const policy_settings& what) {
    amqp::table made;
    made.add("pattern", what.pattern);
    made.add("apply-to", what.apply_to);
    made.add("priority", what.priority);
    made.add("definition", what.definition);
    return made;
}

std::optional<policy_settings> policy_from_table(const std::string& name, const amqp::table& from) {
    const field_value* pattern = from.find("pattern");
    const field_value* apply_to = from.find("apply-to");
    const field_value* priority = from.find("priority");
    const field_value* definition = from.find("definition");
    if (pattern == nullptr || !pattern->text() || apply_to == nullptr || !apply_to->text() ||
        priority == nullptr || !priority->integer() || definition == nullptr ||
        definition->as<amqp::table>() == nullptr) {
        return std::nullopt;
    }
    return policy_settings{
        name,
        std::string(*pattern->text()),
        std::string(*apply_to->text()),
        *priority->integer(),
        *definition->as<amqp::table>()};
}

std::optional<policy> policy::make(policy_kind kind, policy_settings what, std::string& problem) {
    if (what.name.empty() || what.name.size() > policy_name_octets_max) {
        problem =
            "the name of a policy has 1 to " + std::to_string(policy_name_octets_max) + " octets";
        return std::nullopt;
    }
    auto pattern = name_pattern::compile(what.pattern, problem);
    if (!pattern) {
        problem = "the pattern " + problem;
        return std::nullopt;
    }
    policy made{std::move(what), std::move(*pattern)};
    problem = made.read_target();
    if (problem.empty()) {
        problem = made.read_definition(kind);
    }
    return problem.empty() ? std::optional{std::move(made)} : std::nullopt;
}

std::string policy::read_target() {
    struct target {
        octets name;
        bool classic = false;
        bool quorum = false;
        bool exchanges = false;
    };
    constexpr std::array<target, 5> targets{{
        {"all", true, true, true},
        {"queues", true, true, false},
        {"classic_queues", true, false, false},
        {"quorum_queues", false, true, false},
        {"exchanges", false, false, true},
    }};
    const auto known = std::ranges::find(targets, octets{settings_.apply_to}, &target::name);
    if (known == targets.end()) {
        return "apply-to '" + settings_.apply_to +
               "' unrecognised; should be 'queues', 'classic_queues', 'quorum_queues', "
               "'exchanges' or 'all'";
    }
    for_classic_ = known->classic;
    for_quorum_ = known->quorum;
    for_exchanges_ = known->exchanges;
    return {};
}

std::string policy::read_definition(policy_kind kind) {
    if (settings_.definition.empty()) {
        return "no policy provided";
    }
    policy_effect effect;
    std::string unknown;
    for (const auto& [name, value] : settings_.definition) {
        const policy_key* key = find_key(name, kind);
        if (key == nullptr) {
            unknown += (unknown.empty() ? "'" : ", '") + name + "'";
            continue;
        }
        if (!key->read(value, effect)) {
            return in_quotes(value) + " is not a valid " + std::string(key->meaning);
        }
        for_classic_ = for_classic_ && key->of_classic;
        for_quorum_ = for_quorum_ && key->of_quorum;
    }
    if (!unknown.empty()) {
        return unknown + " are not recognised " +
               (kind == policy_kind::user ? "policy settings" : "operator policy settings");
    }
    rules_ = std::move(effect.rules);
    alternate_ = std::move(effect.alternate);
    return {};
}

bool policy::fits_queue(octets name, bool quorum) const {
    return (quorum ? for_quorum_ : for_classic_) && pattern_.matches(name);
}

bool policy::fits_exchange(octets name) const {
    return for_exchanges_ && pattern_.matches(name);
}

const policy* policy_set::find(octets name) const {
    const auto found = std::ranges::find(
        sorted_, name, [](const policy& each) { return octets{each.settings().name}; });
    return found == sorted_.end() ? nullptr : &*found;
}

const policy* policy_set::for_queue(octets name, bool quorum) const {
    const auto found = std::ranges::find_if(
        sorted_, [&](const policy& each) { return each.fits_queue(name, quorum); });
    return found == sorted_.end() ? nullptr : &*found;
}

const policy* policy_set::for_exchange(octets name) const {
    const auto found =
        std::ranges::find_if(sorted_, [&](const policy& each) { return each.fits_exchange(name); });
    return found == sorted_.end() ? nullptr : &*found;
}

void policy_set::put(policy added) {
    erase(added.settings().name);
    const auto before = [](const policy& a, const policy& b) {
        const policy_settings& x = a.settings();
        const policy_settings& y = b.settings();
        return x.priority != y.priority ? x.priority > y.priority : x.name < y.name;
    };
    sorted_.insert(std::ranges::upper_bound(sorted_, added, before), std::move(added));
}

bool policy_set::erase(octets name) {
    return std::erase_if(
               sorted_, [&](const policy& each) { return each.settings().name == name; }) != 0;
}

void merge_rules(queue_rules& into, const queue_rules& other) {
    keep_smaller(into.message_ttl_ms, other.message_ttl_ms);
    keep_smaller(into.expires_ms, other.expires_ms);
    keep_smaller(into.length_max, other.length_max);
    keep_smaller(into.length_octets_max, other.length_octets_max);
    keep_smaller(into.delivery_limit, other.delivery_limit);
    keep_smaller(into.consumer_timeout_ms, other.consumer_timeout_ms);
    keep_first(into.dead_letter_exchange, other.dead_letter_exchange);
    keep_first(into.dead_letter_routing_key, other.dead_letter_routing_key);
    keep_first(into.overflow, other.overflow);
}

amqp::table merged_definition(const policy_choice& of) {
    amqp::table merged = of.user == nullptr ? amqp::table{} : of.user->settings().definition;
    if (of.operators == nullptr) {
        return merged;
    }
    for (const auto& [name, value] : of.operators->settings().definition) {
        const field_value* there = merged.find(name);
        const bool smaller = there != nullptr && there->integer() && value.integer() &&
                             *there->integer() <= *value.integer();
        if (!smaller) {
            merged.set(name, value);
        }
    }
    return merged;
}

}  // namespace lovage::broker
