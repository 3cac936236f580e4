#include "broker/core/ready_messages.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace lovage::broker {
namespace {

constexpr std::size_t word_bits = 64;
/// So many messages are taken out one by one, more in one walk over all.
constexpr std::size_t few = 8;

bool by_id(const queued_message& left, const queued_message& right) {
    return left.body->id() < right.body->id();
}

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
    taken(level, 1);
    return item;
}

void ready_messages::levels::taken(std::size_t level, std::size_t how_many) {
    count -= how_many;
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

void ready_messages::extract(
    const std::vector<message_id>& ids,
    std::vector<queued_message>& into) {
    if (ids.empty()) {
        return;
    }
    const auto take = [&](ring<queued_message>& from) {
        if (ids.size() <= few) {
            for (const message_id id : ids) {
                const std::size_t place = place_of(from, id);
                if (place < from.size() && from[place].body->id() == id) {
                    into.push_back(std::move(from[place]));
                    from.erase(place);
                }
            }
            return;
        }
        auto next = ids.begin();
        from.erase_if([&](queued_message& each) {
            while (next != ids.end() && *next < each.body->id()) {
                ++next;
            }
            if (next == ids.end() || *next != each.body->id()) {
                return false;
            }
            into.push_back(std::move(each));
            return true;
        });
    };
    const std::size_t before = into.size();
    if (!levels_) {
        take(plain_);
    }
    for (std::size_t level = 0; levels_ && level < levels_->rings.size(); ++level) {
        const std::size_t found = into.size();
        take(levels_->rings[level]);
        levels_->taken(level, into.size() - found);
    }
    account_ -= (into.size() - before) * sizeof(queued_message);
    std::sort(into.begin() + static_cast<std::ptrdiff_t>(before), into.end(), by_id);
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
