#include "broker/core/pager.hpp"

#include "broker/core/delay_line.hpp"
#include "broker/core/engine.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker {
namespace {

constexpr std::size_t read_octets = 256 * 1024;

}  // namespace

pager::~pager() = default;

journal& pager::log() const {
    return owner_.log();
}

page_key pager::key_of(const page& home, const paged_message& found) {
    return home.in_line != nullptr ? page_key{found.due_ms, found.id} : page_key{found.id, 0};
}

std::string pager::body_of(const paged_message& found, octets& body) {
    body = found.parts.body;
    return found.blob == 0 ? std::string()
                           : owner_.large_bodies().read(found.blob, found.body_octets, body);
}

queued_message pager::make(const paged_message& found, page& home, octets content) const {
    message::parts parts = found.parts;
    parts.body = content;
    message_ptr body = owner_.message_from(found.id, parts, found.published_at_ms);
    body->persistent = found.persistent;
    body->blob = found.blob;
    body->moved = true;  // perhaps: pages do not tell
    body->deaths_left = found.deaths_left;
    body->durable_holders = home.in_journal ? 1 : 0;
    body->in_page = &home;
    body->page_index = found.index;
    queued_message item{std::move(body), found.delivery_count, found.redelivered};
    if (const auto count = home.facts().returned.find(found.index);
        count != home.facts().returned.end()) {
        item.delivery_count = count->second;
        item.redelivered = true;
    }
    if (home.in_queue != nullptr && found.id <= home.in_queue->recovered_up_to()) {
        item.redelivered = true;
    }
    return item;
}

bool pager::load(page_line& from, page_key until, std::size_t octet_count, const taker& take) {
    bool any = false;
    while (!any && from.next_key() <= until && !from.empty()) {
        page& next = from.front();
        const page_key limit = std::min(until, from.second_key());
        from.take_out(next);
        const std::uint64_t begun_at = next.next_offset;
        std::uint64_t loaded = 0;
        std::string unread;
        bool stopped = false;
        page_key last = next.next_key;
        const auto see = [&](const paged_message& found) {
            if (next.passed_over(found.index)) {
                return true;
            }
            const page_key key = key_of(next, found);
            stopped = key > limit || (loaded != 0 && loaded + found.body_octets > octet_count);
            lovage::octets body;
            if (!stopped) {
                unread = body_of(found, body);
                stopped = !unread.empty();
            }
            if (stopped) {
                last = key;
                return false;
            }
            loaded += found.body_octets;
            next.came(found.index, found.body_octets, true);
            next.next_index = found.index + 1;
            last = {key.first, key.second + 1};
            take(make(found, next, body), found.due_ms);
            any = true;
            return true;
        };
        std::string wrong =
            store_->read(next.id(), next.facts().place, next.next_offset, octet_count, see);
        wrong = wrong.empty() ? unread : wrong;
        next.next_key = last;
        if (!wrong.empty()) {
            set_aside(next, wrong);
        } else if (next.waiting() != 0 && !stopped && next.next_offset == begun_at) {
            set_aside(next, "the page ends before its last message");
        }
        from.insert(next);
    }
    return any;
}

void pager::unload(page_line& to, message& what, page_key key) {
    page& home = *std::exchange(what.in_page, nullptr);
    to.take_out(home);
    home.went(what.page_index, what.body().size(), key);
    home.waits.note(what);
    to.insert(home);
}

std::vector<queued_message> pager::visit(
    page_line& in,
    page& what,
    const std::function<bool(const message&)>& wanted) {
    std::vector<queued_message> taken;
    in.take_out(what);
    page_facts& facts = what.facts();
    const page_times before_visit = facts;
    static_cast<page_times&>(facts) = what.waits = {};
    std::string wrong;
    std::string unread;
    std::uint64_t offset = 0;
    std::uint64_t before = 0;
    const auto see = [&](const paged_message& found) {
        if (what.is_dead(found.index)) {
            return true;
        }
        const queued_message item = make(found, what, {});
        facts.note(*item.body);  // also one that is in memory: it may wait again
        const bool waits = !what.passed_over(found.index);
        if (!waits || !wanted(*item.body)) {
            if (waits) {
                what.waits.note(*item.body);
            }
            return true;
        }
        octets body;
        unread = body_of(found, body);
        if (!unread.empty()) {
            return false;
        }
        what.came(found.index, found.body_octets, false);
        taken.push_back(make(found, what, body));
        return true;
    };
    do {
        before = offset;
        wrong = store_->read(facts.id, facts.place, offset, read_octets, see);
        wrong = wrong.empty() ? unread : wrong;
    } while (wrong.empty() && offset != before);
    if (!wrong.empty()) {
        static_cast<page_times&>(facts) = before_visit;
        set_aside(what, wrong);
    }
    in.insert(what);
    return taken;
}

