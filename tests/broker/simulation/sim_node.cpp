#include "tests/broker/simulation/sim_node.hpp"

#include "broker/server/restore.hpp"
#include "broker/store/blob.hpp"
#include "tests/broker/simulation/broken_journal.hpp"

#include <lovage/broker.hpp>

#include <algorithm>
#include <utility>

namespace lovage::broker::simulation {
namespace {

// As in broker/server/node.cpp.
constexpr milliseconds housekeeping_interval{100};
constexpr milliseconds acks_wait{5};
constexpr milliseconds disk_full_retry{1000};

std::string verifier_of(const std::string& password) {
    return "plain$" + password;
}

}  // namespace

struct sim_node::log_batch {
    /// The engine lets go of large bodies when it hears that they are on disk.
    void keep_bodies() {
        for (store::new_blob& each : octets.blobs) {
            each.body = bodies.emplace_back(each.body);
        }
    }

    store::batch octets;
    std::deque<std::string> bodies;
    boost::system::error_code error;
    bool space_low = false;
};

sim_node::sim_node(fake_disk& files, const node_options& options, dice& chance)
    : disk_(files), options_(options), chance_(chance) {
    if (options_.broken == sabotage::ignored_syncs) {
        disk_.ignore_syncs();
    }
}

sim_node::~sim_node() = default;

bool sim_node::start(clock_reading clock, std::string& problem) {
    clock_ = clock;
    recovery_ = std::make_unique<store::recovery>(disk_, options_.recovery);
    if (recovery_->run(problem)) {
        return false;
    }
    log_ = std::make_unique<store::log>(options_.log, recovery_->tail());
    writer_ = std::make_unique<store::log_writer>(disk_, options_.writer, recovery_->tail());
    journal_ = std::make_unique<log_journal>(*log_);
    journal* used = journal_.get();
    if (options_.broken >= sabotage::lost_settles) {
        broken_journal_ = std::make_unique<broken_journal>(*journal_, options_.broken, chance_);
        used = broken_journal_.get();
    }
    engine_ = std::make_unique<engine>(options_.engine, *used, [this] {
        std::array<unsigned char, 16> octets{};
        octets.back() = ++serial_;
        return octets;
    });
    durable_ = log_->last_lsn();
    salt_ = recovery_->tail().salt;
    pages_ = std::make_unique<segment_pages>(disk_, *log_, recovery_->tail());
    engine_->use(*pages_);
    try {
        restore(*engine_, *recovery_);
    } catch (const start_error& refused) {
        problem = refused.what();
        return false;
    }
    recovery_.reset();
    engine_->durable(durable_, clock_);
    perform();
    return true;
}

connection_id sim_node::connected(byte_buffer& output) {
    const connection_id id = engine_->connected({"simulated", true}, output, clock_);
    perform();
    return id;
}

std::size_t sim_node::received(connection_id from, octets input) {
    // A copy of exactly these octets, so that a sanitizer sees who keeps a view of the input.
    const std::vector<char> offered{input.begin(), input.end()};
    const std::size_t used = engine_->received(from, {offered.data(), offered.size()}, clock_);
    perform();
    return used;
}

void sim_node::disconnected(connection_id gone) {
    engine_->disconnected(gone, clock_);
    perform();
}

void sim_node::drained(connection_id whose, std::size_t pending) {
    engine_->drained(whose, pending, clock_);
    perform();
}

void sim_node::shut_down() {
    engine_->shut_down(clock_);
    perform();
}

void sim_node::advance(clock_reading clock) {
    clock_ = clock;
    const auto now_ms = static_cast<std::uint64_t>(clock.wall.time_since_epoch().count());
    if (clock_.now >= housekeeping_at_) {
        housekeeping_at_ = clock_.now + housekeeping_interval;
        engine_->tick(clock_);
        perform();
    } else if (const auto due = engine_->next_expiry_ms(); due && *due <= now_ms) {
        engine_->wake(clock_);
        perform();
    }
    if (acks_wait_ && clock_.now >= acks_at_) {
        acks_wait_ = false;
        if (!disk_busy_ && !disk_full_ && log_->has_batch()) {
            hand_over();
        }
    }
}

void sim_node::perform() {
    engine_->check_invariants();
    const effects caused = std::exchange(engine_->take_effects(), {});
    closed_.insert(closed_.end(), caused.close.begin(), caused.close.end());
    checks_.insert(checks_.end(), caused.password_checks.begin(), caused.password_checks.end());
    hashes_.insert(hashes_.end(), caused.password_hashes.begin(), caused.password_hashes.end());
    answer_passwords();
    feed_segments();
    remove_files();
    feed_disk();
    if (log_->batch_bytes() > options_.unwritten_octets_max) {
        set_disk_alarm(true);  // until a batch is written that leaves less behind it
    }
    rewrite_old_file();
}

void sim_node::answer_passwords() {
    for (const password_to_hash& each : std::exchange(hashes_, {})) {
        engine_->password_hashed(each.verifier, verifier_of(each.password), clock_);
        perform();
    }
    for (const password_check& each : std::exchange(checks_, {})) {
        engine_->password_checked(each.who, each.verifier == verifier_of(each.password), clock_);
        perform();
    }
}

void sim_node::feed_segments() {
    auto sealed = pages_->take_sealed();
    if (!sealed) {
        return;
    }
    struct segment {
        store::built_segment built;
        store::segment_number number = 0;
        boost::system::error_code error;
    };
    auto what = std::make_shared<segment>();
    what->number = sealed->number;
    what->built = std::move(*sealed);
    job next;
    next.not_before = clock_.now;
    next.run = [this, what] {
        std::string problem;
        what->error = store::write_segment(disk_, salt_, what->built, problem);
        return !what->error || what->error == store::errc::disk_full;
    };
    next.report = [this, what] {
        segments_ += what->error ? 0U : 1U;
        if (options_.broken != sabotage::early_segments) {
            engine_->segment_written(what->number, !what->error, clock_);
            perform();
        }
    };
    jobs_.push_back(std::move(next));
    if (options_.broken == sabotage::early_segments) {
        engine_->segment_written(what->number, true, clock_);
        perform();
    }
}

void sim_node::remove_files() {
    const auto gone = pages_->take_removable(durable_);
    if (gone.empty()) {
        return;
    }
    job next;
    next.not_before = clock_.now;
    next.run = [this, gone] {
        for (const std::string& each : gone) {
            if (disk_.remove(each)) {
                failed_to_remove_ = true;
            }
        }
        return true;
    };
    next.report = [] {};
    jobs_.push_back(std::move(next));
}

/// What the disk thread does when it has nothing else to do.
void sim_node::prepare_reserve() {
    if (disk_busy_ || writer_->preparing() == store::log_writer::preparation::none) {
        return;
    }
    disk_busy_ = true;
    job next;
    next.not_before = clock_.now;
    next.run = [this] { return !writer_->prepare(); };
    next.report = [this] {
        disk_busy_ = false;
        looking_ = looking_ || writer_->space_low();
        set_disk_alarm(writer_->space_low() || log_->batch_bytes() > options_.unwritten_octets_max);
        perform();
        space_looked_for();
    };
    jobs_.push_back(std::move(next));
}

void sim_node::feed_disk() {
    if (disk_busy_ || disk_full_ || !log_->has_batch()) {
        return;
    }
    if (log_->urgent()) {
        hand_over();
    } else if (!std::exchange(acks_wait_, true)) {
        acks_at_ = clock_.now + acks_wait;
    }
}

void sim_node::hand_over() {
    disk_busy_ = true;
    auto full = std::make_shared<log_batch>();
    full->octets = log_->take_batch();
    const lsn highest = full->octets.highest;
    if (options_.broken == sabotage::early_confirms) {
        full->keep_bodies();
    }
    if (options_.broken == sabotage::late_blobs) {
        write_late(std::exchange(full->octets.blobs, {}));
    }
    add_log_job(std::move(full), clock_.now);
    if (options_.broken == sabotage::early_confirms) {
        engine_->durable(highest, clock_);
        perform();
    }
}

void sim_node::write_late(const std::vector<store::new_blob>& what) {
    for (const store::new_blob& each : what) {
        job next;
        next.not_before = clock_.now;
        next.run = [this, blob = each.blob, body = std::string{each.body}] {
            const store::new_blob one{blob, body};
            return !store::write_blobs(disk_, salt_, {&one, 1});
        };
        next.report = [] {};
        jobs_.push_back(std::move(next));
    }
}

void sim_node::add_log_job(std::shared_ptr<log_batch> what, time_point not_before) {
    job next;
    next.not_before = not_before;
    next.run = [this, what] {
        what->error = writer_->write(what->octets);
        what->space_low = writer_->space_low();
        return !what->error || what->error == store::errc::disk_full;
    };
    next.report = [this, what] { on_written(what); };
    jobs_.push_back(std::move(next));
}

void sim_node::on_written(const std::shared_ptr<log_batch>& what) {
    if (what->error) {
        disk_full_ = true;
        set_disk_alarm(true);
        add_log_job(what, clock_.now + disk_full_retry);
        return;
    }
    disk_busy_ = false;
    disk_full_ = false;
    const lsn reached = what->octets.highest;
    log_->give_back(std::move(what->octets));
    durable_ = reached;
    looking_ = looking_ || what->space_low;
    set_disk_alarm(what->space_low || log_->batch_bytes() > options_.unwritten_octets_max);
    engine_->durable(reached, clock_);
    perform();
    space_looked_for();
    if (!disk_busy_ && chance_.percent(50)) {
        prepare_reserve();
    }
}

/// With the queues drained nothing is written any more that could tell that there is space again.
void sim_node::space_looked_for() {
    if (!looking_ || disk_busy_) {
        return;  // a batch under way brings the news
    }
    disk_busy_ = true;
    job next;
    next.not_before = clock_.now + disk_full_retry;
    next.run = [this] {
        writer_->look_for_space();
        return true;
    };
    next.report = [this] {
        disk_busy_ = false;
        looking_ = writer_->space_low();
        set_disk_alarm(looking_ || log_->batch_bytes() > options_.unwritten_octets_max);
        perform();
        space_looked_for();
    };
    jobs_.push_back(std::move(next));
}

void sim_node::set_disk_alarm(bool on) {
    if (std::exchange(disk_alarm_, on) != on) {
        engine_->disk_alarm(on, clock_);
        perform();
    }
}

void sim_node::rewrite_old_file() {
    if (const auto file = log_->wants_rewrite(); file && !rewriting_) {
        rewriting_ = true;
        engine_->rewrite(*file, clock_);
        perform();
        rewriting_ = false;
    }
}

void sim_node::end_event(std::uint64_t event) {
    events_.emplace_back(log_->last_lsn(), event);
    while (!events_.empty() && events_.front().first <= durable_) {
        durable_event_ = events_.front().second;
        events_.pop_front();
    }
}

bool sim_node::has_ready_work() const {
    return !dead_ && std::ranges::any_of(
                         jobs_, [this](const job& each) { return each.not_before <= clock_.now; });
}

void sim_node::work() {
    std::vector<std::size_t> able;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        if (jobs_[i].not_before <= clock_.now) {
            able.push_back(i);
        }
    }
    if (able.empty() || dead_) {
        return;
    }
    const std::size_t chosen = chance_.pick(able);
    if (!std::exchange(jobs_[chosen].ran, true)) {
        dead_ = !jobs_[chosen].run();
        return;
    }
    const job done = std::move(jobs_[chosen]);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(chosen));
    done.report();
}

}  // namespace lovage::broker::simulation
