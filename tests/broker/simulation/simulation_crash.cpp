// simulation: the broker goes down, by itself or not, and comes back.
#include "tests/broker/simulation/simulation.hpp"

#include <algorithm>

namespace lovage::broker::simulation {
namespace {

constexpr std::size_t calls_to_the_crash = 8;
constexpr int steps_to_the_crash = 25;
constexpr std::size_t calls_of_a_recovery = 10;
constexpr int starts_max = 5;

}  // namespace

void simulation::crash() {
    if (chance_.percent(10)) {
        stop();
        return;
    }
    const bool power_fails = chance_.percent(60);
    if (const std::size_t calls = chance_.below(calls_to_the_crash); calls != 0) {
        disk_->power_off_at(disk_->calls() + calls);
        for (int i = 0; i < steps_to_the_crash && !node_->dead(); ++i) {
            carry();
            if (!node_->dead()) {
                chance_.percent(50) ? work() : advance(milliseconds{chance_.below(10)});
            }
        }
    }
    go_down(power_fails);
    start_again();
}

/// As by SIGTERM: clients are told, and all that is open is written.
void simulation::stop() {
    note("the broker stops");
    disk_->set_capacity(std::nullopt);
    event(nullptr, [&] {
        node_->shut_down();
        return nullptr;
    });
    while (!actors_.empty()) {
        cut(*actors_.back());
    }
    for (int i = 0; i < 1000 && node_->has_work() && !node_->dead(); ++i) {
        advance(milliseconds{100});
        work();
        work();
    }
    if (!node_->has_work() && !node_->dead()) {
        model_.stopped();
    }
    go_down(false);
    start_again();
}

void simulation::go_down(bool power_fails) {
    note(power_fails ? "the power fails" : "the broker is killed");
    for (std::size_t i = disk_->trace().size() - std::min<std::size_t>(disk_->trace().size(), 40);
         options_.traced && i < disk_->trace().size();
         ++i) {
        note("    disk: " + disk_->trace()[i]);
    }
    result_.segments += node_->segments();
    result_.blobs += node_->blobs();
    node_.reset();
    actors_.clear();
    closed_.clear();
    ++result_.crashes;
    if (power_fails) {
        const auto survive = static_cast<unsigned>(chance_.below(101));
        disk_ = disk_->after_power_loss([&] { return chance_.percent(survive); });
    } else {
        disk_->after_kill();
    }
    disk_->set_capacity(std::nullopt);
    space_left_for_ = 0;
    const milliseconds down{chance_.below(300)};
    clock_.now += down;
    clock_.wall += down;
}

/// Recovery may be hit by faults, too; without one it must succeed.
void simulation::start_again() {
    std::string problem;
    for (int starts = 0;; ++starts) {
        look_offline(*disk_, node_options_);
        const bool hit = starts < starts_max && chance_.percent(25);
        if (hit && chance_.percent(50)) {
            disk_->power_off_at(disk_->calls() + chance_.below(calls_of_a_recovery));
        } else if (hit) {
            disk_->fail_read(chance_.below(calls_of_a_recovery));
        }
        node_ = std::make_unique<sim_node>(*disk_, node_options_, chance_);
        const bool started = node_->start(clock_, problem);
        if (started) {
            disk_->clear_faults();
            break;
        }
        note("the start is refused: " + problem);
        ++result_.refused_starts;
        if (!hit) {
            for (const std::string& name : disk_->names()) {
                note("    there is " + name + " " + std::to_string(disk_->content(name).size()));
            }
            throw violation("the broker does not start: " + problem);
        }
        node_.reset();
        if (chance_.percent(50)) {
            disk_ = disk_->after_power_loss([&] { return chance_.percent(50); });
        } else {
            disk_->after_kill();
        }
    }
    look_offline(*disk_, node_options_);
    const snapshot found = inspect(*disk_, node_options_, clock_);
    if (options_.traced) {
        for (const auto& [name, copies] : found.queues) {
            std::string text = "    found in " + name + ":";
            for (const found_copy& each : copies) {
                text += " #" + std::to_string(each.seen.message) +
                        (each.seen.redelivered ? "r" : "") + (each.late ? "late" : "");
            }
            note(text);
        }
    }
    // The broker has changed nothing that a second one would see otherwise.
    if (chance_.percent(10) && !(inspect(*disk_, node_options_, clock_) == found)) {
        throw violation("a second recovery finds something else");
    }
    model_.begin(++event_, static_cast<std::uint64_t>(clock_.wall.time_since_epoch().count()));
    model_.restarted(found);
    node_->end_event(event_);
    advance(milliseconds{0});
}

}  // namespace lovage::broker::simulation
