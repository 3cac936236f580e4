// pager: which messages leave the memory, and when; and which pages are copied together.
#include "broker/core/delay_line.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/pager.hpp"

#include <algorithm>
#include <cassert>
#include <map>

namespace lovage::broker {
namespace {

/// Of the bound for memory: less is not worth a segment of its own.
constexpr std::uint64_t worth_a_segment = 128;
constexpr milliseconds full_disk_pause{1000};
constexpr milliseconds compaction_pause{100};
/// Of a segment's size: as much has to be gained.
constexpr std::uint64_t worth_compacting = 32;
/// What one compaction copies at most.
constexpr std::uint64_t compacted_octets_max = 2 * 1024 * 1024;

/// A queue or a delay line that could give something up.
struct candidate {
    std::uint64_t octets = 0;
    queue* of_queue = nullptr;
    delay_line* of_line = nullptr;
};

std::vector<candidate> candidates_in(const engine& owner) {
    std::vector<candidate> all;
    for (const auto& [vhost_name, home] : owner.vhosts()) {
        for (const auto& [name, each] : home->queues()) {
            if (const std::uint64_t octets = each->resident_octets(); octets != 0) {
                all.push_back({octets, each.get(), nullptr});
            }
        }
        for (const auto& [name, each] : home->exchanges()) {
            if (each->delays && each->delays->resident_octets() != 0) {
                all.push_back({each->delays->resident_octets(), nullptr, each->delays.get()});
            }
        }
    }
    std::ranges::sort(all, std::ranges::greater{}, &candidate::octets);
    return all;
}

}  // namespace

/// What paging can make less: the pages themselves are what it makes more.
std::uint64_t pager::used() const {
    const std::uint64_t held = owner_.held_octets();
    return held - std::min(held, pages_.size() * page_footprint);
}

bool pager::filling() const {
    return used() > owner_.options().window_octets_max / 2;
}

bool pager::behind() const {
    const auto limit = owner_.options().window_octets_max;
    return (in_flight_ != 0 || owner_.large_bodies().writing()) && used() > limit + limit / 2;
}

void pager::page_out() {
    const std::uint64_t limit = owner_.options().window_octets_max;
    if (store_ == nullptr || in_flight_ != 0) {
        return;
    }
    again_at_octets_ = std::min(again_at_octets_, used() + limit / 8);
    if (used() <= (paging_ ? limit / 2 : limit)) {
        paging_ = false;
        return;
    }
    if (used() < again_at_octets_ || (retry_at_ && owner_.now() < *retry_at_)) {
        return;
    }
    paging_ = true;
    retry_at_.reset();
    const std::vector<candidate> all = candidates_in(owner_);
    const std::uint64_t keep =
        std::min<std::uint64_t>(limit / 8, limit / 4 / std::max<std::size_t>(all.size(), 1));
    const std::uint64_t target = limit / 2;
    page_builder into{*this};
    for (const candidate& each : all) {
        if (into.full() || used() < target + into.freed() || each.octets <= keep) {
            break;
        }
        if (each.of_queue != nullptr) {
            each.of_queue->page_out(into, keep);
        } else {
            each.of_line->page_out(into, keep);
        }
        into.end_page();
    }
    if (!pending_.empty()) {
        seal();
    }
    // What is left is in use; it must not be looked through in every event.
    again_at_octets_ =
        pending_.empty() || into.freed() < limit / worth_a_segment ? used() + limit / 8 : 0;
    paging_ = !pending_.empty();
}

void pager::seal() {
    in_flight_ = store_->building();
    const bool lasting = std::ranges::any_of(pending_, [this](const pending_page& each) {
        return each.made ? each.made->in_journal : pages_.at(each.copied)->in_journal;
    });
    const bool frees = std::ranges::none_of(
        pending_, [](const pending_page& each) { return each.made != nullptr; });
    store_->seal(lasting, frees);
}

void pager::segment_written(std::uint64_t number, bool there) {
    assert(number == in_flight_);
    in_flight_ = 0;
    if (!there) {
        retry_at_ = owner_.now() + full_disk_pause;
    }
    std::vector<pending_page> done = std::exchange(pending_, {});
    for (pending_page& each : done) {
        if (there) {
            take_over(each, number);
        } else if (each.made) {
            give_up(*each.made);
        }
    }
    if (!pages_in_.contains(number)) {
        store_->remove(number);
    }
}

void pager::give_up(page& made) {
    for (const blob_use& each : made.facts().blobs) {
        owner_.large_bodies().release(each.blob);
    }
}

void pager::take_over(pending_page& what, std::uint64_t segment) {
    if (!what.made) {
        const auto found = pages_.find(what.copied);
        if (found == pages_.end()) {
            return;
        }
        page& moved = *found->second;
        const std::uint64_t before = moved.facts().place.segment;
        moved.facts().place = what.place;
        moved.next_offset = 0;
        moved.stored = what.stored;
        ++pages_in_[segment];
        if (moved.in_journal) {
            record(moved, {});
        }
        drop_segment_use(before);
        return;
    }
    std::vector<queued_message> gone;
    if (what.made->in_queue != nullptr) {
        what.made->in_queue->paged_out(*what.made, what.ids, gone);
    } else if (what.made->in_line != nullptr) {
        what.made->in_line->paged_out(*what.made, what.ids, gone);
    }
    if (gone.empty()) {
        give_up(*what.made);
        return;
    }
    page& added = *what.made;
    release_blobs(added);
    ++pages_in_[segment];
    pages_[added.id()] = std::move(what.made);
    owner_.memory_account() += page_footprint;
    if (added.in_journal) {
        std::vector<message_id> moved;
        for (const queued_message& each : gone) {
            moved.push_back(each.body->id());
        }
        record(added, moved);
        for (const queued_message& each : gone) {
            if (--each.body->durable_holders == 0) {
                owner_.unlogged(*each.body);
            }
        }
    }
}

void pager::compact() {
    // With very many pages looking at all of them is not for every tick.
    const milliseconds pause = compaction_pause + milliseconds{pages_.size() / 100};
    if (store_ == nullptr || in_flight_ != 0 || pages_.empty() ||
        owner_.now() - compacted_at_ < pause || (retry_at_ && owner_.now() < *retry_at_)) {
        return;
    }
    compacted_at_ = owner_.now();
    struct use {
        std::uint64_t live = 0;
        std::vector<page*> pages;
    };
    std::map<std::uint64_t, use> segments;
    for (const auto& [id, each] : pages_) {
        const page_place& place = each->facts().place;
        use& in = segments[place.segment];
        in.live += place.octets * each->live() / std::max(each->stored, 1U);
        in.pages.push_back(each.get());
    }
    std::uint64_t gain = 0;
    std::erase_if(segments, [&](const auto& each) {
        const std::uint64_t all = store_->segment_octets(each.first);
        const bool sparse = each.second.live * 2 < all;
        gain += sparse ? all - each.second.live : 0;
        return !sparse;
    });
    if (gain < owner_.options().segment_octets / worth_compacting) {
        return;  // header and end of a segment take room as well: it must not go on for ever
    }
    for (const auto& [number, in] : segments) {
        for (page* each : in.pages) {
            if (store_->open_octets() < compacted_octets_max && !each->unreadable) {
                copy(*each);
            }
        }
    }
    if (!pending_.empty()) {
        seal();
    }
}

void pager::copy(page& what) {
    const page_facts& facts = what.facts();
    pending_page copied;
    copied.copied = facts.id;
    store_->begin_page(facts.id, facts.of);
    std::string wrong;
    std::uint64_t offset = 0;
    std::uint64_t before = 0;
    do {
        before = offset;
        wrong = store_->read(
            facts.id, facts.place, offset, facts.place.octets, [&](const paged_message& found) {
                if (!what.is_dead(found.index)) {
                    store_->add(found);
                    ++copied.stored;
                }
                return true;
            });
    } while (wrong.empty() && offset != before);
    copied.place = store_->end_page();
    if (!wrong.empty()) {
        what.unreadable = true;  // what was copied of it is left unused
        return;
    }
    pending_.push_back(std::move(copied));
}

std::uint64_t page_builder::room() const {
    const std::uint64_t most = owner_.owner_.options().segment_octets;
    return most - std::min(most, owner_.store_->open_octets() + new_blobs_);
}

void page_builder::begin(queue* of_queue, delay_line* of_line, std::uint8_t level) {
    end_page();
    queue_ = of_queue;
    line_ = of_line;
    level_ = level;
}

void page_builder::add(const queued_message& what, std::uint64_t due_ms, bool in_journal) {
    page_store& store = *owner_.store_;
    const message& body = *what.body;
    if (open_ && owner_.pending_.back().made->in_journal != in_journal) {
        end_page();
    }
    if (!open_) {
        page_facts facts;
        facts.id = owner_.next_page_id_++;
        facts.of = queue_ != nullptr ? queue_->id() : line_->id;
        facts.level = level_;
        facts.first_id = body.id();
        facts.first_due_ms = due_ms;
        pager::pending_page next;
        next.made = std::make_unique<page>(std::move(facts));
        next.made->in_queue = queue_;
        next.made->in_line = line_;
        next.made->in_journal = in_journal;
        next.made->next_key =
            line_ != nullptr ? page_key{due_ms, body.id()} : page_key{body.id(), 0};
        store.begin_page(next.made->id(), next.made->facts().of);
        begun_at_ = store.open_octets();
        in_blobs_ = 0;
        owner_.pending_.push_back(std::move(next));
        open_ = true;
    }
    pager::pending_page& into = owner_.pending_.back();
    page_facts& facts = into.made->facts();
    paged_message as;
    as.index = facts.count;
    as.id = body.id();
    as.parts = {body.exchange(), body.routing_key(), body.properties(), body.body()};
    as.body_octets = body.body().size();
    // On a full disk it goes into the segment, which is refused then and costs nothing.
    if (in_journal && body.blob == 0 && !owner_.owner_.disk_alarmed()) {
        owner_.owner_.keep_blob(what.body);
        new_blobs_ += body.blob != 0 ? as.body_octets : 0;
    }
    if (body.blob != 0 && owner_.owner_.large_bodies().has(body.blob)) {
        as.blob = body.blob;
        as.parts.body = {};
        owner_.owner_.large_bodies().hold(body.blob);
        facts.blobs.push_back({as.index, as.blob, as.body_octets});
        in_blobs_ += as.body_octets;
    }
    as.persistent = body.persistent;
    as.published_at_ms = body.published_at_ms;
    as.due_ms = due_ms;
    as.deaths_left = body.deaths_left;
    as.delivery_count = what.delivery_count;
    as.redelivered = what.redelivered;
    store.add(as);
    ++facts.count;
    into.made->stored = facts.count;
    facts.first_id = std::min(facts.first_id, body.id());
    facts.last_id = std::max(facts.last_id, body.id());
    facts.note(body);
    into.ids.push_back(body.id());
    freed_ += body.footprint();
    if (store.open_octets() - begun_at_ + in_blobs_ >= owner_.owner_.options().page_octets) {
        end_page();
    }
}

void page_builder::end_page() {
    if (std::exchange(open_, false)) {
        pager::pending_page& ended = owner_.pending_.back();
        ended.place = ended.made->facts().place = owner_.store_->end_page();
    }
}

}  // namespace lovage::broker
