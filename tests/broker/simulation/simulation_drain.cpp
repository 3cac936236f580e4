// simulation: the end of a play. Nothing fails any more, and everything has to come out.
#include "tests/broker/simulation/simulation.hpp"

#include <algorithm>

namespace lovage::broker::simulation {
namespace {

constexpr int rounds_max = 3000;
constexpr int rounds_until_cut = 300;
constexpr milliseconds round_time{60};
/// What log_writer::look_for_space() writes.
constexpr std::uint64_t look_for_space_octets = 64ULL * 1024;

}  // namespace

std::string simulation::what_is_left() const {
    std::string text = std::to_string(node_->broker().held_octets()) + " octets held, " +
                       std::to_string(node_->broker().pages().page_count()) + " pages" +
                       (node_->broker().pages().behind() ? ", behind" : "") +
                       (node_->broker().alarmed() ? ", alarmed" : "");
    for (const queue_status& each : node_->broker().queue_statuses()) {
        text += "; " + each.name + " " + std::to_string(each.ready) + " ready " +
                std::to_string(each.unacked) + " unacked " + std::to_string(each.consumers) +
                " consumers";
    }
    for (const auto& each : actors_) {
        text += "; an actor with " + std::to_string(each->unsent.size()) + " unsent";
    }
    return text;
}

void simulation::drain() {
    note("nothing fails any more");
    disk_->set_capacity(std::nullopt);
    disk_->clear_faults();
    if (node_->dead()) {
        go_down(false);
        start_again();
    }
    for (const auto& each : actors_) {
        each->reads = true;
        each->finish();
    }
    connect();
    actors_.back()->consume_all();
    actor* const drainer = actors_.back().get();
    const auto drainer_is_there = [&] {
        return std::ranges::any_of(
            actors_, [&](const auto& each) { return each.get() == drainer; });
    };
    for (int round = 0; round < rounds_max; ++round) {
        carry();
        if (drainer_is_there() && !drainer->consumes_all()) {
            drainer->consume_all();  // somebody's last word was to delete a queue
        }
        advance(round_time);
        while (node_->has_ready_work()) {
            work();
        }
        if (round > 50 && round % 10 == 0 && drained()) {
            break;
        }
        // Those that an alarm stops hold what would end it; their owners would lose patience.
        for (std::size_t i = actors_.size(); round > rounds_until_cut && i > 0; --i) {
            actor& one = *actors_[i - 1];
            if (&one != drainer && (!one.unsent.empty() || !one.handshake.empty())) {
                cut(one);
            }
        }
        if (round + 1 == rounds_max) {
            throw violation("it does not end: " + what_is_left());
        }
    }
    if (!drainer_is_there()) {
        throw violation("the last consumer was closed");
    }
}

bool simulation::drained() {
    for (const auto& each : actors_) {
        if (!each->unsent.empty() || !each->handshake.empty() ||
            model_.unconfirmed(each->number()) != 0) {
            return false;
        }
    }
    return model_.is_drained(static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count()));
}

void simulation::check_end() {
    model_.check_drained();
    while (!actors_.empty()) {
        cut(*actors_.back());
    }
    for (int i = 0; i < 20; ++i) {
        advance(milliseconds{100});
        while (node_->has_ready_work()) {
            work();
        }
    }
    for (const queue_status& each : node_->broker().queue_statuses()) {
        if (each.ready + each.unacked + each.consumers != 0) {
            throw violation("queue " + each.name + " is not empty at the end");
        }
    }
    if (node_->broker().held_octets() != 0) {
        throw violation(
            "memory is not given back: " + std::to_string(node_->broker().held_octets()));
    }
    if (node_->broker().large_bodies().count() != 0) {
        throw violation("somebody still needs a large body");
    }
    for (const std::string& name : disk_->names()) {
        if (name.starts_with("blob-") && !node_->failed_to_remove()) {
            throw violation(name + " is left, which nobody needs");
        }
    }
    // Closed files are rewritten when less than half of them lives; spares and the open file, each
    // with what was written ahead, are kept. Looking for space on a full disk writes ahead, too.
    const auto& options = node_options_;
    const std::uint64_t of_one = std::max(
        options.log.file_bytes + options.writer.ahead_bytes, options.writer.spare_bytes_max);
    const std::uint64_t looks = was_full_ ? look_for_space_octets : 0;
    const std::uint64_t most =
        2 * node_->log().live_bytes() +
        (of_one + looks) * (options.log.rewrite_files_min + 2 + options.writer.spares_max);
    if (disk_->total_bytes() > most) {
        for (const std::string& name : disk_->names()) {
            note("    " + name + " " + std::to_string(disk_->content(name).size()));
        }
        throw violation(
            "the disk holds " + std::to_string(disk_->total_bytes()) + " octets, of which " +
            std::to_string(node_->log().live_bytes()) + " live");
    }
}

}  // namespace lovage::broker::simulation
