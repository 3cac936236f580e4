#include "broker/core/ready_messages.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace lovage::broker {
namespace {

constexpr std::size_t word_bits = 64;

/// The first message whose id is not below `id`: a ring is in the order of ids.
std::size_t place_of(const ring<queued_message>& in, message_id id) {
    std::size_t place = 0;
    for (std::size_t end = in.size(); place < end;) {
        const std::size_t middle = place + (end - place) / 2;
        if (in[middle].body->id() < id) {
            place = middle + 1;
        } else {
            end = middle;
        }
    }
    return place;
}

}  // namespace

std::size_t ready_messages::levels::highest() const {
    for (std::size_t word = filled.size(); word > 0; --word) {
        if (filled[word - 1] != 0) {
            return word * word_bits - 1 -
                   static_cast<std::size_t>(std::countl_zero(filled[word - 1]));
        }
    }
    return 0;
}

std::size_t ready_messages::levels::lowest() const {
    for (std::size_t word = 0; word < filled.size(); ++word) {
        if (filled[word] != 0) {
            return word * word_bits + static_cast<std::size_t>(std::countr_zero(filled[word]));
        }
    }
    return 0;
}

queued_message ready_messages::levels::pop(std::size_t level) {
    queued_message item = rings[level].pop_front();
    taken(level);
    return item;
}

void ready_messages::levels::taken(std::size_t level) {
    --count;
    if (rings[level].empty()) {
        filled[level / word_bits] &= ~(std::uint64_t{1} << (level % word_bits));
    }
}

ring<queued_message>& ready_messages::levels::add(const queued_message& item) {
    const std::size_t level = std::min<std::size_t>(item.body->priority, rings.size() - 1);
    filled[level / word_bits] |= std::uint64_t{1} << (level % word_bits);
    ++count;
    return rings[level];
}

ready_messages::ready_messages(std::uint8_t highest, std::uint64_t& account) : account_(account) {
    if (highest > 0) {
        levels_ = std::make_unique<levels>();
        levels_->rings.resize(std::size_t{highest} + 1);
    }
}

void ready_messages::push_back(queued_message item) {
    account_ += sizeof item;
    auto& into = levels_ ? levels_->add(item) : plain_;
    into.push_back(std::move(item));
}

void ready_messages::insert(queued_message item) {
    account_ += sizeof item;
    auto& into = levels_ ? levels_->add(item) : plain_;
    const std::size_t place = place_of(into, item.body->id());
    if (place == into.size()) {
        into.push_back(std::move(item));
    } else {
        into.insert(place, std::move(item));
    }
}

std::size_t ready_messages::level_of(std::uint8_t priority) const {
    return std::min<std::size_t>(priority, levels_->rings.size() - 1);
}

bool ready_messages::contains(message_id id, std::uint8_t priority) const {
    const auto& in = ring_of(priority);
    const std::size_t place = place_of(in, id);
    return place < in.size() && in[place].body->id() == id;
}

std::optional<queued_message> ready_messages::extract(message_id id, std::uint8_t priority) {
    if (!contains(id, priority)) {
        return std::nullopt;
    }
    auto& from = levels_ ? levels_->rings[level_of(priority)] : plain_;
    const std::size_t place = place_of(from, id);
    queued_message item = std::move(from[place]);
    from.erase(place);
    account_ -= sizeof item;
    if (levels_) {
        levels_->taken(level_of(priority));
    }
    return item;
}

void ready_messages::clear() {
    account_ -= size() * sizeof(queued_message);
    plain_.clear();
    if (levels_) {
        std::ranges::for_each(levels_->rings, &ring<queued_message>::clear);
        levels_->filled = {};
        levels_->count = 0;
    }
}

void ready_messages::check_invariants() const {
    const auto check_ring = [](const ring<queued_message>& each) {
        for (std::size_t i = 1; i < each.size(); ++i) {
            assert(each[i - 1].body->id() < each[i].body->id());
        }
    };
    check_ring(plain_);
    if (!levels_) {
        return;
    }
    std::size_t sum = 0;
    for (std::size_t level = 0; level < levels_->rings.size(); ++level) {
        const auto& each = levels_->rings[level];
        check_ring(each);
        sum += each.size();
        const bool marked = (levels_->filled[level / word_bits] >> (level % word_bits) & 1U) != 0;
        assert(marked == !each.empty());
        static_cast<void>(marked);
        for (std::size_t i = 0; i < each.size(); ++i) {
            assert(
                std::min<std::size_t>(each[i].body->priority, levels_->rings.size() - 1) == level);
        }
    }
    assert(sum == levels_->count);
    static_cast<void>(sum);
}

}  // namespace lovage::broker
