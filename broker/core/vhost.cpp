#include "broker/core/vhost.hpp"

#include "broker/core/engine.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>

namespace lovage::broker {

std::string encode_table(const amqp::table& arguments) {
    byte_buffer out;
    amqp::write_table(out, arguments);
    return std::string(out.view());
}

vhost::vhost(engine& owner, std::string name) : owner_(owner), name_(std::move(name)) {
    for (const auto type : {exchange_type::direct, exchange_type::fanout, exchange_type::topic}) {
        exchange_settings settings;
        settings.name = "amq." + std::string(exchange_type_name(type));
        settings.type = type;
        settings.durable = true;
        // Not written to the journal: they are there without it.
        exchanges_.emplace(settings.name, std::make_unique<exchange>(settings));
    }
}

exchange* vhost::find_exchange(octets name) const {
    const auto found = exchanges_.find(name);
    return found == exchanges_.end() ? nullptr : found->second.get();
}

queue* vhost::find_queue(octets name) const {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : found->second.get();
}

void vhost::append(queue& what) {
    const std::string arguments = encode_table(what.settings().arguments);
    what.location = owner_.log().queue_declared(
        {what.id(),
         name_,
         what.name(),
         what.settings().auto_delete,
         arguments,
         what.delivered_up_to()});
    owner_.definition_logged();
}

void vhost::append(exchange& what) {
    const auto& settings = what.settings();
    const std::string arguments = encode_table(settings.arguments);
    what.location = owner_.log().exchange_declared(
        {name_,
         settings.name,
         exchange_type_name(settings.type),
         settings.auto_delete,
         settings.internal,
         arguments});
    owner_.definition_logged();
}

void vhost::append(binding& what) {
    what.location = owner_.log().bound(
        {name_, what.source->name(), what.target->name(), what.key, what.arguments});
    owner_.definition_logged();
}

exchange& vhost::declare_exchange(exchange_settings settings) {
    exchange& made = restore_exchange(std::move(settings), {});
    if (made.settings().durable) {
        append(made);
    }
    return made;
}

exchange& vhost::restore_exchange(exchange_settings settings, journal_location where) {
    auto made = std::make_unique<exchange>(std::move(settings));
    made->location = where;
    exchange& kept = *made;
    exchanges_[kept.name()] = std::move(made);
    return kept;
}

queue& vhost::declare_queue(queue_settings settings, connection_id owner) {
    auto made = std::make_unique<queue>(owner_.next_queue_id(), *this, std::move(settings), owner);
    queue& kept = *made;
    queues_[kept.name()] = std::move(made);
    if (kept.settings().durable) {
        append(kept);
    }
    owner_.queue_added(kept);
    return kept;
}

queue& vhost::restore_queue(
    queue_id id,
    queue_settings settings,
    journal_location where,
    message_id delivered_up_to) {
    auto made = std::make_unique<queue>(id, *this, std::move(settings), connection_id{});
    queue& kept = *made;
    kept.location = where;
    kept.set_delivered_up_to(delivered_up_to);
    queues_[kept.name()] = std::move(made);
    owner_.queue_added(kept);
    owner_.queue_restored(kept);
    return kept;
}

void vhost::remove_binding(binding& gone) {
    if (gone.location.record_octets != 0) {
        owner_.log().unbound(
            {name_, gone.source->name(), gone.target->name(), gone.key, gone.arguments});
        owner_.definition_logged();
        owner_.log().released(gone.location);
    }
    auto& siblings = gone.target->bindings;
    siblings[gone.place_in_queue] = siblings.back();
    siblings[gone.place_in_queue]->place_in_queue = gone.place_in_queue;
    siblings.pop_back();
    gone.source->unbind(gone);
}

void vhost::delete_exchange(exchange& gone) {
    while (gone.has_bindings()) {
        remove_binding(*gone.bindings().begin()->second);
    }
    if (gone.location.record_octets != 0) {
        owner_.log().exchange_deleted(name_, gone.name());
        owner_.definition_logged();
        owner_.log().released(gone.location);
    }
    exchanges_.erase(exchanges_.find(gone.name()));
}

void vhost::unbind_all(queue& gone) {
    while (!gone.bindings.empty()) {
        exchange& source = *gone.bindings.back()->source;
        remove_binding(*gone.bindings.back());
        if (source.settings().auto_delete && !source.has_bindings()) {
            delete_exchange(source);
        }
    }
}

std::size_t vhost::delete_queue(queue& gone) {
    const std::size_t ready = gone.ready_count();
    unbind_all(gone);
    if (gone.location.record_octets != 0) {
        owner_.log().queue_deleted(gone.id(), name_, gone.name());
        owner_.definition_logged();
        owner_.log().released(gone.location);
    }
    gone.mark_deleted();  // after the record that says so: it lets go of the messages'
    owner_.forget(gone);
    const auto found = queues_.find(gone.name());
    if (gone.unacked_count() != 0) {
        deleted_queues_.push_back(std::move(found->second));
    }
    queues_.erase(found);
    return ready;
}

void vhost::bury(queue& gone) {
    owner_.forget(gone);
    std::erase_if(deleted_queues_, [&](const auto& dead) { return dead.get() == &gone; });
}

void vhost::bind(exchange& source, queue& target, octets key, const amqp::table& arguments) {
    const std::string encoded = encode_table(arguments);
    if (source.find(&target, key, encoded) != nullptr) {
        return;
    }
    restore_binding(source, target, key, encoded, {});
    if (source.settings().durable && target.settings().durable) {
        append(*target.bindings.back());
    }
}

void vhost::restore_binding(
    exchange& source,
    queue& target,
    octets key,
    octets arguments,
    journal_location where) {
    binding& made = source.bind(&target, key, arguments);
    made.location = where;
    made.place_in_queue = target.bindings.size();
    target.bindings.push_back(&made);
}

void vhost::unbind(exchange& source, queue& target, octets key, const amqp::table& arguments) {
    binding* found = source.find(&target, key, encode_table(arguments));
    if (found == nullptr) {
        return;
    }
    remove_binding(*found);
    if (source.settings().auto_delete && !source.has_bindings()) {
        delete_exchange(source);
    }
}

void vhost::find_targets(exchange* through, octets key) {
    targets_.clear();
    if (through == nullptr) {
        if (queue* named = find_queue(key); named != nullptr) {
            targets_.push_back(named);
        }
        return;
    }
    through->match(key, targets_);
    if (targets_.size() > 1) {  // a queue takes one copy, however many of its bindings match
        ++route_serial_;
        std::erase_if(targets_, [this](queue* target) {
            return std::exchange(target->route_mark, route_serial_) == route_serial_;
        });
    }
}

publish_outcome vhost::publish(exchange* through, const publication& what) {
    find_targets(through, what.parts.routing_key);
    return deliver_to_targets(what);
}

publish_outcome vhost::deliver_to_targets(const publication& what) {
    publish_outcome outcome;
    if (targets_.empty()) {
        return outcome;
    }
    outcome.routed = true;
    message_ptr made{
        message::create(owner_.next_message_id(), what.parts, owner_.memory_account())};
    made->persistent = what.persistent;
    made->published_at_ms = what.published_at_ms;
    made->expiration_ms = what.expiration_ms;
    if (what.persistent) {
        holdings_.clear();
        for (const queue* target : targets_) {
            if (target->settings().durable) {
                holdings_.push_back({target->id(), 0, false});
            }
        }
        if (!holdings_.empty()) {
            // All of them hold it before the first can settle it.
            made->durable_holders = static_cast<std::uint32_t>(holdings_.size());
            made->location = owner_.log().published(*made, holdings_);
            outcome.logged = true;
        }
    }
    for (std::size_t i = 0; i + 1 < targets_.size(); ++i) {
        targets_[i]->publish(made);
    }
    targets_.back()->publish(std::move(made));
    return outcome;
}

void vhost::rewrite_definitions(std::uint64_t file) {
    const auto rewrite = [&](auto& what) {
        if (what.location.record_octets != 0 && what.location.file == file) {
            const journal_location old = what.location;
            append(what);
            owner_.log().released(old);
        }
    };
    for (const auto& [name, what] : exchanges_) {
        rewrite(*what);
    }
    for (const auto& [name, what] : queues_) {
        rewrite(*what);
    }
    for (const auto& [name, what] : queues_) {
        for (binding* bound : what->bindings) {
            rewrite(*bound);
        }
    }
}

}  // namespace lovage::broker
