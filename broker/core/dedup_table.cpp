#include "broker/core/dedup_table.hpp"

#include "broker/core/inequivalence.hpp"
#include "framework/amqp/properties.hpp"
#include "framework/amqp/table_codec.hpp"

#include <cassert>
#include <charconv>

namespace lovage::broker {
namespace {

constexpr octets key_header = "x-deduplication-header";
/// With its length in front, as it is encoded: a cheap look for messages that may have it.
constexpr octets encoded_key_header{"\26x-deduplication-header", 23};
constexpr octets size_argument = "x-cache-size";
constexpr octets window_header = "x-cache-ttl";

std::size_t footprint(const dedup_table::entry& of) {
    constexpr std::size_t nodes = 64;  // of list and map, about
    return sizeof of + of.key.size() + nodes;
}

/// More would be a mistake: each takes some hundred octets.
constexpr std::uint64_t entries_bound = 10'000'000;

std::optional<std::int64_t> number(const amqp::field_value& value) {
    const auto text = value.text();
    if (!text) {
        return value.integer();
    }
    std::int64_t read = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, read);
    return error == std::errc{} && stop == end ? std::optional{read} : std::nullopt;
}

fault invalid(octets name, octets place, octets why) {
    return channel_fault(
        amqp::reply_code::precondition_failed,
        "invalid arg '" + std::string(name) + "' for " + std::string(place) + ": " +
            std::string(why));
}

bool is_composite(const amqp::field_value& value) {
    return value.as<amqp::table>() != nullptr || value.as<amqp::field_array>() != nullptr;
}

}  // namespace

dedup_table::~dedup_table() {
    for (const entry& each : entries_) {
        account_ -= footprint(each);
    }
}

bool dedup_table::has(octets key, std::uint64_t now_ms) const {
    const auto found = by_key_.find(key);
    return found != by_key_.end() && found->second->until_ms > now_ms;
}

std::uint64_t dedup_table::until_ms(const dedup_key& key, std::uint64_t now_ms) const {
    const std::uint64_t window = key.window_ms.value_or(limits_.window_ms);
    return window > dedup_limits::forever - now_ms ? dedup_limits::forever : now_ms + window;
}

void dedup_table::add(entry added, std::uint64_t now_ms, std::vector<journal_location>& gone) {
    const std::uint64_t room = limits_.entries_max * dedup_limits::key_octets;
    if (const auto old = by_key_.find(added.key); old != by_key_.end()) {
        drop(old->second, gone);
    }
    while (!entries_.empty() &&
           (entries_.size() >= limits_.entries_max || entries_.front().until_ms <= now_ms ||
            key_octets_ + added.key.size() > room)) {
        drop(entries_.begin(), gone);
    }
    key_octets_ += added.key.size();
    account_ += footprint(entries_.emplace_back(std::move(added)));
    by_key_[entries_.back().key] = std::prev(entries_.end());
}

void dedup_table::drop(std::list<entry>::iterator gone, std::vector<journal_location>& locations) {
    if (gone->location.record_octets != 0) {
        locations.push_back(gone->location);
    }
    account_ -= footprint(*gone);
    key_octets_ -= gone->key.size();
    by_key_.erase(gone->key);
    entries_.erase(gone);
}

void dedup_table::check_invariants() const {
    assert(by_key_.size() == entries_.size());
    std::uint64_t key_octets = 0;
    for (const entry& each : entries_) {
        assert(by_key_.contains(each.key));
        key_octets += each.key.size();
    }
    assert(key_octets == key_octets_);
    static_cast<void>(key_octets);
}

fault read_dedup_limits(const amqp::table& arguments, octets place, dedup_limits& into) {
    if (const auto* size = arguments.find(size_argument)) {
        const auto count = number(*size);
        if (!count || *count < 1 || static_cast<std::uint64_t>(*count) > entries_bound) {
            return invalid(size_argument, place, "must be a number from 1 to 10000000");
        }
        into.entries_max = static_cast<std::uint64_t>(*count);
    }
    if (into.entries_max == 0) {
        return invalid(size_argument, place, "must be given");
    }
    if (const auto* window = arguments.find(window_header)) {
        const auto ms = number(*window);
        if (!ms || *ms < 1) {
            return invalid(window_header, place, "must be a positive number of milliseconds");
        }
        into.window_ms = static_cast<std::uint64_t>(*ms);
    }
    return no_fault;
}

std::optional<dedup_key> read_dedup_key(octets properties) {
    if (properties.find(encoded_key_header) == octets::npos) {
        return std::nullopt;
    }
    const auto known = amqp::scan_properties(properties);
    if (!known || !known->headers) {
        return std::nullopt;
    }
    bool ok = true;
    const amqp::table headers = amqp::read_table_content(*known->headers, ok);
    const amqp::field_value* value = headers.find(key_header);
    if (value == nullptr || is_composite(*value)) {
        return std::nullopt;
    }
    dedup_key key;
    // A number is the same in every width, but not the same as its text.
    key.text = value->text() ? "s" : value->integer() ? "i" : std::string(value->type_name());
    key.text += printed_value(*value);
    if (const auto* window = headers.find(window_header); window != nullptr) {
        if (const auto ms = number(*window); ms && *ms >= 0) {
            key.window_ms = static_cast<std::uint64_t>(*ms);
        }
    }
    return key;
}

}  // namespace lovage::broker
