// Row 142: topic patterns, against a table and against a naive matcher.
#include "broker/core/topic_trie.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lovage::broker {
namespace {

using words = std::vector<std::string>;

route_target* fake_queue(std::uintptr_t number) {
    return reinterpret_cast<route_target*>(number * 64);  // never looked at by the trie
}

words split(const std::string& text) {
    words result;
    if (text.empty()) {
        return result;
    }
    std::size_t from = 0;
    for (std::size_t dot = text.find('.'); dot != std::string::npos; dot = text.find('.', from)) {
        result.push_back(text.substr(from, dot - from));
        from = dot + 1;
    }
    result.push_back(text.substr(from));
    return result;
}

/// As the specification says it, without a thought for speed.
bool matches(const words& pattern, std::size_t p, const words& key, std::size_t k) {
    if (p == pattern.size()) {
        return k == key.size();
    }
    if (pattern[p] == "#") {
        for (std::size_t skip = k; skip <= key.size(); ++skip) {
            if (matches(pattern, p + 1, key, skip)) {
                return true;
            }
        }
        return false;
    }
    return k < key.size() && (pattern[p] == "*" || pattern[p] == key[k]) &&
           matches(pattern, p + 1, key, k + 1);
}

std::vector<route_target*> match(topic_trie& trie, octets key) {
    std::vector<route_target*> found;
    trie.match(key, found);
    std::ranges::sort(found);
    return found;
}

bool matches_alone(octets pattern, octets key) {
    topic_trie trie;
    trie.add(pattern, fake_queue(1));
    const bool result = !match(trie, key).empty();
    EXPECT_EQ(result, matches(split(std::string(pattern)), 0, split(std::string(key)), 0))
        << pattern << " " << key;
    trie.remove(pattern, fake_queue(1));
    EXPECT_TRUE(match(trie, key).empty());
    return result;
}

TEST(TopicTrie, FollowsTheTable) {
    struct row {
        const char* pattern;
        const char* key;
        bool matches;
    };
    for (const row& each : std::initializer_list<row>{
             {"a.b", "a.b", true},
             {"a.b", "a.c", false},
             {"a.b", "a", false},
             {"a", "a.b", false},
             {"*", "a", true},
             {"*", "", false},
             {"*", "a.b", false},
             {"#", "", true},
             {"#", "a", true},
             {"#", "a.b.c", true},
             {"", "", true},
             {"", "a", false},
             {"a.*", "a.", true},
             {"a.*", "a", false},
             {"*.*", ".", true},
             {"a.#", "a", true},
             {"a.#", "a.b.c", true},
             {"#.a", "a", true},
             {"#.a", "b.c.a", true},
             {"#.a", "a.b", false},
             {"a.#.b", "a.b", true},
             {"a.#.b", "a..b", true},
             {"a.#.b", "a.x.y.b", true},
             {"a.#.b", "a", false},
             {"a*", "ab", false},
             {"a*", "a*", true},
             {"**", "a", false},
             {"**", "**", true},
             {"#.#", "", true},
             {"*.#", "a", true},
             {"*.#", "", false},
             {"#.*", "a", true},
             {"#.*", "", false},
             {"*", "*", true},
             {"*", "#", true},
             {"#", "#.*", true},
             {"a.*", "a.*", true},
             {"a", "A", false},
             {"#.*.#", "", false},
             {"#.*.#", "x.y", true},
             {"*.*.*", "a.b", false},
             {"a.#.b.#.c", "a.b.c", true},
         }) {
        EXPECT_EQ(matches_alone(each.pattern, each.key), each.matches)
            << each.pattern << " " << each.key;
    }
}

TEST(TopicTrie, CountsBindingsOfTheSamePair) {
    topic_trie trie;
    trie.add("a.#", fake_queue(1));
    trie.add("a.#", fake_queue(1));
    trie.remove("a.#", fake_queue(1));
    EXPECT_EQ(match(trie, "a").size(), 1U);
    trie.remove("a.#", fake_queue(1));
    EXPECT_EQ(match(trie, "a").size(), 0U);
    trie.remove("a.#", fake_queue(1));
}

TEST(TopicTrie, RemovingOneLeavesTheOthers) {
    topic_trie trie;
    trie.add("a.b.c", fake_queue(1));
    trie.add("a.b", fake_queue(2));
    trie.add("a.*.c", fake_queue(3));
    trie.remove("a.b.c", fake_queue(1));
    EXPECT_EQ(match(trie, "a.b.c"), std::vector<route_target*>{fake_queue(3)});
    EXPECT_EQ(match(trie, "a.b"), std::vector<route_target*>{fake_queue(2)});
}

TEST(TopicTrie, AgreesWithANaiveMatcherOnRandomPatterns) {
    const unsigned seed = std::random_device{}();
    RecordProperty("seed", static_cast<int>(seed));
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    const auto pick = [&](std::initializer_list<const char*> from, std::size_t most) {
        std::string text;
        const std::size_t count = random() % (most + 1);
        for (std::size_t i = 0; i < count; ++i) {
            text += (i == 0 ? "" : ".");
            text += *(from.begin() + random() % from.size());
        }
        return text;
    };
    for (int round = 0; round < 200; ++round) {
        topic_trie trie;
        std::vector<std::string> patterns;
        for (std::uintptr_t i = 1; i <= 10; ++i) {
            patterns.push_back(pick({"a", "b", "*", "#", ""}, 5));
            trie.add(patterns.back(), fake_queue(i));
        }
        for (int k = 0; k < 20; ++k) {
            const std::string key = pick({"a", "b", "c", "", "*", "#"}, 6);
            std::vector<route_target*> wanted;
            for (std::uintptr_t i = 1; i <= patterns.size(); ++i) {
                if (matches(split(patterns[i - 1]), 0, split(key), 0)) {
                    wanted.push_back(fake_queue(i));
                }
            }
            ASSERT_EQ(match(trie, key), wanted) << key;
        }
        for (std::uintptr_t i = 1; i <= patterns.size(); ++i) {
            trie.remove(patterns[i - 1], fake_queue(i));
        }
        ASSERT_TRUE(match(trie, "a.b").empty());
    }
}

TEST(TopicTrie, HostilePatternsCostNoMoreThanTheirLength) {
    // Naively exponential; 255 octets have room for 128 words.
    topic_trie trie;
    std::string pattern = "#";
    std::string key = "a";
    for (int i = 0; i < 126; ++i) {
        pattern += i % 2 == 0 ? ".a" : ".#";
        key += ".a";
    }
    trie.add(pattern + ".z", fake_queue(1));
    std::string all_hash = "#";
    for (int i = 0; i < 126; ++i) {
        all_hash += ".#";
    }
    trie.add(all_hash, fake_queue(2));
    for (int i = 0; i < 2'000; ++i) {
        ASSERT_EQ(match(trie, key).size(), 1U);
    }
}

}  // namespace
}  // namespace lovage::broker
