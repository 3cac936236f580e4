// fanout, topic, many_queues: the stream of publish_confirm through exchanges to several queues,
// all of them consumed by one connection. What they add to it is the cost of routing and of queues.
#include "tests/bench/flow.hpp"

#include <functional>

namespace lovage::bench {
namespace {

constexpr std::size_t fanout_queues = 10;
constexpr std::size_t topic_queues = 10;
/// Bindings that each message could match, of which one does.
constexpr std::size_t topic_bindings = 1000;

std::string numbered(const std::string& prefix, std::size_t number) {
    const std::string digits = std::to_string(number);
    return prefix + std::string(5 - std::min<std::size_t>(digits.size(), 5), '0') + digits;
}

std::vector<std::string> make_queues(wire_client& owner, std::size_t count) {
    const std::string prefix = unique_queue() + '.';
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
        names.push_back(numbered(prefix, i));
        owner.declare_queue(names.back());
    }
    return names;
}

void make_exchange(wire_client& owner, octets name, octets type) {
    amqp::exchange::declare declare;
    declare.exchange = name;
    declare.type = type;
    declare.durable = true;
    owner.call<amqp::exchange::declare_ok>(declare);
}

void bind_queue(wire_client& owner, octets queue, octets exchange, octets key) {
    amqp::queue::bind bind;
    bind.queue = queue;
    bind.exchange = exchange;
    bind.routing_key = key;
    owner.call<amqp::queue::bind_ok>(bind);
}

/// Makes what the flow goes through, over `owner`.
using topology = std::function<void(wire_client& owner, flow& how)>;

figures run_routed(node& broker, flow how, const topology& make, const amount& much) {
    wire_client owner(broker.port());
    make(owner, how);
    figures result = measure_stream(broker, how, much);
    for (const std::string& queue : how.queues) {
        owner.delete_queue(queue);
    }
    if (!how.exchange.empty()) {
        amqp::exchange::delete_ gone;
        gone.exchange = how.exchange;
        owner.call<amqp::exchange::delete_ok>(gone);
    }
    return result;
}

workload routed(std::string name, const flow& how, const std::string& what, topology make) {
    return {
        std::move(name),
        what + ' ' + conditions_of(how),
        [how, make = std::move(make)](node& broker, const amount& much) {
            return run_routed(broker, how, make, much);
        }};
}

}  // namespace

workload fanout(const options& given, std::uint32_t size) {
    const topology make = [](wire_client& owner, flow& how) {
        how.queues = make_queues(owner, fanout_queues);
        how.exchange = unique_queue();
        how.copies = fanout_queues;
        make_exchange(owner, how.exchange, "fanout");
        for (const std::string& queue : how.queues) {
            bind_queue(owner, queue, how.exchange, "");
        }
    };
    return routed("fanout", flow_of(given, size), "queues=" + std::to_string(fanout_queues), make);
}

workload topic(const options& given, std::uint32_t size) {
    const topology make = [](wire_client& owner, flow& how) {
        how.queues = make_queues(owner, topic_queues);
        how.exchange = unique_queue();
        make_exchange(owner, how.exchange, "topic");
        for (std::size_t i = 0; i < topic_bindings; ++i) {
            const std::string word = numbered("w", i);
            const std::string& queue = how.queues[i % topic_queues];
            // Words, one star and a hash by turns.
            const std::string pattern = i % 3 == 0   ? "orders." + word + ".new"
                                        : i % 3 == 1 ? "*." + word + ".new"
                                                     : "orders." + word + ".#";
            bind_queue(owner, queue, how.exchange, pattern);
            how.keys.push_back("orders." + word + ".new");
        }
    };
    return routed(
        "topic",
        flow_of(given, size),
        "queues=" + std::to_string(topic_queues) + " bindings=" + std::to_string(topic_bindings),
        make);
}

workload many_queues(const options& given, std::uint32_t size) {
    const std::size_t count = given.queues;
    const topology make = [count](wire_client& owner, flow& how) {
        how.queues = make_queues(owner, count);
        how.keys = how.queues;
    };
    return routed("many_queues", flow_of(given, size), "queues=" + std::to_string(count), make);
}

}  // namespace lovage::bench
