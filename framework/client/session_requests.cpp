// Requests with one answer each, on their two channels, and the topology's replay.
#include "framework/client/request_codec.hpp"
#include "framework/client/session.hpp"
#include "framework/client/session_internal.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace lovage::client {

void session::ask(request what, std::uint64_t token, time_point deadline) {
    pending_request added;
    added.token = token;
    added.deadline = deadline;
    if (auto wrong = check(what)) {
        added.what = std::move(what);
        fail_request(added, *wrong);
        return;
    }
    if (stage_ == stage::closing || stage_ == stage::closed) {
        added.what = std::move(what);
        fail_request(added, {broker_errc::stopped, 0, "asked after stop"});
        return;
    }
    lane& to = lanes_[std::holds_alternative<get_message>(what) ? 1 : 0];
    added.what = std::move(what);
    added.serial = ++last_request_;
    to.queue.push_back(std::move(added));
    earliest_request_ = std::min(earliest_request_, deadline);
    if (stage_ == stage::up) {
        send_requests(to);
    }
}

/// The serial of the first request in the lane that somebody waits for, or of a replay in front of
/// what is not sent.
std::uint64_t session::oldest_request(const lane& of) {
    std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < of.queue.size(); ++i) {
        if (!of.queue[i].abandoned) {
            oldest = of.queue[i].serial;
            break;
        }
    }
    return of.sent < of.queue.size() ? std::min(oldest, of.queue[of.sent].serial) : oldest;
}

void session::send_requests(lane& from) {
    const std::uint64_t other = oldest_request(&from == &lanes_[0] ? lanes_[1] : lanes_[0]);
    if (from.sent == from.queue.size() || from.queue[from.sent].serial > other) {
        return;
    }
    if (from.epoch == 0) {
        from.epoch = ++last_epoch_;
        wire_->call(out_, from.channel, amqp::channel::open{}, call_plain);
    }
    while (from.sent < from.queue.size() && from.queue[from.sent].serial <= other) {
        pending_request& next = from.queue[from.sent];
        if (send_request(*wire_, out_, from.channel, next.what, call_request)) {
            ++from.sent;
            continue;
        }
        fail_request(next, too_large("the request's arguments"));
        from.queue.erase(from.sent);
    }
}

bool session::answer_request(lane& from, const wire_event& answered, event& into) {
    pending_request done = from.queue.pop_front();
    --from.sent;
    topology_.granted(done.what);
    if (done.abandoned) {
        give_back(from, done, answered);
    }
    if (done.replay || done.abandoned) {
        return false;
    }
    into = event{};
    into.kind = event_kind::answered;
    into.token = done.token;
    into.reply = read_answer(answered);
    into.reply.message.ref.consumer = 0;
    into.reply.message.ref.epoch = from.epoch;
    return true;
}

/// Nobody waits any more for the message that an abandoned basic.get has brought.
void session::give_back(
    const lane& from,
    const pending_request& abandoned,
    const wire_event& answered) {
    const auto* asked = std::get_if<get_message>(&abandoned.what);
    const bool found = std::holds_alternative<amqp::basic::get_ok>(answered.method);
    if (asked != nullptr && !asked->no_ack && found) {
        wire_->tell(out_, from.channel, amqp::basic::nack{answered.tag, false, true});
    }
}

void session::fail_request(pending_request& what, const problem& why) {
    if (what.replay || what.abandoned) {
        return;
    }
    event& failed = push(event_kind::answered);
    failed.token = what.token;
    failed.failed = true;
    failed.error = why;
    failed.error.text = describe(what.what) + ": " + why.text;
}

/// The broker closed the lane's channel: the request that it was at is refused, the others are
/// asked again. A request that the broker names and that is not at the front was an ack of ours.
void session::request_refused(lane& from, const wire_event& closed) {
    from.epoch = 0;
    if (from.sent != 0 && method_of(from.queue.front().what) == closed.refused) {
        pending_request refused = from.queue.pop_front();
        problem why = closed.error;
        why.text = settings_.connection.where + ": " + why.text;
        fail_request(refused, why);
    }
    from.sent = 0;
    const std::size_t count = from.queue.size();
    for (std::size_t i = 0; i < count; ++i) {
        pending_request one = from.queue.pop_front();
        if (!one.abandoned) {  // nobody waits: asking again could only do harm
            from.queue.push_back(std::move(one));
        }
    }
}

/// The connection is gone: what has no answer waits for the next connection.
void session::requests_lost(lane& from) {
    const std::size_t count = from.queue.size();
    for (std::size_t i = 0; i < count; ++i) {
        pending_request one = from.queue.pop_front();
        const auto* got = std::get_if<get_message>(&one.what);
        const bool may_have_taken = i < from.sent && got != nullptr && got->no_ack;
        if (may_have_taken) {
            fail_request(
                one, {broker_errc::connection_lost, 0, "the connection was lost meanwhile"});
        } else if (!one.abandoned && !one.replay) {
            from.queue.push_back(std::move(one));
        }
    }
    from.sent = 0;
    from.epoch = 0;
}

void session::expire_requests(lane& from, time_point now) {
    const std::size_t count = from.queue.size();
    const std::size_t sent = from.sent;
    for (std::size_t i = 0; i < count; ++i) {
        pending_request one = from.queue.pop_front();
        const bool late = !one.replay && !one.abandoned && one.deadline <= now;
        if (late) {
            fail_request(one, {broker_errc::timeout, 0, not_in_time("no answer")});
            one.abandoned = true;
        }
        if (!one.abandoned && !one.replay) {
            earliest_request_ = std::min(earliest_request_, one.deadline);
        }
        if (i < sent || !one.abandoned) {
            from.queue.push_back(std::move(one));
        }
    }
}

/// Puts the steps in front of what is not sent, behind what is on the wire.
void session::replay(const std::vector<request>& steps) {
    lane& to = lanes_[0];
    for (std::size_t i = steps.size(); i > 0; --i) {
        pending_request step;
        step.what = steps[i - 1];
        step.replay = true;
        if (to.sent == 0) {
            to.queue.push_front(std::move(step));
        } else {
            to.queue.insert(to.sent, std::move(step));
        }
    }
}

}  // namespace lovage::client
