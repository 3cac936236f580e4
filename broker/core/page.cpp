#include "broker/core/page.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace lovage::broker {

bool index_set::add(std::uint32_t index) {
    const std::size_t word = index / word_bits;
    if (word >= words_.size()) {
        words_.resize(word + 1);
    }
    const std::uint64_t bit = std::uint64_t{1} << (index % word_bits);
    const bool added = (words_[word] & bit) == 0;
    words_[word] |= bit;
    return added;
}

void page_times::note(const message& body) {
    oldest_ms = std::min(oldest_ms, body.published_at_ms);
    if (body.expiration_ms != message::no_expiration) {
        first_expiry_ms = std::min(first_expiry_ms, body.published_at_ms + body.expiration_ms);
    }
}

void page::all_wait() {
    std::uint32_t dead = 0;
    for (const std::uint64_t word : facts_.dead.words()) {
        dead += static_cast<std::uint32_t>(std::popcount(word));
    }
    live_ = waiting_ = facts_.count - std::min(dead, facts_.count);
    waiting_octets_ = facts_.body_octets;
    waits = facts_;
}

void page::keep_only(
    const std::vector<std::uint32_t>& places,
    const std::vector<queued_message>& gone) {
    auto place = places.begin();
    for (std::uint32_t index = 0; index < facts_.count; ++index) {
        if (place != places.end() && *place == index) {
            ++place;
        } else {
            facts_.dead.add(index);
        }
    }
    facts_.body_octets = 0;
    for (const queued_message& each : gone) {
        facts_.body_octets += each.body->body().size();
    }
    all_wait();
}

void page::came(std::uint32_t index, std::uint64_t body_octets, bool in_order) {
    --waiting_;
    waiting_octets_ -= std::min(body_octets, waiting_octets_);
    if (!in_order) {
        away_.add(index);
    }
}

void page::went(std::uint32_t index, std::uint64_t body_octets, page_key key) {
    ++waiting_;
    waiting_octets_ += body_octets;
    next_index = index;
    next_offset = 0;
    next_key = key;
}

void page::died(std::uint32_t index, std::uint64_t body_octets) {
    const bool was_live = facts_.dead.add(index);
    assert(was_live);
    static_cast<void>(was_live);
    facts_.body_octets -= std::min(body_octets, facts_.body_octets);
    facts_.returned.erase(index);
    --live_;
}

void page::kill_waiting(const std::function<void(std::uint32_t, std::uint32_t)>& told) {
    for (std::uint32_t index = next_index; index < facts_.count; ++index) {
        if (passed_over(index)) {
            continue;
        }
        const std::uint32_t first = index;
        while (index < facts_.count && !passed_over(index)) {
            facts_.dead.add(index);
            ++index;
        }
        told(first, index - first - 1);
    }
    live_ -= waiting_;
    facts_.body_octets -= std::min(waiting_octets_, facts_.body_octets);
    set_aside();
}

void page::set_aside() {
    waiting_ = 0;
    waiting_octets_ = 0;
}

void page_line::insert(page& added) {
    if (added.waiting() == 0) {
        return;
    }
    order_.insert({added.next_key, &added});
    count_ += added.waiting();
    body_octets_ += added.waiting_octets();
    last_id_ = std::max(last_id_, added.facts().last_id);
    if (oldest_ms_) {
        oldest_ms_ = std::min(*oldest_ms_, added.waits.oldest_ms);
    }
    if (first_expiry_ms_) {
        first_expiry_ms_ = std::min(*first_expiry_ms_, added.waits.first_expiry_ms);
    }
}

void page_line::take_out(page& changed) {
    order_.erase({changed.next_key, &changed});
    count_ -= changed.waiting();
    body_octets_ -= changed.waiting_octets();
    if (oldest_ms_ == changed.waits.oldest_ms) {
        oldest_ms_.reset();
    }
    if (changed.waits.first_expiry_ms != message::no_expiration &&
        first_expiry_ms_ == changed.waits.first_expiry_ms) {
        first_expiry_ms_.reset();
    }
}

std::uint64_t page_line::oldest_ms() const {
    if (!oldest_ms_) {
        oldest_ms_ = message::no_expiration;
        for (const auto& [key, each] : order_) {
            oldest_ms_ = std::min(*oldest_ms_, each->waits.oldest_ms);
        }
    }
    return *oldest_ms_;
}

std::uint64_t page_line::first_expiry_ms() const {
    if (!first_expiry_ms_) {
        first_expiry_ms_ = message::no_expiration;
        for (const auto& [key, each] : order_) {
            first_expiry_ms_ = std::min(*first_expiry_ms_, each->waits.first_expiry_ms);
        }
    }
    return *first_expiry_ms_;
}

}  // namespace lovage::broker
