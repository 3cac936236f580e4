// The command line of lovage_bench and the limits and defaults of all workloads, in one place.
// Read once by main; workloads take what they need as arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lovage::bench {

/// A broker or client that does not get on in this time fails the run.
inline constexpr std::chrono::seconds stall_limit{30};
inline constexpr std::chrono::seconds start_limit{300};  // with a long backlog, too
inline constexpr std::chrono::seconds stop_limit{15};

struct options {
    std::vector<std::string> workloads;
    std::string against;     ///< "", "rabbitmq" or "celery"
    bool only_peer = false;  ///< measure the peer alone
    int runs = 3;
    double seconds = 3;                 ///< how long a run publishes, unless `count` says how much
    std::uint64_t count = 0;            ///< messages of a run; 0: by time
    std::optional<std::uint32_t> size;  ///< body octets; 100 if not given
    std::uint64_t window = 1000;        ///< unconfirmed messages
    std::uint16_t prefetch = 1000;
    std::uint64_t ack_batch = 100;     ///< deliveries that one ack with `multiple` settles
    int consumers = 4;                 ///< of fair_work
    std::uint64_t rate = 1000;         ///< messages a second of latency and churn
    bool consume = true;               ///< latency: a consumer takes the messages away
    std::uint64_t backlog = 0;         ///< publish_confirm: messages queued before a consumer comes
    bool kill = false;                 ///< backlog: kill -9 and start again before draining
    std::uint64_t connections = 1000;  ///< of idle and many_connections
    std::uint64_t queues = 1000;       ///< of many_queues
    std::uint64_t outstanding = 0;     ///< tasks without a result; 0: each side's own default
    std::vector<std::string> worker;   ///< tasks: further arguments of our worker
    std::string bin_dir;               ///< where lovage-broker and demo_tasks are
    std::string source_dir;            ///< where the Python programs of the Celery side are
    std::string data_root;             ///< temporary data folders are made here
    std::string python = "/usr/bin/python3";
    bool json = false;
};

/// The names that `workloads` may contain, in the order in which `all` runs them.
[[nodiscard]] const std::vector<std::string>& workload_names();

/// Throws std::runtime_error with one line for a wrong command line. Nothing after --help, which it
/// prints.
[[nodiscard]] std::optional<options> read_options(int argc, const char* const* argv);

}  // namespace lovage::bench
