// The heart of a worker: which delivery runs on which executor, what is published and acknowledged
// when, what happens when an executor dies, a limit strikes, the connection is lost or the worker
// is to stop. A state machine: events in (member functions), effects out (effects.hpp), time as an
// argument. Driven by workers/run/worker.cpp on the I/O thread. Does no I/O and reads no clock.
//
// A delivery:  waiting -> running -> reporting -> following -> gone
//                            |            (result     (retry, dead queue ...
//                            |             is safe)    confirmed, then ack)
//              crash, drain: requeued
// An executor: starting -> idle <-> busy -> dying -> resting -> starting
#pragma once

#include "framework/base/ring.hpp"
#include "framework/base/time.hpp"
#include "workers/core/effects.hpp"
#include "workers/core/finished.hpp"
#include "workers/core/pipeline.hpp"
#include "workers/core/restart_policy.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace lovage::workers {

/// How long a message whose copy could not be published rests before it is given back.
inline constexpr milliseconds publish_failure_pause = std::chrono::seconds(1);
/// What a place for deliveries keeps of a large message when it is free again.
inline constexpr std::size_t kept_frame_octets = 1U << 20U;
/// How long results that are on their way may take when the grace period is over.
inline constexpr milliseconds reporting_grace = std::chrono::seconds(5);

struct moment {
    time_point now;
    wall_time wall;
};

/// Invariants:
/// 1. A delivery is acknowledged only after its result is safe (confirmed, or on its way to a
/// broker
///    that stores it before the acknowledgement) and its follow-ups were confirmed.
/// 2. An executor is busy exactly when one delivery is running on it.
/// 3. A delivery whose consumer was lost (orphan) is neither acknowledged nor requeued, unless the
///    broker has delivered the message here again.
class pool {
public:
    /// `tasks` outlives the pool.
    pool(const registry& tasks, worker_rules rules, std::size_t executors);

    /// Starts all executors.
    void start();
    void executor_started(executor_id executor, moment at);
    /// Its process is gone, whatever the reason, or could not be started. `how` is for people.
    /// `untouched`: it died before it had taken its job, which is not to blame.
    void executor_lost(
        executor_id executor,
        std::string_view how,
        moment at,
        bool untouched = false);
    void answered(executor_id executor, answer&& what, moment at);

    /// `message.queue` is a view of a name that outlives the pool.
    void delivered(
        const client::delivery_ref& ref,
        const message_view& message,
        std::uint64_t random,
        moment at);
    /// Everything that this consumer had not acknowledged is void.
    void consumer_lost(client::consumer_id consumer);
    /// The result is safe. `failed`: the broker did not take it, or did not say in time. The task
    /// is done all the same.
    void result_published(delivery_id delivery, bool failed);
    void follow_up_published(delivery_id delivery, bool failed, moment at);

    /// Stops consuming, gives back what has not started, waits `grace` for what runs.
    void drain(milliseconds grace, moment at);
    /// Stops at once; everything goes back.
    void stop();
    void tick(moment at);
    /// When tick() has something to do.
    [[nodiscard]] std::optional<time_point> next_deadline() const;

    /// To be carried out and cleared after each event.
    [[nodiscard]] std::vector<effect>& effects() { return effects_; }
    /// One frame for the executor; valid until the delivery is gone.
    [[nodiscard]] const std::string& job_frame(delivery_id delivery) const {
        return deliveries_[delivery].frame;
    }
    /// Null if the pool was stopped meanwhile.
    [[nodiscard]] const sent_result* result_of(delivery_id delivery) const {
        const delivery_record& record = deliveries_[delivery];
        return record.result.has_value() ? &*record.result : nullptr;
    }

    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    [[nodiscard]] std::size_t running() const { return running_; }
    /// Deliveries in any state.
    [[nodiscard]] std::size_t active() const { return active_; }
    [[nodiscard]] std::uint64_t processed() const { return processed_; }
    [[nodiscard]] bool draining() const { return phase_ != phase::working; }
    void check_invariants() const;

private:
    enum class stage { free, waiting, running, reporting, following, pausing };
    enum class executor_state {
        none,      ///< not asked for yet, or not needed any more
        starting,  ///< start_executor is under way
        idle,
        busy,
        dying,    ///< kill_executor is under way
        resting,  ///< waits for its next start
    };
    enum class phase { working, draining, finished };

    struct delivery_record {
        stage at = stage::free;
        bool orphan = false;
        client::delivery_ref ref;
        std::string_view queue;
        std::string frame;  ///< job for the executor; holds properties and body, too
        admission admitted;
        std::optional<sent_result> result;
        std::vector<follow_up> follow_ups;
        std::size_t unconfirmed = 0;  ///< follow-ups
        bool failed = false;          ///< a follow-up was not taken
        bool finished = false;        ///< a redelivery is answered from memory
        time_point resume;            ///< end of the pause
    };
    struct executor_record {
        executor_state state = executor_state::none;
        delivery_id delivery = 0;  ///< busy
        time_point started;
        std::optional<time_point> deadline;  ///< busy: time limit; resting: next start
        restart_policy restarts;
    };

    [[nodiscard]] message_view view_of(const delivery_record& record, job_view& storage) const;
    delivery_id open(const client::delivery_ref& ref, std::string_view queue);
    void close(delivery_id id);
    void give_back(delivery_id id);
    bool known_already(
        const client::delivery_ref& ref,
        const message_view& message,
        admission& how);
    void settle_with(delivery_id id, settlement&& plan);
    void follow(delivery_id id);
    void complete(delivery_id id);

    void dispatch(moment at);
    void lend(executor_id executor, delivery_id id, time_point now);
    void settle_unrun(delivery_id id, const outcome& result, moment at);
    void crashed(delivery_id id, std::string_view how, moment at);
    void restart(executor_id executor, time_point now, bool counts);
    void time_limit(executor_id executor, moment at);
    void cut_short(moment at);
    void finish_if_done();
    void tell(
        log_level level,
        std::string_view event,
        const delivery_record& record,
        std::string_view text = {});

    const registry& tasks_;
    worker_rules rules_;
    std::vector<effect> effects_;
    std::vector<delivery_record> deliveries_;
    std::vector<delivery_id> free_;
    ring<delivery_id> waiting_;
    std::vector<executor_record> executors_;
    std::unordered_map<std::string, delivery_id> orphans_;
    finished_tasks finished_;
    std::size_t active_ = 0;
    std::size_t running_ = 0;
    std::uint64_t processed_ = 0;
    phase phase_ = phase::working;
    bool clean_ = true;
    std::optional<time_point> grace_end_;  ///< of draining; then of reporting
    bool cut_ = false;                     ///< the grace period is over
};

}  // namespace lovage::workers
