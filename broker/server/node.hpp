// The broker's parts put together: engine, journal, log, disk thread, listeners, management API,
// all on one io_context with one thread. Reads the clocks, carries out the engine's effects and
// moves the log's batches to the disk thread and back.
#pragma once

#include "broker/admin/management.hpp"
#include "broker/core/engine.hpp"
#include "broker/server/disk_thread.hpp"
#include "broker/server/listener.hpp"
#include "broker/server/log_journal.hpp"
#include "broker/server/password_checker.hpp"
#include "broker/server/segment_pages.hpp"
#include "broker/server/segment_thread.hpp"
#include "broker/server/session.hpp"
#include "broker/store/log.hpp"
#include "broker/store/posix_disk.hpp"

#include <lovage/broker.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace lovage::broker {

/// A new directory for this user only, removed with its owner.
class temporary_directory {
public:
    /// Throws start_error.
    temporary_directory();
    ~temporary_directory();
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// Of this machine, now.
[[nodiscard]] clock_reading read_clocks();

class node : private management_backend {
public:
    /// Recovers the data directory and listens. Throws start_error.
    explicit node(const server_options& options);
    ~node() override;
    node(const node&) = delete;
    node& operator=(const node&) = delete;

    /// Serves until stop() has done its work. False if something could not be written.
    bool run();
    /// From any thread: tells clients, writes what is left, then run() returns.
    void stop();

    [[nodiscard]] std::uint16_t port() const { return plain_->port(); }
    [[nodiscard]] std::uint16_t tls_port() const { return tls_ ? tls_->port() : 0; }
    [[nodiscard]] std::uint16_t management_port() const {
        return management_ ? management_->port() : 0;
    }

    // For sessions.
    connection_id connected(session& from);
    std::size_t received(session& from, octets input);
    void drained(session& from, std::size_t pending);
    void disconnected(session& gone);

private:
    void recover();
    void listen();
    void open_session(net::stream connection);
    /// Carries out what the last event wanted.
    void perform();
    void relieve_congestion();
    void feed_disk();
    /// A disk that failed has lost what it did not say it has; going on would confirm lies.
    [[noreturn]] static void end_process(const std::string& problem);
    void feed_segments();
    void on_segment(segment_thread::report&& report);
    void write_batch();
    [[nodiscard]] std::uint64_t disk_room_left() const;
    [[nodiscard]] bool disk_is_crowded() const;
    void arm_acks_timer();
    void on_written(disk_thread::report&& report);
    void space_looked_for();
    void look_for_space_later();
    void set_disk_alarm(bool on);
    void rewrite_old_file();
    void arm_tick();
    void tick();
    void keep_house();
    void begin_stop();
    void finish_stop();
    session* find(connection_id id);

    // For the management API (node_management.cpp).
    [[nodiscard]] management_view management_snapshot() const override;
    [[nodiscard]] const engine& state() const override { return *engine_; }
    void change(const std::function<void(engine&)>& what) override;
    void when_durable(std::function<void()> done) override;
    void log_in(
        const std::string& name,
        const std::string& password,
        const api_client& from,
        std::function<void(std::optional<api_caller>)> done) override;
    void hash_password(std::string password, std::function<void(std::optional<std::string>)> done)
        override;
    // Logins of connections and users that come with the options (node_passwords.cpp).
    void check_passwords(std::vector<password_check> asked);
    void hash_passwords(std::vector<password_to_hash> asked);
    [[nodiscard]] bool is_verifier(const std::string& text) const override;
    void tell_durable(lsn reached);

    server_options options_;
    std::optional<temporary_directory> temporary_;
    boost::asio::io_context io_{1};
    std::unique_ptr<store::posix_disk> disk_;
    std::unique_ptr<store::log> log_;
    std::unique_ptr<store::log_writer> writer_;
    std::unique_ptr<log_journal> journal_;
    std::unique_ptr<segment_pages> pages_;
    std::unique_ptr<engine> engine_;
    std::unique_ptr<password_checker> passwords_;
    std::unordered_map<connection_id, password_checker::ticket> logins_;  // that wait
    std::unique_ptr<disk_thread> disk_thread_;
    std::unique_ptr<segment_thread> segment_thread_;
    std::unordered_map<connection_id, session*> sessions_;
    std::unique_ptr<listener> plain_;
    std::unique_ptr<listener> tls_;
    std::unique_ptr<management> management_;

    boost::asio::steady_timer tick_timer_{io_};
    boost::asio::steady_timer acks_timer_{io_};
    boost::asio::steady_timer retry_timer_{io_};
    boost::asio::steady_timer space_timer_{io_};
    boost::asio::steady_timer stop_timer_{io_};
    std::uint64_t rounds_ = 0;       // of housekeeping
    std::uint64_t memory_peak_ = 0;  // since memory was last given back
    time_point housekeeping_at_{};
    std::uint64_t tick_due_ms_ = 0;  // Unix time for which tick_timer_ is set
    store::writer_counters disk_counters_;
    std::uint64_t disk_room_ = 0;            // as it was last reported
    std::uint64_t disk_free_ = 0;            // likewise
    std::uint64_t segments_since_room_ = 0;  // octets of segments that the report did not know
    std::uint64_t segment_in_flight_ = 0;    // octets
    std::uint64_t octets_in_flight_ = 0;     // of the batch at the disk

    bool disk_busy_ = false;
    bool acks_timer_armed_ = false;
    bool space_timer_armed_ = false;
    bool disk_full_ = false;
    bool space_low_ = false;
    bool disk_alarm_ = false;
    bool rewriting_ = false;
    bool stopping_ = false;
    bool out_of_patience_ = false;
    bool clean_ = true;
    std::vector<connection_id> congested_;

    struct durable_waiter {
        lsn until = 0;
        std::function<void()> done;
    };
    lsn durable_ = 0;
    std::deque<durable_waiter> durable_waiters_;  // in the order of `until`
};

}  // namespace lovage::broker
