// model: what the clients do, and what follows from it.
#include "tests/broker/simulation/model.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace lovage::broker::simulation {
namespace {

constexpr octets partial_commit = "partial tx completion";
constexpr octets not_there = "404";

bool is_settlement(verb what) {
    return what == verb::ack || what == verb::nack || what == verb::reject;
}

}  // namespace

std::string queue_definition_name(octets queue) {
    return "queue " + std::string(queue);
}

std::string exchange_definition_name(octets exchange) {
    return "exchange " + std::string(exchange);
}

std::string binding_name(octets exchange, octets queue, octets key) {
    return "binding " + std::string(exchange) + " " + std::string(queue) + " " + std::string(key);
}

void model::begin(event_number event, std::uint64_t now_ms) {
    event_ = event;
    now_ms_ = now_ms;
    several_ = false;
    taken_.clear();
    time_passed();
}

void model::apply(client_number who, const action& what, const std::string* refusal) {
    if (what.what == verb::plumbing) {
        return;
    }
    if (what.what == verb::close_connection) {
        cut(who);
        return;
    }
    if (what.what == verb::open_channel) {
        clients_[who][what.channel] = {};
    }
    channel& on = clients_[who][what.channel];
    if (what.what == verb::confirm_closed) {
        clients_[who].erase(what.channel);
        return;
    }
    expected_reply reply;
    reply.to = what;
    reply.event = event_;
    if (on.closing) {
        if (what.what == verb::close_channel) {
            on.replies.push_back(std::move(reply));
        }
        return;
    }
    if (refusal != nullptr) {
        refused(on, what, *refusal);
        time_passed();
        return;
    }
    apply_method(on, what, reply);
    if (what.what == verb::close_channel) {
        release(on, true);
        on = {};
    }
    if (what.what != verb::publish && !is_settlement(what.what)) {
        on.replies.push_back(std::move(reply));
    }
    time_passed();
}

void model::apply_method(channel& on, const action& what, expected_reply& reply) {
    switch (what.what) {
        case verb::declare_queue:
        case verb::look_at_queue:
        case verb::delete_queue:
        case verb::purge:
        case verb::declare_exchange:
        case verb::look_at_exchange:
        case verb::delete_exchange:
        case verb::bind:
        case verb::unbind: define(what, reply); break;
        case verb::select_confirms: on.confirming = true; break;
        case verb::select_tx: on.transactional = true; break;
        case verb::commit: commit(on, reply); break;
        case verb::roll_back:
            on.transaction.clear();
            for (auto& [tag, each] : on.held) {
                each.in_transaction = false;
            }
            break;
        case verb::publish:
            if (on.confirming) {
                on.unconfirmed[++on.last_confirm] = what.message;
            }
            if (on.transactional) {
                on.transaction.push_back(what);
            } else {
                publish(what);
            }
            break;
        case verb::consume:
            on.consumers[what.tag] = {what.queue, what.no_ack};
            consumed_.insert(what.queue);
            break;
        case verb::cancel: on.consumers.erase(what.tag); break;
        case verb::ack:
        case verb::nack:
        case verb::reject: settle(on, what); break;
        case verb::recover:
            for (const auto& [tag, each] : std::map{on.held}) {
                if (!each.in_transaction) {
                    on.held.erase(tag);
                    give_back(*each.what, true);
                }
            }
            break;
        default: break;
    }
}

/// Only what is not there is a reason.
void model::refused(channel& on, const action& what, const std::string& text) {
    if (text.find(partial_commit) != std::string::npos) {
        // What it delivers to this channel is seen before it closes.
        expected_reply ignored;
        commit(on, ignored);
        on.partly_committed = true;
        return;
    }
    const bool missing_queue = !what.queue.empty() && !exists(queue_definition_name(what.queue));
    const bool missing_exchange =
        !what.exchange.empty() && !exists(exchange_definition_name(what.exchange));
    if (!text.starts_with(not_there) || (!missing_queue && !missing_exchange)) {
        throw violation("unexpected refusal of " + to_string(what) + ": " + text);
    }
    release(on, true);
    on = {};
    on.closing = true;
}

