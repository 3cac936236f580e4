// Carrying out what the pool asks for: publishing, acknowledging, telling.
#include "framework/base/log.hpp"
#include "workers/run/worker_process.hpp"

#include <utility>

namespace lovage::workers {

void worker::carry_out() {
    if (busy_) {
        return;
    }
    busy_ = true;
    while (!pool_.effects().empty()) {
        batch_.swap(pool_.effects());
        for (effect& one : batch_) {
            std::visit([this](auto& what) { perform(what); }, one);
        }
        batch_.clear();
    }
    busy_ = false;
    rearm();
}

namespace {

/// Carries the number of a delivery to the confirm of its result.
class result_waiter final : public publish_waiter {
public:
    result_waiter(worker& owner, delivery_id delivery) : owner_(owner), delivery_(delivery) {}
    void published(const client::problem* failed) override {
        owner_.result_published(delivery_, failed);
    }

private:
    worker& owner_;
    delivery_id delivery_;
};

}  // namespace

void worker::perform(const publish_result& what) {
    const sent_result* result = pool_.result_of(what.delivery);
    if (result == nullptr) {
        return;
    }
    client::publication message;
    message.routing_key = result->queue;
    message.properties = result->properties;
    message.body = result->body;
    message.mandatory = false;
    if (!consuming_->store_is_ordered()) {
        publishing_->publish(
            std::move(message),
            publish_timeout,
            std::make_unique<result_waiter>(*this, what.delivery));
        return;
    }
    // On the connection of the acknowledgement, which then need not wait for the confirm: the
    // broker's log has the result first. Only what cannot go out at once is waited for.
    if (!consuming_->publishes_at_once(message.octets())) {
        consuming_->publish(
            std::move(message),
            publish_timeout,
            std::make_unique<result_waiter>(*this, what.delivery));
        return;
    }
    consuming_->publish(
        std::move(message), publish_timeout, on_published([](const client::problem* failed) {
            if (failed != nullptr && failed->code != broker_errc::stopped) {
                log_event(log_level::error, "result_lost", {{"reason", failed->text}});
            }
        }));
    pool_.result_published(what.delivery, false);
}

void worker::perform(publish_progress& what) {
    if (!publishing_->connected()) {
        return;  // old news by then, and results need the room
    }
    client::publication message;
    message.routing_key = std::move(what.queue);
    message.properties = std::move(what.properties);
    message.body = std::move(what.body);
    message.mandatory = false;
    publishing_->publish(std::move(message), progress_timeout, nullptr);
}

void worker::perform(publish_follow_up& what) {
    follow_up& copy = what.message;
    client::publication message;
    message.routing_key = copy.queue;
    message.properties = std::move(copy.properties);
    message.body = std::move(copy.body);
    auto waiter = on_published(
        [this, id = what.delivery, queue = copy.dead ? copy.queue : std::string()](
            const client::problem* failed) { follow_up_published(id, queue, failed); });
    if (!copy.dead) {
        queues_.publish_delayed(
            copy.queue,
            std::move(message),
            copy.delay,
            std::chrono::steady_clock::now(),
            publish_timeout,
            std::move(waiter));
        return;
    }
    if (dead_queues_.insert(copy.queue).second) {
        client::declare_queue declare;
        declare.name = copy.queue;
        publishing_->request(std::move(declare), publish_timeout, nullptr);
    }
    publishing_->publish(std::move(message), publish_timeout, std::move(waiter));
}

void worker::perform(const stop_consuming&) {
    for (const auto& one : consumers_) {
        if (one->id != 0) {
            consuming_->cancel(one->id, [] {});
        }
    }
}

void worker::perform(const note& what) {
    if (!log_enabled(what.level)) {
        return;
    }
    // At most four fields: task, id, queue, text.
    const auto field = [&](std::size_t i) {
        return i < what.fields.size() ? log_field(what.fields[i].first, what.fields[i].second)
                                      : log_field("worker", options_.node);
    };
    log_event(what.level, what.event, {field(0), field(1), field(2), field(3)});
}

void worker::result_published(delivery_id delivery, const client::problem* failed) {
    if (finished_) {
        return;
    }
    pool_.result_published(delivery, failed != nullptr);
    carry_out();
}

void worker::follow_up_published(
    delivery_id delivery,
    const std::string& dead_queue,
    const client::problem* failed) {
    if (finished_) {
        return;
    }
    if (failed != nullptr) {
        dead_queues_.erase(dead_queue);  // somebody may have deleted it; declared again next time
        log_event(log_level::error, "publish_failed", {{"reason", failed->text}});
    }
    pool_.follow_up_published(delivery, failed != nullptr, now());
    carry_out();
}

}  // namespace lovage::workers
