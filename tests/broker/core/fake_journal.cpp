#include "tests/broker/core/fake_journal.hpp"

#include <algorithm>

namespace lovage::broker::test {
namespace {

std::string text(queue_id id) {
    return std::to_string(static_cast<std::uint64_t>(id));
}

}  // namespace

journal_location fake_journal::write(std::string record) {
    records.push_back(std::move(record));
    ++last_;
    live_[next_serial_] = file;
    return {file, next_serial_++};
}

journal_location fake_journal::queue_declared(const queue_definition& what) {
    const journal_location at =
        write("queue_declared " + text(what.id) + " " + std::string(what.name));
    queues[what.id] = {
        std::string(what.vhost),
        std::string(what.name),
        std::string(what.arguments),
        what.auto_delete,
        what.delivered_up_to,
        at};
    return at;
}

journal_location fake_journal::adopt_queue(queue_id id, octets name) {
    return queue_declared({id, "/", name, false, {}, 0});
}

journal_location fake_journal::adopt_message(message_id id, std::span<const holding> in) {
    held_message held;
    for (const holding& each : in) {
        held.holders[each.queue] = each;
    }
    held.location = write("adopted " + std::to_string(id));
    messages[id] = held;
    return held.location;
}

void fake_journal::queue_deleted(queue_id id, octets, octets) {
    records.push_back("queue_deleted " + text(id));
    ++last_;
    if (queues.erase(id) == 0) {
        complain("queue_deleted of an unknown queue " + text(id));
    }
    for (auto& [page, held] : pages) {
        held.orphaned = held.orphaned || held.facts.of == id;
    }
    for (auto& [message, held] : messages) {
        held.orphaned = held.holders.erase(id) != 0 || held.orphaned;
    }
}

journal_location fake_journal::exchange_declared(const exchange_definition& what) {
    return write("exchange_declared " + std::string(what.name));
}

void fake_journal::exchange_deleted(octets, octets name) {
    records.push_back("exchange_deleted " + std::string(name));
    ++last_;
}

journal_location fake_journal::bound(const binding_definition& what) {
    return write(
        "bound " + std::string(what.exchange) + " " + std::string(what.target) + " " +
        std::string(what.routing_key));
}

void fake_journal::unbound(const binding_definition& what) {
    records.push_back(
        "unbound " + std::string(what.exchange) + " " + std::string(what.target) + " " +
        std::string(what.routing_key));
    ++last_;
}

journal_location fake_journal::published(
    const message& what,
    std::span<const holding> in,
    std::optional<held_copy> instead_of) {
    std::string record = "published " + std::to_string(what.id());
    held_message held;
    for (const holding& each : in) {
        record += " " + text(each.queue);
        held.holders[each.queue] = each;
        if (!queues.contains(each.queue)) {
            complain("published to an unknown queue " + text(each.queue));
        }
    }
    if (in.empty()) {
        complain("published without a queue: " + std::to_string(what.id()));
    }
    if (instead_of) {
        record +=
            " instead of " + text(instead_of->queue) + " " + std::to_string(instead_of->message);
    }
    if (instead_of && instead_of->page != 0) {
        kill("instead of", instead_of->page, instead_of->page_index, 0, instead_of->body_octets);
    } else if (instead_of) {
        if (held_message* gone = find_held("instead of", instead_of->queue, instead_of->message)) {
            gone->holders.erase(instead_of->queue);
        }
    }
    held.location = write(std::move(record));
    held.exchange = what.exchange();
    held.routing_key = what.routing_key();
    held.properties = what.properties();
    held.body = what.body();
    held.published_at_ms = what.published_at_ms;
    held.blob = what.blob;
    messages[what.id()] = held;  // again, when it is moved out of an old file
    return held.location;
}

journal_location fake_journal::delay_line_declared(queue_id id, octets vhost, octets exchange) {
    return queue_declared({id, vhost, "", false, exchange, 0});
}

journal_location fake_journal::delayed(
    const message& what,
    queue_id line,
    std::uint64_t due_ms,
    std::optional<held_copy> instead_of) {
    const holding in{line, 0, false};
    const journal_location at = published(what, {&in, 1}, instead_of);
    messages[what.id()].due_ms = due_ms;
    return at;
}

journal_location fake_journal::remembered(const dedup_mark& what) {
    return write(
        "remembered " + text(what.queue) + " " + std::string(what.exchange) + " " +
        std::string(what.key));
}

void fake_journal::forgotten(const dedup_mark& what) {
    records.push_back(
        "forgotten " + text(what.queue) + " " + std::string(what.exchange) + " " +
        std::string(what.key));
    ++last_;
}

journal_location fake_journal::setting_put(octets key, octets value) {
    const journal_location at = write("setting_put " + std::string(key));
    settings[std::string(key)] = {std::string(value), at};
    return at;
}

void fake_journal::setting_erased(octets key) {
    records.push_back("setting_erased " + std::string(key));
    ++last_;
    if (settings.erase(std::string(key)) == 0) {
        complain("setting_erased of an unknown key " + std::string(key));
    }
}

fake_journal::held_message* fake_journal::find_held(octets call, queue_id queue, message_id id) {
    const auto found = messages.find(id);
    if (found == messages.end() || !found->second.holders.contains(queue)) {
        complain(
            std::string(call) + " of message " + std::to_string(id) + ", which queue " +
            text(queue) + " does not hold");
        return nullptr;
    }
    return &found->second;
}

void fake_journal::settled(queue_id queue, message_id id) {
    records.push_back("settled " + text(queue) + " " + std::to_string(id));
    ++last_;
    if (held_message* held = find_held("settled", queue, id)) {
        held->holders.erase(queue);
    }
}

void fake_journal::returned(queue_id queue, message_id id, std::uint32_t delivery_count) {
    records.push_back(
        "returned " + text(queue) + " " + std::to_string(id) + " " +
        std::to_string(delivery_count));
    ++last_;
    if (held_message* held = find_held("returned", queue, id)) {
        held->holders[queue].delivery_count = delivery_count;
        held->holders[queue].redelivered = true;
    }
}

void fake_journal::delivered(queue_id queue, message_id id) {
    records.push_back("delivered " + text(queue) + " " + std::to_string(id));
    ++last_;
    const auto found = queues.find(queue);
    if (found == queues.end()) {
        complain("a mark for the unknown queue " + text(queue));
        return;
    }
    if (found->second.delivered_up_to >= id) {
        complain("the mark went back in queue " + text(queue));
    }
    found->second.delivered_up_to = id;
}

void fake_journal::mark_lowered(queue_id queue, message_id id) {
    records.push_back("mark_lowered " + text(queue) + " " + std::to_string(id));
    ++last_;
    const auto found = queues.find(queue);
    if (found == queues.end() || found->second.delivered_up_to <= id) {
        complain("no mark to be lowered in queue " + text(queue));
        return;
    }
    found->second.delivered_up_to = id;
}

journal_location fake_journal::paged(const page_facts& what, std::span<const message_id> moved) {
    if (!queues.contains(what.of)) {
        complain("a page of an unknown queue " + text(what.of));
    }
    for (const message_id id : moved) {
        if (held_message* held = find_held("paged", what.of, id)) {
            held->holders.erase(what.of);
        }
    }
    const journal_location at = write("paged " + text(what.of) + " " + std::to_string(what.id));
    held_page& held = pages[what.id];
    held.facts = what;
    held.location = at;
    held.ids.insert(moved.begin(), moved.end());
    return at;
}

std::set<message_id> fake_journal::blobs() const {
    std::set<message_id> all;
    for (const auto& [id, held] : messages) {
        if (held.blob != 0 && !held.holders.empty()) {
            all.insert(held.blob);
        }
    }
    for (const auto& [id, held] : pages) {
        for (const blob_use& each : held.facts.blobs) {
            if (!held.facts.dead.has(each.index)) {
                all.insert(each.blob);
            }
        }
    }
    return all;
}

fake_journal::held_page* fake_journal::find_page(octets call, page_id id) {
    const auto found = pages.find(id);
    if (found == pages.end() || found->second.orphaned) {
        complain(std::string(call) + " in page " + std::to_string(id) + ", which is not there");
        return nullptr;
    }
    return &found->second;
}

void fake_journal::kill(
    octets call,
    page_id id,
    std::uint32_t first,
    std::uint32_t more,
    std::uint64_t octets) {
    held_page* const held = find_page(call, id);
    if (held == nullptr) {
        return;
    }
    for (std::uint32_t index = first; index <= first + more; ++index) {
        if (index >= held->facts.count || !held->facts.dead.add(index)) {
            complain("dead already: page " + std::to_string(id) + ", " + std::to_string(index));
        }
    }
    if (octets > held->facts.body_octets) {
        complain("more bodies than there are in page " + std::to_string(id));
    }
    held->facts.body_octets -= octets;
}

void fake_journal::page_settled(
    std::uint64_t page,
    std::uint32_t first,
    std::uint32_t more,
    std::uint64_t body_octets) {
    records.push_back(
        "page_settled " + std::to_string(page) + " " + std::to_string(first) + " " +
        std::to_string(more));
    ++last_;
    kill("page_settled", page, first, more, body_octets);
}

void fake_journal::page_returned(
    std::uint64_t page,
    std::uint32_t index,
    std::uint32_t delivery_count) {
    records.push_back(
        "page_returned " + std::to_string(page) + " " + std::to_string(index) + " " +
        std::to_string(delivery_count));
    ++last_;
    if (held_page* held = find_page("page_returned", page)) {
        held->facts.returned[index] = delivery_count;
    }
}

void fake_journal::page_dropped(std::uint64_t page) {
    records.push_back("page_dropped " + std::to_string(page));
    ++last_;
    if (held_page* held = find_page("page_dropped", page)) {
        for (std::uint32_t index = 0; index < held->facts.count; ++index) {
            held->facts.dead.add(index);
        }
    }
}

void fake_journal::released(journal_location location) {
    records.push_back("released " + std::to_string(location.record_octets));
    const auto found = live_.find(location.record_octets);
    if (found == live_.end() || found->second != location.file) {
        complain(
            "released twice or never given: location " + std::to_string(location.record_octets));
        return;
    }
    live_.erase(found);
    std::erase_if(pages, [&](const auto& each) {
        const held_page& held = each.second;
        if (held.location.record_octets != location.record_octets) {
            return false;
        }
        page all{held.facts};
        all.all_wait();
        if (all.live() != 0 && !held.orphaned) {
            complain("released while messages live in page " + std::to_string(each.first));
        }
        return true;
    });
    std::erase_if(messages, [&](const auto& each) {
        const held_message& held = each.second;
        if (held.location.record_octets != location.record_octets) {
            return false;
        }
        if (!held.holders.empty()) {
            complain("released while held: message " + std::to_string(each.first));
        }
        return true;
    });
}

std::vector<std::string> fake_journal::complaints() const {
    std::vector<std::string> all = complaints_;
    for (const auto& [id, held] : messages) {
        if (held.holders.empty() && !held.orphaned) {
            all.push_back("not released: message " + std::to_string(id));
        }
    }
    return all;
}

std::size_t fake_journal::count(octets call) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        records, [&](const std::string& record) { return record.starts_with(call); }));
}

std::size_t fake_journal::live_in(std::uint64_t which) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(live_, [&](const auto& each) { return each.second == which; }));
}

}  // namespace lovage::broker::test
