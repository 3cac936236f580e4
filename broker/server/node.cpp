#include "broker/server/node.hpp"

#include "broker/server/restore.hpp"
#include "broker/store/format.hpp"
#include "framework/base/log.hpp"

#include <boost/asio/post.hpp>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace lovage::broker {
namespace {

constexpr std::chrono::milliseconds housekeeping_interval{100};
/// Acks lose nothing by waiting for company; a publish or definition takes them along at once.
constexpr std::chrono::milliseconds acks_wait{5};
constexpr std::chrono::seconds disk_full_retry{1};
constexpr std::chrono::seconds stop_patience{2};
constexpr double memory_share = 0.4;
/// Of one connection at a time, while messages are about to leave the memory.
constexpr std::size_t crowded_read_octets = 64 * 1024;

std::array<unsigned char, 16> random_octets() {
    std::array<unsigned char, 16> octets{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) {
        std::fputs("lovage-broker: the system gives no random numbers; ending\n", stderr);
        std::_Exit(EXIT_FAILURE);
    }
    return octets;
}

std::uint64_t default_memory_limit() {
    const auto pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
    return static_cast<std::uint64_t>(
        memory_share * pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
}

engine_options engine_options_of(const server_options& options) {
    engine_options result;
    result.users.clear();
    for (const auto& account : options.users) {
        result.users.push_back({account.name, account.password, account.loopback_only, false});
    }
    for (const auto& account : options.reset_users) {
        result.users.push_back({account.name, account.password, account.loopback_only, true});
    }
    if (!options.product.empty()) {
        result.product = options.product;
    }
    result.version = options.product_version.empty() ? LOVAGE_VERSION : options.product_version;
    result.heartbeat_seconds = options.heartbeat_seconds;
    result.consumer_timeout_ms = options.consumer_timeout_ms;
    result.message_octets_max = options.message_octets_max;
    result.window_octets_max = options.window_octets_max;
    result.memory_octets_max =
        options.memory_octets_max != 0 ? options.memory_octets_max : default_memory_limit();
    return result;
}

}  // namespace

void node::end_process(const std::string& problem) {
    log_event(log_level::error, "disk_failed", {{"problem", problem}});
    std::fprintf(
        stderr,
        "lovage-broker: the disk failed: %s; ending, because nothing can be confirmed any more. "
        "Check the disk, then start the broker again: what was confirmed is kept.\n",
        problem.c_str());
    std::_Exit(EXIT_FAILURE);
}

clock_reading read_clocks() {
    return {
        std::chrono::steady_clock::now(),
        std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now())};
}

temporary_directory::temporary_directory()
    : path_((std::filesystem::temp_directory_path() / "lovage-broker-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) {
        throw start_error(
            "cannot make a temporary directory " + path_ + "; name a data directory instead");
    }
}

temporary_directory::~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

node::node(const server_options& options) : options_(options) {
    if (options_.message_octets_max > store::message_bytes_max) {
        throw start_error(
            "messages of " + std::to_string(options_.message_octets_max) +
            " octets do not fit into the log; " + std::to_string(store::message_bytes_max) +
            " are the most");
    }
    if (options_.data_directory.empty()) {
        options_.data_directory = temporary_.emplace().path();
    }
    listen();  // first, because a port in use is found out faster than a long log is read
    recover();
}

node::~node() {
    passwords_.reset();
    disk_thread_.reset();
    segment_thread_.reset();
}

void node::recover() {
    opened_store opened = open_store(options_.data_directory);
    disk_ = std::move(opened.disk);
    if (options_.log_file_octets == 0) {
        const auto space = disk_->space();
        options_.log_file_octets = store::nominal_file_bytes(space ? space->total : 0);
    }
    store::log_options log_options;
    store::writer_options writer_options;
    log_options.file_bytes = writer_options.file_bytes = options_.log_file_octets;
    writer_options.spare_bytes_max = 2 * options_.log_file_octets;
    log_ = std::make_unique<store::log>(log_options, opened.found->tail());
    writer_ = std::make_unique<store::log_writer>(*disk_, writer_options, opened.found->tail());
    disk_room_ = writer_->room();
    disk_free_ = writer_->free_space();
    space_low_ = writer_->space_low();
    journal_ = std::make_unique<log_journal>(*log_);
    passwords_ = std::make_unique<password_checker>(io_);
    engine_ = std::make_unique<engine>(engine_options_of(options_), *journal_, random_octets);
    pages_ = std::make_unique<segment_pages>(*disk_, *log_, opened.found->tail());
    engine_->use(*pages_);
    durable_ = log_->last_lsn();  // what was found, without what restoring adds to it
    restore(*engine_, *opened.found);
    engine_->durable(durable_, read_clocks());
    disk_thread_ = std::make_unique<disk_thread>(*writer_, [this](disk_thread::report&& report) {
        boost::asio::post(
            io_, [this, kept = std::make_shared<disk_thread::report>(std::move(report))] {
                on_written(std::move(*kept));
            });
    });
    segment_thread_ = std::make_unique<segment_thread>(
        *disk_, opened.found->tail().salt, [this](segment_thread::report&& report) {
            boost::asio::post(
                io_, [this, kept = std::move(report)]() mutable { on_segment(std::move(kept)); });
        });
}

