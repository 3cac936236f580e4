// backlog: so many messages that nobody takes, each with its number; then, after kill -9 and a new
// start or at once, all of them come in order. Rates over the depth of the queue, memory, the time
// to be ready. Nothing is kept per message here: the numbers are counted along.
#include "tests/bench/confirm_window.hpp"
#include "tests/bench/depth_rates.hpp"
#include "tests/bench/flow.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace lovage::bench {
namespace {

/// Octets of encoded messages that are kept ready for one write.
constexpr std::size_t block_octets_max = 1U << 18U;
/// A body must hold its number.
constexpr std::uint32_t number_octets = sizeof(std::uint64_t);

// A row of encoded messages whose numbers are written into their bodies before they go out.
class numbered_block {
public:
    numbered_block(const flow& how) {
        encode_message(frames_, {.queue = how.queues.front(), .size = how.size});
        message_octets_ = frames_.size();
        const std::uint32_t frame_room = amqp::frame_size_default - amqp::frame_overhead;
        const std::size_t body_frames = (how.size + frame_room - 1) / frame_room;
        // Behind the first body frame's type, channel and size.
        number_at_ = message_octets_ - how.size - body_frames * amqp::frame_overhead +
                     amqp::frame_overhead - 1;
        count_ = std::clamp<std::uint64_t>(block_octets_max / message_octets_, 1, how.window);
        for (std::uint64_t i = 1; i < count_; ++i) {
            encode_message(frames_, {.queue = how.queues.front(), .size = how.size});
        }
        text_ = std::string(frames_.view());
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// At most count() messages, the first with that number.
    octets take(std::uint64_t first, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            char* at = text_.data() + i * message_octets_ + number_at_;
            for (std::uint32_t octet = 0; octet < number_octets; ++octet) {
                at[octet] = static_cast<char>((first + i) >> (8 * (number_octets - 1 - octet)));
            }
        }
        return octets(text_).substr(0, count * message_octets_);
    }

private:
    byte_buffer frames_;
    std::string text_;
    std::size_t message_octets_ = 0;
    std::size_t number_at_ = 0;
    std::uint64_t count_ = 1;
};

// Makes the kernel forget the peak so far (proc(5), clear_refs 5).
void reset_peak(pid_t pid) {
    std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5";
}

void take_confirms(wire_client& client, confirm_window& window) {
    for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
        if (found.kind != event_kind::confirm || !window.confirm(found.tag, found.multiple)) {
            throw std::runtime_error("the broker refused a message or confirmed it twice");
        }
    }
}

/// Returns when all are confirmed.
depth_rates publish_numbered(wire_client& client, const flow& how, std::uint64_t total) {
    client.select_confirms();
    numbered_block block(how);
    confirm_window window(how.window);
    depth_rates rates(total);
    const auto start = bench_clock::now();
    while (window.confirmed() < total) {
        rates.note(window.confirmed(), seconds_between(start, bench_clock::now()));
        const std::uint64_t left = total - window.published();
        const std::uint64_t step = std::min({block.count(), left, how.window / 10 + 1});
        if (step != 0 && window.room() >= step) {
            const std::uint64_t count = std::min({window.room(), block.count(), left});
            client.send(block.take(window.published(), count));
            window.publish(count);
            continue;
        }
        client.receive(wire_client::wait::until_stalled, "a confirm");
        take_confirms(client, window);
    }
    rates.note(total, seconds_between(start, bench_clock::now()));
    return rates;
}

struct drained {
    depth_rates rates;
    bench_clock::time_point first;  ///< delivery
};

