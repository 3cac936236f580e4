#include "broker/core/router.hpp"

#include "broker/core/exchange.hpp"
#include "broker/core/headers_router.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker {
namespace {

constexpr std::array<octets, 4> type_names{"direct", "fanout", "topic", "headers"};

/// Targets with the number of their bindings.
class counted_targets {
public:
    void add(route_target* target) {
        const auto there = std::ranges::find(entries_, target, &entry::target);
        if (there != entries_.end()) {
            ++there->count;
        } else {
            entries_.push_back({target, 1});
        }
    }
    void remove(route_target* target) {
        const auto there = std::ranges::find(entries_, target, &entry::target);
        if (there != entries_.end() && --there->count == 0) {
            entries_.erase(there);
        }
    }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    void append_to(std::vector<route_target*>& into) const {
        for (const entry& e : entries_) {
            into.push_back(e.target);
        }
    }

private:
    struct entry {
        route_target* target = nullptr;
        std::uint32_t count = 0;
    };
    std::vector<entry> entries_;
};

class direct_router final : public router {
public:
    void add(const binding& what) override { by_key_[what.key].add(what.target); }
    void remove(const binding& what) override {
        const auto found = by_key_.find(what.key);
        if (found == by_key_.end()) {
            return;
        }
        found->second.remove(what.target);
        if (found->second.empty()) {
            by_key_.erase(found);
        }
    }
    void match(octets key, message_headers&, std::vector<route_target*>& into) override {
        if (const auto found = by_key_.find(key); found != by_key_.end()) {
            found->second.append_to(into);
        }
    }

private:
    octets_map<counted_targets> by_key_;
};

class fanout_router final : public router {
public:
    void add(const binding& what) override { targets_.add(what.target); }
    void remove(const binding& what) override { targets_.remove(what.target); }
    void match(octets, message_headers&, std::vector<route_target*>& into) override {
        targets_.append_to(into);
    }

private:
    counted_targets targets_;
};

class topic_router final : public router {
public:
    void add(const binding& what) override { trie_.add(what.key, what.target); }
    void remove(const binding& what) override { trie_.remove(what.key, what.target); }
    void match(octets key, message_headers&, std::vector<route_target*>& into) override {
        trie_.match(key, into);
    }

private:
    topic_trie trie_;
};

}  // namespace

std::unique_ptr<router> make_router(exchange_type type) {
    switch (type) {
        case exchange_type::direct: return std::make_unique<direct_router>();
        case exchange_type::fanout: return std::make_unique<fanout_router>();
        case exchange_type::topic: return std::make_unique<topic_router>();
        case exchange_type::headers: return std::make_unique<headers_router>();
    }
    return nullptr;
}

std::optional<exchange_type> parse_exchange_type(octets name) {
    const auto found = std::ranges::find(type_names, name);
    if (found == type_names.end()) {
        return std::nullopt;
    }
    return static_cast<exchange_type>(found - type_names.begin());
}

octets exchange_type_name(exchange_type type) {
    return type_names[static_cast<unsigned>(type)];
}

}  // namespace lovage::broker