void node::listen() {
    const auto open = [this](net::stream connection) { open_session(std::move(connection)); };
    plain_ = std::make_unique<listener>(io_, options_.bind, options_.port, nullptr, open);
    if (options_.tls) {
        std::string problem;
        net::tls_server_files files;
        files.certificate_file = options_.tls->certificate_file;
        files.key_file = options_.tls->key_file;
        files.ca_file = options_.tls->client_ca_file;
        files.verify_peer = files.fail_without_certificate = !files.ca_file.empty();
        auto context = net::make_server_context(files, problem);
        if (context == nullptr) {
            throw start_error("cannot offer TLS: " + problem);
        }
        tls_ = std::make_unique<listener>(
            io_, options_.bind, options_.tls->port, std::move(context), open);
    }
    if (options_.management_port) {
        management_backend& self = *this;
        const std::string& where =
            options_.management_bind.empty() ? options_.bind : options_.management_bind;
        management_ = std::make_unique<management>(io_, where, *options_.management_port, self);
    }
}

bool node::run() {
    plain_->start();
    if (tls_) {
        tls_->start();
    }
    if (management_) {
        management_->start();
    }
    space_looked_for();
    perform();  // what recovery had to say
    arm_tick();
    io_.run();
    return clean_;
}

void node::stop() {
    boost::asio::post(io_, [this] { begin_stop(); });
}

void node::open_session(net::stream connection) {
    if (!stopping_) {
        std::make_shared<session>(*this, std::move(connection))->start();
    }
}

session* node::find(connection_id id) {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second;
}

connection_id node::connected(session& from) {
    auto& socket = from.pump().connection().socket();
    boost::system::error_code unknown;
    const auto remote = socket.remote_endpoint(unknown);
    const peer_address peer{
        from.pump().connection().remote_address(), !unknown && remote.address().is_loopback()};
    const connection_id id = engine_->connected(peer, from.pump().out(), read_clocks());
    sessions_.emplace(id, &from);
    return id;
}

std::size_t node::received(session& from, octets input) {
    const connection_id id = from.id();
    const std::size_t used = engine_->received(id, input, read_clocks());
    from.pump().limit_reads(
        engine_->pages().filling() ? crowded_read_octets : net::shared_read_octets);
    // Also if it goes on within the same event: what is left of the input is offered again by
    // resume_reading(), which needs something to resume.
    const auto& resumed = engine_->take_effects().resume;
    if (!engine_->wants_input(id) || std::ranges::find(resumed, id) != resumed.end()) {
        from.pump().pause_reading();
    }
    perform();
    return used;
}

void node::drained(session& from, std::size_t pending) {
    engine_->drained(from.id(), pending, read_clocks());
    perform();
}

void node::disconnected(session& gone) {
    const connection_id id = gone.id();
    sessions_.erase(id);
    if (const auto login = logins_.extract(id)) {
        passwords_->cancel(login.mapped());
    }
    engine_->disconnected(id, read_clocks());
    perform();
    if (stopping_ && sessions_.empty()) {
        finish_stop();
    }
}

void node::perform() {
    effects& wanted = engine_->take_effects();
    for (const auto& line : wanted.log) {
        log_formatted(line.level, line.text);
    }
    for (const connection_id id : wanted.output) {
        if (session* to = find(id); to != nullptr) {
            to->pump().flush_soon();
        }
    }
    for (const connection_id id : wanted.resume) {
        if (session* to = find(id); to != nullptr) {
            to->pump().resume_reading();
        }
    }
    for (const connection_id id : wanted.close) {
        if (session* to = find(id); to != nullptr) {
            to->pump().close_after_flush();
        }
    }
    if (!wanted.congested.empty()) {
        if (congested_.empty()) {
            boost::asio::post(io_, [this] { relieve_congestion(); });
        }
        congested_.insert(congested_.end(), wanted.congested.begin(), wanted.congested.end());
    }
    if (!wanted.password_hashes.empty()) {
        hash_passwords(std::move(wanted.password_hashes));
    }
    if (!wanted.password_checks.empty()) {
        // Later: answers are events, and the effects of this one are still being carried out.
        boost::asio::post(io_, [this, asked = std::move(wanted.password_checks)]() mutable {
            check_passwords(std::move(asked));
        });
    }
    feed_segments();
    segment_thread_->remove(pages_->take_removable(durable_));
    feed_disk();
    if (disk_is_crowded()) {
        set_disk_alarm(true);  // until a batch is written that leaves less behind it
    }
    rewrite_old_file();
    if (const auto due = engine_->next_expiry_ms(); due && *due < tick_due_ms_) {
        arm_tick();
    }
}

void node::relieve_congestion() {
    // A socket that took everything at once does not report it as drained.
    for (const connection_id id : std::exchange(congested_, {})) {
        if (session* to = find(id); to != nullptr) {
            to->pump().flush();
            if (to->pump().pending() == 0) {
                drained(*to, 0);
            }
        }
    }
}

