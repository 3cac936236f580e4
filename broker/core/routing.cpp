// vhost: the way of a message from an exchange to queues, over bindings between exchanges and
// alternate exchanges. Rows 137 to 152 of RabbitMQ's behaviour.
#include "broker/core/channel.hpp"
#include "broker/core/delay_line.hpp"
#include "broker/core/direct_reply.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

#include <algorithm>

namespace lovage::broker {

bool vhost::mark(route_target& reached) const {
    return std::exchange(reached.route_mark, route_serial_) != route_serial_;
}

void vhost::find_named(octets key, const publication& what) {
    if (queue* named = find_queue(key); named != nullptr) {
        if (mark(*named)) {
            targets_.push_back(named);
        }
    } else if (key.starts_with(reply_address_prefix)) {
        // Delivered at once and not counted as a route, as RabbitMQ does.
        const auto found = reply_addresses_.find(key);
        if (found != reply_addresses_.end() &&
            std::exchange(found->second.route_mark, route_serial_) != route_serial_) {
            found->second.taker->deliver_reply(what.parts);
        }
    }
}

void vhost::add_reply_address(const std::string& address, channel& taker) {
    reply_addresses_[address] = {&taker, 0};
}

void vhost::remove_reply_address(octets address) {
    if (const auto found = reply_addresses_.find(address); found != reply_addresses_.end()) {
        reply_addresses_.erase(found);
    }
}

bool vhost::has_reply_address(octets address) const {
    return reply_addresses_.find(address) != reply_addresses_.end();
}

void vhost::find_targets(exchange* through, const publication& what) {
    targets_.clear();
    held_back_.clear();
    marking_.clear();
    dedup_key_read_ = false;
    duplicate_ = false;
    ++route_serial_;  // a queue takes one copy and an exchange one look, so that cycles end
    if (through == nullptr) {
        find_named(what.parts.routing_key, what);
        for (const std::string& key : what.copies) {
            find_named(key, what);
        }
        return;
    }
    message_headers headers{what.parts.properties};
    mark(*through);
    to_visit_.assign(1, through);
    while (!to_visit_.empty()) {
        exchange& here = *to_visit_.back();
        to_visit_.pop_back();
        if (here.dedup) {
            if (is_duplicate(here, what)) {
                duplicate_ = true;
                continue;
            }
            marking_.push_back(&here);
        }
        if (here.delays) {
            if (const auto due = due_at_ms(what.parts.properties, owner_.wall_ms())) {
                held_back_.push_back({&here, *due});
                continue;
            }
        }
        bool any = match(here, what.parts.routing_key, headers);
        for (std::size_t i = 0; here.looks_at_keys() && i < what.copies.size(); ++i) {
            any = match(here, what.copies[i], headers) || any;
        }
        if (!any && here.alternate()) {
            if (exchange* other = find_exchange(*here.alternate()); other != nullptr) {
                reach(*other);
            }
        }
    }
}

bool vhost::match(exchange& here, octets key, message_headers& headers) {
    matched_.clear();
    here.match(key, headers, matched_);
    for (route_target* reached : matched_) {
        reach(*reached);
    }
    return !matched_.empty();
}

void vhost::reach(route_target& target) {
    if (!mark(target)) {
        return;
    }
    if (target.is_queue()) {
        targets_.push_back(static_cast<queue*>(&target));
    } else {
        to_visit_.push_back(static_cast<exchange*>(&target));
    }
}

publish_outcome vhost::publish(exchange* through, const publication& what) {
    find_targets(through, what);
    return deliver_to_targets(what);
}

bool vhost::remove_refusing(const publication& what) {
    refusing_.clear();
    const std::size_t before = targets_.size();
    std::erase_if(targets_, [&](queue* target) {
        if (!target->refuses(what.parts.body.size())) {
            return false;
        }
        if (target->rules().overflow == overflow_mode::reject_publish_dlx &&
            target->rules().dead_letter_exchange) {
            refusing_.push_back(target);
        }
        return true;
    });
    return targets_.size() != before;
}

message_ptr vhost::create_message(const publication& what, publish_outcome& outcome) {
    message_ptr made{
        message::create(owner_.next_message_id(), what.parts, owner_.memory_account())};
    made->persistent = what.persistent;
    made->moved = what.moves;
    made->priority = what.priority;
    made->published_at_ms = what.published_at_ms;
    made->expiration_ms = what.expiration_ms;
    made->deaths_left = what.deaths_left;
    if (!what.persistent) {
        return made;
    }
    holdings_.clear();
    std::uint64_t before = 0;
    for (const queue* target : targets_) {
        if (target->settings().durable) {
            holdings_.push_back({target->id(), 0, false});
            before = std::max(before, target->ready_octets());
        }
    }
    if (!holdings_.empty()) {
        // All of them hold it before the first can settle it.
        made->durable_holders = static_cast<std::uint32_t>(holdings_.size());
        const auto instead_of = outcome.replaced ? std::nullopt : what.instead_of;
        owner_.place_body(made, outcome.blob != 0 ? outcome.blob : what.blob, before);
        made->location = owner_.log().published(*made, holdings_, instead_of);
        outcome.logged = true;
        outcome.replaced = outcome.replaced || instead_of;
    }
    return made;
}

publish_outcome vhost::deliver_to_targets(const publication& what) {
    publish_outcome outcome;
    if (!held_back_.empty()) {
        hold_back(what, outcome);
    }
    const bool dropped = remove_duplicates(what) || duplicate_;
    if (targets_.empty()) {
        outcome.duplicate = dropped && !outcome.routed;
        // Confirmed as the first one: not before that is on disk.
        outcome.routed = outcome.routed || dropped;
        outcome.logged = outcome.logged || (outcome.duplicate && what.persistent);
        remember_all(what, outcome);
        return outcome;
    }
    outcome.routed = true;
    outcome.refused = remove_refusing(what);
    if (targets_.empty() && refusing_.empty()) {
        return outcome;
    }
    const bool outermost = !std::exchange(delivering_, true);
    message_ptr made = create_message(what, outcome);
    remember_all(what, outcome);
    for (queue* full : refusing_) {
        // Before all that the journal holds meanwhile: only this event knows of them.
        deaths_.push_front({full, {made, 0, false}, "maxlen", false});
    }
    for (std::size_t i = 0; i + 1 < targets_.size(); ++i) {
        targets_[i]->publish(made);
    }
    if (!targets_.empty()) {
        targets_.back()->publish(std::move(made));
    }
    if (outermost) {
        delivering_ = false;
        dead_letter_waiting();
    }
    return outcome;
}

void vhost::died(queue& from, queued_message item, octets reason) {
    if (!from.rules().dead_letter_exchange) {
        from.forget(item);
        return;
    }
    deaths_.push_back({&from, std::move(item), reason, true});
    dead_letter_waiting();
}

void vhost::dead_letter_waiting() {
    if (std::exchange(delivering_, true)) {
        return;
    }
    while (!deaths_.empty() && (!deaths_.front().was_held || owner_.take_dead_letter())) {
        const dead_message next = deaths_.pop_front();
        const bool in_log = next.was_held && next.from->in_log(next.item);
        const bool replaced = dead_letter(*next.from, *next.item.body, next.reason, in_log);
        if (next.was_held) {
            next.from->forget(next.item, replaced);
        }
    }
    delivering_ = false;
}

void vhost::forget_dead_of(queue& gone) {
    for (std::size_t left = deaths_.size(); left > 0; --left) {
        dead_message next = deaths_.pop_front();
        if (next.from != &gone) {
            deaths_.push_back(std::move(next));
        } else if (next.was_held) {
            gone.forget(next.item);
        }
    }
}

}  // namespace lovage::broker