/// Takes all of them in the order of their numbers and acks them.
drained drain_numbered(wire_client& client, const flow& how, std::uint64_t total) {
    drained result{depth_rates(total), {}};
    const auto start = bench_clock::now();
    result.rates.note(0, 0);
    client.consume(how.queues.front(), how.prefetch);
    std::uint64_t received = 0;
    std::uint64_t acked = 0;
    while (received < total) {
        for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
            if (found.kind != event_kind::deliver || found.body_size != how.size ||
                found.number != received) {
                throw std::runtime_error(
                    "message " + std::to_string(received) +
                    " is lost or out of order: " + std::to_string(found.number) + " came");
            }
            if (received++ == 0) {
                result.first = bench_clock::now();
            }
        }
        if (received - acked >= how.ack_batch || received == total) {
            acked = received;
            client.add_ack(received, true);  // tags count from 1, as messages came
            client.flush();
            result.rates.note(received, seconds_between(start, bench_clock::now()));
        }
        if (received < total) {
            client.receive(wire_client::wait::until_stalled);
        }
    }
    client.barrier();
    return result;
}

void add_rates(figures& to, const std::string& name, const depth_rates& rates, bool from_full) {
    for (std::size_t i = 0; i < depth_rates::parts; ++i) {
        const std::size_t depth = from_full ? depth_rates::parts - 1 - i : i;
        to.push_back({name + " at " + std::to_string(depth * 50) + "%", rates.rate(i)});
    }
}

void add_memory(figures& to, const std::string& name, const node& broker) {
    to.push_back({name + " MiB", memory_mib(broker.pid(), "VmRSS")});
    to.push_back({name + " file MiB", memory_mib(broker.pid(), "RssFile")});
}

void fill(node& broker, const flow& how, std::uint64_t count, figures& result) {
    reset_peak(broker.pid());
    wire_client out(broker.port());
    const broker_meter meter(broker);
    const auto start = bench_clock::now();
    const depth_rates rates = publish_numbered(out, how, count);
    const double seconds = seconds_between(start, bench_clock::now());
    result.push_back({"n", static_cast<double>(count)});
    result.push_back({"published/s", static_cast<double>(count) / seconds});
    add_rates(result, "published/s", rates, false);
    meter.add_to(result, count, "publish ");
    result.push_back({"peak MiB", memory_mib(broker.pid(), "VmHWM")});
    broker.settle();
    add_memory(result, "resting", broker);
}

void drain(
    node& broker,
    const flow& how,
    std::uint64_t count,
    std::optional<bench_clock::time_point> executed,
    figures& result) {
    wire_client in(broker.port());
    reset_peak(broker.pid());
    const broker_meter meter(broker);
    const auto start = bench_clock::now();
    const drained done = drain_numbered(in, how, count);
    const double seconds = seconds_between(start, bench_clock::now());
    if (executed) {
        result.push_back({"first delivery ms", seconds_between(*executed, done.first) * 1e3});
    }
    result.push_back({"drained/s", static_cast<double>(count) / seconds});
    add_rates(result, "drained/s", done.rates, true);
    meter.add_to(result, count, "drain ");
    result.push_back({"drain peak MiB", memory_mib(broker.pid(), "VmHWM")});
}

figures run_backlog(node& broker, flow how, std::uint64_t count, bool kill) {
    how.queues = {unique_queue()};
    const std::string& queue = how.queues.front();
    wire_client(broker.port()).declare_queue(queue);
    figures result;
    fill(broker, how, count, result);
    std::optional<bench_clock::time_point> executed;
    if (kill) {
        broker.kill();
        executed = bench_clock::now();
        result.push_back({"ready ms", broker.start()});
        result.push_back({"started MiB", memory_mib(broker.pid(), "VmRSS")});
    }
    drain(broker, how, count, executed, result);
    wire_client owner(broker.port());
    if (const std::uint32_t left = owner.queue_length(queue); left != 0) {
        throw std::runtime_error(
            "the queue has " + std::to_string(left) + " messages that nobody published");
    }
    owner.delete_queue(queue);
    return result;
}

}  // namespace

workload backlog(const options& given, std::uint32_t size, std::uint64_t count, bool kill) {
    const flow how = flow_of(given, std::max(size, number_octets));
    return {
        "backlog",
        conditions_of(how) + (kill ? " kill -9 before draining" : ""),
        [how, count, kill](node& broker, const amount&) {
            return run_backlog(broker, how, count, kill);
        }};
}

}  // namespace lovage::bench
