// Messages on their way: sending, confirms, returns, and what their errors say.
#include "framework/client/request_codec.hpp"
#include "framework/client/session.hpp"
#include "framework/client/session_internal.hpp"

#include <utility>

namespace lovage::client {

void session::publish(publication message, std::uint64_t token, time_point deadline) {
    std::optional<problem> wrong = check(message);
    if (!wrong && (stage_ == stage::closing || stage_ == stage::closed)) {
        wrong = problem{broker_errc::stopped, 0, "publishing after stop"};
    }
    if (!wrong && !window_.push(message, token, deadline)) {
        wrong = problem{
            broker_errc::outbox_full,
            0,
            std::to_string(window_.unsettled()) + " messages wait to be confirmed by " +
                settings_.connection.where + ", more are not taken"};
    }
    if (wrong) {
        event& failed = push(event_kind::published);
        failed.token = token;
        failed.failed = true;
        failed.error = std::move(*wrong);
        return;
    }
    if (stage_ == stage::up && lanes_[0].queue.empty()) {
        send_publishes();
    }
}

void session::open_publish_channel() {
    if (publish_open_) {
        return;
    }
    publish_open_ = true;
    wire_->call(out_, publish_channel, amqp::channel::open{}, call_plain);
    wire_->call(out_, publish_channel, amqp::confirm::select{}, call_select);
}

void session::send_publishes() {
    const publication* message = blocked_ ? nullptr : window_.next();
    if (message == nullptr) {
        return;
    }
    open_publish_channel();
    if (!publish_selected_) {
        return;
    }
    for (; message != nullptr; message = window_.next()) {
        if (!wire_->fits(*message)) {
            window_.refuse_next(too_large("the message's properties"), settled_);
            continue;
        }
        wire_->publish(out_, publish_channel, *message);
        window_.sent();
    }
    push_settled();
}

std::string session::publish_text(const settled& what) const {
    if (what.error.code == broker_errc::timeout) {
        return not_in_time("no confirm for the message to " + what.target);
    }
    std::string text = "publishing to " + what.target + " (" + settings_.connection.where + "): ";
    if (what.error.code == broker_errc::unroutable) {
        text += "no queue wanted the message (" + std::to_string(what.error.reply_code) + " ";
        return text + what.error.text + "); declare the queue first, or start its worker";
    }
    if (what.error.code == broker_errc::duplicate) {
        text += "the broker has taken a message with this deduplication key lately (";
        return text + std::to_string(what.error.reply_code) + " " + what.error.text + ")";
    }
    return text + what.error.text;
}

void session::push_settled() {
    for (settled& one : settled_) {
        event& added = push(event_kind::published);
        added.token = one.token;
        added.failed = !one.confirmed;
        if (!one.confirmed) {
            added.error = {one.error.code, one.error.reply_code, publish_text(one)};
            added.returned = std::move(one.message);
        }
    }
    settled_.clear();
}

}  // namespace lovage::client
