// Acks, nacks, rejects and recover on a channel. Rows 168 to 175 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/transaction.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker {
namespace {

constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
/// Settled deliveries that may stand between open ones without being looked after.
constexpr std::size_t settled_kept_max = 64;
/// Late deliveries that one tick takes back from a channel; the rest waits for the next.
constexpr std::size_t late_deliveries_per_tick = 10'000;

bool is_open(const unacked_delivery& each) {
    return each.open && !each.held;
}

}  // namespace

std::size_t channel::place_of(std::uint64_t tag) const {
    std::size_t low = 0;
    std::size_t high = unacked_.size();
    if (high == 0 || tag < unacked_.front().tag) {
        return 0;
    }
    // Tags seldom have gaps: the place is mostly the distance from the first.
    if (const std::uint64_t guess = tag - unacked_.front().tag; guess < high) {
        if (unacked_[guess].tag == tag) {
            return guess;
        }
        high = guess;
    }
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (unacked_[middle].tag < tag) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

std::size_t channel::find_unacked(std::uint64_t tag) const {
    const std::size_t place = place_of(tag);
    const bool there =
        place < unacked_.size() && unacked_[place].tag == tag && is_open(unacked_[place]);
    return there ? place : nowhere;
}

void channel::settle_one(std::size_t index, verdict how) {
    unacked_delivery settled;
    settled.tag = unacked_[index].tag;
    unacked_delivery done = std::exchange(unacked_[index], std::move(settled));
    ++settled_in_unacked_;
    if (done.consumed) {
        --outstanding_;
    }
    if (done.taker != nullptr) {
        --done.taker->outstanding;
        done.taker->late -= done.late ? 1 : 0;
        if (!done.taker->waiting && can_take(*done.taker)) {
            done.taker->source->consumer_ready(*done.taker);
            engine_.schedule(*done.taker->source);
        }
    }
    if (done.late) {
        return;  // only its place with the consumer was left
    }
    switch (how) {
        case verdict::ack: done.source->settled(done.item); break;
        case verdict::requeue:
            done.source->requeue(std::move(done.item), done.requeue_counts);
            break;
        case verdict::lost:
            done.source->requeue(std::move(done.item), !engine_.shutting_down());
            break;
        case verdict::reject: done.source->rejected(done.item); break;
    }
}

void channel::add_unacked(unacked_delivery added) {
    engine_.memory_account() += sizeof added;
    unacked_.push_back(std::move(added));
}

void channel::trim_unacked() {
    while (!unacked_.empty() && !unacked_.front().open) {
        unacked_.pop_front();
        --settled_in_unacked_;
        engine_.memory_account() -= sizeof(unacked_delivery);
    }
    if (settled_in_unacked_ < settled_kept_max || settled_in_unacked_ < unacked_.size() / 2) {
        return;
    }
    // One delivery is open for long while others come and go: their places must not pile up.
    ring<unacked_delivery> open;
    for (std::size_t i = 0; i < unacked_.size(); ++i) {
        if (unacked_[i].open) {
            open.push_back(std::move(unacked_[i]));
        }
    }
    engine_.memory_account() -= settled_in_unacked_ * sizeof(unacked_delivery);
    unacked_ = std::move(open);
    settled_in_unacked_ = 0;
}

template <class Take>
void channel::for_each_settled(std::uint64_t tag, bool multiple, verdict how, Take&& take) {
    if (!multiple) {
        take(find_unacked(tag));
        return;
    }
    std::size_t end = 0;
    while (end < unacked_.size() && unacked_[end].tag <= tag) {
        ++end;
    }
    // Requeued messages find their place at the head when the last comes first; dead letters
    // keep their order when the first does.
    for (std::size_t i = 0; i < end; ++i) {
        const std::size_t index = how == verdict::requeue ? end - 1 - i : i;
        if (is_open(unacked_[index])) {
            take(index);
        }
    }
}

fault channel::settle(std::uint64_t tag, bool multiple, verdict how) {
    if (multiple && tag == 0) {
        tag = unacked_.empty() ? 0 : unacked_.back().tag;
        if (tag == 0) {
            return no_fault;
        }
    } else if (find_unacked(tag) == nowhere) {
        return channel_fault(
            amqp::reply_code::precondition_failed, "unknown delivery tag " + std::to_string(tag));
    }
    if (transaction_) {
        hold_settlements(tag, multiple, how);
        return no_fault;
    }
    const bool was_limited = prefetch_channel_ != 0 && outstanding_ >= prefetch_channel_;
    for_each_settled(tag, multiple, how, [&](std::size_t index) { settle_one(index, how); });
    trim_unacked();
    if (was_limited) {
        consumers_ready();
    }
    return no_fault;
}

void channel::hold_settlements(std::uint64_t tag, bool multiple, verdict how) {
    for_each_settled(tag, multiple, how, [&](std::size_t index) {
        unacked_[index].held = true;
        transaction_->settlements.push_back({unacked_[index].tag, how});
    });
}

fault channel::on(const amqp::basic::ack& in) {
    return settle(in.delivery_tag, in.multiple, verdict::ack);
}

fault channel::on(const amqp::basic::nack& in) {
    return settle(in.delivery_tag, in.multiple, in.requeue ? verdict::requeue : verdict::reject);
}

fault channel::on(const amqp::basic::reject& in) {
    return settle(in.delivery_tag, false, in.requeue ? verdict::requeue : verdict::reject);
}

void channel::requeue_all(verdict how) {
    const bool holding = home_.hold_deaths();
    for (std::size_t i = unacked_.size(); i > 0; --i) {
        if (is_open(unacked_[i - 1])) {
            settle_one(i - 1, how);
        }
    }
    if (holding) {
        home_.release_deaths();
    }
    trim_unacked();
}

std::uint32_t channel::late_at(const queue& source) {
    const std::uint64_t timeout_ms =
        source.rules().consumer_timeout_ms.value_or(engine_.options().consumer_timeout_ms);
    if (timeout_ms == 0) {
        return 0;
    }
    const std::uint32_t at = engine_.coarse_after(timeout_ms);
    earliest_late_ = earliest_late_ == 0 ? at : std::min(earliest_late_, at);
    owner_.times_deliveries = true;
    return at;
}

/// The message goes to somebody else. The place with the consumer stays taken: whoever has not
/// answered yet gets nothing in its stead, and a late answer is no error.
void channel::take_back(unacked_delivery& late) {
    late.late = true;
    if (late.taker != nullptr) {
        ++late.taker->late;
    }
    queue& source = *std::exchange(late.source, nullptr);
    source.requeue(std::exchange(late.item, {}), true);
}

void channel::tick() {
    const std::uint32_t now = engine_.coarse_now();
    if (earliest_late_ == 0 || earliest_late_ > now) {
        return;
    }
    earliest_late_ = 0;
    std::size_t taken = 0;
    std::string late_queue;  // of one of them; mostly all are the same
    std::string late_consumer;
    // The latest first, so that each goes to its queue's head and moves nothing there.
    for (std::size_t i = unacked_.size(); i > 0; --i) {
        unacked_delivery& open = unacked_[i - 1];
        if (!is_open(open) || open.late || open.late_at == 0) {
            continue;
        }
        if (open.late_at > now || taken == late_deliveries_per_tick) {
            earliest_late_ =
                earliest_late_ == 0 ? open.late_at : std::min(earliest_late_, open.late_at);
            continue;
        }
        late_queue = open.source->name();
        late_consumer = open.taker == nullptr ? std::string() : open.taker->tag;
        take_back(open);
        ++taken;
    }
    if (taken != 0) {
        engine_.log(
            log_level::warning,
            format_log_line(
                "consumer_timeout",
                {{"queue", late_queue},
                 {"consumer", late_consumer},
                 {"deliveries", taken},
                 {"peer", owner_.peer_name()}}));
    }
}

fault channel::on(const amqp::basic::recover& in) {
    if (!in.requeue) {
        return connection_fault(amqp::reply_code::not_implemented, "requeue=false");
    }
    requeue_all(verdict::requeue);
    consumers_ready();
    send(amqp::basic::recover_ok{});
    return no_fault;
}

fault channel::on(const amqp::basic::recover_async& in) {
    if (!in.requeue) {
        return connection_fault(amqp::reply_code::not_implemented, "requeue=false");
    }
    requeue_all(verdict::requeue);
    consumers_ready();
    return no_fault;
}

}  // namespace lovage::broker
