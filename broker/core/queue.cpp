#include "broker/core/queue.hpp"

#include "broker/core/channel.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker {
namespace {

/// Deadlines of messages that are gone are swept out when there are twice as many as were left the
/// last time, and so many more.
constexpr std::size_t deadlines_slack = 64;
/// Taking a message out of the middle of a queue moves others: with more than so many, those that
/// expire in the same span of time go together.
constexpr std::size_t long_queue = 10'000;
constexpr std::uint64_t long_queue_pause_ms = 100;

}  // namespace

queue::queue(queue_id id, vhost& home, queue_settings settings, connection_id owner)
    : route_target(kind::queue),
      id_(id),
      home_(home),
      settings_(std::move(settings)),
      owner_(owner),
      rules_(home_.rules_for(settings_)),
      limited_(rules_.length_max || rules_.length_octets_max),
      ready_(settings_.priority_max, home.owner().memory_account()) {
    if (settings_.deduplication) {
        dedup =
            std::make_unique<dedup_table>(*settings_.deduplication, home_.owner().dedup_account());
    }
    used();
}

void queue::set_rules(queue_rules rules) {
    if (rules == rules_) {
        return;
    }
    const queue_rules before = std::exchange(rules_, std::move(rules));
    limited_ = rules_.length_max || rules_.length_octets_max;
    if (rules_.expires_ms != before.expires_ms) {
        used();
        home_.owner().idle_watch_changed(*this, before.expires_ms.has_value());
    }
    if (rules_.message_ttl_ms != before.message_ttl_ms) {
        deadlines_.clear();
        ready_.for_each([this](const queued_message& each) { note_expiry(*each.body); });
    }
    if (limited_) {
        trim();
    }
    home_.owner().expiry_changed(*this);
}

void queue::set_paused(bool paused) {
    paused_ = paused;
    if (!paused) {
        home_.owner().schedule(*this);
    }
}

bool queue::in_log(const queued_message& item) const {
    return settings_.durable && item.body->persistent;
}

void queue::publish(message_ptr body) {
    queued_message item{std::move(body), 0, false};
    if (ready_.empty() && !paused_) {
        while (!takers_.empty()) {
            consumer* taker = takers_.pop_front();
            taker->waiting = false;
            if (taker->owner->can_take(*taker)) {
                deliver(*taker, std::move(item));
                return;
            }
        }
    }
    ready_octets_ += item.body->body().size();
    note_expiry(*item.body);
    ready_.push_back(std::move(item));
    if (limited_ && over_limit(ready_.size(), ready_octets_)) {
        dispatch();  // what a consumer has room for is not too much
        trim();
    }
    home_.owner().expiry_changed(*this);
    home_.owner().schedule(*this);
}

void queue::trim() {
    trim_goes_on_ = false;  // also if a policy has changed meanwhile what is to be done
    if (!drops_head()) {
        return;
    }
    for (std::size_t& left = home_.owner().expired_left();
         left > 0 && over_limit(ready_.size(), ready_octets_) &&
         (ready_.victim_loaded() || fetch_from_disk(true));
         --left) {
        queued_message victim = ready_.pop_victim();
        ready_octets_ -= victim.body->body().size();
        home_.died(*this, std::move(victim), "maxlen");
    }
    trim_goes_on_ =
        home_.owner().expired_left() == 0 && limited_ && over_limit(ready_.size(), ready_octets_);
}

void queue::restore(queued_message found) {
    ++found.body->durable_holders;
    ready_octets_ += found.body->body().size();
    note_expiry(*found.body);
    ready_.restore(std::move(found));
    home_.owner().expiry_changed(*this);
}

void queue::dispatch() {
    while (!ready_.empty() && !takers_.empty() && !paused_) {
        drop_expired();
        if (head_expired() || waits_for_memory() || !fetch()) {
            break;
        }
        consumer* taker = takers_.pop_front();
        taker->waiting = false;
        if (taker->owner->can_take(*taker)) {
            deliver(*taker, pop_ready());
        }
    }
    home_.owner().expiry_changed(*this);
}

lsn queue::note_delivery(const queued_message& item, bool ahead) {
    if (!in_log(item)) {
        return 0;
    }
    engine& owner = home_.owner();
    delivery_mark::occasion when = owner.delivery_occasion();
    if (!item.body->moved) {
        return mark_.note(id_, item.body->id(), ahead, when);
    }
    // Until its own record is on disk, a crash would bring back what it takes the place of, and
    // that would move again.
    when.first_open = delivery_mark::never_open;
    return std::max(
        mark_.note(id_, item.body->id(), ahead, when), owner.published_at(item.body->id()));
}

void queue::settle_mark() {
    mark_.settle(id_, home_.owner().log());
}

void queue::deliver(consumer& taker, queued_message item) {
    if (const lsn wait_for = note_delivery(item, true); wait_for != 0) {
        taker.owner->hold_output(wait_for);
    }
    if (taker.no_ack) {
        taker.owner->deliver(taker, item);
        forget(item);
    } else {
        ++unacked_;
        taker.owner->deliver(taker, std::move(item));
    }
    if (taker.owner->can_take(taker)) {
        consumer_ready(taker);
    }
}

