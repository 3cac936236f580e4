// Every method of AMQP 0-9-1 with RabbitMQ's extensions (connection.blocked, update-secret, nack,
// confirm, exchange.bind), field names as in the specification's XML. A method lists its fields
// once, in wire order; method_codec.hpp reads and writes any method from that list.
// Views (octets, long_string) point into the frame that was read, or into what the caller sends,
// and are valid as long as that is. Names that are C++ keywords end in an underscore.
#pragma once

#include "framework/amqp/spec.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <tuple>
#include <variant>

namespace lovage::amqp {

/// A field with four octets of length; plain `octets` fields are short strings.
struct long_string {
    octets value;
    bool operator==(const long_string&) const = default;
};

namespace connection {

struct start {
    static constexpr method_id id{10, 10};
    std::uint8_t version_major = 0;
    std::uint8_t version_minor = 0;
    table server_properties;
    long_string mechanisms;
    long_string locales;
    static constexpr auto fields() {
        return std::tuple{
            &start::version_major,
            &start::version_minor,
            &start::server_properties,
            &start::mechanisms,
            &start::locales};
    }
    bool operator==(const start&) const = default;
};

struct start_ok {
    static constexpr method_id id{10, 11};
    table client_properties;
    octets mechanism;
    long_string response;
    octets locale;
    static constexpr auto fields() {
        return std::tuple{
            &start_ok::client_properties,
            &start_ok::mechanism,
            &start_ok::response,
            &start_ok::locale};
    }
    bool operator==(const start_ok&) const = default;
};

struct secure {
    static constexpr method_id id{10, 20};
    long_string challenge;
    static constexpr auto fields() { return std::tuple{&secure::challenge}; }
    bool operator==(const secure&) const = default;
};

struct secure_ok {
    static constexpr method_id id{10, 21};
    long_string response;
    static constexpr auto fields() { return std::tuple{&secure_ok::response}; }
    bool operator==(const secure_ok&) const = default;
};

struct tune {
    static constexpr method_id id{10, 30};
    std::uint16_t channel_max = 0;
    std::uint32_t frame_max = 0;
    std::uint16_t heartbeat = 0;
    static constexpr auto fields() {
        return std::tuple{&tune::channel_max, &tune::frame_max, &tune::heartbeat};
    }
    bool operator==(const tune&) const = default;
};

struct tune_ok {
    static constexpr method_id id{10, 31};
    std::uint16_t channel_max = 0;
    std::uint32_t frame_max = 0;
    std::uint16_t heartbeat = 0;
    static constexpr auto fields() {
        return std::tuple{&tune_ok::channel_max, &tune_ok::frame_max, &tune_ok::heartbeat};
    }
    bool operator==(const tune_ok&) const = default;
};

struct open {
    static constexpr method_id id{10, 40};
    octets virtual_host;
    octets reserved_1;
    bool reserved_2 = false;
    static constexpr auto fields() {
        return std::tuple{&open::virtual_host, &open::reserved_1, &open::reserved_2};
    }
    bool operator==(const open&) const = default;
};

struct open_ok {
    static constexpr method_id id{10, 41};
    octets reserved_1;
    static constexpr auto fields() { return std::tuple{&open_ok::reserved_1}; }
    bool operator==(const open_ok&) const = default;
};

struct close {
    static constexpr method_id id{10, 50};
    std::uint16_t reply_code = 0;
    octets reply_text;
    std::uint16_t failing_class = 0;
    std::uint16_t failing_method = 0;
    static constexpr auto fields() {
        return std::tuple{
            &close::reply_code, &close::reply_text, &close::failing_class, &close::failing_method};
    }
    bool operator==(const close&) const = default;
};

struct close_ok {
    static constexpr method_id id{10, 51};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const close_ok&) const = default;
};

struct blocked {
    static constexpr method_id id{10, 60};
    octets reason;
    static constexpr auto fields() { return std::tuple{&blocked::reason}; }
    bool operator==(const blocked&) const = default;
};

struct unblocked {
    static constexpr method_id id{10, 61};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const unblocked&) const = default;
};