void model::define(const action& what, expected_reply& reply) {
    const std::string queue = queue_definition_name(what.queue);
    const std::string exchange = exchange_definition_name(what.exchange);
    bool changes = false;
    if (!what.queue.empty()) {
        std::tie(reply.fewest, reply.most) = ready(what.queue, event_);
    }
    switch (what.what) {
        case verb::declare_queue:
            changes = !exists(queue) && kind_of(what.queue).durable;
            set_definition(queue, true);
            break;
        case verb::delete_queue:
            changes = exists(queue) && kind_of(what.queue).durable;
            delete_queue(what.queue);
            break;
        case verb::purge:
            if (exists(queue)) {
                leave(kind_of(what.queue));
            }
            break;
        case verb::declare_exchange:
            changes = !exists(exchange);
            set_definition(exchange, true);
            break;
        case verb::delete_exchange:
            changes = exists(exchange);
            set_definition(exchange, false);
            for (const auto& [name, past] : std::map{definitions_}) {
                if (name.starts_with("binding " + what.exchange + " ")) {
                    set_definition(name, false);
                }
            }
            break;
        case verb::bind:
        case verb::unbind: {
            const std::string name = binding_name(what.exchange, what.queue, what.key);
            const bool wanted = what.what == verb::bind;
            changes = exists(name) != wanted && kind_of(what.queue).durable;
            set_definition(name, wanted);
            break;
        }
        default:
            if ((!what.queue.empty() && !exists(queue)) ||
                (!what.exchange.empty() && !exists(exchange))) {
                throw violation(to_string(what) + " found what is not there");
            }
    }
    reply.proves = changes;
}

void model::delete_queue(const std::string& queue) {
    if (!exists(queue_definition_name(queue))) {
        return;
    }
    set_definition(queue_definition_name(queue), false);
    for (const auto& [name, past] : std::map{definitions_}) {
        if (name.starts_with("binding ") && name.find(" " + queue + " ") != std::string::npos) {
            set_definition(name, false);
        }
    }
    leave(kind_of(queue));
    for (auto& [who, channels] : clients_) {
        for (auto& [number, each] : channels) {
            std::erase_if(each.consumers, [&](const auto& of) { return of.second.queue == queue; });
            for (auto& [tag, holding] : each.held) {
                if ((holding.what->now() & place_in(*holding.what, queue)) != 0) {
                    set(*holding.what, nowhere);
                }
            }
        }
    }
}

void model::set_definition(const std::string& name, bool exists_now) {
    if (exists(name) != exists_now) {
        definitions_[name].emplace_back(event_, exists_now);
    }
}

bool model::exists(const std::string& definition) const {
    const auto found = definitions_.find(definition);
    return found != definitions_.end() && !found->second.empty() && found->second.back().second;
}

bool model::has_queue(octets queue) const {
    return exists(queue_definition_name(queue));
}

bool model::is_bound(octets exchange, octets queue, octets key) const {
    return exists(binding_name(exchange, queue, key));
}

void model::publish(const action& what) {
    publication& made = publications_[what.message];
    made.event = event_;
    made.size = body_of(what.message, what.size).size();
    const bool waits = what.delay_ms != 0 && exchange_of(what.exchange).delayed;
    for (const queue_kind& each : queue_kinds) {
        const bool by_name = what.exchange.empty() && what.key == each.name && has_queue(each.name);
        const octets key = what.exchange == exchange_kinds[0].name ? octets{} : octets{what.key};
        if (by_name || is_bound(what.exchange, each.name, key) ||
            (waits && what.key == each.name)) {
            add_token(what, made, each);
        }
    }
    if (made.tokens.empty() && what.mandatory) {
        returns_.insert(what.message);
    }
}

void model::add_token(const action& what, publication& of, const queue_kind& home) {
    auto made = std::make_shared<token>();
    made->message = what.message;
    made->home = &home;
    made->order = next_order_++;
    made->created = event_;
    made->priority = std::min(what.priority, home.priorities);
    made->lasting = what.persistent && home.durable;
    std::uint64_t lives_ms = what.expiration_ms;
    if (home.ttl_ms != 0 && (lives_ms == 0 || home.ttl_ms < lives_ms)) {
        lives_ms = home.ttl_ms;
    }
    if (what.delay_ms != 0) {
        made->due_ms = now_ms_ + what.delay_ms;
    }
    if (lives_ms != 0) {
        made->expires_ms = now_ms_ + what.delay_ms + lives_ms;
    }
    made->past = {{0, nowhere}, {event_, place_of_new(*made)}};
    live_.push_back(made);
    of.tokens.push_back(made);
    if (home.length_max != 0 && !home.refuses) {
        overflow(home, made.get());
    }
}

places model::place_of_new(token& made) {
    if (made.due_ms != 0) {
        return in_line;
    }
    const queue_kind& home = *made.home;
    if (!home.refuses) {
        return at_home;
    }
    // What came in this event may be with a consumer already.
    if (ready(home.name, event_).first >= home.length_max) {
        made.space = room::none;
        return nowhere;
    }
    if (ready(home.name, event_ + 1).second >= home.length_max) {
        made.space = room::doubtful;
        return nowhere | at_home;
    }
    return at_home;
}

/// More may have come than there is room for.
void model::overflow(const queue_kind& queue, const token* newest) {
    if (queue.length_max == 0 || queue.refuses ||
        ready(queue.name, event_ + 1).second <= queue.length_max) {
        return;
    }
    for (const token_ptr& each : live_) {
        if (each->home == &queue && !each->held && (each->now() & at_home) != 0 &&
            each.get() != newest) {
            set(*each, each->now() | place_of_dead(*each));
        }
    }
}

