// churn: a task queue that neither grows nor empties. Messages come at a steady rate, each is acked
// a tenth of a second after it was delivered; what the broker writes to disk for an octet that was
// published. One thread publishes on schedule, takes confirms, takes deliveries and acks them.
#include "tests/bench/confirm_window.hpp"
#include "tests/bench/flow.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <poll.h>
#include <stdexcept>

namespace lovage::bench {
namespace {

constexpr std::chrono::milliseconds kept_for{100};
constexpr std::chrono::milliseconds tick{1};

class churning {
public:
    churning(const node& broker, const flow& how, std::uint64_t rate)
        : rate_(static_cast<double>(rate)),
          size_(how.size),
          window_(std::max(how.window, rate)),
          out_(broker.port()),
          in_(broker.port()) {
        out_.select_confirms();
        encode_message(message_, {.queue = how.queues.front(), .size = how.size});
        // As many as are under way, three times over: the broker must never wait for the acks.
        const double under_way = rate_ * std::chrono::duration<double>(kept_for).count();
        in_.consume(
            how.queues.front(), static_cast<std::uint16_t>(std::min(3 * under_way + 10, 65'535.0)));
    }

    void run(std::uint64_t total) {
        const auto start = bench_clock::now();
        auto progress = start;
        while (acked_ < total) {
            const auto now = bench_clock::now();
            publish(total, seconds_between(start, now));
            take_confirms();
            take_deliveries(now);
            if (ack(now)) {
                progress = now;
            } else if (now - progress > stall_limit) {
                throw std::runtime_error("the broker neither confirms nor delivers");
            }
            wait();
        }
        in_.barrier();
        while (window_.outstanding() != 0) {
            out_.receive(wire_client::wait::until_stalled, "a confirm");
            take_confirms();
        }
    }

private:
    struct kept {
        std::uint64_t tag = 0;
        bench_clock::time_point since;
    };

    void publish(std::uint64_t total, double seconds) {
        const auto due = std::min(total, static_cast<std::uint64_t>(rate_ * seconds) + 1);
        const std::uint64_t late = due - std::min(due, window_.published());
        const std::uint64_t count = std::min(late, window_.room());
        for (std::uint64_t i = 0; i < count; ++i) {
            out_.add_octets(message_.view());
        }
        out_.flush();
        window_.publish(count);
    }
    void take_confirms() {
        out_.receive(wire_client::wait::no);
        for (event found = out_.next(); found.kind != event_kind::none; found = out_.next()) {
            if (found.kind != event_kind::confirm || !window_.confirm(found.tag, found.multiple)) {
                throw std::runtime_error("the broker refused a message or confirmed it twice");
            }
        }
    }
    void take_deliveries(bench_clock::time_point now) {
        in_.receive(wire_client::wait::no);
        for (event found = in_.next(); found.kind != event_kind::none; found = in_.next()) {
            if (found.kind != event_kind::deliver || found.body_size != size_) {
                throw std::runtime_error("the broker delivered what nobody published");
            }
            kept_.push_back({found.tag, now});
        }
    }
    /// Each singly, as workers do.
    bool ack(bench_clock::time_point now) {
        const std::uint64_t before = acked_;
        while (!kept_.empty() && now - kept_.front().since >= kept_for) {
            in_.add_ack(kept_.front().tag, false);
            kept_.pop_front();
            ++acked_;
        }
        in_.flush();
        return acked_ != before;
    }
    void wait() const {
        std::array<pollfd, 2> ready{{{out_.socket(), POLLIN, 0}, {in_.socket(), POLLIN, 0}}};
        poll(ready.data(), ready.size(), static_cast<int>(tick.count()));
    }

    double rate_;
    std::uint64_t size_;
    confirm_window window_;
    std::deque<kept> kept_;  // bounded by the consumer's prefetch
    std::uint64_t acked_ = 0;
    byte_buffer message_;
    wire_client out_;
    wire_client in_;
};

figures run_churn(
    const node& broker,
    flow how,
    std::uint64_t rate,
    const std::string& data_root,
    const amount& much) {
    how.queues = {unique_queue()};
    wire_client owner(broker.port());
    owner.declare_queue(how.queues.front());
    const std::uint64_t total =
        much.count != 0
            ? much.count
            : static_cast<std::uint64_t>(std::ceil(much.seconds * static_cast<double>(rate)));
    figures result{{"n", static_cast<double>(total)}};
    {
        churning run(broker, how, rate);
        const broker_meter meter(broker);
        const double kernel = written_octets(broker.pid());
        const auto device = device_octets(data_root);
        const auto start = bench_clock::now();
        run.run(total);
        const double seconds = seconds_between(start, bench_clock::now());
        const double published = static_cast<double>(total) * how.size;
        result.push_back({"messages/s", static_cast<double>(total) / seconds});
        if (const auto counted = meter.counted()) {
            result.push_back({"written/octet", counted->octets / published});
        }
        if (const auto now = device_octets(data_root); now && device) {
            result.push_back({"device written/octet", (*now - *device) / published});
        }
        result.push_back(
            {"kernel written/octet", (written_octets(broker.pid()) - kernel) / published});
        meter.add_to(result, total);
    }
    owner.delete_queue(how.queues.front());
    return result;
}

}  // namespace

workload churn(const options& given, std::uint32_t size) {
    const flow how = flow_of(given, size);
    const std::uint64_t rate = given.rate;
    return {
        "churn",
        "size=" + std::to_string(size) + " persistent, confirms at " + std::to_string(rate) +
            "/s, each acked after " + std::to_string(kept_for.count()) + " ms",
        [how, rate, root = given.data_root](node& broker, const amount& much) {
            return run_churn(broker, how, rate, root, much);
        }};
}

}  // namespace lovage::bench
