#include "broker/core/engine.hpp"

#include "broker/core/connection_send.hpp"
#include "broker/core/delay_line.hpp"

#include <algorithm>
#include <limits>

namespace lovage::broker {
namespace {

constexpr milliseconds coarse_unit{100};

constexpr octets base64url{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

}  // namespace

void effects::clear() {
    output.clear();
    close.clear();
    resume.clear();
    congested.clear();
    password_checks.clear();
    password_hashes.clear();
    log.clear();
}

engine::engine(engine_options options, journal& log, random_source random)
    : options_(std::move(options)), log_(log), settings_(log), random_(std::move(random)) {
    durable_ = log_.last();  // what was there before the engine was read from the disk
    for (const auto& name : options_.vhosts) {
        restore_vhost(name);
    }
}

engine::~engine() {
    // Connections first: their channels hold deliveries of the vhosts' queues.
    for (const auto& [id, each] : connections_) {
        each->lost();
    }
    connections_.clear();
}

vhost& engine::restore_vhost(octets name) {
    auto& kept = vhosts_[std::string(name)];
    if (!kept) {
        kept = std::make_unique<vhost>(*this, std::string(name));
    }
    return *kept;
}

connection* engine::find(connection_id id) const {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

vhost* engine::find_vhost(octets name) {
    const auto found = vhosts_.find(name);
    return found == vhosts_.end() ? nullptr : found->second.get();
}

std::string engine::generated_name(octets prefix) {
    const auto bytes = random_();
    std::string name{prefix};
    unsigned bits = 0;
    int held = 0;
    for (const unsigned char byte : bytes) {
        bits = (bits << 8) | byte;
        held += 8;
        while (held >= 6) {
            held -= 6;
            name += base64url[(bits >> held) & 63U];
        }
    }
    if (held > 0) {
        name += base64url[(bits << (6 - held)) & 63U];
    }
    return name;
}

void engine::begin(clock_reading clock) {
    const bool first = clock_.now == time_point{};
    clock_ = clock;
    dead_letters_left_ = options_.dead_letters_per_event;
    expired_left_ = options_.expired_per_event;
    dead_letter_dropped_ = false;
    effects_.clear();
    if (const lsn taken = log_.taken(); taken != taken_) {
        taken_ = taken;
        first_taken_message_ = std::exchange(first_open_message_, next_message_id_);
    }
    if (first) {
        started_ = clock_.now;
        recovered();
        // Recovery has no clock: restored queues count as unused from now on.
        std::ranges::for_each(idle_watched_, &queue::used);
    }
}

effects& engine::take_effects() {
    return effects_;
}

connection_id engine::connected(peer_address peer, byte_buffer& output, clock_reading clock) {
    begin(clock);
    const connection_id id{next_connection_id_++};
    connections_.emplace(id, std::make_unique<connection>(*this, id, std::move(peer), output));
    return id;
}

std::size_t engine::received(connection_id from, octets input, clock_reading clock) {
    begin(clock);
    connection* known = find(from);
    if (known == nullptr) {
        return input.size();
    }
    const std::size_t used = known->consume(input);
    finish();
    return used;
}

void engine::disconnected(connection_id gone, clock_reading clock) {
    begin(clock);
    if (connection* known = find(gone); known != nullptr) {
        known->lost();
        connections_.erase(gone);
    }
    finish();
}

void engine::drained(connection_id whose, std::size_t pending, clock_reading clock) {
    begin(clock);
    if (connection* known = find(whose); known != nullptr) {
        known->drained(pending);
    }
    finish();
}

void engine::durable(lsn reached, clock_reading clock) {
    begin(clock);
    durable_ = reached;
    blobs_.durable(reached);
    std::vector<channel*> waiting = std::exchange(confirming_, {});
    for (channel* each : waiting) {
        each->waits_for_disk = false;
    }
    flush_confirms(waiting);
    std::erase_if(waiting_for_disk_, [&](connection_id id) {
        connection* known = find(id);
        if (known == nullptr) {
            return true;
        }
        return known->disk_reached(reached);
    });
    finish();
}

void engine::wake(clock_reading clock) {
    begin(clock);
    expire_messages();
    release_due();
    finish();
}

void engine::tick(clock_reading clock) {
    begin(clock);
    expire_messages();
    release_due();
    expire_queues();
    for (const auto& [id, each] : connections_) {
        each->tick();
    }
    if (memory_alarm_) {
        schedule_paged();  // who has acknowledged all he had gets something in an alarm too
    }
    pages_.compact();
    finish();
}

void engine::segment_written(std::uint64_t number, bool there, clock_reading clock) {
    begin(clock);
    pages_.segment_written(number, there);
    finish();
}

void engine::administer(const std::function<void(engine&)>& what, clock_reading clock) {
    begin(clock);
    what(*this);
    finish();
}

void engine::shut_down(clock_reading clock) {
    begin(clock);
    shutting_down_ = true;
    for (const auto& [id, each] : connections_) {
        each->shut_down();
    }
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const auto& [name, each] : home->queues()) {
            each->settle_mark();
        }
    }
    finish();
}

void engine::finish() {
    if (std::exchange(dead_letters_wait_, false)) {
        for (const auto& [name, home] : vhosts_) {
            home->dead_letter_waiting();
        }
    }
    dispatch_scheduled();
    flush_confirms(confirms_changed_);
    pages_.page_out();
    update_memory_alarm();
    for (const connection_id id : effects_.output) {
        if (connection* known = find(id); known != nullptr) {
            known->output_noted_ = false;
            known->last_sent_ = clock_.now;
        }
    }
}

void engine::flush_confirms(std::vector<channel*>& of) {
    for (channel* each : of) {
        each->confirms_noted = false;
        if (each->flush_confirms(durable_) && !std::exchange(each->waits_for_disk, true)) {
            confirming_.push_back(each);
        }
    }
    of.clear();
}

void engine::dispatch_scheduled() {
    // Dispatching may schedule further queues (dead letters), not the same one without end: each
    // round takes messages away.
    for (std::size_t i = 0; i < scheduled_.size(); ++i) {
        queue* next = scheduled_[i];
        if (next != nullptr) {
            next->scheduled = false;
            next->dispatch();
        }
    }
    scheduled_.clear();
}

octets engine::held_output(connection_id whose) const {
    const connection* known = find(whose);
    return known == nullptr ? octets{} : known->held_output();
}

bool engine::wants_input(connection_id whose) const {
    const connection* known = find(whose);
    return known != nullptr && !known->stopped();
}

void engine::note_dropped_dead_letter(const std::string& queue_name) {
    if (!std::exchange(dead_letter_dropped_, true)) {
        log(log_level::warning, format_log_line("dead_letter_dropped", {{"queue", queue_name}}));
    }
}

bool engine::take_dead_letter() {
    if (dead_letters_left_ == 0) {
        dead_letters_wait_ = true;
        return false;
    }
    --dead_letters_left_;
    return true;
}

deleted_queue engine::delete_queue(queue& gone) {
    deleted_queue left;
    std::vector<consumer*> ended = gone.consumers();
    for (consumer* each : ended) {
        left.consumers.emplace_back(each->owner, each->tag);
        each->ended = true;
    }
    gone.remove_ended_consumers();
    std::ranges::sort(ended, {}, &consumer::owner);
    for (auto first = ended.begin(); first != ended.end();) {
        channel* const owner = (*first)->owner;
        const auto last = std::find_if(
            first, ended.end(), [=](const auto* each) { return each->owner != owner; });
        owner->drop_ended_consumers({first, last});
        first = last;
    }
    left.ready = gone.home().delete_queue(gone);
    return left;
}

void engine::tell(const deleted_queue& what) {
    for (const auto& [owner, tag] : what.consumers) {
        owner->tell_cancelled(tag);
    }
}

void engine::delete_exclusive_queues(const connection& owner) {
    if (owner.vhost_ == nullptr) {
        return;
    }
    for (queue* each : std::exchange(exclusive_[owner.id()], {})) {
        tell(delete_queue(*each));
    }
    exclusive_.erase(owner.id());
}

void engine::schedule(queue& what) {
    if (!what.scheduled && !what.deleted()) {
        what.scheduled = true;
        scheduled_.push_back(&what);
    }
}

void engine::queue_added(queue& what) {
    if (what.rules().expires_ms) {
        idle_watched_.push_back(&what);
    }
    if (what.settings().exclusive) {
        exclusive_[what.owner()].push_back(&what);
    }
}

void engine::forget(queue& gone) {
    if (gone.scheduled) {
        std::ranges::replace(scheduled_, &gone, nullptr);
        gone.scheduled = false;
    }
    if (gone.expiry_scheduled_ms) {
        expiries_.erase({*gone.expiry_scheduled_ms, &gone});
        gone.expiry_scheduled_ms.reset();
    }
    if (gone.rules().expires_ms) {
        std::erase(idle_watched_, &gone);
    }
    if (gone.settings().exclusive) {
        if (const auto found = exclusive_.find(gone.owner()); found != exclusive_.end()) {
            std::erase(found->second, &gone);
        }
    }
}

void engine::confirms_changed(channel& what) {
    if (!what.confirms_noted) {
        what.confirms_noted = true;
        confirms_changed_.push_back(&what);
    }
}

void engine::forget(channel& gone) {
    if (std::exchange(gone.confirms_noted, false)) {
        std::erase(confirms_changed_, &gone);
    }
    if (std::exchange(gone.waits_for_disk, false)) {
        std::erase(confirming_, &gone);
    }
}

void engine::output_added(connection& to) {
    effects_.output.push_back(to.id());
}
void engine::congested(connection& what) {
    effects_.congested.push_back(what.id());
}
void engine::close(connection& what) {
    effects_.close.push_back(what.id());
}
void engine::resume(connection& what) {
    what.input_resumed();
    effects_.resume.push_back(what.id());
}
lsn engine::published_at(message_id id) const {
    if (id >= first_open_message_) {
        return log_.last();
    }
    return id >= first_taken_message_ && durable_ < taken_ ? taken_ : 0;
}

void engine::wait_for_disk(connection& what) {
    if (!std::exchange(what.waits_for_disk, true)) {
        waiting_for_disk_.push_back(what.id());
    }
}
std::uint32_t engine::coarse_now() const {
    return static_cast<std::uint32_t>((clock_.now - started_) / coarse_unit) + 1;
}

std::uint32_t engine::coarse_after(std::uint64_t ms) const {
    const auto lived = std::chrono::ceil<milliseconds>(clock_.now - started_);
    const std::uint64_t at = static_cast<std::uint64_t>(lived.count()) + ms;
    constexpr std::uint64_t unit = coarse_unit.count();
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max() - 1;
    return static_cast<std::uint32_t>(std::min((at + unit - 1) / unit, most)) + 1;
}

void engine::log(log_level level, std::string text) {
    effects_.log.push_back({level, std::move(text)});
}

std::size_t engine::connection_count() const {
    return connections_.size();
}

void engine::check_invariants() const {
    pages_.check_invariants();
    for (const auto& [due_ms, line] : lines_due_) {
        line->check_invariants();
    }
    for (const auto& [vhost_name, home] : vhosts_) {
        for (const auto& [name, each] : home->queues()) {
            each->check_invariants();
        }
    }
}

std::uint64_t engine::count_definitions() const {
    std::uint64_t all = 0;
    for (const auto& [name, home] : vhosts_) {
        all += home->count_definitions();
    }
    return all;
}

}  // namespace lovage::broker