struct update_secret {
    static constexpr method_id id{10, 70};
    long_string new_secret;
    octets reason;
    static constexpr auto fields() {
        return std::tuple{&update_secret::new_secret, &update_secret::reason};
    }
    bool operator==(const update_secret&) const = default;
};

struct update_secret_ok {
    static constexpr method_id id{10, 71};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const update_secret_ok&) const = default;
};
}  // namespace connection

namespace channel {

struct open {
    static constexpr method_id id{20, 10};
    octets reserved_1;
    static constexpr auto fields() { return std::tuple{&open::reserved_1}; }
    bool operator==(const open&) const = default;
};

struct open_ok {
    static constexpr method_id id{20, 11};
    long_string reserved_1;
    static constexpr auto fields() { return std::tuple{&open_ok::reserved_1}; }
    bool operator==(const open_ok&) const = default;
};

struct flow {
    static constexpr method_id id{20, 20};
    bool active = false;
    static constexpr auto fields() { return std::tuple{&flow::active}; }
    bool operator==(const flow&) const = default;
};

struct flow_ok {
    static constexpr method_id id{20, 21};
    bool active = false;
    static constexpr auto fields() { return std::tuple{&flow_ok::active}; }
    bool operator==(const flow_ok&) const = default;
};

struct close {
    static constexpr method_id id{20, 40};
    std::uint16_t reply_code = 0;
    octets reply_text;
    std::uint16_t failing_class = 0;
    std::uint16_t failing_method = 0;
    static constexpr auto fields() {
        return std::tuple{
            &close::reply_code, &close::reply_text, &close::failing_class, &close::failing_method};
    }
    bool operator==(const close&) const = default;
};

struct close_ok {
    static constexpr method_id id{20, 41};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const close_ok&) const = default;
};
}  // namespace channel

namespace access {

struct request {
    static constexpr method_id id{30, 10};
    octets realm;
    bool exclusive = false;
    bool passive = false;
    bool active = false;
    bool write = false;
    bool read = false;
    static constexpr auto fields() {
        return std::tuple{
            &request::realm,
            &request::exclusive,
            &request::passive,
            &request::active,
            &request::write,
            &request::read};
    }
    bool operator==(const request&) const = default;
};

struct request_ok {
    static constexpr method_id id{30, 11};
    std::uint16_t ticket = 0;
    static constexpr auto fields() { return std::tuple{&request_ok::ticket}; }
    bool operator==(const request_ok&) const = default;
};
}  // namespace access

namespace exchange {

struct declare {
    static constexpr method_id id{40, 10};
    std::uint16_t ticket = 0;
    octets exchange;
    octets type;
    bool passive = false;
    bool durable = false;
    bool auto_delete = false;
    bool internal = false;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &declare::ticket,
            &declare::exchange,
            &declare::type,
            &declare::passive,
            &declare::durable,
            &declare::auto_delete,
            &declare::internal,
            &declare::no_wait,
            &declare::arguments};
    }
    bool operator==(const declare&) const = default;
};

struct declare_ok {
    static constexpr method_id id{40, 11};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const declare_ok&) const = default;
};

struct delete_ {
    static constexpr method_id id{40, 20};
    std::uint16_t ticket = 0;
    octets exchange;
    bool if_unused = false;
    bool no_wait = false;
    static constexpr auto fields() {
        return std::tuple{
            &delete_::ticket, &delete_::exchange, &delete_::if_unused, &delete_::no_wait};
    }
    bool operator==(const delete_&) const = default;
};

struct delete_ok {
    static constexpr method_id id{40, 21};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const delete_ok&) const = default;
};

struct bind {
    static constexpr method_id id{40, 30};
    std::uint16_t ticket = 0;
    octets destination;
    octets source;
    octets routing_key;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &bind::ticket,
            &bind::destination,
            &bind::source,
            &bind::routing_key,
            &bind::no_wait,
            &bind::arguments};
    }
    bool operator==(const bind&) const = default;
};

