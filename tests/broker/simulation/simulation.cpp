#include "tests/broker/simulation/simulation.hpp"

#include <algorithm>

namespace lovage::broker::simulation {
namespace {

constexpr std::size_t steps_min = 200;
constexpr std::size_t steps_spread = 500;
constexpr std::size_t unsent_max = 6;
constexpr std::size_t trace_max = 400;

clock_reading start_of_time() {
    return {time_point{std::chrono::hours{1}}, wall_time{milliseconds{1'700'000'000'000}}};
}

}  // namespace

simulation::simulation(const play_options& options)
    : options_(options),
      chance_(options.seed),
      clock_(start_of_time()),
      disk_(std::make_unique<fake_disk>(chance_.percent(50) ? 512 : 64)) {
    node_options_ = options_of_node();
    manners_.large_percent = static_cast<unsigned>(chance_.below(3) * 5);
    manners_.transient_percent = static_cast<unsigned>(chance_.below(3) * 15);
    manners_.expiring_percent = static_cast<unsigned>(chance_.below(3) * 10);
    manners_.requeue_percent = static_cast<unsigned>(chance_.below(4) * 25);
    manners_.no_ack_percent = static_cast<unsigned>(chance_.below(3) * 15);
    manners_.publish_weight = static_cast<unsigned>(20 + chance_.below(60));
    manners_.settle_weight = static_cast<unsigned>(10 + chance_.below(50));
    manners_.define_weight = static_cast<unsigned>(chance_.below(8));
    manners_.transactions_percent = static_cast<unsigned>(chance_.below(3) * 15);
    manners_.queues = 1 + chance_.below(queue_kinds.size());
    connections_max_ = 2 + chance_.below(5);
    crash_permille_ = static_cast<unsigned>(2 + chance_.below(15));
    disk_fault_permille_ = static_cast<unsigned>(chance_.below(10));
}

simulation::~simulation() = default;

node_options simulation::options_of_node() {
    node_options result;
    result.log.file_bytes = 1024 + 1024 * chance_.below(4);
    result.writer.ahead_bytes = 256U << chance_.below(4);
    result.recovery.window_bytes = 128U << chance_.below(4);
    result.writer.file_bytes = result.log.file_bytes;
    // Nothing, little or more than there ever is stays in memory.
    result.engine.window_octets_max = std::uint64_t{2000} * chance_.below(4) * chance_.below(6);
    if (chance_.percent(20)) {
        result.engine.window_octets_max = 1U << 30U;
    }
    result.engine.page_visit_pause_ms = 0;  // the model knows when a message expires
    result.engine.page_visits_max = 1000;
    result.engine.page_octets = 200U << chance_.below(4);
    result.engine.segment_octets = 1000U << chance_.below(4);
    if (chance_.percent(60)) {
        result.engine.blob_octets_min = 20 + chance_.below(80);
    }
    result.broken = options_.broken;
    result.engine.output_octets_high = 2048U << chance_.below(4);
    if (chance_.percent(25)) {
        result.engine.memory_octets_max = 96 * 1024 + chance_.below(64 * 1024);
    }
    return result;
}

void simulation::note(const std::string& text) {
    if (!options_.traced) {
        return;
    }
    trace_.push_back("@" + std::to_string(event_) + " " + text);
    if (trace_.size() > trace_max) {
        trace_.pop_front();
    }
}

play_result simulation::play() {
    try {
        start_again();
        set_up();
        const std::size_t steps = steps_min + chance_.below(steps_spread);
        for (; result_.steps < steps; ++result_.steps) {
            step();
        }
        drain();
        check_end();
    } catch (const violation& wrong) {
        result_.violated = wrong.what();
    }
    result_.messages = model_.messages_seen();
    result_.published = next_message_ - 1;
    for (const std::string& each : trace_) {
        result_.report += each + "\n";
    }
    return result_;
}

void simulation::set_up() {
    connect();
    actor& first = *actors_.front();
    first.send({.what = verb::open_channel, .channel = 1});
    for (const queue_kind& each : queue_kinds) {
        first.send({.what = verb::declare_queue, .channel = 1, .queue = std::string(each.name)});
    }
    for (const exchange_kind& each : exchange_kinds) {
        const std::string exchange{each.name};
        first.send({.what = verb::declare_exchange, .channel = 1, .exchange = exchange});
        for (const queue_kind& queue : queue_kinds) {
            const std::string key{each.delayed ? queue.name : each.keys[chance_.below(2)]};
            if (each.delayed ? queue.takes_delayed : chance_.percent(40)) {
                first.send(
                    {.what = verb::bind,
                     .channel = 1,
                     .queue = std::string(queue.name),
                     .exchange = exchange,
                     .key = key});
            }
        }
    }
    first.send({.what = verb::close_channel, .channel = 1});
    for (int i = 0; i < 200 && !first.unsent.empty() && !node_->dead(); ++i) {
        carry();
        advance(milliseconds{1});
        work();
    }
    for (std::size_t i = 1; i < connections_max_; ++i) {
        connect();
    }
}

void simulation::step() {
    carry();
    if (node_->dead()) {
        note("the disk has failed: the broker ends");
        go_down(chance_.percent(50));
        start_again();
        return;
    }
    const auto roll = chance_.below(1000);
    if (roll < 480) {
        if (!actors_.empty()) {
            actor& one = *chance_.pick(actors_);
            if (one.unsent.size() < unsent_max) {
                one.act(chance_, model_, next_message_);
            }
            one.half_sent = chance_.percent(5);
        }
    } else if (roll < 760) {
        work();
    } else if (roll < 940) {
        advance(milliseconds{chance_.percent(90) ? chance_.below(30) : chance_.below(1500)});
    } else if (roll < 955) {
        if (!actors_.empty()) {
            actor& one = *chance_.pick(actors_);
            one.reads = !one.reads;
        }
    } else if (roll < 965) {
        if (!actors_.empty()) {
            cut(*chance_.pick(actors_));
        }
    } else if (roll < 970) {
        if (!actors_.empty()) {
            chance_.pick(actors_)->send({.what = verb::close_connection});
        }
    } else if (actors_.size() < connections_max_) {
        connect();
    }
    faults();
}

void simulation::faults() {
    if (space_left_for_ != 0 && --space_left_for_ == 0) {
        note("the disk has room again");
        disk_->set_capacity(std::nullopt);
    }
    if (chance_.below(1000) < disk_fault_permille_) {
        if (chance_.percent(70)) {
            note("the disk is nearly full");
            disk_->set_capacity(disk_->total_bytes() + chance_.below(3000));
            was_full_ = true;
            space_left_for_ = 1 + chance_.below(60);
        } else {
            note("a call of the disk will fail");
            disk_->fail_at(
                disk_->calls() + chance_.below(12),
                boost::system::errc::make_error_code(boost::system::errc::io_error));
        }
    }
    if (chance_.below(1000) < crash_permille_) {
        crash();
    }
}

play_result play(const play_options& options) {
    play_result result = simulation{options}.play();
    if (!result.violated.empty() && !options.traced) {
        play_options again = options;
        again.traced = true;
        return simulation{again}.play();
    }
    return result;
}

}  // namespace lovage::broker::simulation