void node::feed_disk() {
    if (disk_busy_ || disk_full_ || !log_->has_batch()) {
        return;
    }
    if (!log_->urgent() && !stopping_) {
        arm_acks_timer();
        return;
    }
    write_batch();
}

void node::write_batch() {
    disk_busy_ = true;
    octets_in_flight_ = log_->batch_bytes();
    disk_thread_->write(log_->take_batch());
}

void node::arm_acks_timer() {
    if (acks_timer_armed_) {
        return;
    }
    acks_timer_armed_ = true;
    acks_timer_.expires_after(acks_wait);
    acks_timer_.async_wait([this](boost::system::error_code) {
        acks_timer_armed_ = false;
        if (!disk_busy_ && !disk_full_ && log_->has_batch()) {
            write_batch();
        }
    });
}

void node::on_written(disk_thread::report&& report) {
    disk_counters_ = report.counters;
    disk_room_ = report.room;
    disk_free_ = report.free;
    segments_since_room_ = segment_in_flight_;
    space_low_ = report.space_low;
    if (report.error && report.error != store::errc::disk_full) {
        end_process(report.problem);
    }
    if (report.about != disk_thread::occasion::batch) {
        if (report.about == disk_thread::occasion::look) {
            disk_busy_ = false;
        }
        space_looked_for();
        perform();
        if (stopping_ && sessions_.empty()) {
            finish_stop();
        }
        return;
    }
    if (report.error == store::errc::disk_full) {
        if (!std::exchange(disk_full_, true)) {
            log_event(log_level::error, "disk_full", {{"problem", report.problem}});
            set_disk_alarm(true);
        }
        retry_timer_.expires_after(disk_full_retry);
        retry_timer_.async_wait(
            [this, kept = std::make_shared<store::batch>(std::move(report.written))](
                boost::system::error_code) { disk_thread_->write(std::move(*kept)); });
        return;
    }
    disk_busy_ = false;
    octets_in_flight_ = 0;
    const lsn reached = report.written.highest;
    log_->give_back(std::move(report.written));
    disk_full_ = false;
    space_looked_for();
    durable_ = reached;
    engine_->durable(reached, read_clocks());
    perform();
    tell_durable(reached);
    if (stopping_ && sessions_.empty()) {
        finish_stop();
    }
}

void node::rewrite_old_file() {
    if (const auto file = log_->wants_rewrite(disk_room_left()); file && !rewriting_) {
        rewriting_ = true;
        engine_->rewrite(*file, read_clocks());
        perform();
        rewriting_ = false;
    }
}

void node::arm_tick() {
    if (stopping_) {
        return;
    }
    const clock_reading clock = read_clocks();
    const auto now_ms = static_cast<std::uint64_t>(clock.wall.time_since_epoch().count());
    const auto left = std::chrono::ceil<milliseconds>(housekeeping_at_ - clock.now);
    tick_due_ms_ = now_ms + static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
    tick_due_ms_ = std::min(tick_due_ms_, engine_->next_expiry_ms().value_or(tick_due_ms_));
    tick_timer_.expires_after(milliseconds{tick_due_ms_ > now_ms ? tick_due_ms_ - now_ms : 0});
    tick_timer_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled) {
            tick();
        }
    });
}

void node::tick() {
    tick_due_ms_ = 0;  // perform() leaves the next one to us
    const clock_reading clock = read_clocks();
    if (clock.now < housekeeping_at_) {
        engine_->wake(clock);
    } else {
        housekeeping_at_ = clock.now + housekeeping_interval;
        keep_house();
        engine_->tick(clock);
    }
    perform();
    arm_tick();
}

void node::begin_stop() {
    if (std::exchange(stopping_, true)) {
        return;
    }
    log_event(log_level::info, "stopping", {{"connections", sessions_.size()}});
    for (auto* each : {plain_.get(), tls_.get()}) {
        if (each != nullptr) {
            each->stop();
        }
    }
    if (management_) {
        management_->stop();
    }
    tick_timer_.cancel();
    engine_->shut_down(read_clocks());
    perform();
    // Clients that do not read are not waited for.
    stop_timer_.expires_after(stop_patience);
    stop_timer_.async_wait([this](boost::system::error_code) {
        out_of_patience_ = true;
        for (const auto& [id, each] : std::exchange(sessions_, {})) {
            each->pump().close_now();
        }
        finish_stop();
    });
    if (sessions_.empty()) {
        finish_stop();
    }
}

void node::finish_stop() {
    if (disk_full_ && out_of_patience_) {
        log_event(
            log_level::error,
            "stopped_with_a_full_disk",
            {{"text", "what was not confirmed is lost; what was confirmed is kept"}});
        clean_ = false;
        io_.stop();
        return;
    }
    if (disk_busy_) {
        return;  // on_written comes back here
    }
    if (log_->has_batch()) {
        feed_disk();
        return;
    }
    // After what the sessions that were just closed have to do for the last time: they own
    // themselves until then.
    boost::asio::post(io_, [this] { io_.stop(); });
}

}  // namespace lovage::broker