struct bind_ok {
    static constexpr method_id id{40, 31};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const bind_ok&) const = default;
};

struct unbind {
    static constexpr method_id id{40, 40};
    std::uint16_t ticket = 0;
    octets destination;
    octets source;
    octets routing_key;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &unbind::ticket,
            &unbind::destination,
            &unbind::source,
            &unbind::routing_key,
            &unbind::no_wait,
            &unbind::arguments};
    }
    bool operator==(const unbind&) const = default;
};

struct unbind_ok {
    static constexpr method_id id{40, 51};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const unbind_ok&) const = default;
};
}  // namespace exchange

namespace queue {

struct declare {
    static constexpr method_id id{50, 10};
    std::uint16_t ticket = 0;
    octets queue;
    bool passive = false;
    bool durable = false;
    bool exclusive = false;
    bool auto_delete = false;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &declare::ticket,
            &declare::queue,
            &declare::passive,
            &declare::durable,
            &declare::exclusive,
            &declare::auto_delete,
            &declare::no_wait,
            &declare::arguments};
    }
    bool operator==(const declare&) const = default;
};

struct declare_ok {
    static constexpr method_id id{50, 11};
    octets queue;
    std::uint32_t message_count = 0;
    std::uint32_t consumer_count = 0;
    static constexpr auto fields() {
        return std::tuple{
            &declare_ok::queue, &declare_ok::message_count, &declare_ok::consumer_count};
    }
    bool operator==(const declare_ok&) const = default;
};

struct bind {
    static constexpr method_id id{50, 20};
    std::uint16_t ticket = 0;
    octets queue;
    octets exchange;
    octets routing_key;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &bind::ticket,
            &bind::queue,
            &bind::exchange,
            &bind::routing_key,
            &bind::no_wait,
            &bind::arguments};
    }
    bool operator==(const bind&) const = default;
};

struct bind_ok {
    static constexpr method_id id{50, 21};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const bind_ok&) const = default;
};

struct purge {
    static constexpr method_id id{50, 30};
    std::uint16_t ticket = 0;
    octets queue;
    bool no_wait = false;
    static constexpr auto fields() {
        return std::tuple{&purge::ticket, &purge::queue, &purge::no_wait};
    }
    bool operator==(const purge&) const = default;
};

struct purge_ok {
    static constexpr method_id id{50, 31};
    std::uint32_t message_count = 0;
    static constexpr auto fields() { return std::tuple{&purge_ok::message_count}; }
    bool operator==(const purge_ok&) const = default;
};

struct delete_ {
    static constexpr method_id id{50, 40};
    std::uint16_t ticket = 0;
    octets queue;
    bool if_unused = false;
    bool if_empty = false;
    bool no_wait = false;
    static constexpr auto fields() {
        return std::tuple{
            &delete_::ticket,
            &delete_::queue,
            &delete_::if_unused,
            &delete_::if_empty,
            &delete_::no_wait};
    }
    bool operator==(const delete_&) const = default;
};

struct delete_ok {
    static constexpr method_id id{50, 41};
    std::uint32_t message_count = 0;
    static constexpr auto fields() { return std::tuple{&delete_ok::message_count}; }
    bool operator==(const delete_ok&) const = default;
};

struct unbind {
    static constexpr method_id id{50, 50};
    std::uint16_t ticket = 0;
    octets queue;
    octets exchange;
    octets routing_key;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &unbind::ticket,
            &unbind::queue,
            &unbind::exchange,
            &unbind::routing_key,
            &unbind::arguments};
    }
    bool operator==(const unbind&) const = default;
};

struct unbind_ok {
    static constexpr method_id id{50, 51};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const unbind_ok&) const = default;
};
}  // namespace queue

namespace basic {

struct qos {
    static constexpr method_id id{60, 10};
    std::uint32_t prefetch_size = 0;
    std::uint16_t prefetch_count = 0;
    bool global = false;
    static constexpr auto fields() {
        return std::tuple{&qos::prefetch_size, &qos::prefetch_count, &qos::global};
    }
    bool operator==(const qos&) const = default;
};

struct qos_ok {
    static constexpr method_id id{60, 11};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const qos_ok&) const = default;
};

