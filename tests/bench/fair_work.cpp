// fair_work: several consumers with prefetch 1, each on its own connection, and one publisher, all
// in one thread around epoll: the generator then leaves the other core to the broker. Publishing
// keeps at most a window of messages that no consumer has acked, so that the queue stays short.
#include "tests/bench/confirm_window.hpp"
#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <sys/epoll.h>
#include <unistd.h>
#include <vector>

namespace lovage::bench {
namespace {

constexpr std::uint64_t writes_per_window = 10;
constexpr std::uint16_t fair_prefetch = 1;

class fair_run {
public:
    fair_run(const node& broker, std::string queue, std::uint32_t size, const options& given)
        : window_(given.window),
          in_flight_max_(given.window),
          publisher_(broker.port()),
          queue_(std::move(queue)),
          epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        encode_message(message_, {.queue = queue_, .size = size});
        publisher_.select_confirms();
        watch(publisher_, 0);
        for (int i = 0; i < given.consumers; ++i) {
            consumers_.push_back(std::make_unique<wire_client>(broker.port()));
            consumers_.back()->consume(queue_, fair_prefetch);
            watch(*consumers_.back(), consumers_.size());
        }
    }
    ~fair_run() { close(epoll_); }
    fair_run(const fair_run&) = delete;
    fair_run& operator=(const fair_run&) = delete;

    /// Returns how many messages were published, confirmed, consumed and acked.
    std::uint64_t run(const amount& much) {
        const auto deadline = much.deadline(bench_clock::now());
        bool more = true;
        while (more || window_.outstanding() != 0 || consumed_ != window_.published()) {
            if (more) {
                publish(much.count_max());
                more = window_.published() < much.count_max() && bench_clock::now() < deadline;
            }
            wait();
        }
        for (const auto& consumer : consumers_) {
            consumer->barrier();
        }
        if (publisher_.queue_length(queue_) != 0) {
            throw std::runtime_error("the broker has messages left that nobody published");
        }
        return window_.published();
    }

private:
    void watch(const wire_client& client, std::uint64_t index) const {
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        wanted.data.u64 = index;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, client.socket(), &wanted);
    }

    void publish(std::uint64_t count_max) {
        const std::uint64_t left = count_max - window_.published();
        const std::uint64_t in_flight = window_.published() - consumed_;
        const std::uint64_t room =
            std::min({window_.room(), in_flight_max_ - std::min(in_flight_max_, in_flight), left});
        const std::uint64_t step = std::max<std::uint64_t>(in_flight_max_ / writes_per_window, 1);
        if (room == 0 || room < std::min(step, left)) {
            return;
        }
        for (std::uint64_t i = 0; i < room; ++i) {
            publisher_.add_octets(message_.view());
        }
        publisher_.flush();
        window_.publish(room);
    }

    void wait() {
        std::array<epoll_event, 64> ready{};
        const auto limit = std::chrono::milliseconds(stall_limit).count();
        const int count = epoll_wait(epoll_, ready.data(), ready.size(), static_cast<int>(limit));
        if (count == 0) {
            throw std::runtime_error("the broker neither delivers nor confirms");
        }
        for (int i = 0; i < count; ++i) {
            const std::uint64_t index = ready.at(static_cast<std::size_t>(i)).data.u64;
            if (index == 0) {
                take_confirms();
            } else {
                take_deliveries(*consumers_[index - 1]);
            }
        }
    }

    void take_confirms() {
        publisher_.receive(wire_client::wait::no);
        for (event found = publisher_.next(); found.kind != event_kind::none;
             found = publisher_.next()) {
            if (found.kind != event_kind::confirm || !window_.confirm(found.tag, found.multiple)) {
                throw std::runtime_error("the broker refused a message or confirmed it twice");
            }
        }
    }

    void take_deliveries(wire_client& consumer) {
        consumer.receive(wire_client::wait::no);
        bool any = false;
        for (event found = consumer.next(); found.kind != event_kind::none;
             found = consumer.next()) {
            if (found.kind == event_kind::deliver) {
                consumer.add_ack(found.tag, false);
                ++consumed_;
                any = true;
            }
        }
        if (any) {
            consumer.flush();
        }
        if (consumed_ > window_.published()) {
            throw std::runtime_error("the broker delivered more than was published");
        }
    }

    confirm_window window_;
    std::uint64_t in_flight_max_;
    std::uint64_t consumed_ = 0;
    wire_client publisher_;
    std::string queue_;
    int epoll_;
    byte_buffer message_;
    std::vector<std::unique_ptr<wire_client>> consumers_;
};

figures run_fair_work(
    const node& broker,
    std::uint32_t size,
    const options& given,
    const amount& much) {
    wire_client owner(broker.port());
    const std::string queue = unique_queue();
    owner.declare_queue(queue);
    figures result;
    {
        fair_run run(broker, queue, size, given);
        const broker_meter meter(broker);
        const auto start = bench_clock::now();
        const std::uint64_t total = run.run(much);
        const double seconds = seconds_between(start, bench_clock::now());
        result.push_back({"n", static_cast<double>(total)});
        result.push_back({"messages/s", static_cast<double>(total) / seconds});
        meter.add_to(result, total);
    }
    owner.delete_queue(queue);
    return result;
}

}  // namespace

workload fair_work(const options& given, std::uint32_t size) {
    return {
        "fair_work",
        "size=" + std::to_string(size) + " persistent window=" + std::to_string(given.window) +
            " consumers=" + std::to_string(given.consumers) + " prefetch=1 ack-batch=1",
        [given, size](node& broker, const amount& much) {
            return run_fair_work(broker, size, given, much);
        }};
}

}  // namespace lovage::bench
