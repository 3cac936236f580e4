// vhost: publishes that repeat what a queue or an exchange has taken lately are dropped. Only
// publishes: what comes back, dies or is moved inside the broker is never taken for a duplicate.
#include "broker/core/dedup_table.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/vhost.hpp"

namespace lovage::broker {

bool vhost::is_duplicate(const route_target& at, const publication& what) {
    if (at.dedup == nullptr || !what.deduplicate) {
        return false;
    }
    if (!dedup_key_read_) {
        dedup_key_ = read_dedup_key(what.parts.properties);
        dedup_key_read_ = true;
    }
    return dedup_key_ && at.dedup->has(dedup_key_->text, owner_.wall_ms());
}

bool vhost::remove_duplicates(const publication& what) {
    return std::erase_if(
               targets_, [&](const queue* target) { return is_duplicate(*target, what); }) != 0;
}

void vhost::remember_all(const publication& what, const publish_outcome& outcome) {
    for (queue* taker : targets_) {
        remember(*taker, what);
    }
    // What went nowhere or was refused will be tried again, and must not be a duplicate then.
    if (!outcome.routed || outcome.refused || outcome.duplicate) {
        return;
    }
    for (route_target* passed : marking_) {
        remember(*passed, what);
    }
}

dedup_mark vhost::mark_of(const route_target& at, const dedup_table::entry& of) const {
    dedup_mark mark;
    mark.vhost = name_;
    mark.key = of.key;
    mark.until_ms = of.until_ms;
    mark.serial = of.serial;
    if (at.is_queue()) {
        mark.queue = static_cast<const queue&>(at).id();
    } else {
        mark.exchange = at.target_name();
    }
    return mark;
}

void vhost::remember(route_target& at, const publication& what) {
    if (at.dedup == nullptr || !what.deduplicate || !dedup_key_) {
        return;
    }
    const std::uint64_t now = owner_.wall_ms();
    dedup_table::entry entry{
        dedup_key_->text, at.dedup->until_ms(*dedup_key_, now), owner_.next_message_id(), {}};
    if (what.persistent && at.target_durable()) {
        // Behind the message: a crash between the two leaves a message that may come twice, not a
        // mark that would turn away the only copy.
        entry.location = owner_.log().remembered(mark_of(at, entry));
    }
    add_mark(at, std::move(entry), now);
}

void vhost::add_mark(route_target& at, dedup_table::entry entry, std::uint64_t now_ms) {
    std::vector<journal_location> gone;
    at.dedup->add(std::move(entry), now_ms, gone);
    while (owner_.too_many_marks() && at.dedup->size() > 1) {
        at.dedup->drop_oldest(gone);
    }
    for (const journal_location& each : gone) {
        owner_.log().released(each);
    }
}

void vhost::restore_mark(route_target& at, const dedup_mark& what, journal_location where) {
    owner_.message_id_found(what.serial);
    // Without a clock yet: what is over goes when its turn comes.
    add_mark(at, {std::string(what.key), what.until_ms, what.serial, where}, 0);
}

void vhost::forget_marks(route_target& at) {
    if (at.dedup == nullptr) {
        return;
    }
    for (const auto& each : at.dedup->entries()) {
        if (each.location.record_octets != 0) {
            if (!at.is_queue()) {  // a queue's id does not come again, an exchange's name may
                owner_.log().forgotten(mark_of(at, each));
            }
            owner_.log().released(each.location);
        }
    }
    at.dedup.reset();
}

void vhost::rewrite_marks(std::uint64_t file) {
    const auto rewrite = [&](route_target& at) {
        if (at.dedup == nullptr) {
            return;
        }
        for (auto& each : at.dedup->entries()) {
            if (each.location.record_octets != 0 && each.location.file == file) {
                const journal_location old = each.location;
                each.location = owner_.log().remembered(mark_of(at, each));
                owner_.log().released(old);
            }
        }
    };
    for (const auto& [name, each] : queues_) {
        rewrite(*each);
    }
    for (const auto& [name, each] : exchanges_) {
        rewrite(*each);
    }
}

}  // namespace lovage::broker
