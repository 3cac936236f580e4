// model: what may be left after a crash, held against what was found.
#include "tests/broker/simulation/model.hpp"

#include <algorithm>

namespace lovage::broker::simulation {
namespace {

bool same(const found_copy& a, const found_copy& b) {
    return a.seen.message == b.seen.message && a.seen.redelivered == b.seen.redelivered &&
           a.seen.delivery_count == b.seen.delivery_count && a.seen.died_in == b.seen.died_in &&
           a.late == b.late;
}

}  // namespace

/// But for the order of dead letters that die in the same millisecond.
bool operator==(const snapshot& a, const snapshot& b) {
    return a.definitions == b.definitions &&
           std::ranges::equal(a.queues, b.queues, [](const auto& one, const auto& other) {
               return one.first == other.first &&
                      (one.first == dead_queue
                           ? std::ranges::is_permutation(one.second, other.second, same)
                           : std::ranges::equal(one.second, other.second, same));
           });
}

/// Forgets what lies before the last event that is surely on disk.
void model::prune(token& of) const {
    while (of.past.size() > 1 && of.past[1].since <= durable_) {
        of.past.erase(of.past.begin());
    }
}

/// What was about to happen with time has happened since.
places model::possible(const token& of) const {
    places where = 0;
    for (const state& each : of.past) {
        where |= each.where;
    }
    if ((where & in_line) != 0 && of.due_ms <= now_ms_) {
        where |= at_home;
    }
    if ((where & at_home) != 0 && of.expires_ms != 0 && of.expires_ms <= now_ms_) {
        where |= of.home->dead_letters ? at_dead : nowhere;
    }
    return where;
}

void model::restarted(const snapshot& found) {
    clients_.clear();
    returns_.clear();
    promised_.clear();
    found_.clear();
    for (const token_ptr& each : live_) {
        each->held = false;
        prune(*each);
    }
    compare_definitions(found);
    for (const auto& [queue, copies] : found.queues) {
        for (const found_copy& each : copies) {
            compare_copy(queue, each);
        }
        compare_order(queue, copies);
    }
    compare_missing(found);

    std::vector<token_ptr> left;
    for (auto& [what, place] : found_) {
        if (std::ranges::count(left, what) != 0) {  // twice: from now on there are two
            what = std::make_shared<token>(*what);
            publications_.at(what->message).tokens.push_back(what);
        }
        what->past = {{0, place}};
        if (place != at_dead) {
            what->dead_history = {};
        }
        left.push_back(what);
    }
    for (const token_ptr& each : live_) {
        if (std::ranges::count(left, each) == 0) {
            each->past = {{0, nowhere}};
        }
    }
    live_ = std::move(left);
    found_.clear();
    consumed_.clear();
}

void model::compare_definitions(const snapshot& found) {
    for (auto& [name, past] : definitions_) {
        bool may_be = false;
        bool may_not_be = past.empty() || past.front().first > durable_;
        for (std::size_t i = 0; i < past.size(); ++i) {
            if (i + 1 < past.size() && past[i + 1].first <= durable_) {
                continue;
            }
            (past[i].second ? may_be : may_not_be) = true;
        }
        if (name.find(" " + std::string(transient_queue)) != std::string::npos) {
            may_be = false;
            may_not_be = true;
        }
        const bool is = found.definitions.contains(name);
        if (is && !may_be) {
            throw violation(name + " came back");
        }
        if (!is && !may_not_be) {
            throw violation(name + " is lost");
        }
        past = {{0, is}};
    }
    for (const std::string& name : found.definitions) {
        if (!definitions_.contains(name)) {
            throw violation(name + " was never made");
        }
    }
}

void model::compare_copy(const std::string& queue, const found_copy& copy) {
    const auto known = publications_.find(copy.seen.message);
    if (known == publications_.end() || known->second.size != copy.seen.size) {
        throw violation("in " + queue + " is what nobody has published: " + to_string(copy.seen));
    }
    places place = copy.seen.died_in.empty() ? at_home : at_dead;
    const std::string& home = place == at_home ? queue : copy.seen.died_in;
    place = copy.late ? in_line : place;
    token_ptr what;
    for (const token_ptr& each : known->second.tokens) {
        if (each->home->name != home || !each->lasting || (possible(*each) & place) == 0) {
            continue;
        }
        const auto already =
            std::ranges::count(found_, each, [](const auto& pair) { return pair.first; });
        // What falls due at the moment of a crash may come twice.
        const bool may_be_two = each->due_ms != 0 && (possible(*each) & in_line) != 0 &&
                                (possible(*each) & ~(in_line | nowhere)) != 0;
        if (already == 0 || (already == 1 && may_be_two)) {
            what = each;
            break;
        }
    }
    if (!what) {
        throw violation(
            "found in " + queue + " what must not be there" + (copy.late ? " (late)" : "") + ": " +
            to_string(copy.seen) + "; " + tell(copy.seen.message));
    }
    history& told = what->at(place);
    compare_flags(*what, told, queue, copy);
    told.delivered = copy.seen.redelivered;
    told.unsure = false;
    told.delivered_at = copy.seen.redelivered ? 1 : 0;
    told.sent = copy.seen.redelivered;
    told.counts = {{0, copy.seen.delivery_count}};
    found_.emplace_back(what, place);
}

void model::compare_flags(
    const token& of,
    const history& told,
    const std::string& queue,
    const found_copy& copy) const {
    if (told.unsure) {
        return;
    }
    const bool surely = told.sent || (told.delivered_at != 0 && told.delivered_at <= durable_);
    if (surely && !copy.seen.redelivered) {
        throw violation(
            "not marked as redelivered in " + queue + " though delivered @" +
            std::to_string(told.delivered_at) + ": " + to_string(copy.seen) + "; " + tell(of));
    }
    // The mark says it of all up to an id: also of those that were passed over because others had
    // a higher priority, or because they had gone, which was not on disk yet. And it runs ahead
    // where somebody consumes.
    const bool stayed = possible(of) == at_home;
    if (copy.seen.redelivered && !told.delivered && stayed && kind_of(queue).priorities == 0 &&
        !consumed_.contains(queue)) {
        throw violation(
            "marked as redelivered in " + queue + ": " + to_string(copy.seen) + "; " + tell(of));
    }
    std::uint32_t fewest = 0;
    for (const auto& [since, count] : told.counts) {
        fewest = since <= durable_ ? count : fewest;
    }
    if (copy.seen.delivery_count < fewest || copy.seen.delivery_count > told.counts.back().second) {
        throw violation(
            "delivery count in " + queue + ": " + to_string(copy.seen) + " instead of " +
            std::to_string(fewest) + " to " + std::to_string(told.counts.back().second) + "; " +
            tell(of));
    }
}

void model::compare_order(const std::string& queue, const std::vector<found_copy>& copies) const {
    const token* last = nullptr;
    for (const found_copy& copy : copies) {
        if (!copy.seen.died_in.empty() || copy.late) {
            continue;
        }
        for (const token_ptr& each : publications_.at(copy.seen.message).tokens) {
            if (each->home->name != queue || each->due_ms != 0) {
                continue;
            }
            if (last != nullptr &&
                (last->priority < each->priority ||
                 (last->priority == each->priority && last->order > each->order))) {
                throw violation(
                    "found in another order in " + queue + ": " + tell(*last) + " before " +
                    tell(*each));
            }
            last = each.get();
        }
    }
}

void model::compare_missing(const snapshot& found) const {
    for (const token_ptr& each : live_) {
        const places may_be = possible(*each);
        const bool is_found =
            std::ranges::any_of(found_, [&](const auto& pair) { return pair.first == each; });
        const bool may_have_died =
            (may_be & at_dead) != 0 && !found.queues.contains(std::string(dead_queue));
        const bool unroutable = (may_be & in_line) != 0 && each->due_ms <= now_ms_ &&
                                !found.definitions.contains(binding_name(
                                    exchange_kinds[2].name, each->home->name, each->home->name));
        if (!is_found && each->lasting && (may_be & nowhere) == 0 && !may_have_died &&
            !unroutable) {
            throw violation("lost: " + tell(*each));
        }
    }
}

}  // namespace lovage::broker::simulation
