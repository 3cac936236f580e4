// vhost and engine: policies and pauses as operators set and clear them, what follows for queues
// and exchanges that are there, and how both come back from the journal.
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

#include <utility>

namespace lovage::broker {
namespace {

/// Of quorum queues for which nothing else is said, as in RabbitMQ 4; 3.10 had no limit.
constexpr std::uint64_t quorum_delivery_limit = 20;

octets setting_kind(policy_kind kind) {
    return kind == policy_kind::user ? policy_setting : operator_policy_setting;
}

std::string setting_key(policy_kind kind, octets vhost, octets name) {
    return settings_store::key(setting_kind(kind), {vhost, name});
}

}  // namespace

policy_choice vhost::policies_of(const queue_settings& what) const {
    return {
        user_policies_.for_queue(what.name, what.quorum),
        operator_policies_.for_queue(what.name, what.quorum)};
}

policy_choice vhost::policies_of(const exchange_settings& what) const {
    return {user_policies_.for_exchange(what.name), operator_policies_.for_exchange(what.name)};
}

queue_rules vhost::rules_for(const queue_settings& what) const {
    queue_rules rules = what.declared;
    const policy_choice applied = policies_of(what);
    if (applied.user != nullptr) {
        merge_rules(rules, applied.user->rules());
    }
    if (applied.operators != nullptr) {
        merge_rules(rules, applied.operators->rules());
    }
    if (what.quorum && !rules.delivery_limit) {
        rules.delivery_limit = quorum_delivery_limit;
    }
    return rules;
}

void vhost::apply_policy(exchange& to) const {
    const policy_choice applied = policies_of(to.settings());
    to.set_alternate_by_policy(applied.user == nullptr ? std::nullopt : applied.user->alternate());
}

void vhost::apply_policies() {
    for (const auto& [name, each] : exchanges_) {
        apply_policy(*each);
    }
    for (const auto& [name, each] : queues_) {
        each->set_rules(rules_for(each->settings()));
    }
}

void vhost::pause(queue& what, bool paused) {
    if (paused == what.paused()) {
        return;
    }
    what.set_paused(paused);
    if (!what.settings().durable) {
        return;
    }
    const std::string key = settings_store::key(paused_setting, {name_, what.name()});
    if (paused) {
        owner_.settings().put(key, {});
    } else {
        owner_.settings().erase(key);
    }
    owner_.definition_logged();
}

std::string engine::set_policy(policy_kind kind, octets vhost_name, policy_settings what) {
    vhost* home = find_vhost(vhost_name);
    if (home == nullptr) {
        return "no such vhost";
    }
    policy_set& there = home->policies(kind);
    if (there.size() >= policies_max && there.find(what.name) == nullptr) {
        return "a vhost has at most " + std::to_string(policies_max) + " policies";
    }
    std::string problem;
    auto made = policy::make(kind, std::move(what), problem);
    if (!made) {
        return problem;
    }
    settings_.put(
        setting_key(kind, vhost_name, made->settings().name), policy_to_table(made->settings()));
    definition_logged();
    there.put(std::move(*made));
    home->apply_policies();
    return {};
}

bool engine::clear_policy(policy_kind kind, octets vhost_name, octets name) {
    vhost* home = find_vhost(vhost_name);
    if (home == nullptr || !home->policies(kind).erase(name)) {
        return false;
    }
    settings_.erase(setting_key(kind, vhost_name, name));
    definition_logged();
    home->apply_policies();
    return true;
}

bool engine::pause_queue(octets vhost_name, octets name, bool paused) {
    vhost* home = find_vhost(vhost_name);
    queue* what = home == nullptr ? nullptr : home->find_queue(name);
    if (what == nullptr) {
        return false;
    }
    home->pause(*what, paused);
    return true;
}

std::string engine::settings_restored() {
    std::string problem;
    for (const policy_kind kind : {policy_kind::user, policy_kind::operators}) {
        settings_.for_each(
            setting_kind(kind),
            [&](const std::vector<std::string>& names, const amqp::table& value) {
                auto read = names.size() == 2 ? policy_from_table(names[1], value) : std::nullopt;
                std::string wrong = read ? "" : "it cannot be read";
                auto made = read ? policy::make(kind, std::move(*read), wrong) : std::nullopt;
                if (made) {
                    restore_vhost(names[0]).policies(kind).put(std::move(*made));
                } else if (problem.empty()) {
                    problem =
                        "policy '" + (names.empty() ? std::string() : names.back()) + "': " + wrong;
                }
            });
    }
    std::vector<std::string> stale;
    settings_.for_each(
        paused_setting, [&](const std::vector<std::string>& names, const amqp::table&) {
            vhost* home = names.size() == 2 ? find_vhost(names[0]) : nullptr;
            queue* what = home == nullptr ? nullptr : home->find_queue(names[1]);
            if (what != nullptr) {
                what->set_paused(true);
            } else if (names.size() == 2) {
                stale.push_back(settings_store::key(paused_setting, {names[0], names[1]}));
            }
        });
    for (const std::string& key : stale) {
        settings_.erase(key);  // its queue went without it, or is not durable any more
    }
    for (const auto& [name, home] : vhosts_) {
        home->apply_policies();
    }
    return problem;
}

}  // namespace lovage::broker
