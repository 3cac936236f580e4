// many_connections: each connection publishes a persistent message to a queue of its own, takes and
// acks it, and begins again when it has also been confirmed. All of them in one thread around
// epoll: it is the broker that has to serve many sockets of which each has little to say.
#include "tests/bench/wire_client.hpp"
#include "tests/bench/workload.hpp"

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <sys/epoll.h>
#include <unistd.h>
#include <vector>

namespace lovage::bench {
namespace {

constexpr std::uint16_t own_prefetch = 1;

/// One connection and its queue.
struct member {
    member(const node& broker, std::uint32_t size) : client(broker.port()), queue(unique_queue()) {
        client.declare_queue(queue);
        client.consume(queue, own_prefetch);
        client.select_confirms();
        encode_message(message, {.queue = queue, .size = size});
    }

    wire_client client;
    std::string queue;
    byte_buffer message;
    int missing = 0;  ///< of a round: the delivery and the confirm
};

class crowd {
public:
    crowd(const node& broker, std::uint32_t size, std::uint64_t count)
        : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        for (std::uint64_t i = 0; i < count; ++i) {
            members_.push_back(std::make_unique<member>(broker, size));
            epoll_event wanted{};
            wanted.events = EPOLLIN;
            wanted.data.u64 = i;
            epoll_ctl(epoll_, EPOLL_CTL_ADD, members_.back()->client.socket(), &wanted);
        }
    }
    ~crowd() { close(epoll_); }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;

    /// Returns how many messages were published, confirmed, consumed and acked.
    std::uint64_t run(const amount& much) {
        const auto deadline = much.deadline(bench_clock::now());
        more_ = [&much, deadline, this] {
            return published_ < much.count_max() && bench_clock::now() < deadline;
        };
        for (const auto& each : members_) {
            begin_round(*each);
            each->client.flush();
        }
        while (active_ != 0) {
            wait();
        }
        return published_;
    }
    /// Throws unless the queues are empty, and deletes them.
    void end() {
        for (const auto& each : members_) {
            if (each->client.queue_length(each->queue) != 0) {
                throw std::runtime_error("the broker has messages left that nobody published");
            }
            each->client.delete_queue(each->queue);
        }
    }

private:
    void begin_round(member& who) {
        if (!more_()) {
            return;
        }
        who.client.add_octets(who.message.view());
        who.missing = 2;
        ++published_;
        ++active_;
    }

    void wait() {
        std::array<epoll_event, 256> ready{};
        const auto limit = std::chrono::milliseconds(stall_limit).count();
        const int count = epoll_wait(epoll_, ready.data(), ready.size(), static_cast<int>(limit));
        if (count == 0) {
            throw std::runtime_error("the broker neither delivers nor confirms");
        }
        for (int i = 0; i < count; ++i) {
            take_events(*members_[ready.at(static_cast<std::size_t>(i)).data.u64]);
        }
    }

    void take_events(member& who) {
        who.client.receive(wire_client::wait::no);
        for (event found = who.client.next(); found.kind != event_kind::none;
             found = who.client.next()) {
            if (found.kind != event_kind::deliver && found.kind != event_kind::confirm) {
                throw std::runtime_error("the broker refused a message");
            }
            if (found.kind == event_kind::deliver) {
                who.client.add_ack(found.tag, false);
            }
            if (--who.missing < 0) {
                throw std::runtime_error("the broker delivered or confirmed a message twice");
            }
        }
        if (who.missing == 0) {
            --active_;
            begin_round(who);
        }
        who.client.flush();
    }

    std::vector<std::unique_ptr<member>> members_;
    std::function<bool()> more_;
    std::uint64_t published_ = 0;
    std::uint64_t active_ = 0;  // members in a round
    int epoll_;
};

figures run_crowd(
    const node& broker,
    std::uint32_t size,
    std::uint64_t connections,
    const amount& much) {
    crowd all(broker, size, connections);
    const broker_meter meter(broker);
    const auto start = bench_clock::now();
    const std::uint64_t total = all.run(much);
    const double seconds = seconds_between(start, bench_clock::now());
    all.end();
    figures result{{"n", static_cast<double>(total)}};
    result.push_back({"messages/s", static_cast<double>(total) / seconds});
    meter.add_to(result, total);
    return result;
}

}  // namespace

workload many_connections(const options& given, std::uint32_t size) {
    return {
        "many_connections",
        "connections=" + std::to_string(given.connections) + " size=" + std::to_string(size) +
            " persistent window=1 prefetch=1 ack-batch=1",
        [given, size](node& broker, const amount& much) {
            return run_crowd(broker, size, given.connections, much);
        }};
}

}  // namespace lovage::bench
