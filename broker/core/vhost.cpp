#include "broker/core/vhost.hpp"

#include "broker/core/definition_size.hpp"
#include "broker/core/delay_line.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/exchange_arguments.hpp"
#include "framework/amqp/table_codec.hpp"

#include <algorithm>

namespace lovage::broker {

held_copy copy_in(queue_id where, const message& what) {
    held_copy copy{where, what.id()};
    if (what.in_page != nullptr) {
        copy.page = what.in_page->id();
        copy.page_index = what.page_index;
        copy.body_octets = what.body().size();
    }
    return copy;
}

std::string encode_table(const amqp::table& arguments) {
    byte_buffer out;
    amqp::write_table(out, arguments);
    return std::string(out.view());
}

vhost::vhost(engine& owner, std::string name) : owner_(owner), name_(std::move(name)) {
    const auto predeclare = [this](octets called, exchange_type type, bool internal = false) {
        exchange_settings settings;
        settings.name = "amq." + std::string(called);
        settings.type = type;
        settings.durable = true;
        settings.internal = internal;
        // Not written to the journal: they are there without it.
        exchanges_.emplace(settings.name, std::make_unique<exchange>(settings));
    };
    predeclare("direct", exchange_type::direct);
    predeclare("fanout", exchange_type::fanout);
    predeclare("topic", exchange_type::topic);
    predeclare("headers", exchange_type::headers);
    predeclare("match", exchange_type::headers);
    predeclare("rabbitmq.trace", exchange_type::topic, true);
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
         declared_type(settings),
         settings.auto_delete,
         settings.internal,
         arguments});
    owner_.definition_logged();
}

binding_definition vhost::definition_of(const binding& what) const {
    return {
        name_,
        what.source->name(),
        what.target->target_name(),
        !what.target->is_queue(),
        what.key,
        what.arguments};
}

void vhost::append(binding& what) {
    what.location = owner_.log().bound(definition_of(what));
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
    kept.definition = {owner_.definitions_account(), definition_octets(kept.settings())};
    apply_policy(kept);
    if (kept.settings().delayed) {
        kept.delays = std::make_unique<delay_line>(*this, kept);
    }
    if (kept.settings().deduplication) {
        kept.dedup =
            std::make_unique<dedup_table>(*kept.settings().deduplication, owner_.dedup_account());
    }
    exchanges_[kept.name()] = std::move(made);
    return kept;
}

queue& vhost::declare_queue(queue_settings settings, connection_id owner) {
    auto made = std::make_unique<queue>(owner_.next_queue_id(), *this, std::move(settings), owner);
    queue& kept = *made;
    kept.definition = {owner_.definitions_account(), definition_octets(kept.settings())};
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
    kept.definition = {owner_.definitions_account(), definition_octets(kept.settings())};
    kept.location = where;
    kept.set_recovered_up_to(delivered_up_to);
    queues_[kept.name()] = std::move(made);
    owner_.queue_added(kept);
    owner_.queue_restored(kept);
    return kept;
}

void vhost::remove_binding(binding& gone) {
    if (gone.location.record_octets != 0) {
        owner_.log().unbound(definition_of(gone));
        owner_.definition_logged();
        owner_.log().released(gone.location);
    }
    auto& siblings = gone.target->incoming;
    siblings[gone.place_in_target] = siblings.back();
    siblings[gone.place_in_target]->place_in_target = gone.place_in_target;
    siblings.pop_back();
    gone.source->unbind(gone);
}

void vhost::delete_exchange(exchange& gone) {
    delete_exchanges({&gone});
}

void vhost::delete_exchanges(std::vector<exchange*> doomed) {
    // A list, not recursion: clients may chain as many auto-delete exchanges as they like. None is
    // listed twice, because the last binding goes only once.
    while (!doomed.empty()) {
        exchange& next = *doomed.back();
        doomed.pop_back();
        while (next.has_bindings()) {
            remove_binding(*next.bindings().begin()->second);
        }
        unbind_all(next, doomed);
        if (next.delays) {
            drop_waiting(*next.delays);
        }
        forget_marks(next);
        if (next.location.record_octets != 0) {
            owner_.log().exchange_deleted(name_, next.name());
            owner_.definition_logged();
            owner_.log().released(next.location);
        }
        exchanges_.erase(exchanges_.find(next.name()));
    }
}

void vhost::unbind_all(route_target& gone, std::vector<exchange*>& unused) {
    while (!gone.incoming.empty()) {
        exchange& source = *gone.incoming.back()->source;
        remove_binding(*gone.incoming.back());
        if (source.settings().auto_delete && !source.has_bindings()) {
            unused.push_back(&source);
        }
    }
}

std::size_t vhost::delete_queue(queue& gone) {
    const std::size_t ready = gone.ready_count();
    std::vector<exchange*> unused;
    unbind_all(gone, unused);
    delete_exchanges(std::move(unused));
    if (gone.location.record_octets != 0) {
        owner_.log().queue_deleted(gone.id(), name_, gone.name());
        owner_.definition_logged();
        owner_.log().released(gone.location);
    }
    forget_marks(gone);
    pause(gone, false);
    gone.mark_deleted();  // after the record that says so: it lets go of the messages'
    forget_dead_of(gone);
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

void vhost::bind(exchange& source, route_target& target, octets key, const amqp::table& arguments) {
    const std::string encoded = encode_table(arguments);
    if (source.find(target, key, encoded) != nullptr) {
        return;
    }
    restore_binding(source, target, key, encoded, {});
    if (source.settings().durable && target.target_durable()) {
        append(*target.incoming.back());
    }
}

void vhost::restore_binding(
    exchange& source,
    route_target& target,
    octets key,
    octets arguments,
    journal_location where) {
    binding& made = source.bind(target, key, arguments);
    made.location = where;
    made.definition = {
        owner_.definitions_account(),
        definition_octets(source, target.target_name(), key, arguments)};
    made.place_in_target = target.incoming.size();
    target.incoming.push_back(&made);
}

void vhost::unbind(
    exchange& source,
    const route_target& target,
    octets key,
    const amqp::table& arguments) {
    binding* found = source.find(target, key, encode_table(arguments));
    if (found == nullptr) {
        return;
    }
    remove_binding(*found);
    if (source.settings().auto_delete && !source.has_bindings()) {
        delete_exchange(source);
    }
}

std::uint64_t vhost::count_definitions() const {
    std::uint64_t all = 0;
    for (const auto& [name, what] : exchanges_) {
        all += what->definition.octets();
        for (const auto& [identity, bound] : what->bindings()) {
            all += bound->definition.octets();
        }
    }
    for (const auto& [name, what] : queues_) {
        all += what->definition.octets();
    }
    for (const auto& what : deleted_queues_) {
        all += what->definition.octets();
    }
    return all;
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
        if (what->delays) {
            rewrite(*what->delays);
        }
    }
    for (const auto& [name, what] : queues_) {
        rewrite(*what);
    }
    for (const auto& [name, source] : exchanges_) {
        for (const auto& [identity, bound] : source->bindings()) {
            rewrite(*bound);
        }
    }
}

}  // namespace lovage::broker
