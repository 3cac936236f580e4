// Executors, time limits, draining. Deliveries are in pool.cpp.
#include "workers/core/pool.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace lovage::workers {

namespace {

void keep_earlier(std::optional<time_point>& earliest, std::optional<time_point> other) {
    if (other.has_value() && (!earliest.has_value() || *other < *earliest)) {
        earliest = other;
    }
}

}  // namespace

void pool::start() {
    for (executor_id id = 0; id < executors_.size(); ++id) {
        executors_[id].state = executor_state::starting;
        effects_.emplace_back(start_executor{id});
    }
}

void pool::executor_started(executor_id executor, moment at) {
    executor_record& record = executors_[executor];
    record.state = executor_state::idle;
    record.started = at.now;
    record.deadline.reset();
    dispatch(at);
}

void pool::dispatch(moment at) {
    for (executor_id id = 0; id < executors_.size(); ++id) {
        while (executors_[id].state == executor_state::idle && !waiting_.empty()) {
            const delivery_id next = waiting_.pop_front();
            if (is_expired(deliveries_[next].admitted, at.wall)) {
                settle_unrun(next, expired_outcome(), at);
            } else {
                lend(id, next, at.now);
            }
        }
    }
}

void pool::settle_unrun(delivery_id id, const outcome& result, moment at) {
    job_view storage;
    const delivery_record& record = deliveries_[id];
    const message_view message = view_of(record, storage);
    settle_with(id, settle(rules_, message, record.admitted, result, at.wall));
}

void pool::lend(executor_id executor, delivery_id id, time_point now) {
    executor_record& runner = executors_[executor];
    delivery_record& record = deliveries_[id];
    runner.state = executor_state::busy;
    runner.delivery = id;
    record.at = stage::running;
    ++running_;
    const milliseconds limit = record.admitted.facts.time_limit;
    if (limit > milliseconds(0)) {
        runner.deadline = now + limit;
    }
    effects_.emplace_back(run_job{executor, id});
}

void pool::answered(executor_id executor, answer&& what, moment at) {
    executor_record& runner = executors_[executor];
    if (runner.state != executor_state::busy) {
        return;  // too late: its delivery has been settled without it
    }
    const delivery_id id = runner.delivery;
    delivery_record& record = deliveries_[id];
    if (what.kind == answer_kind::progress) {
        if (auto state = progress_result(rules_, record.admitted.message.head, what.text)) {
            effects_.emplace_back(publish_progress{
                std::move(state->queue), std::move(state->properties), std::move(state->body)});
        }
        return;
    }
    runner.state = executor_state::idle;
    runner.deadline.reset();
    runner.restarts.finished_task();
    --running_;
    job_view storage;
    const message_view message = view_of(record, storage);
    if (what.kind == answer_kind::refused) {
        settle_with(id, settle_refused(rules_, message, record.admitted, what.problem, at.wall));
    } else {
        if (what.result.kind == outcome_kind::failed) {
            tell(log_level::warning, "task_failed", record, what.result.problem.type);
        } else if (what.result.kind == outcome_kind::retry) {
            tell(log_level::info, "task_retried", record, what.result.problem.message);
        }
        settle_with(id, settle(rules_, message, record.admitted, what.result, at.wall));
    }
    dispatch(at);
}

void pool::executor_lost(executor_id executor, std::string_view how, moment at, bool untouched) {
    executor_record& runner = executors_[executor];
    const bool by_us = runner.state == executor_state::dying;
    if (runner.state == executor_state::busy) {
        --running_;
        if (untouched && !deliveries_[runner.delivery].orphan) {
            deliveries_[runner.delivery].at = stage::waiting;
            waiting_.push_front(runner.delivery);
        } else {
            crashed(runner.delivery, how, at);
        }
    }
    runner.deadline.reset();
    if (phase_ == phase::working || (phase_ == phase::draining && !waiting_.empty())) {
        restart(executor, at.now, !by_us);
    } else {
        runner.state = executor_state::none;
    }
    dispatch(at);
    finish_if_done();
}

/// The message is published again with one crash more, after the last one to the dead queue. An
/// orphan is left alone: the broker has it back and has counted the loss.
void pool::crashed(delivery_id id, std::string_view how, moment at) {
    delivery_record& record = deliveries_[id];
    tell(log_level::error, "task_crashed", record, how);
    admission& admitted = record.admitted;
    ++admitted.facts.crashes;
    job_view storage;
    const message_view message = view_of(record, storage);
    const std::int64_t crashes = admitted.facts.crashes;
    if (crashes >= crashes_allowed(tasks_, rules_, admitted.message.head.task)) {
        const outcome result = crashed_outcome(crashes, how);
        settle_with(id, settle(rules_, message, admitted, result, at.wall));
    } else if (record.orphan) {
        give_back(id);
    } else {
        settle_with(id, settle_crash_copy(message, crashes));
    }
}

