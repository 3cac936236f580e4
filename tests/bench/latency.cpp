// latency: messages at a steady rate, each confirmed; how long from publishing to its confirm.
// One thread publishes on schedule and reads confirms in between; a consumer in its own thread
// takes the messages away and acks each, unless --no-consumer.
#include "tests/bench/confirm_window.hpp"
#include "tests/bench/flow.hpp"

#include <cmath>
#include <future>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>

namespace lovage::bench {
namespace {

// Collects the time of each message from its publish to its confirm.
class confirm_timer {
public:
    confirm_timer(wire_client& client, const flow& how)
        : client_(client), window_(how.window), sent_(how.window + 1) {
        client_.select_confirms();
        encode_message(message_, {.queue = how.queues.front(), .size = how.size});
    }

    [[nodiscard]] bool idle() const { return window_.outstanding() == 0; }

    void publish() {
        if (window_.room() == 0) {
            throw std::runtime_error("the broker does not keep up with --rate");
        }
        window_.publish(1);
        sent_[slot(window_.published())] = bench_clock::now();
        client_.send(message_.view());
    }
    /// Reads confirms until `until`, or until none is missing if that is earlier.
    void take_confirms(bench_clock::time_point until) {
        while (!idle() && wait(until)) {
            if (client_.receive(wire_client::wait::no)) {
                note(bench_clock::now());
            }
        }
    }
    std::vector<double> take() { return std::move(microseconds_); }

private:
    [[nodiscard]] std::size_t slot(std::uint64_t tag) const { return tag % sent_.size(); }

    [[nodiscard]] bool wait(bench_clock::time_point until) const {
        const auto left =
            std::chrono::duration_cast<std::chrono::nanoseconds>(until - bench_clock::now());
        if (left.count() <= 0) {
            return false;
        }
        const timespec limit{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        pollfd ready{client_.socket(), POLLIN, 0};
        return ppoll(&ready, 1, &limit, nullptr) > 0;
    }

    void note(bench_clock::time_point now) {
        for (event found = client_.next(); found.kind != event_kind::none; found = client_.next()) {
            const std::uint64_t before = window_.confirmed();
            if (found.kind != event_kind::confirm || !window_.confirm(found.tag, found.multiple)) {
                throw std::runtime_error("the broker refused a message or confirmed it twice");
            }
            // With several at once, those are the last ones up to the tag.
            for (std::uint64_t i = window_.confirmed() - before; i-- > 0;) {
                microseconds_.push_back(seconds_between(sent_[slot(found.tag - i)], now) * 1e6);
            }
        }
    }

    wire_client& client_;
    confirm_window window_;
    std::vector<bench_clock::time_point> sent_;
    byte_buffer message_;
    std::vector<double> microseconds_;
};

std::vector<double> publish_on_schedule(
    confirm_timer& timer,
    std::uint64_t rate,
    std::uint64_t total) {
    // The default slack of 50 us would be a good part of what is measured.
    prctl(PR_SET_TIMERSLACK, 1);
    const auto interval = std::chrono::nanoseconds(1'000'000'000 / rate);
    auto next = bench_clock::now();
    for (std::uint64_t i = 0; i < total; ++i) {
        timer.publish();
        next += interval;
        timer.take_confirms(next);
        while (bench_clock::now() < next) {
            const auto left = next - bench_clock::now();
            const timespec pause{0, std::max<long>(std::chrono::nanoseconds(left).count(), 0)};
            nanosleep(&pause, nullptr);
        }
    }
    timer.take_confirms(bench_clock::now() + stall_limit);
    if (!timer.idle()) {
        throw std::runtime_error("the broker does not confirm");
    }
    return timer.take();
}

figures run_latency(const node& broker, flow how, const options& given, const amount& much) {
    how.queues = {unique_queue()};
    wire_client owner(broker.port());
    owner.declare_queue(how.queues.front());
    const auto by_time =
        static_cast<std::uint64_t>(std::ceil(much.seconds * static_cast<double>(given.rate)));
    const std::uint64_t total = much.count == 0 ? by_time : much.count;
    flow_progress progress;
    progress.total = total;
    wire_client out(broker.port());
    wire_client in(broker.port());
    std::future<void> consumer;
    if (given.consume) {
        in.consume(how.queues.front(), how.prefetch);
        consumer = std::async(std::launch::async, [&] { consume_all(in, how, progress); });
    }
    confirm_timer timer(out, how);

    const broker_meter meter(broker);
    std::vector<double> microseconds;
    try {
        microseconds = publish_on_schedule(timer, given.rate, total);
    } catch (...) {
        progress.failed = true;
        throw;
    }
    if (consumer.valid()) {
        consumer.get();
    }
    figures result{{"n", static_cast<double>(total)}};
    meter.add_to(result, total);
    add_percentiles(result, microseconds);
    owner.delete_queue(how.queues.front());
    return result;
}

}  // namespace

workload latency(const options& given, std::uint32_t size) {
    flow how;
    how.size = size;
    how.window = given.window;
    how.prefetch = given.prefetch;
    how.ack_batch = 1;
    return {
        "latency",
        "size=" + std::to_string(size) + " persistent, confirms at " + std::to_string(given.rate) +
            "/s" + (given.consume ? ", consumed and acked" : ", no consumer"),
        [how, given](node& broker, const amount& much) {
            return run_latency(broker, how, given, much);
        }};
}

}  // namespace lovage::bench