struct consume {
    static constexpr method_id id{60, 20};
    std::uint16_t ticket = 0;
    octets queue;
    octets consumer_tag;
    bool no_local = false;
    bool no_ack = false;
    bool exclusive = false;
    bool no_wait = false;
    table arguments;
    static constexpr auto fields() {
        return std::tuple{
            &consume::ticket,
            &consume::queue,
            &consume::consumer_tag,
            &consume::no_local,
            &consume::no_ack,
            &consume::exclusive,
            &consume::no_wait,
            &consume::arguments};
    }
    bool operator==(const consume&) const = default;
};

struct consume_ok {
    static constexpr method_id id{60, 21};
    octets consumer_tag;
    static constexpr auto fields() { return std::tuple{&consume_ok::consumer_tag}; }
    bool operator==(const consume_ok&) const = default;
};

struct cancel {
    static constexpr method_id id{60, 30};
    octets consumer_tag;
    bool no_wait = false;
    static constexpr auto fields() { return std::tuple{&cancel::consumer_tag, &cancel::no_wait}; }
    bool operator==(const cancel&) const = default;
};

struct cancel_ok {
    static constexpr method_id id{60, 31};
    octets consumer_tag;
    static constexpr auto fields() { return std::tuple{&cancel_ok::consumer_tag}; }
    bool operator==(const cancel_ok&) const = default;
};

struct publish {
    static constexpr method_id id{60, 40};
    std::uint16_t ticket = 0;
    octets exchange;
    octets routing_key;
    bool mandatory = false;
    bool immediate = false;
    static constexpr auto fields() {
        return std::tuple{
            &publish::ticket,
            &publish::exchange,
            &publish::routing_key,
            &publish::mandatory,
            &publish::immediate};
    }
    bool operator==(const publish&) const = default;
};

struct return_ {
    static constexpr method_id id{60, 50};
    std::uint16_t reply_code = 0;
    octets reply_text;
    octets exchange;
    octets routing_key;
    static constexpr auto fields() {
        return std::tuple{
            &return_::reply_code, &return_::reply_text, &return_::exchange, &return_::routing_key};
    }
    bool operator==(const return_&) const = default;
};

struct deliver {
    static constexpr method_id id{60, 60};
    octets consumer_tag;
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    octets exchange;
    octets routing_key;
    static constexpr auto fields() {
        return std::tuple{
            &deliver::consumer_tag,
            &deliver::delivery_tag,
            &deliver::redelivered,
            &deliver::exchange,
            &deliver::routing_key};
    }
    bool operator==(const deliver&) const = default;
};

struct get {
    static constexpr method_id id{60, 70};
    std::uint16_t ticket = 0;
    octets queue;
    bool no_ack = false;
    static constexpr auto fields() { return std::tuple{&get::ticket, &get::queue, &get::no_ack}; }
    bool operator==(const get&) const = default;
};

struct get_ok {
    static constexpr method_id id{60, 71};
    std::uint64_t delivery_tag = 0;
    bool redelivered = false;
    octets exchange;
    octets routing_key;
    std::uint32_t message_count = 0;
    static constexpr auto fields() {
        return std::tuple{
            &get_ok::delivery_tag,
            &get_ok::redelivered,
            &get_ok::exchange,
            &get_ok::routing_key,
            &get_ok::message_count};
    }
    bool operator==(const get_ok&) const = default;
};

struct get_empty {
    static constexpr method_id id{60, 72};
    octets cluster_id;
    static constexpr auto fields() { return std::tuple{&get_empty::cluster_id}; }
    bool operator==(const get_empty&) const = default;
};

struct ack {
    static constexpr method_id id{60, 80};
    std::uint64_t delivery_tag = 0;
    bool multiple = false;
    static constexpr auto fields() { return std::tuple{&ack::delivery_tag, &ack::multiple}; }
    bool operator==(const ack&) const = default;
};

