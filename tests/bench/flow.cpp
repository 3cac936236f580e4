#include "tests/bench/flow.hpp"

#include "tests/bench/confirm_window.hpp"

#include <algorithm>
#include <future>
#include <stdexcept>

namespace lovage::bench {
namespace {

/// Writes are made of this share of the window, so that a broker that confirms one by one does not
/// make the generator send one by one.
constexpr std::uint64_t writes_per_window = 10;
/// Octets of encoded messages that are kept ready for one write.
constexpr std::size_t block_octets_max = 1U << 20U;

// A row of encoded messages of equal size, any number of which goes out in one write; round and
// round over the keys.
class message_block {
public:
    message_block(const flow& how, std::uint64_t wanted) {
        const std::vector<std::string> keys = how.keys.empty() ? how.queues : how.keys;
        message_shape shape{.exchange = how.exchange, .queue = keys.front(), .size = how.size};
        shape.delivery_mode =
            how.persistent ? amqp::delivery_mode_persistent : amqp::delivery_mode_transient;
        encode_message(frames_, shape);
        message_octets_ = frames_.size();
        const std::uint64_t fitting = block_octets_max / message_octets_;
        count_ = std::max<std::uint64_t>(std::min(fitting, wanted), keys.size());
        for (std::uint64_t i = 1; i < count_; ++i) {
            shape.queue = keys[i % keys.size()];
            encode_message(frames_, shape);
        }
        if (frames_.size() != count_ * message_octets_) {
            throw std::runtime_error("the keys of a workload differ in length");
        }
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// At most that many, the next ones.
    octets take(std::uint64_t& count) {
        count = std::min(count, count_ - next_);
        const octets taken =
            frames_.view().substr(next_ * message_octets_, count * message_octets_);
        next_ = (next_ + count) % count_;
        return taken;
    }

private:
    byte_buffer frames_;
    std::size_t message_octets_ = 0;
    std::uint64_t count_ = 1;
    std::uint64_t next_ = 0;
};

void take_confirms(wire_client& client, confirm_window& window) {
    for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
        if (found.kind == event_kind::refused) {
            throw std::runtime_error("the broker refused a message");
        }
        if (found.kind == event_kind::confirm && !window.confirm(found.tag, found.multiple)) {
            throw std::runtime_error("the broker confirmed a message twice or before it came");
        }
    }
}

figures run_stream(node& broker, flow how, const amount& much) {
    how.queues = {unique_queue()};
    wire_client owner(broker.port());
    owner.declare_queue(how.queues.front());
    figures result = measure_stream(broker, how, much);
    owner.delete_queue(how.queues.front());
    return result;
}

}  // namespace

std::string conditions_of(const flow& how) {
    return "size=" + std::to_string(how.size) + (how.persistent ? " persistent" : " transient") +
           (how.confirms ? " window=" + std::to_string(how.window) : " no confirms") +
           " prefetch=" + std::to_string(how.prefetch) +
           " ack-batch=" + std::to_string(how.ack_batch);
}

flow flow_of(const options& given, std::uint32_t size) {
    flow how;
    how.size = size;
    how.window = given.window;
    how.prefetch = given.prefetch;
    how.ack_batch = given.ack_batch;
    return how;
}

// The consumer's failure is thrown after the publisher's.
std::uint64_t stream(const node& broker, const flow& how, const amount& much) {
    wire_client out(broker.port());
    wire_client in(broker.port());
    for (const std::string& queue : how.queues) {
        in.consume(queue, how.prefetch);
    }
    flow_progress progress;
    auto consumer = std::async(std::launch::async, [&] { consume_all(in, how, progress); });
    std::uint64_t total = 0;
    try {
        total = publish_all(out, how, much, progress);
    } catch (...) {
        progress.failed = true;
        throw;
    }
    consumer.get();
    for (const std::string& queue : how.queues) {
        if (out.queue_length(queue) != 0) {
            throw std::runtime_error("the broker has messages left that nobody published");
        }
    }
    return total;
}

figures measure_stream(node& broker, const flow& how, const amount& much) {
    const broker_meter meter(broker);
    const auto start = bench_clock::now();
    const std::uint64_t total = stream(broker, how, much);
    const double seconds = seconds_between(start, bench_clock::now());

    figures result{{"n", static_cast<double>(total)}};
    result.push_back({"messages/s", static_cast<double>(total) / seconds});
    meter.add_to(result, total);
    return result;
}

std::uint64_t publish_all(
    wire_client& client,
    const flow& how,
    const amount& much,
    flow_progress& progress) {
    if (how.confirms) {
        client.select_confirms();
    }
    const std::uint64_t per_write = std::max<std::uint64_t>(how.window / writes_per_window, 1);
    message_block block(how, how.window);
    const auto deadline = much.deadline(bench_clock::now());
    confirm_window window(how.window);
    std::uint64_t published = 0;
    bool more = true;
    while (more || (how.confirms && window.outstanding() != 0)) {
        const std::uint64_t left = much.count_max() - published;
        const std::uint64_t room = how.confirms ? window.room() : block.count();
        if (more && room >= std::min(per_write, left)) {
            std::uint64_t count = std::min(room, left);
            const octets frames = block.take(count);
            published += count;
            more = count < left && bench_clock::now() < deadline;
            if (!more) {
                // Before the last message is out: its consumer must not wait for this number.
                progress.total = published;
            }
            client.send(frames);
            window.publish(how.confirms ? count : 0);
            continue;
        }
        client.receive(wire_client::wait::until_stalled, "a confirm");
        take_confirms(client, window);
    }
    return published;
}

void consume_all(wire_client& client, const flow& how, const flow_progress& progress) {
    const auto total = [&] {
        const std::uint64_t published = progress.total;
        return published == UINT64_MAX ? published : published * how.copies;
    };
    std::uint64_t received = 0;
    std::uint64_t acked = 0;
    std::uint64_t last_tag = 0;
    auto last_progress = bench_clock::now();
    while (received < total() && !progress.failed) {
        for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
            if (found.kind != event_kind::deliver || found.body_size != how.size) {
                throw std::runtime_error("the broker delivered what nobody published");
            }
            ++received;
            last_tag = found.tag;
        }
        if (received - acked >= how.ack_batch || received >= total()) {
            if (received != acked) {
                client.add_ack(last_tag, true);
                client.flush();
                acked = received;
            }
        }
        if (received >= total()) {
            break;
        }
        if (client.receive(wire_client::wait::briefly)) {
            last_progress = bench_clock::now();
        } else if (bench_clock::now() - last_progress > stall_limit) {
            throw std::runtime_error("the broker does not deliver");
        }
    }
    if (!progress.failed && received != total()) {
        throw std::runtime_error("the broker delivered more than was published");
    }
    if (received != acked) {
        client.add_ack(last_tag, true);
    }
    client.barrier();
}

workload publish_confirm(const options& given, std::uint32_t size) {
    const flow how = flow_of(given, size);
    return {"publish_confirm", conditions_of(how), [how](node& broker, const amount& much) {
                return run_stream(broker, how, much);
            }};
}

workload transient(const options& given, std::uint32_t size) {
    flow how = flow_of(given, size);
    how.confirms = false;
    how.persistent = false;
    return {"transient", conditions_of(how), [how](node& broker, const amount& much) {
                return run_stream(broker, how, much);
            }};
}

}  // namespace lovage::bench