void pager::settled(message& what, bool replaced) {
    page& home = *std::exchange(what.in_page, nullptr);
    const std::uint64_t octets = what.body().size();
    home.died(what.page_index, octets);
    const bool owned = home.in_queue != nullptr || home.in_line != nullptr;
    if (home.in_journal && !replaced && owned) {
        log().page_settled(home.id(), what.page_index, 0, octets);
    }
    release_blobs(home);
    if (home.live() == 0) {
        bury(home);
    }
}

void pager::returned(const message& what, std::uint32_t delivery_count) {
    page& home = *what.in_page;
    home.facts().returned[what.page_index] = delivery_count;
    if (home.in_journal) {
        log().page_returned(home.id(), what.page_index, delivery_count);
    }
}

void pager::drop(page_line& line, bool told) {
    while (!line.empty()) {
        page& next = line.front();
        line.take_out(next);
        const bool says = next.in_journal && !told;
        const bool whole = next.live() == next.waiting();
        std::uint64_t octets = next.waiting_octets();
        next.kill_waiting([&](std::uint32_t first, std::uint32_t more) {
            if (says && !whole) {
                log().page_settled(next.id(), first, more, std::exchange(octets, 0));
            }
        });
        if (whole && says) {
            log().page_dropped(next.id());
        }
        release_blobs(next);
        if (whole) {
            bury(next);
        }
    }
}

template <class Holder>
void pager::forget(const Holder& gone, Holder* page::* holder) {
    for (const auto& [id, each] : pages_) {
        if ((*each).*holder != &gone) {
            continue;
        }
        (*each).*holder = nullptr;
        each->in_journal = false;  // it knows that all of it has gone
        if (each->location.record_octets != 0) {
            log().released(std::exchange(each->location, {}));
        }
    }
    for (pending_page& each : pending_) {
        if (each.made && (*each.made).*holder == &gone) {
            (*each.made).*holder = nullptr;
        }
    }
}

void pager::forget(const queue& gone) {
    forget(gone, &page::in_queue);
}

void pager::forget(const delay_line& gone) {
    forget(gone, &page::in_line);
}

page& pager::restore(page_facts found, std::uint32_t stored, journal_location where) {
    auto made = std::make_unique<page>(std::move(found));
    page& kept = *made;
    kept.in_journal = true;
    kept.stored = stored;
    kept.location = where;
    kept.all_wait();
    for (const blob_use& each : kept.facts().blobs) {
        owner_.large_bodies().hold(each.blob);
    }
    next_page_id_ = std::max(next_page_id_, kept.id() + 1);
    ++pages_in_[kept.facts().place.segment];
    pages_[kept.id()] = std::move(made);
    owner_.memory_account() += page_footprint;
    return kept;
}

void pager::rewrite(std::uint64_t file) {
    for (const auto& [id, each] : pages_) {
        if (each->location.record_octets != 0 && each->location.file == file) {
            record(*each, {});
        }
    }
}

void pager::record(page& what, std::span<const message_id> moved) {
    const journal_location before = what.location;
    what.location = log().paged(what.facts(), moved);
    if (before.record_octets != 0) {
        log().released(before);
    }
}

void pager::set_aside(page& what, const std::string& why) {
    const page_facts& facts = what.facts();
    owner_.log(
        log_level::error,
        format_log_line(
            "page_unreadable",
            {{"queue", what.in_queue != nullptr ? what.in_queue->name() : std::string()},
             {"segment", facts.place.segment},
             {"offset", facts.place.offset},
             {"messages", what.waiting()},
             {"problem", why},
             {"text", "these messages are kept and tried again when the broker starts"}}));
    if (what.in_queue != nullptr) {
        what.in_queue->unreadable(what.waiting_octets());
    }
    what.set_aside();
    what.unreadable = true;
}

void pager::release_blobs(page& of) {
    std::erase_if(of.facts().blobs, [&](const blob_use& each) {
        const bool dead = of.is_dead(each.index);
        owner_.large_bodies().release(dead ? each.blob : 0);
        return dead;
    });
}

void pager::bury(page& gone) {
    assert(gone.facts().blobs.empty());
    if (gone.location.record_octets != 0) {
        log().released(gone.location);
    }
    drop_segment_use(gone.facts().place.segment);
    owner_.memory_account() -= page_footprint;
    pages_.erase(gone.id());
}

void pager::drop_segment_use(std::uint64_t segment) {
    const auto found = pages_in_.find(segment);
    assert(found != pages_in_.end());
    if (--found->second == 0) {
        pages_in_.erase(found);
        store_->remove(segment);
    }
}

void pager::check_invariants() const {
    std::unordered_map<std::uint64_t, std::uint32_t> uses;
    for (const auto& [id, each] : pages_) {
        assert(each->live() > 0 && each->waiting() <= each->live());
        ++uses[each->facts().place.segment];
    }
    assert(uses == pages_in_);
}

}  // namespace lovage::broker
