#include "broker/store/replay.hpp"

#include <algorithm>
#include <functional>

namespace lovage::broker::store {
namespace {

/// The key of deleted_: kind, then both names so that no two pairs look the same.
std::string deleted_key(char kind, octets vhost, octets name) {
    std::string key{kind};
    key += std::to_string(vhost.size());
    key += ':';
    key += vhost;
    key += name;
    return key;
}

/// Dead messages are swept out when there are more of them, and more than living ones.
constexpr std::size_t dead_kept_max = 4096;

bool is_dead(const replay::stored_message& stored) {
    return stored.where.file == 0;
}

location location_of(const record_place& place) {
    return {place.file, place.bytes};
}

}  // namespace

bool replay::apply(record_type type, octets payload, const record_place& place) {
    switch (type) {
        case record_type::batch: {
            payload_reader in{payload};
            in.varint();
            return marks(in);
        }
        case record_type::delivered: {
            payload_reader in{payload};
            return marks(in);
        }
        case record_type::queue_declared: return queue_declared(payload, place);
        case record_type::queue_deleted: return queue_deleted(payload, place);
        case record_type::exchange_declared: return exchange_declared(payload, place);
        case record_type::exchange_deleted: return exchange_deleted(payload, place);
        case record_type::bound: return bound(payload, place);
        case record_type::unbound: {
            binding_record record;
            bindings_.erase(std::string{payload});
            return read_payload(payload, record);
        }
        case record_type::published: return published(payload, place);
        case record_type::settled: return settled(payload);
        case record_type::returned: return returned(payload);
        case record_type::paged: return paged(payload, place);
        case record_type::page_settled: return page_settled(payload);
        case record_type::page_returned: return page_returned(payload);
        case record_type::page_dropped: return page_dropped(payload);
        case record_type::mark_lowered: return mark_lowered(payload);
        case record_type::message:
        case record_type::segment_end:
        case record_type::body: return false;  // of segments and blobs
        case record_type::reclaimed: return reclaimed(payload, place);
        case record_type::setting_put:
        case record_type::setting_erased: return setting(type, payload, place);
    }
    return false;
}

bool replay::marks(payload_reader& in) {
    while (in.ok() && !in.at_end()) {
        const queue_id queue = in.varint();
        message_id& mark = marks_[queue];
        mark = std::max(mark, in.varint());
        saw(queue, mark);
    }
    return in.ok();
}

bool replay::mark_lowered(octets payload) {
    payload_reader in{payload};
    const queue_id queue = in.varint();
    const message_id mark = in.varint();
    if (!in.ok() || !in.at_end()) {
        return false;
    }
    marks_[queue] = mark;
    if (const auto found = queues_.find(queue); found != queues_.end()) {
        found->second.delivered = mark;
    }
    return true;
}

bool replay::queue_declared(octets payload, const record_place& place) {
    queue_record record;
    if (!read_payload(payload, record)) {
        return false;
    }
    saw(record.id, record.delivered);
    queues_[record.id] = {
        record.id,
        record.flags,
        record.delivered,
        false,
        std::string{record.vhost},
        std::string{record.name},
        std::string{record.arguments},
        location_of(place)};
    return true;
}

bool replay::queue_deleted(octets payload, const record_place& place) {
    payload_reader in{payload};
    const queue_id id = in.varint();
    const octets vhost = in.text();
    const octets name = in.text();
    if (!in.ok()) {
        return false;
    }
    // Its messages are dropped at the end, because their declaration is not found then.
    saw(id, 0);
    queues_.erase(id);
    marks_.erase(id);
    deleted_[deleted_key('q', vhost, name)] = place.number;
    return in.at_end();
}

bool replay::exchange_declared(octets payload, const record_place& place) {
    exchange_record record;
    if (!read_payload(payload, record)) {
        return false;
    }
    exchanges_[{std::string{record.vhost}, std::string{record.name}}] = {
        record.flags,
        std::string{record.vhost},
        std::string{record.name},
        std::string{record.type},
        std::string{record.arguments},
        location_of(place)};
    return true;
}

bool replay::exchange_deleted(octets payload, const record_place& place) {
    payload_reader in{payload};
    const octets vhost = in.text();
    const octets name = in.text();
    if (!in.ok()) {
        return false;
    }
    exchanges_.erase({std::string{vhost}, std::string{name}});
    deleted_[deleted_key('e', vhost, name)] = place.number;
    return in.at_end();
}

bool replay::bound(octets payload, const record_place& place) {
    binding_record record;
    if (!read_payload(payload, record)) {
        return false;
    }
    bindings_[std::string{payload}] = {location_of(place), place.number};
    return true;
}

bool replay::published(octets payload, const record_place& place) {
    publish_record record;
    if (!read_payload(payload, record, scratch_)) {
        return false;
    }
    for (const queue_entry& entry : record.queues) {
        saw(entry.queue, record.id);
    }
    stored_message& stored = place_for(record.id);
    stored.offset = place.offset;
    stored.where = location_of(place);
    set_entries(stored, record.queues);
    if (record.blob.blob != 0) {
        blobs_[record.id] = record.blob;
    } else if (!blobs_.empty()) {
        blobs_.erase(record.id);
    }
    if (record.queues.empty()) {
        forget(stored);
    }
    if (record.replaces) {
        const message_ref& gone = *record.replaces;
        if (gone.page != 0) {
            return settle_in_page({gone.page, gone.index, 0, gone.body_bytes});
        }
        saw(gone.queue, gone.message);
        settle({gone.queue, gone.message, 0});
    }
    return true;
}

std::size_t replay::position(message_id id) const {
    if (messages_.empty() || id <= messages_.front().id) {
        return 0;
    }
    const message_id last = messages_.back().id;
    if (id > last) {
        return messages_.size();
    }
    // Each id takes one place at most, which leaves few places when hardly any are missing.
    const std::size_t highest =
        std::min<std::uint64_t>(messages_.size() - 1, id - messages_.front().id);
    const std::uint64_t from_end = std::min<std::uint64_t>(messages_.size() - 1, last - id);
    const auto begin = messages_.begin();
    const auto found = std::lower_bound(
        begin + static_cast<std::ptrdiff_t>(messages_.size() - 1 - from_end),
        begin + static_cast<std::ptrdiff_t>(highest),
        id,
        [](const stored_message& stored, message_id wanted) { return stored.id < wanted; });
    return static_cast<std::size_t>(found - begin);
}

replay::stored_message* replay::find(message_id id) {
    const std::size_t at = position(id);
    if (at != messages_.size() && messages_[at].id == id) {
        return messages_[at].where.file != 0 ? &messages_[at] : nullptr;
    }
    const auto found = moved_.find(id);
    return found != moved_.end() && found->second.where.file != 0 ? &found->second : nullptr;
}

replay::stored_message& replay::place_for(message_id id) {
    if (messages_.empty() || id > messages_.back().id) {
        if (dead_ > dead_kept_max && dead_ * 2 > messages_.size()) {
            std::erase_if(messages_, is_dead);
            dead_ = 0;
        }
        messages_.emplace_back();
        messages_.back().id = id;
        return messages_.back();
    }
    const std::size_t at = position(id);
    if (messages_[at].id == id) {
        dead_ -= is_dead(messages_[at]) ? 1U : 0U;
        return messages_[at];
    }
    stored_message& stored = moved_[id];
    stored.id = id;
    return stored;
}

void replay::set_entries(stored_message& of, std::span<const queue_entry> entries) {
    if (of.several != 0) {
        several_[of.several - 1].clear();
        of.several = 0;
    }
    of.only = {};
    if (entries.size() == 1) {
        of.only = entries.front();
    } else if (entries.size() > 1) {
        several_.emplace_back(entries.begin(), entries.end());
        of.several = static_cast<std::uint32_t>(several_.size());
    }
}

bool replay::settled(octets payload) {
    payload_reader in{payload};
    settled_reader runs;
    while (in.ok() && !in.at_end()) {
        const settled_run run = runs.read(in);
        if (!in.ok() || run.first + run.more < run.first) {
            return false;
        }
        saw(run.queue, run.first + run.more);
        settle(run);
    }
    return in.ok();
}

void replay::settle(const settled_run& run) {
    for (std::size_t at = position(run.first);
         at != messages_.size() && messages_[at].id - run.first <= run.more;
         ++at) {
        settle_in(run.queue, messages_[at]);
    }
    if (run.more < moved_.size()) {
        for (message_id id = run.first; id - run.first <= run.more; ++id) {
            if (const auto found = moved_.find(id); found != moved_.end()) {
                settle_in(run.queue, found->second);
            }
        }
        return;
    }
    for (auto& [id, stored] : moved_) {
        if (id - run.first <= run.more) {
            settle_in(run.queue, stored);
        }
    }
}

void replay::settle_in(queue_id queue, stored_message& in) {
    if (is_dead(in)) {
        return;
    }
    if (in.several == 0) {
        if (in.only.queue == queue) {
            forget(in);
        }
        return;
    }
    auto& entries = several_[in.several - 1];
    std::erase_if(entries, [&](const queue_entry& entry) { return entry.queue == queue; });
    if (entries.empty()) {
        forget(in);
    }
}

void replay::forget(stored_message& gone) {
    set_entries(gone, {});
    gone.where = {};
    const std::less<const stored_message*> before;
    const stored_message* const end = messages_.data() + messages_.size();
    const bool in_order = !before(&gone, messages_.data()) && before(&gone, end);
    dead_ += in_order ? 1U : 0U;
}

bool replay::returned(octets payload) {
    payload_reader in{payload};
    const queue_id queue = in.varint();
    const message_id id = in.varint();
    const std::uint64_t count = in.varint();
    if (!in.ok() || !in.at_end() || count > std::numeric_limits<std::uint32_t>::max()) {
        return false;
    }
    saw(queue, id);
    if (stored_message* const stored = find(id)) {
        for (queue_entry& entry : entries_of(*stored)) {
            if (entry.queue == queue) {
                entry.redelivered = true;
                entry.delivery_count = static_cast<std::uint32_t>(count);
            }
        }
    }
    return true;
}

bool replay::setting(record_type type, octets payload, const record_place& place) {
    payload_reader in{payload};
    const std::string key{in.text()};
    if (type == record_type::setting_erased) {
        settings_.erase(key);
    } else {
        settings_[key] = {key, std::string{in.text()}, location_of(place)};
    }
    return in.ok() && in.at_end();
}

bool replay::reclaimed(octets payload, const record_place& place) {
    payload_reader in{payload};
    const std::uint64_t file = in.varint();
    // The file that says so is needed at least for that.
    if (!in.ok() || !in.at_end() || file < first_needed_ || file > place.file) {
        return false;
    }
    first_needed_ = static_cast<file_number>(file);
    return true;
}

void replay::finish() {
    finish_messages();
    finish_pages();
    finish_blobs();
    finish_definitions();
}

void replay::finish_messages() {
    boost::unordered::erase_if(
        queues_, [this](const auto& queue) { return queue.second.where.file < first_needed_; });
    for (auto& [id, queue] : queues_) {
        message_id& mark = marks_[id];
        queue.marked = mark > queue.delivered;
        queue.delivered = mark = std::max(mark, queue.delivered);
    }
    for (const auto& [id, stored] : moved_) {
        messages_.push_back(stored);
    }
    if (!moved_.empty()) {
        moved_.clear();
        const auto by_id = [](const stored_message& left, const stored_message& right) {
            return left.id < right.id;
        };
        std::sort(messages_.begin(), messages_.end(), by_id);
    }
    for (stored_message& stored : messages_) {
        if (stored.where.file < first_needed_) {
            stored.where = {};  // the dead are below it too
            continue;
        }
        scratch_.clear();
        for (queue_entry& entry : entries_of(stored)) {
            if (queues_.contains(entry.queue)) {
                entry.redelivered = entry.redelivered || stored.id <= marks_[entry.queue];
                scratch_.push_back(entry);
            } else if (entry.queue != 0) {
                ++homeless_[entry.queue];
            }
        }
        if (scratch_.empty()) {
            stored.where = {};
        } else if (scratch_.size() != entries_of(stored).size()) {
            set_entries(stored, scratch_);
        }
    }
    std::erase_if(messages_, is_dead);
}

void replay::finish_blobs() {
    for (const auto& [message, ref] : blobs_) {
        if (find(message) != nullptr) {
            blob_list_[ref.blob] = ref.bytes;
        }
    }
    blobs_.clear();
    for (const recovered_page& page : page_list_) {
        for (const paged_blob& each : page.blobs) {
            blob_list_[each.ref.blob] = each.ref.bytes;
        }
    }
}

void replay::finish_definitions() {
    const auto needed = [&](location where) { return where.file >= first_needed_; };
    for (auto& [id, queue] : queues_) {
        queue_list_.push_back(std::move(queue));
    }
    std::sort(queue_list_.begin(), queue_list_.end(), [](const auto& left, const auto& right) {
        return left.id < right.id;
    });
    for (auto& [names, exchange] : exchanges_) {
        if (needed(exchange.where)) {
            exchange_list_.push_back(std::move(exchange));
        }
    }
    const auto deleted_since = [&](char kind, octets vhost, octets name, lsn number) {
        const auto found = deleted_.find(deleted_key(kind, vhost, name));
        return found != deleted_.end() && found->second > number;
    };
    std::map<std::string, recovered_binding> sorted;  // the same order whatever the hash
    for (const auto& [payload, at] : bindings_) {
        binding_record record;
        if (!needed(at.where) || !read_payload(payload, record)) {
            continue;
        }
        const char target = record.target == binding_target::queue ? 'q' : 'e';
        if (deleted_since('e', record.vhost, record.source, at.number) ||
            deleted_since(target, record.vhost, record.destination, at.number)) {
            continue;
        }
        sorted[payload] = {
            record.target,
            std::string{record.vhost},
            std::string{record.source},
            std::string{record.destination},
            std::string{record.routing_key},
            std::string{record.arguments},
            at.where};
    }
    for (auto& [payload, binding] : sorted) {
        binding_list_.push_back(std::move(binding));
    }
    for (auto& [key, setting] : settings_) {
        if (needed(setting.where)) {
            setting_list_.push_back(std::move(setting));
        }
    }
}

}  // namespace lovage::broker::store
