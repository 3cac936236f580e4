// queue: what of it lies on disk, how it is read back, and what expires there.
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

/// Of a message in memory besides its footprint, roughly.
constexpr std::uint64_t overhead_octets = sizeof(queued_message) + 16;
/// Of the pages in which something has expired, one in so many is visited at once.
constexpr std::size_t page_visits_share = 16;

}  // namespace

bool queue::fetch_from_disk(bool lowest) {
    const bool any = ready_.load(home_.owner().pages(), lowest, [this](const queued_message& each) {
        note_expiry(*each.body);
    });
    has_pages_ = ready_.has_pages();
    return any;
}

bool queue::head_expired() const {
    const auto due = head_expires_at_ms();
    return due && *due <= home_.owner().wall_ms();
}

bool queue::waits_for_memory() const {
    return !ready_.loaded() && home_.owner().memory_is_short() &&
           !takers_.front()->owner->unacked().empty();
}

std::uint64_t queue::pages_due_ms(bool head) const {
    std::uint64_t at_ms = message::no_expiration;
    if (!has_pages_) {
        return at_ms;
    }
    ready_.for_each_line([&](const page_line& each) {
        at_ms = std::min(at_ms, each.first_expiry_ms());
        // What has the queue's time alone expires in its order, level by level.
        if (rules_.message_ttl_ms && ready_.has_priorities()) {
            at_ms = std::min(at_ms, each.oldest_ms() + *rules_.message_ttl_ms);
        } else if (rules_.message_ttl_ms && head) {
            at_ms = std::min(at_ms, each.front().waits.oldest_ms + *rules_.message_ttl_ms);
        }
    });
    return at_ms;
}

std::uint64_t queue::next_visit_ms(std::uint64_t due_ms) const {
    // A clock that was set back must not keep it from being looked for.
    const std::uint64_t visited_ms = std::min(pages_visited_ms_, home_.owner().wall_ms());
    return std::max(due_ms, visited_ms) + home_.owner().options().page_visit_pause_ms;
}

void queue::visit_pages() {
    const std::uint64_t now_ms = pages_visited_ms_ = home_.owner().wall_ms();
    std::vector<queued_message> gone;
    ready_.for_each_line([&](page_line& line) {
        std::vector<std::pair<std::uint64_t, page*>> due;  // by the time
        line.for_each([&](page& each) {
            const std::uint64_t aged_ms = rules_.message_ttl_ms && ready_.has_priorities()
                                              ? each.waits.oldest_ms + *rules_.message_ttl_ms
                                              : message::no_expiration;
            const std::uint64_t due_ms = std::min(each.waits.first_expiry_ms, aged_ms);
            if (due_ms <= now_ms) {
                due.emplace_back(due_ms, &each);
            }
        });
        // The longest overdue first, and more of them when many are.
        std::ranges::sort(due, earlier_page{});
        const std::size_t most =
            std::max(home_.owner().options().page_visits_max, due.size() / page_visits_share);
        due.resize(std::min(due.size(), most));
        for (const auto& [due_ms, each] : due) {
            auto taken = home_.owner().pages().visit(line, *each, [&](const message& body) {
                return expires_at_ms(body).value_or(message::no_expiration) <= now_ms;
            });
            std::ranges::move(taken, std::back_inserter(gone));
        }
    });
    ready_.recount();
    has_pages_ = ready_.has_pages();
    std::ranges::sort(gone, {}, [this](const queued_message& each) {
        const auto due_ms = expires_at_ms(*each.body).value_or(message::no_expiration);
        return std::pair{due_ms, each.body->id()};
    });
    for (queued_message& each : gone) {
        ready_octets_ -= each.body->body().size();
        home_.died(*this, std::move(each), "expired");
    }
}

void queue::restore(page& found) {
    found.in_queue = this;
    found.next_key = {found.facts().first_id, 0};
    ready_octets_ += found.waiting_octets();
    ready_.add_page(found);
    has_pages_ = had_pages_ = true;
    home_.owner().expiry_changed(*this);
}

void queue::set_recovered_up_to(message_id id) {
    mark_.restore(id);
    recovered_up_to_ = id;
}

std::uint64_t queue::resident_octets() const {
    std::uint64_t sum = 0;
    ready_.for_each(
        [&](const queued_message& each) { sum += each.body->footprint() + overhead_octets; });
    return sum;
}

void queue::page_out(page_builder& into, std::uint64_t keep) {
    ready_.page_out(*this, home_.owner().pages(), into, keep, [this](const queued_message& each) {
        return in_log(each);
    });
    has_pages_ = ready_.has_pages();
}

void queue::paged_out(
    page& made,
    const std::vector<message_id>& ids,
    std::vector<queued_message>& gone) {
    std::vector<std::uint32_t> still;
    ready_.take_paged(made, ids, gone, still);
    made.keep_only(still, gone);
    if (!gone.empty()) {
        made.next_key = {gone.front().body->id(), 0};
        ready_.add_page(made);
        has_pages_ = had_pages_ = true;
        home_.owner().expiry_changed(*this);
    }
}

}  // namespace lovage::broker
