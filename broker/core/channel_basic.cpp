// Class basic on a channel: consumers, basic.get and deliveries. Rows 154 to 179 of RabbitMQ's
// behaviour.
#include "broker/core/connection_send.hpp"
#include "broker/core/direct_reply.hpp"
#include "framework/amqp/capabilities.hpp"
#include "framework/amqp/properties.hpp"
#include "framework/amqp/table_codec.hpp"

namespace lovage::broker {
namespace {

constexpr octets delivery_count_header = "x-delivery-count";

bool asks_for_uncounted_requeue(const amqp::table& arguments) {
    const amqp::field_value* value = arguments.find(amqp::uncounted_requeue_argument);
    const bool* wanted = value == nullptr ? nullptr : value->as<bool>();
    return wanted != nullptr && *wanted;
}

/// The message's properties with the number of its earlier deliveries among the headers.
void write_counted_properties(byte_buffer& out, const queued_message& item) {
    const octets encoded = item.body->properties();
    byte_buffer headers;
    if (const auto known = amqp::scan_properties(encoded); known && known->headers) {
        bool ok = true;
        amqp::table read = amqp::read_table_content(*known->headers, ok);
        read.erase(delivery_count_header);
        amqp::write_table(headers, read);
    } else {
        amqp::write_table(headers, {});
    }
    amqp::write_short_string(headers, delivery_count_header);
    amqp::write_number(headers, static_cast<std::uint8_t>('l'));
    amqp::write_number(headers, std::uint64_t{item.delivery_count});
    amqp::write_properties_with_headers(out, encoded, headers.view().substr(4));
}

fault read_priority(const amqp::table& arguments, const queue& of, std::int64_t& priority) {
    const auto* value = arguments.find("x-priority");
    if (value == nullptr) {
        return no_fault;
    }
    const auto number = value->integer();
    if (!number) {
        return channel_fault(
            amqp::reply_code::precondition_failed,
            "invalid arg 'x-priority' for queue '" + of.name() + "' in vhost '" + of.home().name() +
                "': \"expected integer, got " + std::string(value->type_name()) + "\"");
    }
    priority = *number;
    return no_fault;
}

}  // namespace

fault channel::on(const amqp::basic::qos& in) {
    if (in.prefetch_size != 0) {
        return connection_fault(
            amqp::reply_code::not_implemented,
            "prefetch_size!=0 (" + std::to_string(in.prefetch_size) + ")");
    }
    if (in.global || owner_.standard_prefetch()) {
        prefetch_channel_ = in.prefetch_count;
        consumers_ready();
    } else {
        prefetch_new_ = in.prefetch_count;
        // As RabbitMQ, where both limits apply only if the channel's is set last.
        prefetch_channel_ = 0;
        consumers_ready();
    }
    send(amqp::basic::qos_ok{});
    return no_fault;
}

fault channel::check_new_tag(const std::string& tag) const {
    if (consumers_.contains(tag) || (replies_ && replies_->tag == tag)) {
        return connection_fault(
            amqp::reply_code::not_allowed, "attempt to reuse consumer tag '" + tag + "'");
    }
    return no_fault;
}

fault channel::on(const amqp::basic::consume& in) {
    if (in.queue == reply_to_name) {
        return consume_replies(in);
    }
    std::string tag{in.consumer_tag};
    if (tag.empty()) {
        tag = engine_.generated_name("amq.ctag-");
    }
    if (fault used = check_new_tag(tag)) {
        return used;
    }
    std::string name;
    if (fault wrong = resolve_queue(in.queue, name)) {
        return wrong;
    }
    if (fault refused = check_access(access_right::read, resource_kind::queue, name)) {
        return refused;
    }
    queue* source = nullptr;
    if (fault wrong = find_accessible_queue(name, source)) {
        return wrong;
    }
    std::int64_t priority = 0;
    if (fault wrong = read_priority(in.arguments, *source, priority)) {
        return wrong;
    }
    if (source->has_exclusive_consumer() || (in.exclusive && source->exclusive_refused())) {
        return channel_fault(
            amqp::reply_code::access_refused,
            "queue '" + source->name() + "' in vhost '" + home_.name() + "' in exclusive use");
    }
    auto made = std::make_unique<consumer>();
    made->owner = this;
    made->source = source;
    made->tag = tag;
    made->no_ack = in.no_ack;
    made->exclusive = in.exclusive;
    made->counts_requeues = !asks_for_uncounted_requeue(in.arguments);
    made->prefetch = prefetch_new_;
    made->priority = priority;
    consumer& added = *made;
    consumers_[tag] = std::move(made);
    if (!in.no_wait) {
        send(amqp::basic::consume_ok{tag});
    }
    source->add_consumer(added);
    return no_fault;
}

fault channel::on(const amqp::basic::cancel& in) {
    if (const auto found = consumers_.find(in.consumer_tag); found != consumers_.end()) {
        cancel_consumers({found->second.get()});
    } else if (replies_ && replies_->tag == in.consumer_tag) {
        end_replies();
    }
    if (!in.no_wait) {
        owner_.send_when_durable(number_, amqp::basic::cancel_ok{in.consumer_tag});
    }
    return no_fault;
}

std::vector<queue*> channel::end_consumers(const std::vector<consumer*>& gone) {
    std::vector<queue*> sources;
    for (consumer* each : gone) {
        each->ended = true;
        sources.push_back(each->source);
    }
    std::ranges::sort(sources, {}, &queue::id);
    sources.erase(std::ranges::unique(sources).begin(), sources.end());
    for (queue* each : sources) {
        each->remove_ended_consumers();
    }
    drop_ended_consumers(gone);
    return sources;
}

void channel::drop_ended_consumers(std::span<consumer* const> gone) {
    for (std::size_t i = 0; i < unacked_.size(); ++i) {
        if (unacked_[i].taker != nullptr && unacked_[i].taker->ended) {
            unacked_[i].taker = nullptr;
        }
    }
    for (const consumer* each : gone) {
        consumers_.erase(consumers_.find(each->tag));
    }
}

void channel::cancel_consumers(const std::vector<consumer*>& gone) {
    for (queue* each : end_consumers(gone)) {
        delete_if_unused(*each);
    }
}

void channel::tell_cancelled(octets tag) {
    if (owner_.capabilities().consumer_cancel_notify && !closing_) {
        owner_.send_in_order(number_, amqp::basic::cancel{tag, true});
    }
}

fault channel::on(const amqp::basic::get& in) {
    std::string name;
    if (fault wrong = resolve_queue(in.queue, name)) {
        return wrong;
    }
    if (fault refused = check_access(access_right::read, resource_kind::queue, name)) {
        return refused;
    }
    queue* source = nullptr;
    if (fault wrong = find_accessible_queue(name, source)) {
        return wrong;
    }
    auto found = source->take(in.no_ack);
    if (!found) {
        send(amqp::basic::get_empty{});
        return no_fault;
    }
    if (found->wait_for != 0) {
        owner_.hold_output(found->wait_for);
    }
    queued_message& item = found->item;
    const std::uint64_t tag = ++last_delivery_tag_;
    send(amqp::basic::get_ok{
        tag,
        item.redelivered,
        item.body->exchange(),
        item.body->routing_key(),
        static_cast<std::uint32_t>(source->ready_count())});
    write_content(item);
    if (!in.no_ack) {
        unacked_delivery open;
        open.open = true;
        open.tag = tag;
        open.source = source;
        open.late_at = late_at(*source);
        open.item = std::move(item);
        add_unacked(std::move(open));
    }
    return no_fault;
}

void channel::hold_output(lsn until) {
    owner_.hold_output(until);
}

void channel::deliver(consumer& taker, queued_message item) {
    const std::uint64_t tag = ++last_delivery_tag_;
    write_delivery(taker, tag, item);
    if (!taker.no_ack) {
        ++taker.outstanding;
        ++outstanding_;
        if (owner_.blocked()) {
            engine_.note_blocked_holder();
        }
        unacked_delivery open;
        open.open = true;
        open.tag = tag;
        open.source = taker.source;
        open.taker = &taker;
        open.consumed = true;
        open.requeue_counts = taker.counts_requeues;
        open.late_at = late_at(*taker.source);
        open.item = std::move(item);
        add_unacked(std::move(open));
    }
}

void channel::write_delivery(const consumer& taker, std::uint64_t tag, const queued_message& item) {
    send(amqp::basic::deliver{
        taker.tag, tag, item.redelivered, item.body->exchange(), item.body->routing_key()});
    write_content(item);
}

void channel::write_content(const queued_message& item) {
    const message& body = *item.body;
    if (item.delivery_count == 0) {
        write_content({body.exchange(), body.routing_key(), body.properties(), body.body()});
        return;
    }
    byte_buffer properties;
    write_counted_properties(properties, item);
    write_content({body.exchange(), body.routing_key(), properties.view(), body.body()});
}

void channel::write_content(const message::parts& what) {
    byte_buffer& out = owner_.output();
    amqp::write_content_header(out, number_, what.body.size(), what.properties);
    amqp::write_body(out, number_, what.body, owner_.frame_max());
    owner_.written();
}

}  // namespace lovage::broker