void pool::restart(executor_id executor, time_point now, bool counts) {
    executor_record& runner = executors_[executor];
    const auto lived = std::chrono::duration_cast<milliseconds>(now - runner.started);
    const milliseconds pause = counts ? runner.restarts.died(lived) : milliseconds(0);
    runner.started = now;
    if (pause > milliseconds(0)) {
        runner.state = executor_state::resting;
        runner.deadline = now + pause;
    } else {
        runner.state = executor_state::starting;
        effects_.emplace_back(start_executor{executor});
    }
}

void pool::time_limit(executor_id executor, moment at) {
    executor_record& runner = executors_[executor];
    const delivery_id id = runner.delivery;
    delivery_record& record = deliveries_[id];
    tell(log_level::error, "task_time_limit", record);
    runner.state = executor_state::dying;
    runner.deadline.reset();
    --running_;
    effects_.emplace_back(kill_executor{executor});
    job_view storage;
    const message_view message = view_of(record, storage);
    const outcome result = time_limit_outcome(record.admitted.facts.time_limit);
    settle_with(id, settle(rules_, message, record.admitted, result, at.wall));
}

void pool::drain(milliseconds grace, moment at) {
    if (phase_ != phase::working) {
        return;
    }
    phase_ = phase::draining;
    effects_.emplace_back(stop_consuming{});
    while (!waiting_.empty()) {
        give_back(waiting_.pop_front());
    }
    grace_end_ = at.now + grace;
    finish_if_done();
}

/// The grace period is over: what runs is ended and given back, results on their way may arrive.
void pool::cut_short(moment at) {
    cut_ = true;
    clean_ = false;
    for (executor_id id = 0; id < executors_.size(); ++id) {
        if (executors_[id].state == executor_state::busy) {
            executors_[id].state = executor_state::dying;
            executors_[id].deadline.reset();
            --running_;
            tell(log_level::warning, "task_cut_short", deliveries_[executors_[id].delivery]);
            effects_.emplace_back(kill_executor{id});
            give_back(executors_[id].delivery);
        }
    }
    grace_end_ = at.now + reporting_grace;
    finish_if_done();
}

void pool::stop() {
    if (phase_ == phase::finished) {
        return;
    }
    if (phase_ == phase::working) {
        effects_.emplace_back(stop_consuming{});
    }
    phase_ = phase::finished;
    clean_ = clean_ && active_ == 0;
    while (!waiting_.empty()) {
        waiting_.pop_front();
    }
    for (executor_id id = 0; id < executors_.size(); ++id) {
        // First of all: whoever gets the message next must not run beside it.
        if (executors_[id].state == executor_state::busy) {
            effects_.emplace_back(kill_executor{id});
        }
        executors_[id].state = executor_state::none;
        executors_[id].deadline.reset();
    }
    running_ = 0;
    for (delivery_id id = 0; id < deliveries_.size(); ++id) {
        if (deliveries_[id].at != stage::free) {
            give_back(id);
        }
    }
    effects_.emplace_back(pool_finished{clean_});
}

void pool::tick(moment at) {
    if (phase_ == phase::finished) {
        return;
    }
    for (executor_id id = 0; id < executors_.size(); ++id) {
        executor_record& runner = executors_[id];
        if (!runner.deadline.has_value() || *runner.deadline > at.now) {
            continue;
        }
        if (runner.state == executor_state::busy) {
            time_limit(id, at);
        } else {
            runner.deadline.reset();
            runner.state = executor_state::starting;
            effects_.emplace_back(start_executor{id});
        }
    }
    for (delivery_id id = 0; id < deliveries_.size(); ++id) {
        if (deliveries_[id].at == stage::pausing && deliveries_[id].resume <= at.now) {
            give_back(id);
        }
    }
    finish_if_done();
    if (phase_ == phase::draining && grace_end_.has_value() && *grace_end_ <= at.now) {
        if (cut_) {
            stop();
        } else {
            cut_short(at);
        }
    }
}

std::optional<time_point> pool::next_deadline() const {
    std::optional<time_point> earliest;
    if (phase_ == phase::finished) {
        return earliest;
    }
    for (const executor_record& runner : executors_) {
        keep_earlier(earliest, runner.deadline);
    }
    for (const delivery_record& record : deliveries_) {
        if (record.at == stage::pausing) {
            keep_earlier(earliest, record.resume);
        }
    }
    keep_earlier(earliest, grace_end_);
    return earliest;
}

void pool::check_invariants() const {
    std::size_t busy = 0;
    for (const executor_record& runner : executors_) {
        if (runner.state == executor_state::busy) {
            ++busy;
            assert(deliveries_[runner.delivery].at == stage::running);
        }
    }
    assert(busy == running_);
    std::size_t used = 0;
    std::size_t runs = 0;
    for (const delivery_record& record : deliveries_) {
        used += record.at == stage::free ? 0U : 1U;
        runs += record.at == stage::running ? 1U : 0U;
        assert(!record.orphan || record.at != stage::waiting);
    }
    assert(used == active_ && runs == busy);
    static_cast<void>(used);
    static_cast<void>(runs);
}

}  // namespace lovage::workers
