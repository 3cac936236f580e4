#include "tests/broker/simulation/inspect.hpp"

#include "broker/store/salvage.hpp"
#include "broker/store/verification.hpp"

namespace lovage::broker::simulation {
namespace {

/// One in so many disks is salvaged: it costs as much as all the rest.
constexpr std::size_t salvaged_share = 3;
constexpr int patience = 200;  // rounds in which a broker has to answer
constexpr std::chrono::hours longer_than_any_delay{2};

class inspector {
public:
    inspector(fake_disk& disk, const node_options& options, clock_reading clock)
        : node_(disk, options, chance_), clock_(clock) {
        std::string problem;
        if (!node_.start(clock_, problem)) {
            throw violation("a copy of the disk is refused: " + problem);
        }
        node_.advance(clock_);  // what has expired meanwhile goes before it is looked for
        id_ = node_.connected(output_);
        for (const std::string& each : login_octets()) {
            send(each);
        }
        ask({.what = verb::open_channel, .channel = 1});
    }

    snapshot look() {
        look_at_definitions();
        collect(false);
        probe();
        give_delayed_ones_a_place();
        clock_.now += longer_than_any_delay;
        clock_.wall += longer_than_any_delay;
        node_.advance(clock_);
        collect(true);
        return std::move(found_);
    }

private:
    void send(const std::string& frames) {
        std::string left = frames;
        for (int i = 0; i < patience; ++i) {
            left.erase(0, node_.received(id_, left));
            if (left.empty()) {
                return;
            }
            wait();
        }
        throw violation("a broker that was started again does not read");
    }
    /// For the disk; time stands still, or what is looked for would expire meanwhile.
    void wait() { node_.work(); }
    sighting ask(const action& what) {
        send(encoded(what));
        std::vector<sighting> seen;
        for (int i = 0; i < patience; ++i) {
            reader_.read(output_.view(), {}, seen, sent_);
            output_.clear();
            reader_.output_taken();
            node_.drained(id_, 0);
            for (const sighting& each : seen) {
                if (each.what == sight::damaged) {
                    throw violation("damaged after a restart: " + each.text);
                }
                if (each.channel == what.channel) {
                    return each;
                }
            }
            wait();
        }
        throw violation("a broker that was started again does not answer " + to_string(what));
    }
    bool is_there(const action& what) {
        if (ask(what).what != sight::channel_closed) {
            return true;
        }
        send(encoded({.what = verb::confirm_closed, .channel = 1}));
        ask({.what = verb::open_channel, .channel = 1});
        return false;
    }
    void look_at_definitions() {
        for (const queue_kind& each : queue_kinds) {
            const std::string name{each.name};
            if (is_there({.what = verb::look_at_queue, .channel = 1, .queue = name})) {
                found_.queues[name];
                found_.definitions.insert(queue_definition_name(name));
            }
        }
        for (const exchange_kind& each : exchange_kinds) {
            const std::string name{each.name};
            if (is_there({.what = verb::look_at_exchange, .channel = 1, .exchange = name})) {
                exchanges_.push_back(&each);
                found_.definitions.insert(exchange_definition_name(name));
            }
        }
    }
    void collect(bool late) {
        for (auto& [name, copies] : found_.queues) {
            for (;;) {
                const sighting got = ask({.what = verb::get, .channel = 1, .queue = name});
                if (got.what != sight::got) {
                    break;
                }
                if (got.message < first_probe) {
                    copies.push_back({got, late});
                } else {
                    const auto& [exchange, key] = probes_.at(got.message - first_probe);
                    found_.definitions.insert(binding_name(exchange, name, key));
                }
            }
        }
    }
    void probe() {
        for (const exchange_kind* each : exchanges_) {
            std::set<std::string> keys{each->keys.begin(), each->keys.end()};
            if (each->delayed) {
                keys.clear();
                for (const queue_kind& queue : queue_kinds) {
                    keys.insert(std::string(queue.name));
                }
            }
            for (const std::string& key : keys) {
                action what;
                what.what = verb::publish;
                what.channel = 1;
                what.exchange = each->name;
                what.key = key;
                what.message = first_probe + static_cast<std::uint32_t>(probes_.size());
                probes_.emplace_back(what.exchange, key);
                send(encoded(what));
            }
        }
        collect(false);
    }

