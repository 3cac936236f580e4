// Direct reply-to on a channel. Rows 225 to 233 of RabbitMQ's behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/direct_reply.hpp"
#include "broker/core/inequivalence.hpp"

namespace lovage::broker {

fault channel::consume_replies(const amqp::basic::consume& in) {
    std::string tag{in.consumer_tag};
    if (consumers_.contains(tag)) {
        return check_new_tag(tag);
    }
    if (!in.no_ack) {
        return channel_fault(
            amqp::reply_code::precondition_failed, "reply consumer cannot acknowledge");
    }
    if (replies_) {
        return channel_fault(amqp::reply_code::precondition_failed, "reply consumer already set");
    }
    if (tag.empty()) {
        tag = engine_.generated_name("amq.ctag-");
    }
    replies_ = std::make_unique<reply_consumer>();
    replies_->tag = tag;
    replies_->address = engine_.generated_name(reply_address_prefix);
    home_.add_reply_address(replies_->address, *this);
    if (!in.no_wait) {
        send(amqp::basic::consume_ok{tag});
    }
    return no_fault;
}

void channel::end_replies() {
    if (replies_) {
        home_.remove_reply_address(replies_->address);
        replies_.reset();
    }
}

fault channel::declare_reply_queue(const std::string& name, bool no_wait) {
    if (name != reply_to_name && !home_.has_reply_address(name)) {
        return not_found("queue", name, home_.name());
    }
    last_queue_ = name;
    if (!no_wait) {
        owner_.send_when_durable(number_, amqp::queue::declare_ok{name, 0, 1});
    }
    return no_fault;
}

void channel::deliver_reply(const message::parts& what) {
    if (owner_.output_octets() > reply_output_factor * engine_.options().output_octets_high) {
        return;
    }
    send(amqp::basic::deliver{
        replies_->tag, ++last_delivery_tag_, false, what.exchange, what.routing_key});
    write_content(what);
}

}  // namespace lovage::broker
