#include "broker/core/topic_trie.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

constexpr octets hash_word = "#";

/// Calls `take` with each word of a key or pattern. The empty text has none.
template <class Take>
void for_each_word(octets text, Take&& take) {
    if (text.empty()) {
        return;
    }
    for (;;) {
        const std::size_t dot = text.find('.');
        take(text.substr(0, dot));
        if (dot == octets::npos) {
            return;
        }
        text.remove_prefix(dot + 1);
    }
}

/// The words of a pattern, runs of `#` made one.
std::vector<octets> pattern_words(octets pattern) {
    std::vector<octets> words;
    for_each_word(pattern, [&](octets word) {
        if (word != hash_word || words.empty() || words.back() != hash_word) {
            words.push_back(word);
        }
    });
    return words;
}

}  // namespace

struct topic_trie::node {
    octets_map<std::unique_ptr<node>> children;
    node* star = nullptr;  // child `*`
    node* hash = nullptr;  // child `#`
    bool repeats = false;  // reached by `#`: takes any further word and stays
    std::uint64_t seen_at = 0;
    std::vector<binding> bindings;
};

topic_trie::topic_trie() : root_(std::make_unique<node>()) {}
topic_trie::~topic_trie() = default;

void topic_trie::add(octets pattern, route_target* target) {
    node* at = root_.get();
    for (const octets word : pattern_words(pattern)) {
        auto found = at->children.find(word);
        if (found == at->children.end()) {
            found = at->children.emplace(std::string(word), std::make_unique<node>()).first;
            if (word == "*") {
                at->star = found->second.get();
            } else if (word == hash_word) {
                at->hash = found->second.get();
                at->hash->repeats = true;
            }
        }
        at = found->second.get();
    }
    const auto there = std::ranges::find(at->bindings, target, &binding::target);
    if (there != at->bindings.end()) {
        ++there->count;
    } else {
        at->bindings.push_back({target, 1});
    }
}

void topic_trie::remove(octets pattern, route_target* target) {
    const auto words = pattern_words(pattern);
    std::vector<node*> path{root_.get()};
    for (const octets word : words) {
        const auto found = path.back()->children.find(word);
        if (found == path.back()->children.end()) {
            return;
        }
        path.push_back(found->second.get());
    }
    auto& bindings = path.back()->bindings;
    const auto there = std::ranges::find(bindings, target, &binding::target);
    if (there == bindings.end()) {
        return;
    }
    if (--there->count == 0) {
        *there = bindings.back();
        bindings.pop_back();
    }
    for (std::size_t i = words.size(); i > 0; --i) {
        node* child = path[i];
        if (!child->bindings.empty() || !child->children.empty()) {
            return;
        }
        node* parent = path[i - 1];
        parent->star = parent->star == child ? nullptr : parent->star;
        parent->hash = parent->hash == child ? nullptr : parent->hash;
        parent->children.erase(parent->children.find(words[i - 1]));
    }
}

void topic_trie::activate(node* reached) {
    // A `#` below may stand for no word at all, so it is reached as well; runs of it are one.
    for (; reached != nullptr && reached->seen_at != step_; reached = reached->hash) {
        reached->seen_at = step_;
        next_.push_back(reached);
    }
}

void topic_trie::match(octets key, std::vector<route_target*>& into) {
    active_.clear();
    next_.clear();
    ++step_;
    activate(root_.get());
    active_.swap(next_);
    for_each_word(key, [&](octets word) {
        ++step_;
        next_.clear();
        for (node* from : active_) {
            if (from->repeats) {
                activate(from);
            }
            activate(from->star);
            const auto child = from->children.find(word);
            // A key may hold the words `*` and `#` themselves, which are patterns here.
            if (child != from->children.end() && child->second.get() != from->star &&
                child->second.get() != from->hash) {
                activate(child->second.get());
            }
        }
        active_.swap(next_);
    });
    for (const node* reached : active_) {
        for (const binding& bound : reached->bindings) {
            into.push_back(bound.target);
        }
    }
}

}  // namespace lovage::broker
