// ready_level: one priority's messages of a queue, partly on disk.
#include "broker/core/page.hpp"
#include "broker/core/pager.hpp"
#include "broker/core/ready_messages.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker {
namespace {

/// So many messages are taken out one by one, more in one walk over all.
constexpr std::size_t few = 8;
/// Read back at once: enough that a consumer seldom waits, little beside the bound for all.
constexpr std::size_t slice_octets = 128 * 1024;

const ring<queued_message> nothing;

/// The first message whose id is not below `id`: a ring is in the order of ids.
std::size_t place_of(const ring<queued_message>& in, message_id id) {
    std::size_t place = 0;
    for (std::size_t end = in.size(); place < end;) {
        const std::size_t half = place + (end - place) / 2;
        if (in[half].body->id() < id) {
            place = half + 1;
        } else {
            end = half;
        }
    }
    return place;
}

bool holds(const ring<queued_message>& in, message_id id) {
    const std::size_t place = place_of(in, id);
    return place < in.size() && in[place].body->id() == id;
}

void extract_from(
    ring<queued_message>& from,
    const std::vector<message_id>& ids,
    std::vector<queued_message>& into) {
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
}

std::uint64_t memory_of(const queued_message& item) {
    return sizeof item + item.body->footprint();
}

}  // namespace

struct ready_level::middle {
    page_line pages;
    ring<queued_message> tail;
};

ready_level::ready_level() = default;
ready_level::~ready_level() = default;
ready_level::ready_level(ready_level&&) noexcept = default;
ready_level& ready_level::operator=(ready_level&&) noexcept = default;

const ring<queued_message>& ready_level::tail() const {
    return middle_ ? middle_->tail : nothing;
}

std::size_t ready_level::size_with_middle() const {
    return head_.size() + middle_->pages.count() + middle_->tail.size();
}

std::size_t ready_level::in_memory() const {
    return head_.size() + tail().size();
}

queued_message ready_level::pop_front() {
    queued_message item = head_.pop_front();
    note_taken(item.body->id());
    close_gap();
    return item;
}

void ready_level::close_gap() {
    if (!middle_ || !middle_->pages.empty()) {
        return;
    }
    if (head_.empty()) {
        std::swap(head_, middle_->tail);
    }
    if (middle_->tail.empty()) {
        middle_.reset();
    }
}

void ready_level::push_back(queued_message item) {
    if (middle_ && (!middle_->pages.empty() || !middle_->tail.empty())) {
        middle_->tail.push_back(std::move(item));
    } else {
        head_.push_back(std::move(item));
    }
}

void ready_level::restore(queued_message item) {
    // Only what comes after all pages is the tail; the rest is delivered in its turn.
    if (middle_ && item.body->id() > std::max(taken_up_to_, middle_->pages.last_id())) {
        middle_->tail.push_back(std::move(item));
    } else {
        head_.push_back(std::move(item));
    }
}

bool ready_level::loaded_before_pages() const {
    return !head_.empty() && page_key{head_.front().body->id(), 0} < middle_->pages.next_key();
}

void ready_level::insert(queued_message item) {
    note_taken(item.body->id());
    const std::size_t place = place_of(head_, item.body->id());
    if (place == head_.size()) {
        head_.push_back(std::move(item));
    } else {
        head_.insert(place, std::move(item));
    }
}

void ready_level::clear() {
    head_.clear();
    if (middle_) {
        middle_->tail.clear();
        close_gap();
    }
}

bool ready_level::load(pager& from, const std::function<void(const queued_message&)>& see) {
    std::size_t place = 0;
    while (middle_ && !middle_->pages.empty() && !loaded_before_pages()) {
        // Up to what is in memory already.
        const page_key until = head_.empty() ? no_key : page_key{head_.front().body->id(), 0};
        from.load(middle_->pages, until, slice_octets, [&](queued_message item, std::uint64_t) {
            see(item);
            head_.insert(place, std::move(item));
            ++place;
        });
        if (place != 0) {
            break;
        }
    }
    close_gap();
    return !head_.empty();
}

bool ready_level::contains(message_id id) const {
    return holds(head_, id) || holds(tail(), id);
}

