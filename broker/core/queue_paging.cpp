// queue: what of it lies on disk, how it is read back, and what expires there.
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

#include <algorithm>

namespace lovage::broker {
namespace {

/// Of a message in memory besides its body, roughly.
constexpr std::uint64_t overhead_octets = sizeof(message) + sizeof(queued_message) + 48;

}  // namespace

bool queue::fetch_from_disk(bool lowest) {
    const bool any = ready_.load(home_.owner().pages(), lowest, [this](const queued_message& each) {
        note_expiry(*each.body);
    });
    has_pages_ = ready_.has_pages();
    return any;
}

std::uint64_t queue::pages_due_ms(bool head) const {
    std::uint64_t at_ms = message::no_expiration;
    if (!has_pages_) {
        return at_ms;
    }
    ready_.for_each_line([&](const page_line& each) {
        at_ms = std::min(at_ms, each.first_expiry_ms());
        // What has the queue's time alone expires in its order, level by level.
        if (rules_.message_ttl_ms && (head || ready_.has_priorities())) {
            at_ms = std::min(at_ms, each.oldest_ms() + *rules_.message_ttl_ms);
        }
    });
    return at_ms;
}

std::uint64_t queue::next_visit_ms(std::uint64_t due_ms) const {
    return std::max(due_ms, pages_visited_ms_) + home_.owner().options().page_visit_pause_ms;
}

void queue::visit_pages() {
    const std::uint64_t now_ms = pages_visited_ms_ = home_.owner().wall_ms();
    std::vector<queued_message> gone;
    std::size_t left = home_.owner().options().page_visits_max;
    ready_.for_each_line([&](page_line& line) {
        std::vector<page*> due;
        line.for_each([&](page& each) {
            const std::uint64_t aged_ms = rules_.message_ttl_ms && ready_.has_priorities()
                                              ? each.facts().oldest_ms + *rules_.message_ttl_ms
                                              : message::no_expiration;
            if (left > 0 && std::min(each.facts().first_expiry_ms, aged_ms) <= now_ms) {
                due.push_back(&each);
                --left;
            }
        });
        for (page* each : due) {
            auto taken = home_.owner().pages().visit(line, *each, [&](const message& body) {
                return expires_at_ms(body).value_or(message::no_expiration) <= now_ms;
            });
            std::ranges::move(taken, std::back_inserter(gone));
        }
    });
    ready_.recount();
    has_pages_ = ready_.has_pages();
    std::ranges::stable_sort(gone, {}, [this](const queued_message& each) {
        return expires_at_ms(*each.body).value_or(message::no_expiration);
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
    has_pages_ = true;
    home_.owner().expiry_changed(*this);
}

void queue::set_recovered_up_to(message_id id) {
    delivered_up_to_ = recovered_up_to_ = id;
    ready_.note_taken(id);
}

std::uint64_t queue::resident_octets() const {
    std::uint64_t paged = 0;
    ready_.for_each_line([&](const page_line& each) { paged += each.body_octets(); });
    return ready_octets_ - paged + ready_.in_memory() * overhead_octets;
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
        has_pages_ = true;
        home_.owner().expiry_changed(*this);
    }
}

}  // namespace lovage::broker
