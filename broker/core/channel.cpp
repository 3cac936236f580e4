#include "broker/core/channel.hpp"

#include "broker/core/connection_send.hpp"
#include "broker/core/transaction.hpp"

namespace lovage::broker {

template <class Method>
fault channel::on(const Method&) {
    return connection_fault(amqp::reply_code::command_invalid, "unimplemented method");
}

channel::channel(connection& owner, std::uint16_t number)
    : owner_(owner), engine_(owner.owner()), home_(owner.home()), number_(number) {}

channel::~channel() = default;

fault channel::on_method(amqp::method_id, const amqp::method& in) {
    return std::visit(
        [this](const auto& method) -> fault {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(method)>, std::monostate>) {
                return no_fault;
            } else {
                return on(method);
            }
        },
        in);
}

fault channel::on(const amqp::channel::flow& in) {
    if (!in.active) {
        return connection_fault(amqp::reply_code::not_implemented, "active=false");
    }
    send(amqp::channel::flow_ok{true});
    return no_fault;
}

fault channel::on(const amqp::access::request&) {
    send(amqp::access::request_ok{1});
    return no_fault;
}

fault channel::on(const amqp::confirm::select& in) {
    if (transaction_) {
        return channel_fault(
            amqp::reply_code::precondition_failed, "cannot switch from tx to confirm mode");
    }
    confirming_ = true;
    if (!in.no_wait) {
        send(amqp::confirm::select_ok{});
    }
    return no_fault;
}

void channel::mark_closing() {
    release();
    closing_ = true;
}

void channel::end_consumers() {
    std::vector<consumer*> all;
    for (const auto& [tag, each] : consumers_) {
        all.push_back(each.get());
    }
    cancel_consumers(all);
}

void channel::release() {
    end_consumers();
    end_replies();
    if (transaction_) {
        take_held();
        transaction_.reset();
    }
    requeue_all(verdict::lost);
    content_.reset();
    refused_octets_ = 0;
    owner_.unfinished_octets -= content_octets_;
    engine_.memory_account() -= content_octets_;
    content_octets_ = 0;
    pending_confirms_.clear();
    ready_confirms_.clear();
    engine_.forget(*this);
}

bool channel::can_take(const consumer& taker) const {
    if (owner_.congested()) {
        return false;
    }
    if (taker.no_ack) {
        return true;
    }
    // Without a limit of its own, one that has stopped answering would get the same again and
    // again.
    const bool has_room =
        taker.prefetch == 0 ? taker.late == 0 : taker.outstanding < taker.prefetch;
    return has_room && (prefetch_channel_ == 0 || outstanding_ < prefetch_channel_);
}

void channel::consumers_ready() {
    for (const auto& [tag, taker] : consumers_) {
        if (!taker->waiting && can_take(*taker)) {
            taker->source->consumer_ready(*taker);
            engine_.schedule(*taker->source);
        }
    }
}

bool channel::flush_confirms(lsn reached) {
    std::uint64_t highest = 0;
    std::size_t count = 0;
    while (!pending_confirms_.empty() && pending_confirms_.front().until <= reached) {
        highest = pending_confirms_.pop_front().tag;
        ++count;
    }
    // Everything below the first that still waits is confirmed, what is above goes one by one.
    const std::uint64_t waiting_from =
        pending_confirms_.empty() ? last_publish_tag_ + 1 : pending_confirms_.front().tag;
    std::size_t below = 0;
    while (below < ready_confirms_.size() && ready_confirms_[below] < waiting_from) {
        highest = std::max(highest, ready_confirms_[below]);
        ++below;
    }
    count += below;
    if (count != 0) {
        send(amqp::basic::ack{highest, count > 1});
    }
    for (std::size_t i = below; i < ready_confirms_.size(); ++i) {
        send(amqp::basic::ack{ready_confirms_[i], false});
    }
    ready_confirms_.clear();
    return !pending_confirms_.empty();
}

void channel::confirm(const publish_outcome& outcome) {
    if (!confirming_) {
        return;
    }
    const std::uint64_t tag = ++last_publish_tag_;
    if (outcome.refused) {
        send(amqp::basic::nack{tag, false, true});
        return;
    }
    if (outcome.logged) {
        pending_confirms_.push_back({tag, engine_.log().last()});
    } else {
        ready_confirms_.push_back(tag);
    }
    engine_.confirms_changed(*this);
}

}  // namespace lovage::broker
