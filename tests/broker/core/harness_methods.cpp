// Builders of methods and the short forms of what most tests begin with.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {

amqp::queue::declare declare_queue(octets name, declare_flags flags, amqp::table args) {
    amqp::queue::declare m;
    m.queue = name;
    m.passive = flags.passive;
    m.durable = flags.durable;
    m.exclusive = flags.exclusive;
    m.auto_delete = flags.auto_delete;
    m.no_wait = flags.no_wait;
    m.arguments = std::move(args);
    return m;
}

amqp::exchange::declare declare_exchange(octets name, octets type, declare_flags flags) {
    amqp::exchange::declare m;
    m.exchange = name;
    m.type = type;
    m.passive = flags.passive;
    m.durable = flags.durable;
    m.auto_delete = flags.auto_delete;
    m.internal = flags.internal;
    m.no_wait = flags.no_wait;
    return m;
}

amqp::queue::bind bind_queue(octets queue, octets exchange, octets key, amqp::table args) {
    amqp::queue::bind m;
    m.queue = queue;
    m.exchange = exchange;
    m.routing_key = key;
    m.arguments = std::move(args);
    return m;
}

amqp::queue::unbind unbind_queue(octets queue, octets exchange, octets key, amqp::table args) {
    amqp::queue::unbind m;
    m.queue = queue;
    m.exchange = exchange;
    m.routing_key = key;
    m.arguments = std::move(args);
    return m;
}

amqp::queue::delete_ delete_queue(octets name, bool if_unused, bool if_empty) {
    amqp::queue::delete_ m;
    m.queue = name;
    m.if_unused = if_unused;
    m.if_empty = if_empty;
    return m;
}

amqp::basic::consume consume(octets queue, octets tag, consume_flags flags) {
    amqp::basic::consume m;
    m.queue = queue;
    m.consumer_tag = tag;
    m.no_ack = flags.no_ack;
    m.exclusive = flags.exclusive;
    m.no_wait = flags.no_wait;
    return m;
}

amqp::basic::qos prefetch(std::uint16_t count, bool global) {
    return {0, count, global};
}

amqp::basic::get get_from(octets queue, bool no_ack) {
    return {0, queue, no_ack};
}

amqp::basic_properties persistent() {
    amqp::basic_properties p;
    p.delivery_mode = amqp::delivery_mode_persistent;
    return p;
}

amqp::connection::start_ok plain_login(octets response, const login_options& how) {
    amqp::connection::start_ok m;
    m.client_properties = {
        {"product", octets{how.product}},
        {"capabilities",
         amqp::table{
             {"consumer_cancel_notify", how.consumer_cancel_notify},
             {"connection.blocked", how.connection_blocked},
             {"authentication_failure_close", true}}}};
    m.mechanism = "PLAIN";
    m.response = {response};
    m.locale = "en_US";
    return m;
}

amqp::queue::declare_ok declare(
    client& by,
    octets name,
    declare_flags flags,
    amqp::table args,
    where_t where) {
    by.send(1, declare_queue(name, flags, std::move(args)));
    return by.expect<amqp::queue::declare_ok>(1, where);
}

void start_consumer(
    client& by,
    std::uint16_t channel,
    octets queue,
    octets tag,
    consume_flags flags,
    where_t where) {
    by.send(channel, consume(queue, tag, flags));
    by.expect<amqp::basic::consume_ok>(channel, where);
}

}  // namespace lovage::broker::test
