// engine: what the log held is put back before the first event, and what still lives in an old file
// of the log is written again so that the file can go.
#include "broker/core/connection_send.hpp"
#include "broker/core/delay_line.hpp"
#include "broker/core/publish_properties.hpp"
#include "framework/amqp/properties.hpp"

#include <algorithm>
#include <map>

namespace lovage::broker {
namespace {

/// What survives of one message, over all queues.
struct survivor {
    message_ptr body;
    std::vector<holding> holdings;
};
using survivors = std::map<message_id, survivor>;

void note(survivors& found, const queue& where, const queued_message& item, std::uint64_t file) {
    const message& body = *item.body;
    if (!where.settings().durable || !body.persistent || body.location.record_octets == 0 ||
        body.location.file != file) {
        return;
    }
    survivor& kept = found[body.id()];
    kept.body = item.body;
    if (!where.deleted()) {  // else an unacked delivery, which nothing in the log need survive
        kept.holdings.push_back({where.id(), item.delivery_count, item.redelivered});
    }
}

}  // namespace

message_ptr engine::message_from(
    message_id id,
    const message::parts& parts,
    std::uint64_t published_at_ms) {
    message_ptr body{message::create(id, parts, memory_octets_)};
    body->published_at_ms = published_at_ms;
    const auto properties = amqp::scan_properties(parts.properties);
    if (properties) {
        body->priority = properties->priority.value_or(0);
    }
    if (properties && properties->expiration) {
        // What no client could have published stands there only after a mistake of ours; without
        // a time to live nothing is lost by it.
        std::uint64_t ms = 0;
        body->expiration_ms =
            read_expiration(*properties->expiration, ms) ? message::no_expiration : ms;
    }
    return body;
}

bool engine::restore_page(page_facts found, std::uint32_t stored, journal_location where) {
    const queue_id of = found.of;
    if (const auto home = restored_queues_.find(of); home != restored_queues_.end()) {
        home->second->restore(pages_.restore(std::move(found), stored, where));
        return true;
    }
    if (const auto line = restored_lines_.find(of); line != restored_lines_.end()) {
        line->second->restore(pages_.restore(std::move(found), stored, where));
        return true;
    }
    log_.released(where);  // its queue is gone
    return false;
}

void engine::restore_message(const found_message& found) {
    message_ptr body = message_from(found.id, found.parts, found.published_at_ms);
    body->persistent = true;
    body->location = found.location;
    if (found.blob != 0) {
        blobs_.share(*body, found.blob);
    }
    for (const holding& each : found.holdings) {
        if (const auto where = restored_queues_.find(each.queue); where != restored_queues_.end()) {
            where->second->restore({body, each.delivery_count, each.redelivered});
        } else if (const auto line = restored_lines_.find(each.queue);
                   line != restored_lines_.end()) {
            ++body->durable_holders;
            line->second->add(body, found.due_ms);
            due_changed(*line->second);
        }
    }
    if (body->durable_holders == 0) {  // its queues are gone
        unlogged(*body);
    }
}

void engine::delay_line_restored(delay_line& what) {
    restored_lines_[what.id] = &what;
}

queue* engine::find_restored_queue(queue_id id) const {
    const auto found = restored_queues_.find(id);
    return found == restored_queues_.end() ? nullptr : found->second;
}

void engine::restore_next_ids(std::uint64_t next_queue, message_id next_message) {
    next_queue_id_ = std::max(next_queue_id_, next_queue);
    next_message_id_ = std::max(next_message_id_, next_message);
    first_open_message_ = first_taken_message_ = next_message_id_;
    restored_queues_.clear();
    restored_lines_.clear();
}

void engine::rewrite(std::uint64_t file, clock_reading clock) {
    begin(clock);
    settings_.rewrite(file);
    for (const auto& [name, home] : vhosts_) {
        home->rewrite_definitions(file);
        home->rewrite_waiting(file);
        home->rewrite_marks(file);
    }
    pages_.rewrite(file);
    rewrite_messages(file);
    finish();
}

void engine::rewrite_messages(std::uint64_t file) {
    survivors found;
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const auto& [name, each] : home->queues()) {
            const queue& where = *each;
            where.ready().for_each(
                [&](const queued_message& item) { note(found, where, item, file); });
        }
    }
    for (const auto& [vhost_name, home] : vhosts_) {
        home->for_each_dead([&](const queue& where, const queued_message& item) {
            note(found, where, item, file);
        });
    }
    for (const auto& [id, peer] : connections_) {
        for (const auto& [number, open] : peer->channels_) {
            for (std::size_t i = 0; i < open->unacked().size(); ++i) {
                const unacked_delivery& waiting = open->unacked()[i];
                if (waiting.source != nullptr) {
                    // It was delivered; should it come back after a crash, it must say so.
                    queued_message item = waiting.item;
                    item.redelivered = true;
                    note(found, *waiting.source, item, file);
                }
            }
        }
    }
    for (const auto& [id, kept] : found) {
        const journal_location old = kept.body->location;
        if (kept.holdings.empty()) {
            unlogged(*kept.body);
            kept.body->location = {};
            continue;
        }
        keep_blob(kept.body);  // so that it is not copied once more
        kept.body->location = log_.published(*kept.body, kept.holdings, std::nullopt);
        log_.released(old);
    }
}

}  // namespace lovage::broker
