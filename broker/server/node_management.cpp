// node as the management API sees it: what it shows, logins, changes and when they are on disk.
#include "broker/server/node.hpp"

#include <utility>

namespace lovage::broker {

management_view node::management_snapshot() const {
    management_view view;
    view.queues = engine_->queue_statuses();
    view.exchanges = engine_->exchange_statuses();
    view.connections = engine_->connection_count();
    view.memory_octets = engine_->memory_octets();
    view.definition_octets = engine_->definition_octets();
    view.log_syncs = disk_counters_.file_syncs;
    view.log_octets_written = disk_counters_.bytes;
    view.log_records = disk_counters_.records;
    view.log_file_octets = log_->file_bytes();
    view.log_live_octets = log_->live_bytes();
    return view;
}

void node::change(const std::function<void(engine&)>& what) {
    engine_->administer(what, read_clocks());
    perform();
}

void node::when_durable(std::function<void()> done) {
    const lsn until = log_->last_lsn();
    if (until <= durable_) {
        done();
        return;
    }
    durable_waiters_.push_back({until, std::move(done)});
    feed_disk();
}

void node::tell_durable(lsn reached) {
    durable_ = reached;
    while (!durable_waiters_.empty() && durable_waiters_.front().until <= durable_) {
        const std::function<void()> done = std::move(durable_waiters_.front().done);
        durable_waiters_.pop_front();
        done();
    }
}

}  // namespace lovage::broker
