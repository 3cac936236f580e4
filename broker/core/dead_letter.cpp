// vhost::dead_letter: what RabbitMQ does to a message that died, with the headers by which clients
// know it (x-death, x-first-death-*), and its rule against cycles.
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"
#include "framework/amqp/properties.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace lovage::broker {
namespace {

using amqp::field_array;
using amqp::field_value;
using amqp::table;

/// Deaths in different queues or for different reasons after which a message is dropped. RabbitMQ
/// has no such bound, but there a chain of full queues does not keep everybody else waiting.
constexpr std::size_t deaths_max = 128;

octets text_of(const table& entry, octets name) {
    const field_value* value = entry.find(name);
    return value == nullptr ? octets{} : value->text().value_or(octets{});
}

/// The further routing keys of header CC; what it was published with has been checked.
std::vector<std::string> copies_of(const table& headers) {
    std::vector<std::string> keys;
    const field_value* value = headers.find("CC");
    if (const auto* list = value == nullptr ? nullptr : value->as<field_array>()) {
        for (const field_value& key : *list) {
            if (const auto* text = key.as<std::string>()) {
                keys.push_back(*text);
            }
        }
    }
    return keys;
}

struct death {
    const queue* from = nullptr;
    const message* dead = nullptr;
    octets reason;
    std::uint64_t now_ms = 0;
    std::optional<std::string> expiration;
    std::vector<std::string> copies;
};

table make_entry(const death& now) {
    table entry;
    entry.add("count", std::int64_t{1});
    entry.add("reason", std::string(now.reason));
    entry.add("queue", now.from->name());
    entry.add("time", amqp::timestamp{now.now_ms / 1000});
    entry.add("exchange", std::string(now.dead->exchange()));
    field_array keys{std::string(now.dead->routing_key())};
    keys.insert(keys.end(), now.copies.begin(), now.copies.end());
    entry.add("routing-keys", std::move(keys));
    if (now.expiration) {
        entry.add("original-expiration", *now.expiration);
    }
    return entry;
}

/// The list with this death in front; the same queue and reason again count up their entry.
field_array updated_deaths(const table& headers, const death& now) {
    field_array deaths;
    if (const field_value* old = headers.find("x-death"); old != nullptr) {
        if (const auto* list = old->as<field_array>()) {
            deaths = *list;
        }
    }
    const auto same = std::ranges::find_if(deaths, [&](const field_value& value) {
        const auto* entry = value.as<table>();
        return entry != nullptr && text_of(*entry, "queue") == now.from->name() &&
               text_of(*entry, "reason") == now.reason;
    });
    if (same == deaths.end()) {
        deaths.insert(deaths.begin(), make_entry(now));
        return deaths;
    }
    table entry = *same->as<table>();
    const field_value* count = entry.find("count");
    const std::int64_t before = count == nullptr ? 0 : count->integer().value_or(0);
    // The header may be a publisher's own making.
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    entry.set("count", before < 0 ? std::int64_t{1} : before + (before == most ? 0 : 1));
    deaths.erase(same);
    deaths.insert(deaths.begin(), std::move(entry));
    return deaths;
}

/// Was it in that queue before, and in none since refused by a consumer? Then it would go round
/// for ever without anybody's doing.
bool is_cycle(const field_array& deaths, octets queue_name) {
    for (const field_value& value : deaths) {
        const auto* entry = value.as<table>();
        if (entry == nullptr) {
            continue;
        }
        if (text_of(*entry, "reason") == "rejected") {
            return false;
        }
        if (text_of(*entry, "queue") == queue_name) {
            return true;
        }
    }
    return false;
}

table sorted(const table& headers) {
    // Equal names keep their order.
    std::multimap<std::string, field_value> by_name{headers.begin(), headers.end()};
    table result;
    for (auto& [name, value] : by_name) {
        result.add(name, std::move(value));
    }
    return result;
}

}  // namespace

bool vhost::dead_letter(const queue& from, const message& dead, octets reason, bool held) {
    if (!from.rules().dead_letter_exchange) {
        return false;  // a policy has gone while it waited
    }
    auto properties = amqp::read_properties(dead.properties());
    const octets exchange_name = *from.rules().dead_letter_exchange;
    exchange* through = exchange_name.empty() ? nullptr : find_exchange(exchange_name);
    if (!properties || (through == nullptr && !exchange_name.empty())) {
        return false;
    }
    table headers = properties->headers.value_or(table{});
    const death now{
        &from, &dead, reason, owner_.wall_ms(), properties->expiration, copies_of(headers)};
    const field_array deaths = updated_deaths(headers, now);
    if (deaths.size() > deaths_max) {
        owner_.note_dropped_dead_letter(from.name());
        return false;
    }
    if (headers.find("x-first-death-reason") == nullptr) {
        headers.set("x-first-death-reason", std::string(reason));
        headers.set("x-first-death-queue", from.name());
        headers.set("x-first-death-exchange", std::string(dead.exchange()));
    }
    publication moved;
    const octets key = from.rules().dead_letter_routing_key
                           ? octets{*from.rules().dead_letter_routing_key}
                           : dead.routing_key();
    if (from.rules().dead_letter_routing_key) {
        headers.erase("CC");
    } else {
        moved.copies = now.copies;
    }
    headers.set("x-death", deaths);
    properties->headers = sorted(headers);
    properties->expiration.reset();

    byte_buffer encoded;
    amqp::write_properties(encoded, *properties);
    moved.parts = {exchange_name, key, encoded.view(), dead.body()};
    moved.blob = dead.blob;
    moved.persistent = dead.persistent;
    moved.priority = dead.priority;
    moved.published_at_ms = owner_.wall_ms();
    moved.moves = held || dead.moved;
    if (held) {
        moved.instead_of = copy_in(from.id(), dead);
    }
    find_targets(through, moved);
    std::erase_if(targets_, [&](const queue* target) { return is_cycle(deaths, target->name()); });
    // A consumer that refuses may do so for ever. What dies by itself must not multiply without
    // end: through n queues whose messages expire at once, all bound to one exchange, go n! copies.
    const auto copies = static_cast<std::uint32_t>(targets_.size() + held_back_.size());
    moved.deaths_left =
        reason == "rejected" ? message::deaths_max : dead.deaths_left / std::max(copies, 1U);
    if (moved.deaths_left == 0) {
        owner_.note_dropped_dead_letter(from.name());
        return false;
    }
    return deliver_to_targets(moved).replaced;
}

}  // namespace lovage::broker
