// sync_batches: publishers that each wait for the confirm of their last message before they send
// the next; how many records and octets of the log one sync then makes durable. All publishers are
// in one thread around epoll, each on its own connection. Nobody consumes.
#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <sys/epoll.h>
#include <unistd.h>
#include <vector>

namespace lovage::bench {
namespace {

class confirmed_one_by_one {
public:
    confirmed_one_by_one(
        const node& broker,
        octets queue,
        std::uint32_t size,
        std::size_t publishers)
        : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        encode_message(message_, {.queue = queue, .size = size});
        for (std::size_t i = 0; i < publishers; ++i) {
            clients_.push_back(std::make_unique<wire_client>(broker.port()));
            clients_.back()->select_confirms();
            epoll_event wanted{};
            wanted.events = EPOLLIN;
            wanted.data.u64 = i;
            epoll_ctl(epoll_, EPOLL_CTL_ADD, clients_.back()->socket(), &wanted);
        }
        sent_at_.resize(publishers);
    }
    ~confirmed_one_by_one() { close(epoll_); }
    confirmed_one_by_one(const confirmed_one_by_one&) = delete;
    confirmed_one_by_one& operator=(const confirmed_one_by_one&) = delete;

    /// Returns how many were published and confirmed.
    std::uint64_t run(const amount& much) {
        count_max_ = much.count_max();
        deadline_ = much.deadline(bench_clock::now());
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            publish(i);
        }
        while (confirmed_ != published_) {
            wait();
        }
        return published_;
    }
    std::vector<double> take_microseconds() { return std::move(microseconds_); }

private:
    void publish(std::size_t which) {
        const auto now = bench_clock::now();
        if (published_ < count_max_ && now < deadline_) {
            sent_at_[which] = now;
            ++published_;
            clients_[which]->send(message_.view());
        }
    }
    void wait() {
        std::array<epoll_event, 64> ready{};
        const auto limit = std::chrono::milliseconds(stall_limit).count();
        const int count = epoll_wait(epoll_, ready.data(), ready.size(), static_cast<int>(limit));
        if (count == 0) {
            throw std::runtime_error("the broker does not confirm");
        }
        for (int i = 0; i < count; ++i) {
            take_confirm(ready.at(static_cast<std::size_t>(i)).data.u64);
        }
    }
    void take_confirm(std::size_t which) {
        wire_client& client = *clients_[which];
        client.receive(wire_client::wait::no);
        for (event found = client.next(); found.kind != event_kind::none; found = client.next()) {
            if (found.kind != event_kind::confirm) {
                throw std::runtime_error("the broker refused a message");
            }
            ++confirmed_;
            if (microseconds_.size() < latencies_max) {
                microseconds_.push_back(seconds_between(sent_at_[which], bench_clock::now()) * 1e6);
            }
            publish(which);
        }
    }

    /// Kept for the percentiles: the first ones are enough.
    static constexpr std::size_t latencies_max = 1'000'000;

    int epoll_;
    byte_buffer message_;
    std::vector<std::unique_ptr<wire_client>> clients_;
    std::vector<bench_clock::time_point> sent_at_;
    std::vector<double> microseconds_;
    std::uint64_t count_max_ = 0;
    bench_clock::time_point deadline_;
    std::uint64_t published_ = 0;
    std::uint64_t confirmed_ = 0;
};

figures run_sync_batches(
    const node& broker,
    std::uint32_t size,
    std::size_t publishers,
    const amount& much) {
    const std::string queue = unique_queue();
    wire_client owner(broker.port());
    owner.declare_queue(queue);
    figures result;
    {
        confirmed_one_by_one run(broker, queue, size, publishers);
        const broker_meter meter(broker);
        const auto start = bench_clock::now();
        const std::uint64_t total = run.run(much);
        const double seconds = seconds_between(start, bench_clock::now());
        result.push_back({"n", static_cast<double>(total)});
        result.push_back({"messages/s", static_cast<double>(total) / seconds});
        if (const auto counted = meter.counted(); counted && counted->syncs > 0) {
            result.push_back({"records/sync", counted->records / counted->syncs});
            result.push_back({"octets/sync", counted->octets / counted->syncs});
        }
        meter.add_to(result, total);
        std::vector<double> microseconds = run.take_microseconds();
        add_percentiles(result, microseconds);
    }
    owner.delete_queue(queue);
    return result;
}

}  // namespace

workload sync_batches(const options&, std::uint32_t size, std::size_t publishers) {
    return {
        "sync_batches",
        "size=" + std::to_string(size) + " persistent, publishers=" + std::to_string(publishers) +
            " with one unconfirmed message each",
        [size, publishers](node& broker, const amount& much) {
            return run_sync_batches(broker, size, publishers, much);
        }};
}

}  // namespace lovage::bench