void model::settle(channel& on, const action& what) {
    std::vector<std::uint64_t> tags;
    for (const auto& [tag, each] : on.held) {
        if (!each.in_transaction &&
            (tag == what.delivery || (what.multiple && tag < what.delivery))) {
            tags.push_back(tag);
        }
    }
    for (const std::uint64_t tag : tags) {
        if (!on.transactional) {
            settle_one(on, tag, what);
            continue;
        }
        action one = what;
        one.delivery = tag;
        one.multiple = false;
        on.held[tag].in_transaction = true;
        on.transaction.push_back(one);
    }
}

void model::settle_one(channel& on, std::uint64_t delivery, const action& how) {
    const auto found = on.held.find(delivery);
    if (found == on.held.end()) {
        return;
    }
    const token_ptr what = found->second.what;
    on.held.erase(found);
    if (how.what != verb::ack && how.requeue) {
        give_back(*what, true);
        return;
    }
    what->held = false;
    const bool dies = how.what != verb::ack && what->now() == at_home && what->home->dead_letters;
    set(*what, dies ? place_of_dead(*what) : nowhere);
}

void model::give_back(token& back, bool counted) {
    back.held = false;
    if (back.now() == nowhere) {
        return;  // its queue has been deleted
    }
    history& told = back.at(back.now());
    told.counts.emplace_back(event_, told.counts.back().second + (counted ? 1 : 0));
    if (back.now() == at_home) {
        overflow(*back.home, nullptr);
    }
}

void model::commit(channel& on, expected_reply& reply) {
    several_ = true;
    reply.proves = false;
    const auto held_back = std::exchange(on.transaction, {});
    for (const action& each : held_back) {
        if (each.what == verb::publish) {
            publish(each);
            for (const token_ptr& made : publications_[each.message].tokens) {
                reply.proves = reply.proves || (made->lasting && made->now() != nowhere);
            }
        }
    }
    for (const action& each : held_back) {
        if (each.what != verb::publish) {
            reply.proves = true;
            settle_one(on, each.delivery, each);
        }
    }
}

void model::release(channel& of, bool counted) {
    for (auto& [tag, each] : std::exchange(of.held, {})) {
        give_back(*each.what, counted);
    }
}

void model::cut(client_number who, bool counted) {
    if (const auto found = clients_.find(who); found != clients_.end()) {
        for (auto& [number, each] : found->second) {
            release(each, counted);
        }
        clients_.erase(found);
    }
    time_passed();
}

void model::set(token& of, places where) {
    if (of.now() == where) {
        return;
    }
    of.past.push_back({event_, where});  // a crash may keep a part of what one event has done
    prune(of);
}

/// All that is ready there is gone.
void model::leave(const queue_kind& queue) {
    for (const token_ptr& each : live_) {
        const places there = place_in(*each, queue.name);
        if (!each->held && (each->now() & there) != 0) {
            set(*each, static_cast<places>((each->now() & ~there) | nowhere));
        }
    }
}

void model::time_passed() {
    for (const token_ptr& each : live_) {
        if (each->held) {
            continue;
        }
        if ((each->now() & in_line) != 0 && each->due_ms <= now_ms_) {
            const bool bound = is_bound(exchange_kinds[2].name, each->home->name, each->home->name);
            set(*each, each->now() | (bound ? at_home : nowhere));
        }
        if ((each->now() & at_home) != 0 && each->expires_ms != 0 && each->expires_ms <= now_ms_) {
            set(*each, each->now() | place_of_dead(*each));
        }
    }
    std::erase_if(live_, [this](const token_ptr& each) {
        const bool gone =
            !each->held && each->now() == nowhere && each->past.back().since <= durable_;
        if (gone) {
            prune(*each);  // it must never be seen again
        }
        return gone;
    });
}

places model::place_of_dead(const token& of) const {
    return of.home->dead_letters && has_queue(dead_queue) ? at_dead : nowhere;
}

/// The bit that says that it is in that queue; 0: it cannot be.
places model::place_in(const token& of, octets queue) const {
    if (of.home->name == queue) {
        return at_home;
    }
    return queue == dead_queue && of.home->dead_letters ? at_dead : places{0};
}

/// How many are ready in a queue, of those created before that event: at least, and at most.
std::pair<std::size_t, std::size_t> model::ready(octets queue, event_number before) const {
    std::pair<std::size_t, std::size_t> count{0, 0};
    for (const token_ptr& each : live_) {
        const places there = place_in(*each, queue);
        if (!each->held && (each->now() & there) != 0 && each->created < before) {
            count.first += each->now() == there ? 1U : 0U;
            ++count.second;
        }
    }
    return count;
}

}  // namespace lovage::broker::simulation
