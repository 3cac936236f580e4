#include "broker/server/log_journal.hpp"

#include "broker/core/message.hpp"
#include "broker/core/page.hpp"
#include "broker/server/dedup_setting.hpp"

namespace lovage::broker {
namespace {

std::uint64_t number(queue_id id) {
    return static_cast<std::uint64_t>(id);
}

journal_location location_of(store::location where) {
    return {where.file, where.bytes};
}

store::binding_record record_of(const binding_definition& what) {
    return {
        what.to_exchange ? store::binding_target::exchange : store::binding_target::queue,
        what.vhost,
        what.exchange,
        what.target,
        what.routing_key,
        what.arguments};
}

/// Without the queues.
store::publish_record record_of(const message& what, const std::optional<held_copy>& instead_of) {
    store::publish_record record;
    record.id = what.id();
    record.arrived_ms = what.published_at_ms;
    record.exchange = what.exchange();
    record.routing_key = what.routing_key();
    record.properties = what.properties();
    if (what.blob != 0) {
        record.blob = {what.blob, what.body().size()};
    } else {
        record.body = what.body();
    }
    if (instead_of) {
        record.replaces = store::message_ref{
            number(instead_of->queue),
            instead_of->message,
            instead_of->page,
            instead_of->page_index,
            instead_of->body_octets};
    }
    return record;
}

}  // namespace

journal_location log_journal::queue_declared(const queue_definition& what) {
    store::queue_record record;
    record.id = number(what.id);
    record.flags = store::entity_durable;
    if (what.auto_delete) {
        record.flags |= store::entity_auto_delete;
    }
    record.delivered = what.delivered_up_to;
    record.vhost = what.vhost;
    record.name = what.name;
    record.arguments = what.arguments;
    return location_of(log_.queue_declared(record));
}

void log_journal::queue_deleted(queue_id id, octets vhost, octets name) {
    log_.queue_deleted(number(id), vhost, name);
}

journal_location log_journal::exchange_declared(const exchange_definition& what) {
    store::exchange_record record;
    record.flags = store::entity_durable;
    if (what.auto_delete) {
        record.flags |= store::entity_auto_delete;
    }
    if (what.internal) {
        record.flags |= store::entity_internal;
    }
    record.vhost = what.vhost;
    record.name = what.name;
    record.type = what.type;
    record.arguments = what.arguments;
    return location_of(log_.exchange_declared(record));
}

void log_journal::exchange_deleted(octets vhost, octets name) {
    log_.exchange_deleted(vhost, name);
}

journal_location log_journal::bound(const binding_definition& what) {
    return location_of(log_.bound(record_of(what)));
}

void log_journal::unbound(const binding_definition& what) {
    log_.unbound(record_of(what));
}

journal_location log_journal::published(
    const message& what,
    std::span<const holding> in,
    std::optional<held_copy> instead_of) {
    entries_.clear();
    for (const holding& each : in) {
        entries_.push_back({number(each.queue), each.delivery_count, each.redelivered});
    }
    store::publish_record record = record_of(what, instead_of);
    record.queues = entries_;
    return location_of(log_.published(record));
}

journal_location log_journal::delay_line_declared(queue_id id, octets vhost, octets exchange) {
    store::queue_record record;
    record.id = number(id);
    record.flags = store::entity_durable | store::entity_delay_line;
    record.vhost = vhost;
    record.arguments = exchange;
    return location_of(log_.queue_declared(record));
}

journal_location log_journal::delayed(
    const message& what,
    queue_id line,
    std::uint64_t due_ms,
    std::optional<held_copy> instead_of) {
    const store::queue_entry entry{number(line), 0, false};
    store::publish_record record = record_of(what, instead_of);
    record.due_ms = due_ms;
    record.queues = {&entry, 1};
    return location_of(log_.published(record));
}

journal_location log_journal::remembered(const dedup_mark& what) {
    return location_of(log_.setting_put(dedup_setting_name(what), dedup_setting_value(what)));
}

void log_journal::forgotten(const dedup_mark& what) {
    log_.setting_erased(dedup_setting_name(what));
}

journal_location log_journal::setting_put(octets key, octets value) {
    return location_of(log_.setting_put(key, value));
}

void log_journal::setting_erased(octets key) {
    log_.setting_erased(key);
}

void log_journal::settled(queue_id queue, message_id id) {
    log_.settled(number(queue), id);
}

void log_journal::returned(queue_id queue, message_id id, std::uint32_t delivery_count) {
    log_.returned(number(queue), id, delivery_count);
}

void log_journal::delivered(queue_id queue, message_id id) {
    log_.delivered(number(queue), id);
}

void log_journal::mark_lowered(queue_id queue, message_id id) {
    log_.mark_lowered(number(queue), id);
}

lsn log_journal::taken() const {
    return log_.taken_lsn();
}

journal_location log_journal::paged(const page_facts& what, std::span<const message_id> moved) {
    store::page_record record;
    record.id = what.id;
    record.queue = number(what.of);
    record.level = what.level;
    record.segment = what.place.segment;
    record.offset = what.place.offset;
    record.bytes = what.place.octets;
    record.count = what.count;
    record.first_message = what.first_id;
    record.last_message = what.last_id;
    record.first_due_ms = what.first_due_ms;
    record.oldest_ms = what.oldest_ms;
    record.first_expiry_ms = what.first_expiry_ms;
    record.body_bytes = what.body_octets;
    record.dead = what.dead.words();
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> returned{
        what.returned.begin(), what.returned.end()};
    record.returned = returned;
    std::vector<store::paged_blob> blobs;
    for (const blob_use& each : what.blobs) {
        blobs.push_back({each.index, {each.blob, each.octets}});
    }
    record.blobs = blobs;
    record.moved = moved;
    return location_of(log_.paged(record));
}

void log_journal::page_settled(
    std::uint64_t page,
    std::uint32_t first,
    std::uint32_t more,
    std::uint64_t body_octets) {
    log_.page_settled({page, first, more, body_octets});
}

void log_journal::page_returned(
    std::uint64_t page,
    std::uint32_t index,
    std::uint32_t delivery_count) {
    log_.page_returned(page, index, delivery_count);
}

void log_journal::page_dropped(std::uint64_t page) {
    log_.page_dropped(page);
}

void log_journal::released(journal_location location) {
    log_.released({static_cast<store::file_number>(location.file), location.record_octets});
}

lsn log_journal::last() const {
    return log_.last_lsn();
}

}  // namespace lovage::broker
