// simulation: events of the broker, with the model before and after each.
#include "tests/broker/simulation/simulation.hpp"

#include <algorithm>
#include <utility>

namespace lovage::broker::simulation {

actor* simulation::find(connection_id id) {
    const auto found = std::ranges::find(actors_, id, [](const auto& each) { return each->id; });
    return found == actors_.end() ? nullptr : found->get();
}

void simulation::event(actor* by, const std::function<const action*()>& what) {
    model_.begin(++event_, static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count()));
    const action* done = what();
    look(by, done);
    node_->end_event(event_);
    model_.durable(node_->durable_event());
    model_.end();
}

/// What the event has made all clients see.
void simulation::look(actor* by, const action* done) {
    std::vector<std::pair<actor*, sighting>> seen;
    std::vector<sighting> of_one;
    std::vector<std::uint64_t> sent;
    for (const auto& each : actors_) {
        of_one.clear();
        sent.clear();
        each->reader.read(each->output.view(), node_->held_output(each->id), of_one, sent);
        for (const std::uint64_t promise : sent) {
            model_.sent(each->number(), promise);
        }
        for (sighting& one : of_one) {
            seen.emplace_back(each.get(), std::move(one));
        }
    }
    // First what the one sees who has caused it: it may close his channel at the end.
    // Not stable_partition: its buffer is made in a way that clang calls deprecated.
    decltype(seen) of_others;
    std::erase_if(seen, [&](const auto& each) {
        const bool other = each.first != by;
        if (other) {
            of_others.push_back(each);
        }
        return other;
    });
    seen.insert(seen.end(), of_others.begin(), of_others.end());
    const std::string* refusal = nullptr;
    bool stops = false;
    for (const auto& [who, what] : seen) {
        if (what.what == sight::connection_closed) {
            note("client " + std::to_string(who->number()) + " is closed: " + what.text);
            if (!what.text.starts_with("320") && !what.text.starts_with("506")) {
                throw violation("a connection was closed: " + what.text);
            }
            stops = stops || what.text.starts_with("320");
            model_.cut(who->number(), !stops);
            closed_.push_back(who->id);
            done = who == by ? nullptr : done;
        }
        if (who == by && what.what == sight::channel_closed && !by->input_decided) {
            refusal = &what.text;
        }
    }
    if (refusal != nullptr && done == nullptr) {
        done = &by->unsent.front();  // the rest of its frames is not looked at any more
        by->input_decided = true;
    }
    if (done != nullptr) {
        note("client " + std::to_string(by->number()) + ": " + to_string(*done));
        model_.apply(by->number(), *done, refusal);
        by->applied(*done);
    }
    for (const auto& [who, what] : seen) {
        if (options_.traced && what.channel != 0) {
            note("    client " + std::to_string(who->number()) + " sees " + to_string(what));
        }
        if (stops || (who == by && done != nullptr && done->what == verb::close_connection)) {
            model_.glimpse(what);
        } else if (what.what != sight::connection_closed) {
            model_.observe(who->number(), what);
        }
        who->saw(what);
    }
}

void simulation::advance(milliseconds by) {
    clock_.now += by;
    clock_.wall += by;
    event(nullptr, [&] {
        node_->advance(clock_);
        return nullptr;
    });
}

void simulation::work() {
    event(nullptr, [&] {
        node_->work();
        return nullptr;
    });
}

void simulation::connect() {
    actors_.push_back(std::make_unique<actor>(next_client_++, manners_));
    actor& made = *actors_.back();
    made.id = node_->connected(made.output);
    made.log_in();
    note("client " + std::to_string(made.number()) + " connects");
}

void simulation::cut(actor& gone) {
    note("client " + std::to_string(gone.number()) + " is cut");
    const auto place =
        std::ranges::find(actors_, &gone, [](const auto& each) { return each.get(); });
    const std::unique_ptr<actor> kept = std::move(*place);
    actors_.erase(place);
    model_.begin(++event_, static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count()));
    node_->disconnected(kept->id);
    model_.cut(kept->number());
    look(nullptr, nullptr);
    node_->end_event(event_);
    model_.durable(node_->durable_event());
    model_.end();
}

void simulation::drop_closed() {
    for (const connection_id id : node_->take_closed()) {
        closed_.push_back(id);
    }
    for (const connection_id id : std::exchange(closed_, {})) {
        if (actor* gone = find(id); gone != nullptr) {
            cut(*gone);
        }
    }
}

void simulation::take_output(actor& of) {
    if (!of.reads || of.output.empty()) {
        return;
    }
    const bool much = of.output.size() > node_options_.engine.output_octets_high / 16;
    of.output.clear();
    of.reader.output_taken();
    if (much) {
        event(nullptr, [&] {
            node_->drained(of.id, 0);
            return nullptr;
        });
    }
}

/// Octets go both ways until nothing moves any more.
void simulation::carry() {
    drop_closed();
    for (bool again = true; again && !node_->dead();) {
        again = false;
        for (std::size_t i = 0; i < actors_.size(); ++i) {
            take_output(*actors_[i]);
            again = feed(*actors_[i]) || again;
        }
        drop_closed();
    }
    for (const auto& each : actors_) {
        each->half_sent = false;
    }
}

/// Offers the next frames to the broker; true if it took them.
bool simulation::feed(actor& from) {
    if (!from.input_begun) {
        if (!from.handshake.empty()) {
            from.input = from.handshake.front();
        } else if (!from.unsent.empty()) {
            from.input = encoded(from.unsent.front());
        } else {
            return false;
        }
        from.input_begun = true;
        from.input_decided = false;
    }
    if (from.half_sent || !node_->broker().wants_input(from.id)) {
        return false;
    }
    const bool half = chance_.percent(3);
    const octets offered =
        half ? octets{from.input}.substr(0, chance_.below(from.input.size() + 1)) : from.input;
    std::size_t used = 0;
    event(&from, [&]() -> const action* {
        used = node_->received(from.id, offered);
        from.input.erase(0, used);
        const bool all = from.input.empty();
        return all && from.handshake.empty() && !from.input_decided ? &from.unsent.front()
                                                                    : nullptr;
    });
    from.half_sent = half;
    if (!from.input.empty()) {
        return used != 0;
    }
    from.input_begun = false;
    if (!from.handshake.empty()) {
        from.handshake.pop_front();
    } else {
        from.unsent.pop_front();
    }
    return true;
}

}  // namespace lovage::broker::simulation
