#include "broker/server/restore.hpp"

#include "broker/core/exchange_arguments.hpp"
#include "broker/core/queue_arguments.hpp"
#include "broker/server/dedup_setting.hpp"
#include "framework/amqp/table_codec.hpp"
#include "framework/base/log.hpp"

#include <lovage/broker.hpp>

#include <algorithm>
#include <random>

namespace lovage::broker {
namespace {

journal_location location_of(const store::location& where) {
    return {where.file, where.bytes};
}

amqp::table decoded(octets arguments) {
    amqp::wire_reader in{arguments};
    return amqp::read_table(in);
}

std::uint64_t random_salt() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

void restore_exchanges(engine& into, const store::recovery& found) {
    for (const auto& each : found.exchanges()) {
        exchange_settings settings;
        settings.name = each.name;
        settings.durable = true;
        settings.auto_delete = (each.flags & store::entity_auto_delete) != 0;
        settings.internal = (each.flags & store::entity_internal) != 0;
        if (read_exchange_type(each.type, decoded(each.arguments), settings)) {
            throw start_error(
                "exchange '" + each.name + "' in the data directory is of type '" + each.type +
                "', which this version does not know: start the version that wrote it");
        }
        into.restore_vhost(each.vhost)
            .restore_exchange(std::move(settings), location_of(each.where));
    }
}

void restore_delay_line(engine& into, const store::recovered_queue& found) {
    vhost& home = into.restore_vhost(found.vhost);
    exchange* owner = home.find_exchange(found.arguments);
    if (owner != nullptr && owner->delays) {
        home.restore_delay_line(*owner, queue_id{found.id}, location_of(found.where));
        return;
    }
    // Its exchange went without it; what waits must not come up in another one of that name.
    into.log().queue_deleted(queue_id{found.id}, found.vhost, {});
    into.log().released(location_of(found.where));
}

void restore_queues(engine& into, const store::recovery& found) {
    for (const auto& each : found.queues()) {
        if ((each.flags & store::entity_delay_line) != 0) {
            restore_delay_line(into, each);
            continue;
        }
        queue_settings settings;
        settings.name = each.name;
        settings.durable = true;
        settings.auto_delete = (each.flags & store::entity_auto_delete) != 0;
        if (fault wrong = read_queue_arguments(decoded(each.arguments), each.vhost, settings)) {
            throw start_error(
                "queue '" + each.name +
                "' in the data directory has arguments that this version "
                "does not know (" +
                wrong.text + "): start the version that wrote it");
        }
        into.restore_vhost(each.vhost)
            .restore_queue(
                queue_id{each.id}, std::move(settings), location_of(each.where), each.delivered);
        if (each.marked) {
            // Of a batch that was cut the mark may lie in an older file than the queue's record,
            // and would go with it.
            into.log().delivered(queue_id{each.id}, each.delivered);
        }
    }
}

void restore_bindings(engine& into, const store::recovery& found) {
    for (const auto& each : found.bindings()) {
        vhost& home = into.restore_vhost(each.vhost);
        exchange* source = home.find_exchange(each.source);
        route_target* target = nullptr;
        if (each.target == store::binding_target::exchange) {
            target = home.find_exchange(each.destination);
        } else {
            target = home.find_queue(each.destination);
        }
        if (source != nullptr && target != nullptr) {
            home.restore_binding(
                *source, *target, each.routing_key, each.arguments, location_of(each.where));
        } else {
            into.log().released(location_of(each.where));
        }
    }
}

/// And what operators have set, which the log keeps in the same way.
void restore_settings(engine& into, const store::recovery& found) {
    struct marked {
        dedup_mark what;
        journal_location where;
    };
    std::vector<marked> marks;
    for (const auto& each : found.settings()) {
        dedup_mark what;
        if (read_dedup_setting(each.key, each.value, what)) {
            marks.push_back({what, location_of(each.where)});
        } else if (!into.restore_setting(each.key, each.value, location_of(each.where))) {
            throw start_error(
                "the data directory has a setting that this version cannot read: start the version "
                "that wrote it");
        }
    }
    if (const std::string wrong = into.settings_restored(); !wrong.empty()) {
        throw start_error(
            "the data directory has a setting that this version does not know (" + wrong +
            "): start the version that wrote it");
    }
    // Those that had made room by then, without a word in the log, make it again.
    std::ranges::sort(marks, {}, [](const marked& each) { return each.what.serial; });
    for (const auto& [what, where] : marks) {
        vhost& home = into.restore_vhost(what.vhost);
        route_target* at = nullptr;
        if (what.queue == queue_id{}) {
            at = home.find_exchange(what.exchange);
        } else {
            at = into.find_restored_queue(what.queue);
        }
        if (at != nullptr && at->dedup) {
            home.restore_mark(*at, what, where);
        } else {
            into.log().forgotten(what);
            into.log().released(where);
        }
    }
}

void restore_pages(engine& into, const store::recovery& found) {
    for (const store::recovered_page& each : found.pages()) {
        const store::page_record& record = each.record;
        page_facts facts;
        facts.id = record.id;
        facts.of = queue_id{record.queue};
        facts.level = record.level;
        facts.place = {record.segment, record.offset, record.bytes};
        facts.count = record.count;
        facts.first_id = record.first_message;
        facts.last_id = record.last_message;
        facts.first_due_ms = record.first_due_ms;
        facts.oldest_ms = record.oldest_ms;
        facts.first_expiry_ms = record.first_expiry_ms;
        facts.body_octets = record.body_bytes;
        facts.dead = index_set{each.dead};
        facts.returned = each.returned;
        for (const store::paged_blob& use : each.blobs) {
            facts.blobs.push_back({use.index, use.ref.blob, use.ref.bytes});
        }
        into.restore_page(std::move(facts), found.messages_stored(each), location_of(each.where));
    }
}

}  // namespace

opened_store open_store(const std::string& directory) {
    opened_store opened;
    std::string problem;
    auto disk = store::posix_disk::open_directory(directory, problem);
    if (!disk) {
        throw start_error(problem);
    }
    opened.disk = std::move(*disk);
    store::recovery_options options;
    options.new_salt = random_salt();
    opened.found = std::make_unique<store::recovery>(*opened.disk, options);
    if (opened.found->run(problem)) {
        throw start_error("data directory " + directory + ": " + problem);
    }
    const auto& counters = opened.found->counters();
    log_event(
        log_level::info,
        "recovered",
        {{"directory", directory},
         {"files", counters.files},
         {"records", counters.records},
         {"octets", counters.bytes},
         {"queues", opened.found->queues().size()},
         {"messages", opened.found->message_count()},
         {"cut_batch", counters.torn ? "yes" : "no"}});
    return opened;
}

void restore(engine& into, store::recovery& found) {
    restore_exchanges(into, found);
    restore_queues(into, found);
    restore_bindings(into, found);
    restore_settings(into, found);
    restore_pages(into, found);
    std::string problem;
    engine::found_message message;
    const auto take = [&](const store::recovered_message& each) {
        const auto& record = each.record;
        message.id = record.id;
        message.parts = {record.exchange, record.routing_key, record.properties, record.body};
        message.published_at_ms = record.arrived_ms;
        message.due_ms = record.due_ms;
        message.location = location_of(each.where);
        message.blob = record.blob.blob;
        if (message.blob == 0 && found.tail().blobs.contains(record.id)) {
            message.blob = record.id;  // written when the copy of another queue left the memory
        }
        message.holdings.clear();
        for (const auto& entry : record.queues) {
            message.holdings.push_back(
                {queue_id{entry.queue}, entry.delivery_count, entry.redelivered});
        }
        into.restore_message(message);
    };
    if (found.for_each_message(take, problem)) {
        throw start_error(problem);
    }
    into.restore_next_ids(found.next_queue_id(), found.next_message_id());
    into.pages().restore_next_id(found.next_page_id());
}

}  // namespace lovage::broker
