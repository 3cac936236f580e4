// Deliveries: from the broker to their acknowledgement. Executors are in pool_executors.cpp.
#include "workers/core/pool.hpp"

#include <algorithm>
#include <utility>

namespace lovage::workers {

pool::pool(const registry& tasks, worker_rules rules, std::size_t executors)
    : tasks_(tasks), rules_(std::move(rules)), executors_(executors) {}

delivery_id pool::open(const client::delivery_ref& ref, std::string_view queue) {
    if (free_.empty()) {
        free_.push_back(deliveries_.size());
        deliveries_.emplace_back();
    }
    const delivery_id id = free_.back();
    free_.pop_back();
    delivery_record& record = deliveries_[id];
    record.orphan = record.failed = record.finished = false;
    record.ref = ref;
    record.queue = queue;
    record.unconfirmed = 0;
    ++active_;
    return id;
}

void pool::close(delivery_id id) {
    delivery_record& record = deliveries_[id];
    if (record.orphan) {
        const auto known = orphans_.find(memory_key(record.admitted));
        if (known != orphans_.end() && known->second == id) {
            orphans_.erase(known);
        }
    }
    record.at = stage::free;
    record.result.reset();
    record.follow_ups.clear();
    if (record.frame.capacity() > kept_frame_octets) {
        record.frame = {};
        record.admitted = {};
    }
    free_.push_back(id);
    --active_;
}

void pool::give_back(delivery_id id) {
    const delivery_record& record = deliveries_[id];
    if (!record.orphan) {
        effects_.emplace_back(requeue{record.ref});
    }
    close(id);
}

void pool::delivered(
    const client::delivery_ref& ref,
    const message_view& message,
    std::uint64_t random,
    moment at) {
    if (phase_ != phase::working) {
        effects_.emplace_back(requeue{ref});
        return;
    }
    admission admitted = admit(tasks_, rules_, message, at.wall);
    if (message.redelivered && known_already(ref, message, admitted)) {
        return;
    }
    if (!message.redelivered) {
        finished_.forget(memory_key(admitted));
    }
    const delivery_id id = open(ref, message.queue);
    delivery_record& record = deliveries_[id];
    record.admitted = std::move(admitted);
    record.admitted.facts.random = random;
    switch (record.admitted.what) {
        case verdict::run:
            write_job(record.frame, record.admitted.facts, message.properties, message.body);
            record.at = stage::waiting;
            waiting_.push_back(id);
            dispatch(at);
            return;
        case verdict::settle:
            settle_with(
                id, settle(rules_, message, record.admitted, record.admitted.result, at.wall));
            return;
        case verdict::dead:
            settle_with(
                id,
                settle_refused(rules_, message, record.admitted, record.admitted.problem, at.wall));
            return;
        case verdict::peers:
            tell(log_level::warning, "task_unknown", record);
            settle_with(id, settle_postponed(message, record.admitted));
            return;
        case verdict::later: settle_with(id, settle_postponed(message, record.admitted)); return;
    }
}

/// A message that came back although its task is running here still, or has been finished here: the
/// acknowledgement was lost with a connection.
bool pool::known_already(
    const client::delivery_ref& ref,
    const message_view& message,
    admission& how) {
    if (how.what == verdict::dead) {
        return false;
    }
    const std::string key = memory_key(how);
    if (const auto orphan = orphans_.find(key); orphan != orphans_.end()) {
        delivery_record& record = deliveries_[orphan->second];
        record.ref = ref;
        record.orphan = false;
        orphans_.erase(orphan);
        tell(log_level::info, "task_came_back", record, "it is still running");
        return true;
    }
    const sent_result* sent = finished_.find(key);
    if (sent == nullptr) {
        return false;
    }
    const delivery_id id = open(ref, message.queue);
    delivery_record& record = deliveries_[id];
    record.admitted = std::move(how);
    record.at = stage::reporting;
    tell(log_level::info, "task_came_back", record, "it was finished before");
    if (sent->queue.empty()) {
        complete(id);
    } else {
        record.result = *sent;
        effects_.emplace_back(publish_result{id});
    }
    return true;
}

void pool::consumer_lost(client::consumer_id consumer) {
    for (std::size_t left = waiting_.size(); left > 0; --left) {
        const delivery_id id = waiting_.pop_front();
        if (deliveries_[id].ref.consumer == consumer) {
            deliveries_[id].orphan = true;
            close(id);
        } else {
            waiting_.push_back(id);
        }
    }
    for (delivery_id id = 0; id < deliveries_.size(); ++id) {
        delivery_record& record = deliveries_[id];
        if (record.at == stage::free || record.orphan || record.ref.consumer != consumer ||
            record.at == stage::waiting) {
            continue;
        }
        record.orphan = true;
        orphans_[memory_key(record.admitted)] = id;
    }
    finish_if_done();
}

message_view pool::view_of(const delivery_record& record, job_view& storage) const {
    const octets frame = octets(record.frame).substr(frame_length_octets);
    storage = read_job(frame).value_or(job_view{});
    return {record.queue, storage.properties, storage.body, record.admitted.facts.redelivered};
}

/// Invariant 1 begins here: result, then follow-ups, then the acknowledgement.
void pool::settle_with(delivery_id id, settlement&& plan) {
    delivery_record& record = deliveries_[id];
    record.at = stage::reporting;
    record.result = std::move(plan.result);
    record.follow_ups = std::move(plan.follow_ups);
    record.finished = plan.finished;
    if (!plan.dead_reason.empty()) {
        tell(log_level::error, "task_dead", record, plan.dead_reason);
    }
    if (record.result.has_value()) {
        effects_.emplace_back(publish_result{id});
    } else {
        follow(id);
    }
}

void pool::result_published(delivery_id delivery, bool failed) {
    delivery_record& record = deliveries_[delivery];
    if (record.at != stage::reporting) {
        return;  // the pool was stopped
    }
    if (failed) {
        tell(log_level::error, "result_lost", record, "the broker did not take it");
    }
    follow(delivery);
}

void pool::follow(delivery_id id) {
    delivery_record& record = deliveries_[id];
    if (record.follow_ups.empty()) {
        complete(id);
        return;
    }
    record.at = stage::following;
    record.unconfirmed = record.follow_ups.size();
    for (follow_up& message : record.follow_ups) {
        effects_.emplace_back(publish_follow_up{id, std::move(message)});
    }
    record.follow_ups.clear();
}

void pool::follow_up_published(delivery_id delivery, bool failed, moment at) {
    delivery_record& record = deliveries_[delivery];
    if (record.at != stage::following) {
        return;
    }
    record.failed = record.failed || failed;
    if (--record.unconfirmed > 0) {
        return;
    }
    if (!record.failed) {
        complete(delivery);
        return;
    }
    tell(log_level::error, "message_not_passed_on", record, "it goes back to its queue");
    record.at = stage::pausing;
    record.resume = at.now + publish_failure_pause;
}

void pool::complete(delivery_id id) {
    delivery_record& record = deliveries_[id];
    if (record.finished) {
        sent_result kept;
        if (record.result.has_value()) {
            kept = std::move(*record.result);
        }
        finished_.add(memory_key(record.admitted), std::move(kept));
    }
    if (!record.orphan) {
        effects_.emplace_back(acknowledge{record.ref});
    }
    ++processed_;
    close(id);
    finish_if_done();
}

void pool::finish_if_done() {
    if (phase_ == phase::draining && active_ == 0) {
        phase_ = phase::finished;
        effects_.emplace_back(pool_finished{clean_});
    }
}

void pool::tell(
    log_level level,
    std::string_view event,
    const delivery_record& record,
    std::string_view text) {
    const envelope& head = record.admitted.message.head;
    note line{level, event, {}};
    line.fields.emplace_back("task", head.task);
    line.fields.emplace_back("id", head.id);
    line.fields.emplace_back("queue", std::string(record.queue));
    if (!text.empty()) {
        line.fields.emplace_back("text", std::string(text));
    }
    effects_.emplace_back(std::move(line));
}

}  // namespace lovage::workers