    /// What waits shows only if there is a queue for it.
    void give_delayed_ones_a_place() {
        for (const exchange_kind* each : exchanges_) {
            for (const queue_kind& queue : queue_kinds) {
                if (each->delayed && queue.takes_delayed) {
                    action what{.what = verb::declare_queue, .channel = 1};
                    what.queue = queue.name;
                    ask(what);
                    found_.queues[what.queue];
                    what.what = verb::bind;
                    what.exchange = each->name;
                    what.key = queue.name;
                    ask(what);
                }
            }
        }
    }

    dice chance_{1};
    sim_node node_;
    clock_reading clock_;
    connection_id id_{};
    byte_buffer output_;
    output_reader reader_;
    std::vector<std::uint64_t> sent_;  // nothing: what is held back is not looked at
    snapshot found_;
    std::vector<const exchange_kind*> exchanges_;
    std::vector<std::pair<std::string, std::string>> probes_;
};

}  // namespace

void look_offline(const fake_disk& image, const node_options& options) {
    const auto stopped = image.after_power_loss([] { return true; });
    store::verification check{*stopped};
    std::string problem;
    if (check.run(problem)) {
        return;  // a crash came before the directory was ours
    }
    if (!check.report().whole()) {
        throw violation("verification: " + check.report().faults.front());
    }
    if (image.calls() % salvaged_share != 0) {
        return;
    }
    stopped->after_kill();
    fake_disk into;
    store::salvage_options salvaging;
    salvaging.log = options.log;
    salvaging.writer = options.writer;
    salvaging.new_salt = 1;
    store::salvage work{*stopped, into, salvaging};
    if (work.run(problem)) {
        throw violation("salvage: " + problem);
    }
    if (work.report().lost_count != 0) {
        throw violation("salvage of what is whole: " + work.report().lost.front());
    }
    into.after_kill();
    store::verification check_new{into};
    if (check_new.run(problem) || !check_new.report().whole()) {
        throw violation("the salvaged directory: " + problem);
    }
    const store::verification_report& before = check.report();
    const store::verification_report& after = check_new.report();
    // Of a batch that was cut salvage may take more than a start: behind a header that is not
    // whole.
    if (before.torn) {
        return;
    }
    if (before.queues != after.queues || before.bindings != after.bindings ||
        before.exchanges != after.exchanges || before.settings != after.settings ||
        before.messages_in_log != after.messages_in_log ||
        before.octets_in_log != after.octets_in_log ||
        before.messages_in_pages != after.messages_in_pages ||
        before.octets_in_pages != after.octets_in_pages) {
        const auto text = [](const store::verification_report& of) {
            return std::to_string(of.queues) + " queues, " + std::to_string(of.bindings) +
                   " bindings, " + std::to_string(of.exchanges) + " exchanges, " +
                   std::to_string(of.messages_in_log) + " and " +
                   std::to_string(of.messages_in_pages) + " messages, " +
                   std::to_string(of.octets_in_log) + " and " + std::to_string(of.octets_in_pages) +
                   " octets, log of " + std::to_string(of.log_records) + " records" +
                   (of.torn ? ", torn" : "");
        };
        throw violation(
            "the salvaged directory does not hold the same: " + text(after) + " instead of " +
            text(before) + (work.report().notes.empty() ? "" : "; " + work.report().notes.front()));
    }
}

snapshot inspect(const fake_disk& image, node_options options, clock_reading clock) {
    options.broken = sabotage::none;
    options.engine = {};
    const auto copy = image.after_power_loss([] { return true; });
    return inspector{*copy, options, clock}.look();
}

}  // namespace lovage::broker::simulation
