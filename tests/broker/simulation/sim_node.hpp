// A broker without its edges: engine, journal, log, writer and recovery as broker/server/node.cpp
// puts them together, on a disk and a clock in memory and in one thread. What disk threads do is a
// job here: it is run and reported later, when the simulation lets work() happen, so a crash finds
// jobs in every state. Called by the simulation and by inspect(); does not decide what happens
// when.
#pragma once

#include "broker/core/engine.hpp"
#include "broker/server/log_journal.hpp"
#include "broker/server/segment_pages.hpp"
#include "broker/store/log.hpp"
#include "broker/store/log_writer.hpp"
#include "broker/store/recovery.hpp"
#include "tests/broker/simulation/dice.hpp"
#include "tests/broker/store/fake_disk.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lovage::broker::simulation {

using store::testing::fake_disk;

/// What is broken on purpose, to see that the simulation finds it.
enum class sabotage : std::uint8_t {
    none,
    ignored_syncs,     ///< the disk says that it has synced, and has not
    early_confirms,    ///< the engine hears that a batch is durable before it is written
    early_segments,    ///< and that a segment is, before it is there
    late_blobs,        ///< large bodies are written beside the batch that refers to them
    lost_settles,      ///< one in a few is not written to the log
    lost_returns,      ///< likewise
    lost_marks,        ///< likewise, that something was delivered
    early_deliveries,  ///< deliveries do not wait for their marks
};

struct node_options {
    store::log_options log{2048, 2, 1U << 16U};
    store::writer_options writer{512, 2, 8192, 2048};
    store::recovery_options recovery{0x5EED, 512, 2};
    engine_options engine;
    /// More unwritten log than this, and publishers wait for the disk.
    std::size_t unwritten_octets_max = 16 * 1024;
    sabotage broken = sabotage::none;
};

class sim_node {
public:
    sim_node(fake_disk& files, const node_options& options, dice& chance);
    sim_node(const sim_node&) = delete;
    sim_node& operator=(const sim_node&) = delete;
    ~sim_node();

    /// Recovers the disk. False if the start is refused, with why; nothing else may be called then.
    [[nodiscard]] bool start(clock_reading clock, std::string& problem);

    // Events, as the sessions of a server bring them.
    connection_id connected(byte_buffer& output);
    std::size_t received(connection_id from, octets input);
    /// What the connection will send when the disk has caught up.
    [[nodiscard]] octets held_output(connection_id whose) const {
        return engine_->held_output(whose);
    }
    void disconnected(connection_id gone);
    void drained(connection_id whose, std::size_t pending);
    void shut_down();
    /// Time goes on; what was to be done meanwhile is done now.
    void advance(clock_reading clock);

    /// Lets one job of the disk's threads go on by a step, if there is one that can.
    void work();
    [[nodiscard]] bool has_work() const { return !jobs_.empty() || log_->has_batch(); }
    [[nodiscard]] bool has_ready_work() const;
    /// The disk has failed: the process has ended, and only a crash can follow.
    [[nodiscard]] bool dead() const { return dead_; }

    /// What was logged so far belongs to that event of the simulation or to one before.
    void end_event(std::uint64_t event);
    /// All up to that event is on disk.
    [[nodiscard]] std::uint64_t durable_event() const { return durable_event_; }
    /// Connections that the broker has ended; they are to be told by disconnected().
    [[nodiscard]] std::vector<connection_id> take_closed() { return std::exchange(closed_, {}); }
    /// Written so far.
    [[nodiscard]] std::size_t segments() const { return segments_; }
    /// A file that nobody needs may be left until the next start.
    [[nodiscard]] bool failed_to_remove() const { return failed_to_remove_; }
    [[nodiscard]] std::size_t blobs() const { return writer_->counters().blobs; }
    [[nodiscard]] engine& broker() { return *engine_; }
    [[nodiscard]] const store::log& log() const { return *log_; }

private:
    /// Of a thread that uses the disk.
    struct job {
        /// On the disk; false if that has failed for good.
        std::function<bool()> run;
        /// On the engine's thread. The job itself is gone by then.
        std::function<void()> report;
        time_point not_before{};
        bool ran = false;
    };
    struct log_batch;

    void perform();
    void answer_passwords();
    void feed_disk();
    void hand_over();
    void write_late(const std::vector<store::new_blob>& what);
    void feed_segments();
    void remove_files();
    void prepare_reserve();
    void add_log_job(std::shared_ptr<log_batch> what, time_point not_before);
    void on_written(const std::shared_ptr<log_batch>& what);
    void space_looked_for();
    void set_disk_alarm(bool on);
    void rewrite_old_file();

    fake_disk& disk_;
    node_options options_;
    dice& chance_;
    std::unique_ptr<store::recovery> recovery_;
    std::unique_ptr<store::log> log_;
    std::unique_ptr<store::log_writer> writer_;
    std::unique_ptr<log_journal> journal_;
    std::unique_ptr<journal> broken_journal_;  // between engine and journal_ if it is sabotaged
    std::unique_ptr<segment_pages> pages_;
    std::unique_ptr<engine> engine_;
    std::vector<job> jobs_;
    std::vector<connection_id> closed_;
    std::vector<password_check> checks_;
    std::vector<password_to_hash> hashes_;

    std::uint64_t salt_ = 0;
    std::size_t segments_ = 0;
    clock_reading clock_;
    time_point housekeeping_at_{};
    time_point acks_at_{};
    bool acks_wait_ = false;
    bool disk_busy_ = false;
    bool disk_full_ = false;
    bool disk_alarm_ = false;
    bool looking_ = false;
    bool rewriting_ = false;
    bool dead_ = false;
    bool failed_to_remove_ = false;
    lsn durable_ = 0;
    std::deque<std::pair<lsn, std::uint64_t>> events_;  // not durable yet: the last record of each
    std::uint64_t durable_event_ = 0;
    unsigned char serial_ = 0;
};

}  // namespace lovage::broker::simulation
