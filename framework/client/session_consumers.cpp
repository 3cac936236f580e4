// Consumers: one channel each, subscribed again whenever it is lost, until cancelled.
#include "framework/client/request_codec.hpp"
#include "framework/client/session.hpp"
#include "framework/client/session_internal.hpp"

#include <algorithm>
#include <utility>

namespace lovage::client {

consumer_id session::consume(subscription what, time_point deadline) {
    const consumer_id id = ++last_consumer_;
    std::optional<problem> wrong = check(what);
    if (!wrong && (stage_ == stage::closing || stage_ == stage::closed)) {
        wrong = problem{broker_errc::stopped, 0, "consuming after stop"};
    }
    if (wrong) {
        event& lost = push(event_kind::lost);
        lost.consumer = id;
        lost.final = true;
        lost.error = std::move(*wrong);
        return id;
    }
    consumer_state state;
    state.what = std::move(what);
    state.deadline = deadline;
    earliest_consumer_ = std::min(earliest_consumer_, deadline);
    if (state.what.tag.empty()) {
        state.what.tag = "lovage-" + std::to_string(id);
    }
    consumers_.emplace(id, std::move(state));
    ++waiting_consumers_;
    advance(now_);
    return id;
}

consumer_id session::owner_of(std::uint16_t channel) const {
    return channel < channel_owners_.size() ? channel_owners_[channel] : 0;
}

/// The lowest channel number that is free; 0 if tuning allows no more.
std::uint16_t session::free_channel() {
    const std::uint16_t limit = wire_->limits().channel_max;
    for (std::uint32_t channel = first_consumer_channel; channel <= 0xFFFF; ++channel) {
        const auto number = static_cast<std::uint16_t>(channel);
        if (limit != 0 && number > limit) {
            return 0;
        }
        if (owner_of(number) == 0 && !wire_->closing(number)) {
            if (channel_owners_.size() <= channel) {
                channel_owners_.resize(channel + 1, 0);
            }
            return number;
        }
    }
    return 0;
}

void session::subscribe_waiting(time_point now) {
    for (auto entry = consumers_.begin(); entry != consumers_.end();) {
        auto& [id, state] = *entry++;  // a failing one is erased
        if (state.stage == consumer_stage::waiting && state.retry_at <= now) {
            subscribe(id, state);
        }
    }
}

void session::subscribe(consumer_id id, consumer_state& state) {
    state.channel = free_channel();
    if (state.channel == 0) {
        --waiting_consumers_;
        event& lost = push(event_kind::lost);
        lost.consumer = id;
        lost.final = true;
        lost.error = {
            broker_errc::refused,
            static_cast<std::uint16_t>(amqp::reply_code::not_allowed),
            settings_.connection.where + ": the broker allows no more than " +
                std::to_string(wire_->limits().channel_max) + " channels in a connection"};
        consumers_.erase(id);
        return;
    }
    --waiting_consumers_;
    channel_owners_[state.channel] = id;
    state.epoch = ++last_epoch_;
    state.stage = consumer_stage::opening;
    wire_->call(out_, state.channel, amqp::channel::open{}, call_plain);
    if (!state.what.no_ack && state.what.prefetch != 0) {
        amqp::basic::qos qos;
        qos.prefetch_count = state.what.prefetch;
        wire_->call(out_, state.channel, qos, call_plain);
    }
    amqp::basic::consume consume;
    consume.queue = state.what.queue;
    consume.consumer_tag = state.what.tag;
    consume.no_ack = state.what.no_ack;
    consume.exclusive = state.what.exclusive;
    consume.arguments = state.what.arguments;
    if (!wire_->call(out_, state.channel, consume, call_consume)) {
        event& lost = push(event_kind::lost);
        lost.consumer = id;
        lost.final = true;
        lost.error = too_large("the arguments of consuming from \"" + state.what.queue + "\"");
        forget(id);
    }
}

void session::cancel(consumer_id consumer, std::uint64_t token) {
    const auto found = consumers_.find(consumer);
    if (found == consumers_.end()) {
        push(event_kind::cancelled).token = token;
        return;
    }
    consumer_state& state = found->second;
    if (state.stage == consumer_stage::active || state.stage == consumer_stage::opening) {
        // While it is opening, the broker sees the cancel behind the consume: same order.
        state.stage = consumer_stage::cancelling;
        state.cancel_token = token;
        amqp::basic::cancel cancel;
        cancel.consumer_tag = state.what.tag;
        wire_->call(out_, state.channel, cancel, call_cancel);
        return;
    }
    push(event_kind::cancelled).token = token;
    if (state.stage == consumer_stage::waiting) {
        --waiting_consumers_;
        consumers_.erase(found);
    }
}

void session::forget(consumer_id consumer) {
    const auto found = consumers_.find(consumer);
    if (found == consumers_.end()) {
        return;
    }
    consumer_state& state = found->second;
    if (state.stage == consumer_stage::waiting) {
        --waiting_consumers_;
    } else if (wire_ && state.channel != 0) {
        if (state.stage == consumer_stage::cancelling) {
            push(event_kind::cancelled).token = state.cancel_token;
        }
        channel_owners_[state.channel] = 0;
        wire_->close_channel(out_, state.channel);
    }
    consumers_.erase(found);
}

/// The channel is gone (or is given up). A consumer that never stood is refused for good; one that
/// did is subscribed again, after what it depends on was declared again.
void session::consumer_closed(
    consumer_id id,
    const problem& why,
    bool refused,
    time_point now,
    std::uint64_t random) {
    const auto found = consumers_.find(id);
    if (found == consumers_.end()) {
        return;
    }
    consumer_state& state = found->second;
    channel_owners_[state.channel] = 0;
    state.channel = 0;
    const bool over =
        state.stage == consumer_stage::cancelling || state.stage == consumer_stage::cancelled;
    if (state.stage == consumer_stage::cancelling) {
        push(event_kind::cancelled).token = state.cancel_token;
    }
    event& lost = push(event_kind::lost);
    lost.consumer = id;
    lost.error = why;
    lost.error.text = "consuming from queue \"" + state.what.queue + "\" (" +
                      settings_.connection.where + "): " + why.text;
    lost.final = over || (refused && !state.was_active);
    if (lost.final) {
        consumers_.erase(found);
        return;
    }
    state.stage = consumer_stage::waiting;
    state.retry_at = now + state.pause.next(random);
    ++waiting_consumers_;
    replay(topology_.of_queue(state.what.queue));
}

void session::consumers_lost(const problem& why) {
    channel_owners_.clear();
    waiting_consumers_ = 0;
    for (auto entry = consumers_.begin(); entry != consumers_.end();) {
        auto& [id, state] = *entry;
        const bool over =
            state.stage == consumer_stage::cancelling || state.stage == consumer_stage::cancelled;
        const bool had_channel = state.stage != consumer_stage::waiting;
        if (state.stage == consumer_stage::cancelling) {
            push(event_kind::cancelled).token = state.cancel_token;
        }
        if (had_channel) {
            event& lost = push(event_kind::lost);
            lost.consumer = id;
            lost.final = over;
            lost.error = why;
        }
        if (over) {
            entry = consumers_.erase(entry);
            continue;
        }
        state.stage = consumer_stage::waiting;
        state.channel = 0;
        state.retry_at = {};
        ++waiting_consumers_;
        ++entry;
    }
}

/// The program stops: whoever waits for a subscription or a cancel hears of it.
void session::consumers_stopped(const problem& why) {
    for (const auto& [id, state] : consumers_) {
        if (state.stage == consumer_stage::cancelling) {
            push(event_kind::cancelled).token = state.cancel_token;
        }
        event& lost = push(event_kind::lost);
        lost.consumer = id;
        lost.final = true;
        lost.error = why;
    }
    consumers_.clear();
    channel_owners_.clear();
    waiting_consumers_ = 0;
    earliest_consumer_ = time_point::max();
}

/// Gives up consumers that were not accepted in time.
void session::expire_consumers(time_point now) {
    earliest_consumer_ = time_point::max();
    for (auto entry = consumers_.begin(); entry != consumers_.end();) {
        const auto& [id, state] = *entry++;  // a late one is erased
        const bool pending = !state.was_active && (state.stage == consumer_stage::waiting ||
                                                   state.stage == consumer_stage::opening);
        if (!pending) {
            continue;
        }
        if (state.deadline > now) {
            earliest_consumer_ = std::min(earliest_consumer_, state.deadline);
            continue;
        }
        event& lost = push(event_kind::lost);
        lost.consumer = id;
        lost.final = true;
        lost.error = {
            broker_errc::timeout,
            0,
            not_in_time("consuming from queue \"" + state.what.queue + "\"")};
        forget(id);
    }
}

/// The open channel that `ref` belongs to; 0 if that channel is gone.
std::uint16_t session::channel_of(const delivery_ref& ref) const {
    if (!wire_ || stage_ != stage::up) {
        return 0;
    }
    if (ref.consumer == 0) {
        return ref.epoch != 0 && ref.epoch == lanes_[1].epoch ? lanes_[1].channel
                                                              : std::uint16_t{0};
    }
    const auto found = consumers_.find(ref.consumer);
    return found != consumers_.end() && found->second.epoch == ref.epoch ? found->second.channel
                                                                         : std::uint16_t{0};
}

void session::ack(const delivery_ref& ref, bool multiple) {
    if (const std::uint16_t channel = channel_of(ref); channel != 0) {
        wire_->tell(out_, channel, amqp::basic::ack{ref.tag, multiple});
    }
}

void session::nack(const delivery_ref& ref, bool requeue, bool multiple) {
    if (const std::uint16_t channel = channel_of(ref); channel != 0) {
        wire_->tell(out_, channel, amqp::basic::nack{ref.tag, multiple, requeue});
    }
}

}  // namespace lovage::client
