// engine: what the management API shows of queues, exchanges, policies and connections.
#include "broker/core/delay_line.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/exchange_arguments.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

std::string name_of(const policy* applied) {
    return applied == nullptr ? std::string() : applied->settings().name;
}

}  // namespace

std::vector<queue_status> engine::queue_statuses() const {
    std::vector<queue_status> all;
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const auto& [name, each] : home->queues()) {
            const auto& settings = each->settings();
            const policy_choice applied = home->policies_of(settings);
            queue_status shown;
            shown.vhost = vhost_name;
            shown.name = name;
            shown.durable = settings.durable;
            shown.exclusive = settings.exclusive;
            shown.auto_delete = settings.auto_delete;
            shown.ready = each->ready_count();
            shown.unacked = each->unacked_count();
            shown.consumers = each->consumers().size();
            shown.ready_octets = each->ready_octets();
            shown.dedup_keys = each->dedup ? each->dedup->size() : 0;
            shown.quorum = settings.quorum;
            shown.paused = each->paused();
            shown.arguments = settings.arguments;
            shown.policy = name_of(applied.user);
            shown.operator_policy = name_of(applied.operators);
            shown.effective_policy = merged_definition(applied);
            all.push_back(std::move(shown));
        }
    }
    return all;
}

std::vector<exchange_status> engine::exchange_statuses() const {
    std::vector<exchange_status> all;
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const auto& [name, each] : home->exchanges()) {
            const auto& settings = each->settings();
            exchange_status shown;
            shown.vhost = vhost_name;
            shown.name = name;
            shown.type = std::string(declared_type(settings));
            shown.durable = settings.durable;
            shown.auto_delete = settings.auto_delete;
            shown.internal = settings.internal;
            if (each->delays) {
                shown.delayed = each->delays->size();
            }
            shown.dedup_keys = each->dedup ? each->dedup->size() : 0;
            shown.arguments = settings.arguments;
            shown.policy = name_of(home->policies_of(settings).user);
            all.push_back(std::move(shown));
        }
    }
    return all;
}

std::vector<connection_status> engine::connection_statuses() const {
    std::vector<connection_status> all;
    for (const auto& [id, each] : connections_) {
        if (each->running()) {
            all.push_back(
                {id,
                 each->peer_name(),
                 each->user_name(),
                 each->home().name(),
                 each->channel_count()});
        }
    }
    std::ranges::sort(all, {}, &connection_status::id);
    return all;
}

std::vector<policy_status> engine::policy_statuses(policy_kind kind) const {
    std::vector<policy_status> all;
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const policy& each : home->policies(kind).sorted()) {
            all.push_back({vhost_name, each.settings()});
        }
    }
    return all;
}

}  // namespace lovage::broker
