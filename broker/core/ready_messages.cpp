#include "broker/core/ready_messages.hpp"

#include "broker/core/page.hpp"
#include "broker/core/pager.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace lovage::broker {
namespace {

constexpr std::size_t word_bits = 64;

bool by_id(const queued_message& left, const queued_message& right) {
    return left.body->id() < right.body->id();
}

}  // namespace

std::size_t ready_messages::level_set::highest() const {
    for (std::size_t word = filled.size(); word > 0; --word) {
        if (filled[word - 1] != 0) {
            return word * word_bits - 1 -
                   static_cast<std::size_t>(std::countl_zero(filled[word - 1]));
        }
    }
    return 0;
}

std::size_t ready_messages::level_set::lowest() const {
    for (std::size_t word = 0; word < filled.size(); ++word) {
        if (filled[word] != 0) {
            return word * word_bits + static_cast<std::size_t>(std::countr_zero(filled[word]));
        }
    }
    return 0;
}

const ready_level& ready_messages::level_set::at(std::size_t level) const {
    static const ready_level nothing;
    return levels[level] ? *levels[level] : nothing;
}

ready_level& ready_messages::level_set::make(std::size_t level) {
    if (!levels[level]) {
        levels[level] = std::make_unique<ready_level>();
        levels[level]->note_taken(taken_up_to);
    }
    return *levels[level];
}

queued_message ready_messages::level_set::pop(std::size_t level) {
    queued_message item = levels[level]->pop_front();
    taken(level, 1);
    return item;
}

void ready_messages::level_set::taken(std::size_t level, std::size_t how_many) {
    count -= how_many;
    if (levels[level]->empty()) {
        filled[level / word_bits] &= ~(std::uint64_t{1} << (level % word_bits));
    }
}

ready_level& ready_messages::level_set::add(const queued_message& item) {
    const std::size_t level = std::min<std::size_t>(item.body->priority, levels.size() - 1);
    filled[level / word_bits] |= std::uint64_t{1} << (level % word_bits);
    ++count;
    return make(level);
}

ready_messages::ready_messages(std::uint8_t highest, std::uint64_t& account) : account_(account) {
    if (highest > 0) {
        levels_ = std::make_unique<level_set>();
        levels_->levels.resize(std::size_t{highest} + 1);
    }
}

std::size_t ready_messages::in_memory() const {
    std::size_t sum = 0;
    for_each_level([&](const ready_level& each) { sum += each.in_memory(); });
    return sum;
}

bool ready_messages::load(
    pager& from,
    bool lowest,
    const std::function<void(const queued_message&)>& see) {
    if (empty()) {
        return false;
    }
    const auto load_one = [&](ready_level& next) {
        return next.load(from, [&](const queued_message& each) {
            account_ += sizeof each;
            see(each);
        });
    };
    if (!levels_) {
        return load_one(plain_);
    }
    while (levels_->count != 0) {
        ready_level& next = levels_->make(lowest ? levels_->lowest() : levels_->highest());
        const bool any = load_one(next);
        recount();  // something may have been there that cannot be read
        if (any) {
            return true;
        }
    }
    return false;
}

void ready_messages::push_back(queued_message item) {
    account_ += sizeof item;
    ready_level& into = levels_ ? levels_->add(item) : plain_;
    into.push_back(std::move(item));
}

void ready_messages::restore(queued_message item) {
    account_ += sizeof item;
    ready_level& into = levels_ ? levels_->add(item) : plain_;
    into.restore(std::move(item));
}

void ready_messages::insert(queued_message item) {
    account_ += sizeof item;
    ready_level& into = levels_ ? levels_->add(item) : plain_;
    into.insert(std::move(item));
}

std::size_t ready_messages::level_of(std::uint8_t priority) const {
    return std::min<std::size_t>(priority, levels_->levels.size() - 1);
}

bool ready_messages::contains(message_id id, std::uint8_t priority) const {
    return level(priority).contains(id);
}

