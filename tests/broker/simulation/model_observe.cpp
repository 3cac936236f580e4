// model: what the clients see, held against what may be.
#include "tests/broker/simulation/model.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker::simulation {

model::channel& model::channel_of(client_number who, const sighting& what) {
    const auto known = clients_.find(who);
    if (known == clients_.end()) {
        throw violation("said to a client that is gone: " + to_string(what));
    }
    const auto found = known->second.find(what.channel);
    if (found == known->second.end()) {
        throw violation("said on a channel that is not open: " + to_string(what));
    }
    return found->second;
}

void model::observe(client_number who, const sighting& what) {
    switch (what.what) {
        case sight::damaged: throw violation("damaged: " + what.text);
        case sight::blocked:
        case sight::connection_closed: return;
        case sight::channel_closed: {
            channel& on = channel_of(who, what);
            if (!on.closing && !on.partly_committed) {
                throw violation("a channel was closed for nothing: " + what.text);
            }
            release(on, true);
            on = {};
            on.closing = true;
            time_passed();  // what comes back late expires at once
            return;
        }
        default: break;
    }
    if (what.channel == 0) {
        return;  // the handshake
    }
    channel& on = channel_of(who, what);
    switch (what.what) {
        case sight::delivery: {
            const auto to = on.consumers.find(what.consumer);
            if (to == on.consumers.end()) {
                throw violation("delivered to no consumer: " + to_string(what));
            }
            take(who, on, {to->second.queue, to->second.no_ack}, what);
            return;
        }
        case sight::confirmed:
        case sight::refused: confirmed(on, what); return;
        case sight::returned:
            if (returns_.erase(what.message) == 0) {
                throw violation("returned although it was routed: " + tell(what.message));
            }
            return;
        case sight::cancelled:
            if (on.consumers.contains(what.consumer)) {
                throw violation("cancelled although its queue is there: " + what.consumer);
            }
            return;
        default: answered(who, on, what);
    }
}

void model::sent(client_number who, std::uint64_t promise) {
    if (const auto found = promised_.find({who, promise}); found != promised_.end()) {
        found->second.what->at(found->second.place).sent = true;
        promised_.erase(found);
    }
}

void model::take(client_number who, channel& on, const consumer& by, const sighting& what) {
    const std::string& queue = by.queue;
    ++messages_seen_;
    const auto known = publications_.find(what.message);
    if (known == publications_.end() || known->second.size != what.size) {
        throw violation("nobody has published " + to_string(what));
    }
    token_ptr found;
    places place = 0;
    for (const token_ptr& each : known->second.tokens) {
        place = what.died_in.empty() ? at_home : at_dead;
        const octets home = place == at_home ? queue : octets{what.died_in};
        if (each->home->name == home && place_in(*each, queue) == place && !each->held &&
            (each->now() & place) != 0) {
            found = each;
            break;
        }
    }
    if (!found) {
        throw violation(
            "message in " + std::string(queue) + " that cannot be there: " + to_string(what) +
            "; " + tell(what.message));
    }
    if (place == at_home && found->due_ms == 0 && found->expires_ms != 0 &&
        found->expires_ms <= now_ms_) {
        throw violation("delivered after its time: " + to_string(what));
    }
    history& told = found->at(place);
    check_flags(*found, told, what);
    set(*found, place);
    told.delivered = true;
    if (std::exchange(told.unsure, false)) {
        told.counts.emplace_back(event_, what.delivery_count);
    }
    told.delivered_at = told.delivered_at == 0 ? event_ : told.delivered_at;
    if (what.promise == 0) {
        told.sent = true;
    } else {
        promised_[{who, what.promise}] = {found, place};
    }
    if (by.no_ack) {
        set(*found, nowhere);
    } else {
        found->held = true;
        on.held[what.tag] = {found, false};
    }
    taken_.push_back({found, place});
}

void model::glimpse(const sighting& what) {
    if (const auto known = publications_.find(what.message); known != publications_.end()) {
        for (const token_ptr& each : known->second.tokens) {
            if (!each->held && each->now() != nowhere) {
                each->home_history.unsure = each->dead_history.unsure = true;
                set(*each, each->now() | nowhere);
            }
        }
    }
}

void model::check_flags(const token& of, const history& told, const sighting& what) const {
    if (told.unsure) {
        return;
    }
    const std::uint32_t count = told.counts.back().second;
    if (what.redelivered != told.delivered) {
        throw violation(
            std::string(told.delivered ? "not marked as redelivered: " : "delivered first as ") +
            to_string(what) + "; " + tell(of));
    }
    if (what.delivery_count != count) {
        throw violation(
            "wrong delivery count: " + to_string(what) + " instead of " + std::to_string(count) +
            "; " + tell(of));
    }
}

void model::confirmed(channel& on, const sighting& what) {
    std::vector<std::uint32_t> messages;
    for (auto each = on.unconfirmed.begin();
         each != on.unconfirmed.end() && each->first <= what.tag;) {
        if (what.multiple || each->first == what.tag) {
            messages.push_back(each->second);
            each = on.unconfirmed.erase(each);
        } else {
            ++each;
        }
    }
    if (messages.empty()) {
        throw violation("a confirm of nothing: " + to_string(what));
    }
    for (const std::uint32_t each : messages) {
        confirm_one(each, what.what == sight::confirmed);
    }
}

