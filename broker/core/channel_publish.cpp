// basic.publish and its content on a channel. Rows 65 to 72, 94 and 180 to 197 of RabbitMQ's
// behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/inequivalence.hpp"
#include "broker/core/publish_properties.hpp"
#include "broker/core/transaction.hpp"
#include "framework/amqp/capabilities.hpp"

namespace lovage::broker {
namespace {

fault unexpected_content(octets expected) {
    return connection_fault(
        amqp::reply_code::unexpected_frame, "expected content " + std::string(expected));
}

}  // namespace

fault channel::on(const amqp::basic::publish& in) {
    if (in.immediate) {
        return connection_fault(amqp::reply_code::not_implemented, "immediate=true");
    }
    publish_exchange_.assign(in.exchange);
    publish_key_.assign(in.routing_key);
    publish_mandatory_ = in.mandatory;
    content_.start();
    return no_fault;
}

fault channel::on_header(octets payload) {
    switch (content_.header(payload)) {
        case amqp::content_status::complete: return content_complete();
        case amqp::content_status::malformed_header:
            return frame_fault(
                amqp::reply_code::frame_error, printed_frame(2, payload) + ": unknown_frame");
        case amqp::content_status::wrong_class:
            return unexpected_content(
                "header for class 60, got one for class " +
                std::to_string(content_.header_class()) + " instead");
        case amqp::content_status::wrong_weight:
            return unexpected_content("header for class 60, got non content header frame instead");
        default: break;
    }
    if (content_.body_size() > engine_.options().message_octets_max) {
        // Taken in without being kept; the refusal comes when all of it is there.
        refused_size_ = refused_octets_ = content_.body_size();
        content_.reset();
    }
    return count_unfinished();
}

fault channel::count_unfinished() {
    const std::size_t grown = content_.footprint() - content_octets_;
    content_octets_ += grown;
    owner_.unfinished_octets += grown;
    engine_.memory_account() += grown;
    if (owner_.unfinished_octets > 2 * engine_.options().message_octets_max) {
        return connection_fault(
            amqp::reply_code::resource_error, "too much unfinished content on this connection");
    }
    return no_fault;
}

fault channel::on_body(octets payload) {
    if (refused_octets_ != 0) {
        if (payload.size() > refused_octets_) {
            return frame_fault(amqp::reply_code::frame_error, "body larger than announced");
        }
        refused_octets_ -= payload.size();
        if (refused_octets_ != 0) {
            return no_fault;
        }
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "message size " + std::to_string(refused_size_) +
                " is larger than configured max size " +
                std::to_string(engine_.options().message_octets_max));
    }
    const amqp::content_status status = content_.body(payload);
    if (status == amqp::content_status::body_too_large) {
        return frame_fault(amqp::reply_code::frame_error, "body larger than announced");
    }
    if (status == amqp::content_status::complete) {
        return content_complete();
    }
    return count_unfinished();
}

fault channel::content_complete() {
    owner_.unfinished_octets -= content_octets_;
    engine_.memory_account() -= content_octets_;
    content_octets_ = 0;
    const fault wrong = publish_content();
    content_.reset();  // a large body's memory is not kept
    return wrong;
}

fault channel::find_publishable(exchange*& through) {
    if (fault refused = check_publish()) {
        return refused;
    }
    if (publish_exchange_.empty()) {
        return no_fault;
    }
    through = home_.find_exchange(publish_exchange_);
    if (through == nullptr) {
        return not_found("exchange", publish_exchange_, home_.name());
    }
    if (through->settings().internal) {
        return channel_fault(
            amqp::reply_code::access_refused,
            "cannot publish to internal exchange '" + publish_exchange_ + "' in vhost '" +
                home_.name() + "'");
    }
    return check_published_topic(through, publish_key_);
}

fault channel::publish_content() {
    const auto known = amqp::scan_properties(content_.properties());
    if (!known) {
        return frame_fault(amqp::reply_code::internal_error, {});
    }
    exchange* through = nullptr;
    if (fault wrong = find_publishable(through)) {
        return wrong;
    }
    publish_properties properties;
    const publisher by{
        owner_.user_name(),
        replies_ ? octets{replies_->address} : octets{},
        known->user_id && engine_.access().has_tag(owner_.user_name(), impersonator_tag)};
    if (fault wrong = read_publish_properties(content_.properties(), *known, by, properties)) {
        return wrong;
    }
    for (const std::string& key : properties.copies) {
        if (fault refused = check_published_topic(through, key)) {
            return refused;
        }
    }
    publication what;
    what.parts = {publish_exchange_, publish_key_, properties.encoded, content_.body()};
    what.copies = properties.copies;
    what.persistent = properties.persistent;
    what.priority = properties.priority;
    what.published_at_ms = engine_.wall_ms();
    what.expiration_ms = properties.expiration_ms;
    what.complete_properties = properties.complete;
    what.deduplicate = true;
    if (transaction_) {
        return hold(what);
    }
    const publish_outcome outcome = home_.publish(through, what);
    if (publish_mandatory_) {
        answer_mandatory(what.parts, outcome);
    }
    confirm(outcome);
    return no_fault;
}

void channel::answer_mandatory(const message::parts& what, const publish_outcome& outcome) {
    if (outcome.routed && !outcome.duplicate) {
        return;
    }
    amqp::basic::return_ answer{
        static_cast<std::uint16_t>(amqp::reply_code::no_route),
        "NO_ROUTE",
        what.exchange,
        what.routing_key};
    if (outcome.duplicate) {
        answer.reply_code = amqp::duplicate_reply_code;
        answer.reply_text = "DUPLICATE";
    }
    send(answer);
    write_content(what);
}

}  // namespace lovage::broker