queued_message queue::pop_ready() {
    queued_message item = ready_.pop_front();
    ready_octets_ -= item.body->body().size();
    if (ready_.empty() && !deadlines_.empty()) {
        deadlines_ = {};
    }
    return item;
}

std::optional<queue::taken_message> queue::take(bool no_ack) {
    used();
    drop_expired();
    if (paused_ || head_expired() || !fetch()) {
        return std::nullopt;
    }
    queued_message item = pop_ready();
    const lsn wait_for = note_delivery(item, false);
    home_.owner().expiry_changed(*this);
    if (no_ack) {
        forget(item);
    } else {
        ++unacked_;
    }
    return taken_message{std::move(item), wait_for};
}

/// `told`: the journal knows already.
void queue::clear_ready(bool told) {
    ready_.for_each_line([&](page_line& each) {
        ready_octets_ -= each.body_octets();
        home_.owner().pages().drop(each, told);
    });
    ready_.recount();
    ready_.for_each([this](const queued_message& each) {
        ready_octets_ -= each.body->body().size();
        forget(each);
    });
    ready_.clear();
    deadlines_ = {};
}

std::size_t queue::purge() {
    const std::size_t count = ready_.size();
    clear_ready(false);
    home_.owner().expiry_changed(*this);
    return count;
}

void queue::add_consumer(consumer& added) {
    consumers_.push_back(&added);
    exclusive_consumer_ = exclusive_consumer_ || added.exclusive;
    active_ = active_ == nullptr ? &added : active_;
    used();
    consumer_ready(added);
    home_.owner().schedule(*this);
}

void queue::remove_ended_consumers() {
    const bool active_gone = active_ != nullptr && active_->ended;
    std::erase_if(consumers_, [](const consumer* each) { return each->ended; });
    takers_.erase_if([](consumer* each) {
        each->waiting = each->waiting && !each->ended;
        return each->ended;
    });
    exclusive_consumer_ = std::ranges::any_of(consumers_, &consumer::exclusive);
    if (active_gone) {
        active_ = consumers_.empty() ? nullptr : consumers_.front();
        if (settings_.single_active_consumer && active_ != nullptr) {
            consumer_ready(*active_);
            home_.owner().schedule(*this);
        }
    }
    used();
}

void queue::consumer_ready(consumer& taker) {
    if (taker.waiting || (settings_.single_active_consumer && &taker != active_)) {
        return;
    }
    taker.waiting = true;
    std::size_t place = takers_.size();
    while (place > 0 && takers_[place - 1]->priority < taker.priority) {
        --place;
    }
    if (place == takers_.size()) {
        takers_.push_back(&taker);
    } else {
        takers_.insert(place, &taker);
    }
}

void queue::forget(const queued_message& gone, bool replaced) {
    if (gone.body->in_page != nullptr) {
        home_.owner().pages().settled(*gone.body, replaced || deleted_);
        return;
    }
    if (!in_log(gone)) {
        return;
    }
    if (!deleted_ && !replaced) {
        home_.owner().log().settled(id_, gone.body->id());
    }
    if (--gone.body->durable_holders == 0) {
        home_.owner().unlogged(*gone.body);
    }
}

void queue::settled(const queued_message& done, bool replaced) {
    --unacked_;
    forget(done, replaced);
    if (deleted_ && unacked_ == 0) {
        home_.bury(*this);  // the last line: *this is gone
    }
}

void queue::requeue(queued_message back, bool counted) {
    if (deleted_) {
        settled(back);
        return;
    }
    --unacked_;
    back.redelivered = true;
    back.delivery_count += counted ? 1 : 0;
    if (counted && rules_.delivery_limit && back.delivery_count > *rules_.delivery_limit) {
        home_.died(*this, std::move(back), "delivery_limit");
        return;
    }
    if (back.body->in_page != nullptr) {
        home_.owner().pages().returned(*back.body, back.delivery_count);
    } else if (in_log(back)) {
        home_.owner().log().returned(id_, back.body->id(), back.delivery_count);
    }
    ready_octets_ += back.body->body().size();
    note_expiry(*back.body);
    ready_.insert(std::move(back));
    if (limited_) {
        trim();
    }
    home_.owner().expiry_changed(*this);
    home_.owner().schedule(*this);
}

void queue::rejected(const queued_message& refused) {
    const bool replaced = !deleted_ && rules_.dead_letter_exchange &&
                          home_.dead_letter(*this, *refused.body, "rejected", in_log(refused));
    settled(refused, replaced);
}

void queue::mark_deleted() {
    deleted_ = true;
    clear_ready(true);
    if (had_pages_ || home_.owner().pages().writing()) {
        home_.owner().pages().forget(*this);
    }
    home_.owner().expiry_changed(*this);
}

std::optional<std::uint64_t> queue::expires_at_ms(const message& body) const {
    std::uint64_t ttl = body.expiration_ms;
    if (rules_.message_ttl_ms) {
        ttl = std::min(ttl, *rules_.message_ttl_ms);
    }
    if (ttl == message::no_expiration) {
        return std::nullopt;
    }
    return body.published_at_ms + ttl;
}

