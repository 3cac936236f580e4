// rpc: one request at a time. A persistent request to a durable queue, a responder in its own
// thread that answers with a transient message through the requester's exclusive queue and acks.
#include "framework/amqp/properties.hpp"
#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <atomic>
#include <future>
#include <stdexcept>

namespace lovage::bench {
namespace {

constexpr std::uint16_t responder_prefetch = 10;

void respond(wire_client& client, std::uint32_t size, const std::atomic<bool>& done) {
    byte_buffer reply;
    while (!done) {
        for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
            const auto properties = amqp::read_properties(found.payload);
            if (!properties || !properties->reply_to || !properties->correlation_id) {
                throw std::runtime_error("the broker changed a request's properties");
            }
            message_shape shape{.queue = *properties->reply_to, .size = size};
            shape.delivery_mode = amqp::delivery_mode_transient;
            shape.correlation_id = *properties->correlation_id;
            reply.clear();
            encode_message(reply, shape);
            client.add_octets(reply.view());
            client.add_ack(found.tag, false);
            client.flush();
        }
        client.receive(wire_client::wait::briefly);
    }
}

// Declares a server-named exclusive queue and consumes from it without acks.
std::string open_reply_queue(wire_client& client) {
    amqp::queue::declare declare;
    declare.exclusive = true;
    amqp::queue::declare_ok answer;
    if (amqp::read_arguments(client.call<amqp::queue::declare_ok>(declare), answer) !=
        amqp::method_error::none) {
        throw std::runtime_error("the broker's queue.declare-ok is malformed");
    }
    std::string name(answer.queue);
    client.consume(name, 0, true);
    return name;
}

void await_answer(wire_client& client, const std::string& id) {
    for (;;) {
        for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
            if (found.kind == event_kind::deliver) {
                const auto properties = amqp::read_properties(found.payload);
                if (!properties || properties->correlation_id != id) {
                    throw std::runtime_error("an answer does not belong to the request");
                }
                return;
            }
        }
        client.receive(wire_client::wait::until_stalled);
    }
}

std::vector<double> request_all(
    wire_client& client,
    const std::string& queue,
    std::uint32_t size,
    const amount& much) {
    const std::string reply_queue = open_reply_queue(client);
    const auto deadline = much.deadline(bench_clock::now());
    std::vector<double> microseconds;
    byte_buffer request;
    while (microseconds.size() < much.count_max() && bench_clock::now() < deadline) {
        const std::string id = std::to_string(microseconds.size());
        message_shape shape{.queue = queue, .size = size};
        shape.correlation_id = id;
        shape.reply_to = reply_queue;
        request.clear();
        encode_message(request, shape);
        const auto sent = bench_clock::now();
        client.send(request.view());
        await_answer(client, id);
        microseconds.push_back(seconds_between(sent, bench_clock::now()) * 1e6);
    }
    return microseconds;
}

figures run_rpc(const node& broker, std::uint32_t size, const amount& much) {
    wire_client responder(broker.port());
    wire_client requester(broker.port());
    const std::string queue = unique_queue();
    responder.declare_queue(queue);
    responder.consume(queue, responder_prefetch);
    std::atomic<bool> done = false;
    auto answers = std::async(std::launch::async, [&] { respond(responder, size, done); });

    const broker_meter meter(broker);
    const auto start = bench_clock::now();
    std::vector<double> microseconds;
    try {
        microseconds = request_all(requester, queue, size, much);
    } catch (...) {
        done = true;
        throw;
    }
    const auto total = static_cast<double>(microseconds.size());
    const double seconds = seconds_between(start, bench_clock::now());

    figures result{{"n", total}, {"requests/s", total / seconds}};
    meter.add_to(result, microseconds.size());
    add_percentiles(result, microseconds);
    done = true;
    answers.get();
    requester.delete_queue(queue);
    return result;
}

}  // namespace

workload rpc(const options&, std::uint32_t size) {
    return {
        "rpc",
        "size=" + std::to_string(size) + " one outstanding, persistent request, transient reply",
        [size](node& broker, const amount& much) { return run_rpc(broker, size, much); }};
}

}  // namespace lovage::bench