void model::confirm_one(std::uint32_t message, bool is_taken) {
    publication& of = publications_.at(message);
    bool may_refuse = false;
    bool lasting = false;
    for (const token_ptr& each : of.tokens) {
        may_refuse = may_refuse || each->space != room::there;
        lasting = lasting || (each->lasting && each->space == room::there);
        if (is_taken && each->space == room::none) {
            throw violation("confirmed by a full queue: " + tell(*each));
        }
        if (each->space == room::doubtful) {
            for (state& past : each->past) {
                if (past.where == (nowhere | at_home)) {
                    past.where = is_taken ? at_home : nowhere;
                }
            }
        }
    }
    if (!is_taken && !may_refuse) {
        throw violation("refused without need: " + tell(message));
    }
    if (lasting && is_taken) {  // a refusal waits for nothing
        durable(of.event);
    }
}

void model::answered(client_number who, channel& on, const sighting& what) {
    if (on.replies.empty()) {
        throw violation("an answer to nothing: " + to_string(what));
    }
    const expected_reply reply = std::move(on.replies.front());
    on.replies.pop_front();
    const verb asked = reply.to.what;
    const bool counts =
        what.what == sight::declared || what.what == sight::deleted || what.what == sight::purged;
    const bool expected = asked == verb::declare_queue || asked == verb::look_at_queue ||
                          asked == verb::delete_queue || asked == verb::purge;
    const bool got = what.what == sight::got || what.what == sight::got_nothing;
    if (counts != expected || got != (asked == verb::get)) {
        throw violation("answers out of order: " + to_string(what) + " to " + to_string(reply.to));
    }
    if (counts && (what.count < reply.fewest || what.count > reply.most)) {
        throw violation(
            to_string(reply.to) + " says " + std::to_string(what.count) + " messages instead of " +
            std::to_string(reply.fewest) + " to " + std::to_string(reply.most));
    }
    if (what.what == sight::got) {
        take(who, on, {reply.to.queue, reply.to.no_ack}, what);
    } else if (what.what == sight::got_nothing && ready(reply.to.queue, event_).first != 0) {
        throw violation("nothing in " + reply.to.queue + " although there should be something");
    }
    if (reply.proves) {
        durable(reply.event);
    }
}

void model::end() {
    if (!returns_.empty()) {
        throw violation("not returned: " + tell(*returns_.begin()));
    }
    check_order();
}

/// Whoever was published to a queue before and stays there must not have been passed over.
void model::check_order() const {
    if (several_) {
        return;
    }
    for (const auto& [what, place] : taken_) {
        if (place != at_home || what->due_ms != 0) {
            continue;
        }
        for (const token_ptr& each : live_) {
            const bool before = each->priority != what->priority ? each->priority > what->priority
                                                                 : each->order < what->order;
            if (each->home == what->home && before && each->now() == at_home && !each->held &&
                each->due_ms == 0) {
                throw violation(
                    "delivered out of order: " + tell(*what) + " before " + tell(*each));
            }
        }
    }
}

std::string model::tell(const token& of) const {
    std::string text = "#" + std::to_string(of.message) + " of " + std::string(of.home->name) +
                       (of.lasting ? " lasting" : "") + (of.held ? " held" : "");
    for (const state& each : of.past) {
        text += " @" + std::to_string(each.since) + ":";
        text += (each.where & nowhere) != 0 ? " nowhere" : "";
        text += (each.where & at_home) != 0 ? " home" : "";
        text += (each.where & at_dead) != 0 ? " dead" : "";
        text += (each.where & in_line) != 0 ? " waiting" : "";
    }
    return text + " (now @" + std::to_string(event_) + ", durable @" + std::to_string(durable_) +
           ")";
}

std::string model::tell(std::uint32_t message) const {
    const auto known = publications_.find(message);
    if (known == publications_.end()) {
        return "unknown";
    }
    std::string text = "published @" + std::to_string(known->second.event);
    for (const token_ptr& each : known->second.tokens) {
        text += "; " + tell(*each);
    }
    return text;
}

std::size_t model::unconfirmed(client_number who) const {
    std::size_t count = 0;
    if (const auto found = clients_.find(who); found != clients_.end()) {
        for (const auto& [number, each] : found->second) {
            count += each.unconfirmed.size();
        }
    }
    return count;
}

/// Everything was seen, or may have gone for a reason.
bool model::is_drained(std::uint64_t now_ms) const {
    return std::ranges::all_of(live_, [&](const token_ptr& each) {
        const bool waits = (each->now() & in_line) != 0 && each->due_ms > now_ms;
        return !each->held && (each->now() & nowhere) != 0 && !waits;
    });
}

void model::check_drained() const {
    for (const token_ptr& each : live_) {
        if (each->held || (each->now() & nowhere) == 0) {
            throw violation("never came out: " + tell(*each));
        }
    }
}

}  // namespace lovage::broker::simulation
