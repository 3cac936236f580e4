#include "framework/client/session.hpp"

#include "framework/amqp/capabilities.hpp"
#include "framework/base/deadline.hpp"
#include "framework/client/request_codec.hpp"
#include "framework/client/session_internal.hpp"

#include <algorithm>
#include <utility>

namespace lovage::client {

session::session(session_settings settings)
    : settings_(std::move(settings)), window_(settings_.window) {
    lanes_[0].channel = request_channel;
    lanes_[1].channel = get_channel;
}

event& session::push(event_kind kind) {
    event added;
    added.kind = kind;
    ready_.push_back(std::move(added));
    return ready_.back();
}

// The life of connections.

void session::connected(time_point now) {
    now_ = now;
    connection_settings fresh = settings_.connection;
    wire_.emplace(std::move(fresh));
    out_.clear();
    stage_ = stage::handshake;
    handshake_deadline_ = deadline_after(now, settings_.handshake_timeout);
    wire_->start(out_, now);
}

void session::disconnected(const problem& why, time_point now, std::uint64_t random) {
    now_ = now;
    lose_connection(why, now, random);
}

void session::lose_connection(const problem& why, time_point now, std::uint64_t random) {
    if (stage_ == stage::closed) {
        return;
    }
    const bool was_closing = stage_ == stage::closing;
    const bool was_handshake = stage_ == stage::handshake;
    const bool lasted = stage_ == stage::up && now - up_since_ >= good_connection;
    wire_.reset();
    handshake_deadline_ = time_point::max();
    blocked_ = false;
    publish_open_ = publish_selected_ = false;
    if (was_closing) {
        stage_ = stage::closed;
        connect_at_ = time_point::max();
        push(event_kind::closed);
        return;
    }
    stage_ = stage::down;
    window_.restart();
    for (lane& one : lanes_) {
        requests_lost(one);
    }
    last_problem_ = why;
    if (was_handshake && why.code == broker_errc::connection_lost) {
        last_problem_.code = broker_errc::connect_failed;
    }
    if (lasted) {
        pause_.reset();
    }
    connect_at_ = now + pause_.next(random);
    event& down = push(event_kind::down);
    down.error = last_problem_;
    down.retry_at = connect_at_;
    consumers_lost(last_problem_);
    // A wrong password will be wrong next time, too: who waits hears of it now. Once it was right,
    // a refusal is the broker's restart or a change under way, and waiting makes sense.
    if (why.code == broker_errc::access_denied && !was_up_) {
        fail_everything(why);
    }
}

void session::on_up(time_point now) {
    stage_ = stage::up;
    handshake_deadline_ = time_point::max();
    up_since_ = now;
    was_up_ = true;
    pause_.succeeded();
    server_properties_ = wire_->server_properties();
    ordered_store_ = amqp::has_capability(server_properties_, amqp::ordered_store_capability);
    uncounted_requeue_ =
        amqp::has_capability(server_properties_, amqp::uncounted_requeue_capability);
    push(event_kind::up);
    replay(topology_.steps());
    advance(now);
}

void session::close() {
    if (stage_ == stage::closing || stage_ == stage::closed) {
        return;
    }
    fail_everything({broker_errc::stopped, 0, "stopped before the broker had answered"});
    consumers_stopped({broker_errc::stopped, 0, "stopped"});
    if (stage_ == stage::up) {
        stage_ = stage::closing;
        wire_->close(out_);
        return;
    }
    wire_.reset();
    out_.clear();
    stage_ = stage::closed;
    connect_at_ = time_point::max();
    push(event_kind::closed);
}

void session::fail_everything(const problem& why) {
    window_.fail_all(why, settled_);
    push_settled();
    for (lane& one : lanes_) {
        const std::size_t count = one.queue.size();
        for (std::size_t i = 0; i < count; ++i) {
            pending_request failed = one.queue.pop_front();
            fail_request(failed, why);
        }
        one.sent = 0;
    }
}

// Driving.

bool session::next(octets& input, event& into, time_point now, std::uint64_t random) {
    now_ = now;
    for (;;) {
        if (!ready_.empty()) {
            into = ready_.pop_front();
            return true;
        }
        if (!wire_) {
            input = {};
            return false;
        }
        if (!wire_->next(input, wire_event_, out_, now)) {
            advance(now);
            if (ready_.empty()) {
                return false;
            }
            continue;
        }
        if (on_wire(wire_event_, into, now, random)) {
            return true;
        }
    }
}

void session::advance(time_point now) {
    if (stage_ != stage::up) {
        return;
    }
    for (lane& one : lanes_) {
        send_requests(one);
    }
    // Rules 2 and 3: whatever was asked for before must stand before messages and consumers follow.
    if (lanes_[0].queue.empty()) {
        if (waiting_consumers_ != 0) {
            subscribe_waiting(now);
        }
        send_publishes();
    }
}

void session::tick(time_point now, std::uint64_t random) {
    now_ = now;
    window_.expire(now, settled_);
    push_settled();
    if (now >= earliest_request_) {
        earliest_request_ = time_point::max();
        for (lane& one : lanes_) {
            expire_requests(one, now);
        }
    }
    if (now >= earliest_consumer_) {
        expire_consumers(now);
    }
    if (wire_) {
        if (now >= handshake_deadline_) {
            lose_connection(
                {broker_errc::connect_failed,
                 0,
                 settings_.connection.where + ": the broker did not finish the handshake in time"},
                now,
                random);
        } else if (wire_->tick(wire_event_, out_, now)) {
            lose_connection(wire_event_.error, now, random);
        }
    }
    advance(now);
}

time_point session::next_time() const {
    time_point soonest =
        std::min({window_.earliest_deadline(), earliest_request_, earliest_consumer_});
    if (stage_ == stage::down) {
        soonest = std::min(soonest, connect_at_);
    }
    if (wire_) {
        soonest = std::min({soonest, wire_->next_tick(), handshake_deadline_});
    }
    // While requests are open, it is their answers that let consumers go on.
    if (stage_ == stage::up && waiting_consumers_ != 0 && lanes_[0].queue.empty()) {
        for (const auto& [id, state] : consumers_) {
            if (state.stage == consumer_stage::waiting) {
                soonest = std::min(soonest, state.retry_at);
            }
        }
    }
    return soonest;
}

problem session::too_large(std::string_view what) const {
    return {
        broker_errc::invalid_argument,
        0,
        std::string(what) + " do not fit into one frame of " +
            std::to_string(wire_->limits().frame_max) + " octets, the most that " +
            settings_.connection.where + " takes"};
}

std::string session::not_in_time(std::string_view what) const {
    std::string text{what};
    text += " (" + settings_.connection.where + "): ";
    if (stage_ != stage::up) {
        text += "not connected";
        if (!last_problem_.text.empty()) {
            text += ", last problem: " + last_problem_.text;
        }
    } else if (blocked_) {
        text += "the broker has stopped publishers: " + blocked_reason_;
    } else {
        text += "connected, but the broker did not answer in time";
    }
    return text;
}

}  // namespace lovage::client