void ready_level::extract(const std::vector<message_id>& ids, std::vector<queued_message>& into) {
    extract_from(head_, ids, into);
    if (middle_) {
        extract_from(middle_->tail, ids, into);
    }
    close_gap();
}

page_line* ready_level::pages() const {
    return middle_ && !middle_->pages.empty() ? &middle_->pages : nullptr;
}

page_line& ready_level::pages_for_more() {
    if (!middle_) {
        middle_ = std::make_unique<middle>();
    }
    return middle_->pages;
}

/// What was read back and not taken is on disk still.
void ready_level::unload(pager& by, std::uint64_t keep) {
    std::uint64_t held = 0;
    std::size_t kept = 0;
    while (kept < head_.size() && held < keep) {
        held += memory_of(head_[kept]);
        ++kept;
    }
    while (head_.size() > kept) {
        const queued_message& last = head_.back();
        if (last.body->in_page == nullptr || last.body->in_page->unreadable ||
            last.body->id() <= taken_up_to_) {
            break;
        }
        by.unload(pages_for_more(), *last.body, {last.body->id(), 0});
        head_.pop_back();
    }
}

void ready_level::page_out(
    pager& by,
    page_builder& into,
    std::uint64_t keep,
    const std::function<bool(const queued_message&)>& in_journal) {
    unload(by, keep);
    std::uint64_t held = 0;
    std::size_t first = 0;
    while (first < head_.size() && (held < keep || head_[first].body->id() <= taken_up_to_ ||
                                    head_[first].body->in_page != nullptr)) {
        held += memory_of(head_[first]);
        ++first;
    }
    // From the end of the head, then from the begin of the tail: so what stays in memory is never
    // older than pages that come before it. Messages take less room on disk than in memory.
    std::uint64_t room = into.room();
    std::size_t begin = head_.size();
    bool alone = into.empty();  // one message goes, however large
    const auto fits = [&](const queued_message& each) {
        const bool taken = std::exchange(alone, false) || room > memory_of(each);
        room -= std::min(room, memory_of(each));
        return taken;
    };
    while (begin > first && fits(head_[begin - 1])) {
        --begin;
    }
    const ring<queued_message>& last = tail();
    std::size_t end = 0;
    while (begin == first && end < last.size() && fits(last[end])) {
        ++end;
    }
    for (const bool logged : {true, false}) {
        const auto add = [&](const queued_message& each) {
            if (each.body->in_page == nullptr && in_journal(each) == logged) {
                into.add(each, 0, logged);
            }
        };
        for (std::size_t i = begin; i < head_.size(); ++i) {
            add(head_[i]);
        }
        into.end_page();
        for (std::size_t i = 0; i < end; ++i) {
            add(last[i]);
        }
        into.end_page();
    }
}

void ready_level::take_paged(
    const std::vector<message_id>& ids,
    std::vector<queued_message>& gone,
    std::vector<std::uint32_t>& still) {
    auto next = ids.begin();
    const auto take = [&](queued_message& each) {
        while (next != ids.end() && *next < each.body->id()) {
            ++next;
        }
        if (next == ids.end() || *next != each.body->id() || each.body->id() <= taken_up_to_) {
            return false;
        }
        still.push_back(static_cast<std::uint32_t>(next - ids.begin()));
        gone.push_back(std::move(each));
        return true;
    };
    head_.erase_if(take);
    if (middle_) {
        middle_->tail.erase_if(take);
    }
}

void ready_level::check_invariants() const {
    message_id last = 0;
    const auto check = [&](const ring<queued_message>& in) {
        for (std::size_t i = 0; i < in.size(); ++i) {
            assert(in[i].body->id() > last);
            last = in[i].body->id();
        }
    };
    check(head_);
    if (!middle_) {
        return;
    }
    std::size_t waiting = 0;
    middle_->pages.for_each([&](const page& each) {
        waiting += each.waiting();
        last = std::max(last, each.next_key.first);
    });
    assert(waiting == middle_->pages.count());
    check(middle_->tail);
    assert(!head_.empty() || !middle_->pages.empty());
    static_cast<void>(waiting);
}

}  // namespace lovage::broker