void ready_messages::extract(
    const std::vector<message_id>& ids,
    std::vector<queued_message>& into) {
    if (ids.empty()) {
        return;
    }
    const std::size_t before = into.size();
    if (!levels_) {
        plain_.extract(ids, into);
    }
    for (std::size_t at = 0; levels_ && at < levels_->levels.size(); ++at) {
        if (const auto& each = levels_->levels[at]; each) {
            const std::size_t found = into.size();
            each->extract(ids, into);
            levels_->taken(at, into.size() - found);
        }
    }
    account_ -= (into.size() - before) * sizeof(queued_message);
    std::sort(into.begin() + static_cast<std::ptrdiff_t>(before), into.end(), by_id);
}

void ready_messages::clear() {
    account_ -= in_memory() * sizeof(queued_message);
    plain_.clear();
    if (levels_) {
        for (const auto& each : levels_->levels) {
            if (each) {
                each->clear();
            }
        }
        recount();
    }
}

bool ready_messages::has_pages() const {
    bool any = false;
    for_each_line([&](const page_line&) { any = true; });
    return any;
}

void ready_messages::add_page(page& what) {
    ready_level& into = level(what.facts().level);
    into.pages_for_more().insert(what);
    recount();
}

void ready_messages::recount() {
    plain_.close_gap();
    if (!levels_) {
        return;
    }
    levels_->filled = {};
    levels_->count = 0;
    for (std::size_t at = 0; at < levels_->levels.size(); ++at) {
        if (!levels_->levels[at]) {
            continue;
        }
        levels_->levels[at]->close_gap();
        const std::size_t size = levels_->levels[at]->size();
        levels_->count += size;
        if (size != 0) {
            levels_->filled[at / word_bits] |= std::uint64_t{1} << (at % word_bits);
        }
    }
}

void ready_messages::note_taken(message_id id) {
    plain_.note_taken(id);
    if (!levels_) {
        return;
    }
    levels_->taken_up_to = std::max(levels_->taken_up_to, id);
    for (const auto& each : levels_->levels) {
        if (each) {
            each->note_taken(id);
        }
    }
}

void ready_messages::page_out(
    queue& home,
    pager& by,
    page_builder& into,
    std::uint64_t keep,
    const std::function<bool(const queued_message&)>& in_journal) {
    const std::size_t before = in_memory();
    if (!levels_) {
        into.begin(&home, nullptr, 0);
        plain_.page_out(by, into, keep, in_journal);
    }
    // The lowest first: they are needed last.
    for (std::size_t at = 0; levels_ && at < levels_->levels.size() && !into.full(); ++at) {
        if (const auto& each = levels_->levels[at]; each) {
            into.begin(&home, nullptr, static_cast<std::uint8_t>(at));
            const bool last = at + 1 == levels_->levels.size();
            each->page_out(by, into, last ? keep : 0, in_journal);
        }
    }
    into.end_page();
    account_ -= (before - in_memory()) * sizeof(queued_message);
}

void ready_messages::take_paged(
    const page& what,
    const std::vector<message_id>& ids,
    std::vector<queued_message>& gone,
    std::vector<std::uint32_t>& still) {
    const std::size_t before = gone.size();
    level(what.facts().level).take_paged(ids, gone, still);
    account_ -= (gone.size() - before) * sizeof(queued_message);
}

void ready_messages::check_invariants() const {
    for_each_level([](const ready_level& each) { each.check_invariants(); });
    if (!levels_) {
        return;
    }
    std::size_t sum = 0;
    for (std::size_t at = 0; at < levels_->levels.size(); ++at) {
        const ready_level& each = levels_->at(at);
        sum += each.size();
        const bool marked = (levels_->filled[at / word_bits] >> (at % word_bits) & 1U) != 0;
        assert(marked == !each.empty());
        each.for_each([&](const queued_message& item) {
            assert(std::min<std::size_t>(item.body->priority, levels_->levels.size() - 1) == at);
        });
        static_cast<void>(marked);
    }
    assert(sum == levels_->count);
    static_cast<void>(sum);
}

}  // namespace lovage::broker