struct reject {
    static constexpr method_id id{60, 90};
    std::uint64_t delivery_tag = 0;
    bool requeue = false;
    static constexpr auto fields() { return std::tuple{&reject::delivery_tag, &reject::requeue}; }
    bool operator==(const reject&) const = default;
};

struct recover_async {
    static constexpr method_id id{60, 100};
    bool requeue = false;
    static constexpr auto fields() { return std::tuple{&recover_async::requeue}; }
    bool operator==(const recover_async&) const = default;
};

struct recover {
    static constexpr method_id id{60, 110};
    bool requeue = false;
    static constexpr auto fields() { return std::tuple{&recover::requeue}; }
    bool operator==(const recover&) const = default;
};

struct recover_ok {
    static constexpr method_id id{60, 111};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const recover_ok&) const = default;
};

struct nack {
    static constexpr method_id id{60, 120};
    std::uint64_t delivery_tag = 0;
    bool multiple = false;
    bool requeue = false;
    static constexpr auto fields() {
        return std::tuple{&nack::delivery_tag, &nack::multiple, &nack::requeue};
    }
    bool operator==(const nack&) const = default;
};
}  // namespace basic
namespace confirm {

struct select {
    static constexpr method_id id{85, 10};
    bool no_wait = false;
    static constexpr auto fields() { return std::tuple{&select::no_wait}; }
    bool operator==(const select&) const = default;
};

struct select_ok {
    static constexpr method_id id{85, 11};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const select_ok&) const = default;
};
}  // namespace confirm
namespace tx {

struct select {
    static constexpr method_id id{90, 10};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const select&) const = default;
};

struct select_ok {
    static constexpr method_id id{90, 11};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const select_ok&) const = default;
};

struct commit {
    static constexpr method_id id{90, 20};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const commit&) const = default;
};

struct commit_ok {
    static constexpr method_id id{90, 21};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const commit_ok&) const = default;
};

struct rollback {
    static constexpr method_id id{90, 30};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const rollback&) const = default;
};

struct rollback_ok {
    static constexpr method_id id{90, 31};
    static constexpr auto fields() { return std::tuple<>{}; }
    bool operator==(const rollback_ok&) const = default;
};
}  // namespace tx

/// Any method; std::monostate stands for none.
using method = std::variant<
    std::monostate,
    connection::start,
    connection::start_ok,
    connection::secure,
    connection::secure_ok,
    connection::tune,
    connection::tune_ok,
    connection::open,
    connection::open_ok,
    connection::close,
    connection::close_ok,
    connection::blocked,
    connection::unblocked,
    connection::update_secret,
    connection::update_secret_ok,
    channel::open,
    channel::open_ok,
    channel::flow,
    channel::flow_ok,
    channel::close,
    channel::close_ok,
    access::request,
    access::request_ok,
    exchange::declare,
    exchange::declare_ok,
    exchange::delete_,
    exchange::delete_ok,
    exchange::bind,
    exchange::bind_ok,
    exchange::unbind,
    exchange::unbind_ok,
    queue::declare,
    queue::declare_ok,
    queue::bind,
    queue::bind_ok,
    queue::purge,
    queue::purge_ok,
    queue::delete_,
    queue::delete_ok,
    queue::unbind,
    queue::unbind_ok,
    basic::qos,
    basic::qos_ok,
    basic::consume,
    basic::consume_ok,
    basic::cancel,
    basic::cancel_ok,
    basic::publish,
    basic::return_,
    basic::deliver,
    basic::get,
    basic::get_ok,
    basic::get_empty,
    basic::ack,
    basic::reject,
    basic::recover_async,
    basic::recover,
    basic::recover_ok,
    basic::nack,
    confirm::select,
    confirm::select_ok,
    tx::select,
    tx::select_ok,
    tx::commit,
    tx::commit_ok,
    tx::rollback,
    tx::rollback_ok>;

}  // namespace lovage::amqp