std::optional<std::uint64_t> queue::head_expires_at_ms() const {
    if (ready_.empty()) {
        return std::nullopt;
    }
    if (!ready_.loaded()) {
        const std::uint64_t at_ms = pages_due_ms(true);
        return at_ms == message::no_expiration ? std::nullopt : std::optional{at_ms};
    }
    return expires_at_ms(*ready_.front().body);
}

std::optional<std::uint64_t> queue::next_expires_at_ms() const {
    if (trim_goes_on_) {
        return 0;
    }
    auto head = head_expires_at_ms();
    if (const std::uint64_t due_ms = pages_due_ms(false); due_ms != message::no_expiration) {
        const std::uint64_t visit_ms = next_visit_ms(due_ms);
        head = std::min(head.value_or(visit_ms), visit_ms);
    }
    if (deadlines_.empty()) {
        return head;
    }
    std::uint64_t at_ms = deadlines_.front().at_ms;
    if (ready_.size() > long_queue) {
        at_ms += long_queue_pause_ms - at_ms % long_queue_pause_ms;
    }
    return std::min(head.value_or(at_ms), at_ms);
}

/// Messages with the queue's time to live alone expire in their order. Others need a deadline that
/// is found without them being at the head.
void queue::note_expiry(const message& body) {
    const bool in_order = body.expiration_ms == message::no_expiration && !ready_.has_priorities();
    const auto at_ms = in_order ? std::nullopt : expires_at_ms(body);
    if (!at_ms) {
        return;
    }
    if (deadlines_.size() > deadlines_swept_at_) {
        std::erase_if(deadlines_, [&](const deadline& each) {
            return !ready_.contains(each.id, each.priority);
        });
        std::ranges::make_heap(deadlines_, later);
        deadlines_swept_at_ = deadlines_slack + 2 * deadlines_.size();
    }
    deadlines_.push_back({*at_ms, body.id(), body.priority});
    std::ranges::push_heap(deadlines_, later);
}

void queue::drop_expired() {
    const auto now_ms = home_.owner().wall_ms();
    std::size_t& left = home_.owner().expired_left();
    if (trim_goes_on_) {
        trim();
    }
    while (left > 0 && head_expired()) {
        if (!ready_.loaded()) {
            if (!fetch()) {
                break;
            }
            continue;  // now it can be said exactly
        }
        --left;
        home_.died(*this, pop_ready(), "expired");
    }
    if (const std::uint64_t due_ms = pages_due_ms(false);
        due_ms != message::no_expiration && next_visit_ms(due_ms) <= now_ms) {
        visit_pages();
    }
    std::vector<message_id> in_time;
    for (; left > 0 && !deadlines_.empty() && deadlines_.front().at_ms <= now_ms; --left) {
        in_time.push_back(deadlines_.front().id);
        std::ranges::pop_heap(deadlines_, later);
        deadlines_.pop_back();
    }
    if (in_time.empty()) {
        return;
    }
    std::vector<message_id> by_id = in_time;
    std::ranges::sort(by_id);
    std::vector<queued_message> gone;
    ready_.extract(by_id, gone);
    by_id.clear();
    for (const queued_message& item : gone) {
        if (item.body->in_page != nullptr) {
            item.body->in_page->left(item.body->page_index);
        }
        ready_octets_ -= item.body->body().size();
        by_id.push_back(item.body->id());
    }
    // They die in the order of their times. One may have two deadlines, or be here no more.
    for (const message_id id : in_time) {
        const auto place = std::ranges::lower_bound(by_id, id) - by_id.begin();
        const auto index = static_cast<std::size_t>(place);
        if (index < gone.size() && by_id[index] == id && gone[index].body) {
            home_.died(*this, std::move(gone[index]), "expired");
        }
    }
}

void queue::used() {
    last_used_ = home_.owner().now();
}

std::optional<time_point> queue::unused_since() const {
    if (!rules_.expires_ms || !consumers_.empty()) {
        return std::nullopt;
    }
    return last_used_;
}

void queue::check_invariants() const {
    std::uint64_t ready_sum = 0;
    ready_.check_invariants();
    if (dedup) {
        dedup->check_invariants();
    }
    ready_.for_each([&](const queued_message& each) { ready_sum += each.body->body().size(); });
    ready_.for_each_line([&](const page_line& each) { ready_sum += each.body_octets(); });
    assert(ready_sum == ready_octets_);
    for (std::size_t i = 0; i < takers_.size(); ++i) {
        assert(takers_[i]->waiting);
        assert(std::ranges::count(consumers_, takers_[i]) == 1);
        assert(i == 0 || takers_[i - 1]->priority >= takers_[i]->priority);
        assert(!settings_.single_active_consumer || takers_[i] == active_);
    }
    const auto waiting = std::ranges::count_if(consumers_, &consumer::waiting);
    assert(static_cast<std::size_t>(waiting) == takers_.size());
    assert(!deleted_ || (ready_.empty() && consumers_.empty()));
    static_cast<void>(ready_sum);
    static_cast<void>(waiting);
}

}  // namespace lovage::broker
