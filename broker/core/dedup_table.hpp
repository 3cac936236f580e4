// What a queue or an exchange has taken lately, by the values of the header x-deduplication-header,
// each until its time is over; so many at most, the oldest goes first.
// Owned by the queue or exchange, called by the vhost on the engine's thread, which writes the
// journal. Knows no clock.
//
// Invariant: by_key_ has each entry of entries_ once, under its key.
#pragma once

#include "broker/core/fault.hpp"
#include "broker/core/journal.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <limits>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lovage::broker {

struct dedup_limits {
    static constexpr std::uint64_t forever = std::numeric_limits<std::uint64_t>::max();

    /// Room for each key. Longer ones take the room of others: a table is bounded in octets too.
    static constexpr std::uint64_t key_octets = 256;

    std::uint64_t entries_max = 0;
    std::uint64_t window_ms = forever;  ///< of messages that say nothing else

    bool operator==(const dedup_limits&) const = default;
};

/// What a message says about its duplicates.
struct dedup_key {
    std::string text;
    std::optional<std::uint64_t> window_ms;  ///< header x-cache-ttl
};

class dedup_table {
public:
    struct entry {
        std::string key;
        std::uint64_t until_ms = 0;  ///< Unix time
        journal_location location;
    };

    /// Its footprint is added to `account` and taken off again.
    dedup_table(const dedup_limits& limits, std::uint64_t& account)
        : limits_(limits), account_(account) {}
    ~dedup_table();
    dedup_table(const dedup_table&) = delete;
    dedup_table& operator=(const dedup_table&) = delete;

    [[nodiscard]] bool has(octets key, std::uint64_t now_ms) const;
    /// When a key that comes now will be forgotten.
    [[nodiscard]] std::uint64_t until_ms(const dedup_key& key, std::uint64_t now_ms) const;
    /// The key must not be there unless its time is over. `gone` takes the locations of entries
    /// that make room.
    void add(entry added, std::uint64_t now_ms, std::vector<journal_location>& gone);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// The oldest first.
    [[nodiscard]] std::list<entry>& entries() { return entries_; }
    void check_invariants() const;

private:
    void drop(std::list<entry>::iterator gone, std::vector<journal_location>& locations);

    dedup_limits limits_;
    std::uint64_t& account_;
    std::uint64_t key_octets_ = 0;  // of all entries
    std::list<entry> entries_;
    std::unordered_map<octets, std::list<entry>::iterator> by_key_;  // views of the entries' keys
};

/// Reads the arguments x-cache-size and x-cache-ttl (integers, or text as the plugin's users write
/// it) over what `into` has; a size of 0 there means that the argument must be given. `place` is
/// for the fault, e.g. "queue 'q' in vhost '/'".
fault read_dedup_limits(const amqp::table& arguments, octets place, dedup_limits& into);

/// Of a message with these encoded properties, which have passed scan_properties; nothing without
/// the header or if its value is a list or a table.
[[nodiscard]] std::optional<dedup_key> read_dedup_key(octets properties);

}  // namespace lovage::broker
