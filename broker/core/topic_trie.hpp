// Topic patterns of one exchange (specification 3.1.3.3) as a trie of words; `*` stands for one
// word, `#` for any number. Matching walks all patterns at once, word by word, with each node
// visited at most once a word: the cost grows with the key's words and with the patterns that still
// match, never exponentially, whatever a client binds. Neighbouring `#` are one.
#pragma once

#include "broker/core/octets_map.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace lovage::broker {

class route_target;

class topic_trie {
public:
    topic_trie();
    ~topic_trie();
    topic_trie(const topic_trie&) = delete;
    topic_trie& operator=(const topic_trie&) = delete;

    /// Counts: the same pair added twice must be removed twice.
    void add(octets pattern, route_target* target);
    void remove(octets pattern, route_target* target);
    /// Appends the targets of every pattern that matches; one may come more than once.
    void match(octets key, std::vector<route_target*>& into);

private:
    struct node;
    struct binding {
        route_target* target = nullptr;
        std::uint32_t count = 0;
    };

    void activate(node* reached);

    std::unique_ptr<node> root_;
    std::uint64_t step_ = 0;  // number of the word being matched, over all matches
    std::vector<node*> active_;
    std::vector<node*> next_;
};

}  // namespace lovage::broker
