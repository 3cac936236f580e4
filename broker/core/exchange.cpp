#include "broker/core/exchange.hpp"

#include "broker/core/queue.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker {
namespace {

constexpr std::array<octets, 3> type_names{"direct", "fanout", "topic"};

/// Queues with the number of their bindings.
class counted_queues {
public:
    void add(queue* target) {
        const auto there = std::ranges::find(entries_, target, &entry::target);
        if (there != entries_.end()) {
            ++there->count;
        } else {
            entries_.push_back({target, 1});
        }
    }
    void remove(queue* target) {
        const auto there = std::ranges::find(entries_, target, &entry::target);
        if (there != entries_.end() && --there->count == 0) {
            entries_.erase(there);
        }
    }
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    void append_to(std::vector<queue*>& into) const {
        for (const entry& e : entries_) {
            into.push_back(e.target);
        }
    }

private:
    struct entry {
        queue* target = nullptr;
        std::uint32_t count = 0;
    };
    std::vector<entry> entries_;
};

class direct_router final : public router {
public:
    void add(octets key, queue* target) override { by_key_[std::string(key)].add(target); }
    void remove(octets key, queue* target) override {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) {
            return;
        }
        found->second.remove(target);
        if (found->second.empty()) {
            by_key_.erase(found);
        }
    }
    void match(octets key, std::vector<queue*>& into) override {
        if (const auto found = by_key_.find(key); found != by_key_.end()) {
            found->second.append_to(into);
        }
    }

private:
    octets_map<counted_queues> by_key_;
};

class fanout_router final : public router {
public:
    void add(octets, queue* target) override { queues_.add(target); }
    void remove(octets, queue* target) override { queues_.remove(target); }
    void match(octets, std::vector<queue*>& into) override { queues_.append_to(into); }

private:
    counted_queues queues_;
};

class topic_router final : public router {
public:
    void add(octets key, queue* target) override { trie_.add(key, target); }
    void remove(octets key, queue* target) override { trie_.remove(key, target); }
    void match(octets key, std::vector<queue*>& into) override { trie_.match(key, into); }

private:
    topic_trie trie_;
};

std::unique_ptr<router> make_router(exchange_type type) {
    switch (type) {
        case exchange_type::direct: return std::make_unique<direct_router>();
        case exchange_type::fanout: return std::make_unique<fanout_router>();
        case exchange_type::topic: return std::make_unique<topic_router>();
    }
    return nullptr;
}

std::string identity(const queue* target, octets key, octets arguments) {
    std::string text = target->name();
    text += '\0';
    text += std::to_string(key.size());
    text += '\0';
    text += key;
    text += arguments;
    return text;
}

}  // namespace

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

exchange::exchange(exchange_settings settings)
    : settings_(std::move(settings)), router_(make_router(settings_.type)) {}

binding* exchange::find(queue* target, octets key, octets arguments) {
    const auto found = bindings_.find(identity(target, key, arguments));
    return found == bindings_.end() ? nullptr : found->second.get();
}

binding& exchange::bind(queue* target, octets key, octets arguments) {
    auto made = std::make_unique<binding>();
    made->source = this;
    made->target = target;
    made->key = key;
    made->arguments = arguments;
    router_->add(key, target);
    auto& kept = bindings_[identity(target, key, arguments)];
    kept = std::move(made);
    return *kept;
}

void exchange::unbind(binding& gone) {
    router_->remove(gone.key, gone.target);
    bindings_.erase(identity(gone.target, gone.key, gone.arguments));
}

}  // namespace lovage::broker
