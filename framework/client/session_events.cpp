// What the connection says, turned into what the program hears.
#include "framework/client/request_codec.hpp"
#include "framework/client/session.hpp"
#include "framework/client/session_internal.hpp"

#include <utility>

namespace lovage::client {

/// True if `into` is an event; others are in ready_.
bool session::on_wire(const wire_event& from, event& into, time_point now, std::uint64_t random) {
    switch (from.kind) {
        case wire_event_kind::opened: on_up(now); return false;
        case wire_event_kind::closed:
            give_up_cause(from);
            lose_connection(from.error, now, random);
            return false;
        case wire_event_kind::blocked:
            blocked_ = true;
            blocked_reason_ = from.error.text;
            push(event_kind::blocked).error.text = from.error.text;
            return false;
        case wire_event_kind::unblocked:
            blocked_ = false;
            push(event_kind::unblocked);
            return false;
        case wire_event_kind::answered: return on_answer(from, into);
        case wire_event_kind::channel_closed: on_channel_closed(from, now, random); return false;
        case wire_event_kind::delivered: return on_delivery(from, into);
        case wire_event_kind::returned:
            window_.returned(
                {from.exchange, from.routing_key, from.properties, from.body}, from.error);
            return false;
        case wire_event_kind::confirmed:
            static_cast<void>(window_.confirm(from.tag, from.multiple, from.accepted, settled_));
            push_settled();
            return false;
        case wire_event_kind::cancelled:
            if (const consumer_id id = owner_of(from.channel); id != 0) {
                wire_->close_channel(out_, from.channel);
                consumer_closed(
                    id,
                    {broker_errc::refused, 0, "the broker cancelled the consumer (queue deleted?)"},
                    false,
                    now,
                    random);
            }
            return false;
    }
    return false;
}

/// What made the broker close the connection would do so on the next one, too, and for ever: it is
/// told to whoever asked for it, and not repeated.
void session::give_up_cause(const wire_event& closed) {
    problem why = closed.error;
    why.code = broker_errc::refused;
    if (closed.refused == amqp::basic::publish::id) {
        window_.refused(why, settled_);
        push_settled();
    }
    for (lane& one : lanes_) {
        if (one.sent != 0 && method_of(one.queue.front().what) == closed.refused) {
            pending_request refused = one.queue.pop_front();
            --one.sent;
            fail_request(refused, why);
        }
    }
    if (closed.refused == amqp::basic::consume::id) {
        for (auto entry = consumers_.begin(); entry != consumers_.end(); ++entry) {
            if (entry->second.stage == consumer_stage::opening && !entry->second.was_active) {
                event& lost = push(event_kind::lost);
                lost.consumer = entry->first;
                lost.final = true;
                lost.error = why;
                consumers_.erase(entry);
                return;
            }
        }
    }
}

bool session::on_answer(const wire_event& from, event& into) {
    switch (from.token) {
        case call_request:
            return answer_request(lanes_[from.channel == get_channel ? 1 : 0], from, into);
        case call_select: publish_selected_ = true; return false;
        case call_consume: {
            const auto found = consumers_.find(owner_of(from.channel));
            if (found != consumers_.end() && found->second.stage == consumer_stage::opening) {
                consumer_state& state = found->second;
                state.stage = consumer_stage::active;
                state.was_active = true;
                state.pause.reset();
                state.pause.skip_immediate();
                push(event_kind::subscribed).consumer = found->first;
            }
            return false;
        }
        case call_cancel: {
            const auto found = consumers_.find(owner_of(from.channel));
            if (found != consumers_.end() && found->second.stage == consumer_stage::cancelling) {
                found->second.stage = consumer_stage::cancelled;
                push(event_kind::cancelled).token = found->second.cancel_token;
            }
            return false;
        }
        default: return false;
    }
}

bool session::on_delivery(const wire_event& from, event& into) {
    const consumer_id id = owner_of(from.channel);
    const auto found = consumers_.find(id);
    if (found == consumers_.end()) {
        return false;
    }
    const consumer_state& state = found->second;
    if (state.stage == consumer_stage::cancelling || state.stage == consumer_stage::cancelled) {
        if (!state.what.no_ack) {
            wire_->tell(out_, from.channel, amqp::basic::nack{from.tag, false, true});
        }
        return false;
    }
    into.kind = event_kind::delivered;
    into.consumer = id;
    into.message.ref = {id, state.epoch, from.tag};
    into.message.redelivered = from.redelivered;
    into.message.exchange = from.exchange;
    into.message.routing_key = from.routing_key;
    into.message.properties = from.properties;
    into.message.body = from.body;
    return true;
}

void session::on_channel_closed(const wire_event& from, time_point now, std::uint64_t random) {
    if (from.channel == publish_channel) {
        const bool had_selected = std::exchange(publish_selected_, false);
        publish_open_ = false;
        if (!had_selected) {
            // No confirm mode, no safe publishing: what else could be tried but another connection?
            lose_connection(from.error, now, random);
            return;
        }
        window_.refused(from.error, settled_);
        push_settled();
        return;
    }
    for (lane& one : lanes_) {
        if (from.channel == one.channel) {
            request_refused(one, from);
            return;
        }
    }
    if (const consumer_id id = owner_of(from.channel); id != 0) {
        consumer_closed(id, from.error, true, now, random);
    }
}

}  // namespace lovage::client
