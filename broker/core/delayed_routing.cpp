// vhost: messages that reach an exchange of type x-delayed-message before they are due wait there
// and are routed from there when their time has come.
#include "broker/core/delay_line.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

namespace lovage::broker {

void vhost::append(delay_line& what) {
    what.location = owner_.log().delay_line_declared(what.id, name_, what.owner().name());
    owner_.definition_logged();
}

void vhost::restore_delay_line(exchange& owner, queue_id id, journal_location where) {
    delay_line& line = *owner.delays;
    line.id = id;
    line.location = where;
    owner_.delay_line_restored(line);
}

void vhost::hold_back(const publication& what, publish_outcome& outcome) {
    outcome.routed = true;
    message::parts parts = what.parts;
    if (!what.complete_properties.empty()) {
        parts.properties = what.complete_properties;
    }
    for (std::size_t i = 0; i < held_back_.size(); ++i) {
        const auto& [where, due_ms] = held_back_[i];
        message_ptr made{message::create(owner_.next_message_id(), parts, owner_.memory_account())};
        made->persistent = what.persistent;
        made->moved = what.moves;
        made->priority = what.priority;
        made->published_at_ms = what.published_at_ms;
        made->expiration_ms = what.expiration_ms;
        made->deaths_left = what.deaths_left;
        delay_line& line = *where->delays;
        if (what.persistent && where->settings().durable) {
            if (line.id == queue_id{}) {
                line.id = owner_.next_queue_id();
                append(line);
            }
            made->durable_holders = 1;
            // The last of its records settles what it is moved from: a crash may leave both then,
            // never neither.
            const bool last = targets_.empty() && i + 1 == held_back_.size();
            const auto instead_of = last ? what.instead_of : std::nullopt;
            const message_id blob = outcome.blob != 0 ? outcome.blob : what.blob;
            owner_.place_body(made, blob, line.waiting_octets());
            outcome.blob = made->blob;
            made->location = owner_.log().delayed(*made, line.id, due_ms, instead_of);
            outcome.logged = true;
            outcome.replaced = instead_of.has_value();
        }
        line.add(std::move(made), due_ms);
        owner_.due_changed(line);
    }
}

void vhost::release_due(delay_line& line) {
    const auto taken = line.pop(owner_.wall_ms());
    if (!taken) {
        return;  // what was expected of a page is due later, or cannot be read
    }
    const message_ptr& due = *taken;
    publication what;
    std::vector<std::string> copies;
    const auto properties = due_properties(due->properties(), copies);
    what.parts = {
        due->exchange(),
        due->routing_key(),
        properties ? properties->view() : due->properties(),
        due->body()};
    what.copies = copies;
    what.blob = due->blob;
    what.persistent = due->persistent;
    what.priority = due->priority;
    what.published_at_ms = owner_.wall_ms();
    what.expiration_ms = due->expiration_ms;
    what.deaths_left = due->deaths_left;
    what.deduplicate = true;  // its targets see it for the first time
    const bool in_log = due->durable_holders != 0;
    what.moves = in_log || due->moved;
    if (in_log) {
        what.instead_of = copy_in(line.id, *due);
    }
    const publish_outcome outcome = publish(&line.owner(), what);
    if (due->in_page != nullptr) {
        owner_.pages().settled(*due, outcome.replaced);
    } else if (in_log) {
        if (!outcome.replaced) {
            owner_.log().settled(line.id, due->id());
        }
        owner_.unlogged(*due);
    }
}

void vhost::drop_waiting(delay_line& line) {
    if (line.id != queue_id{}) {
        owner_.log().queue_deleted(line.id, name_, {});
        owner_.log().released(line.location);
    }
    for (const auto& each : line.waiting()) {
        if (each.body->in_page != nullptr) {
            owner_.pages().settled(*each.body, true);
        } else if (each.body->durable_holders != 0) {
            owner_.unlogged(*each.body);
        }
    }
    owner_.pages().drop(line.pages(), true);
    owner_.pages().forget(line);
    owner_.forget(line);
}

void vhost::rewrite_waiting(std::uint64_t file) {
    for (const auto& [name, source] : exchanges_) {
        if (source->delays == nullptr) {
            continue;
        }
        for (const auto& each : source->delays->waiting()) {
            const message& body = *each.body;
            if (body.location.record_octets != 0 && body.location.file == file) {
                const journal_location old = body.location;
                owner_.keep_blob(each.body);
                each.body->location =
                    owner_.log().delayed(body, source->delays->id, each.due_ms, std::nullopt);
                owner_.log().released(old);
            }
        }
    }
}

}  // namespace lovage::broker
