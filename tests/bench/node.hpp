// A broker that a benchmark starts, measures and ends: ours, or a RabbitMQ node that shares nothing
// with one the machine may run (own port mapper, cookie, folders, ports, no plugins). Both keep
// their data below the same root, so that they sync to the same disk.
// Main thread only; figures may be read from any thread while nothing restarts the node.
#pragma once

#include "tests/bench/options.hpp"
#include "tests/bench/process.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lovage::bench {

/// What a broker counts of its own disk, since its start.
struct disk_counters {
    double syncs = 0;    ///< fdatasync and fsync calls
    double records = 0;  ///< written to its log
    double octets = 0;   ///< of these, and of whatever else it writes
};

class node {
public:
    node() = default;
    virtual ~node() = default;
    node(const node&) = delete;
    node& operator=(const node&) = delete;

    /// Starts it, again after kill() with the same data. Returns when it takes connections; the
    /// result is the time that took in milliseconds.
    virtual double start() = 0;
    /// kill -9 of the broker.
    virtual void kill() = 0;

    [[nodiscard]] virtual std::uint16_t port() const = 0;
    /// The process that does the work.
    [[nodiscard]] virtual pid_t pid() const = 0;
    /// Nothing if the broker does not count.
    [[nodiscard]] virtual std::optional<disk_counters> counters() const { return std::nullopt; }

    /// Product and version; known after start().
    [[nodiscard]] const std::string& product() const { return product_; }
    [[nodiscard]] std::string url() const {
        return "amqp://guest:guest@127.0.0.1:" + std::to_string(port()) + "//";
    }
    /// Waits until it has stopped working on what came before, at most some seconds.
    void settle() const;

protected:
    std::string product_;
};

[[nodiscard]] std::unique_ptr<node> make_lovage_node(const options& given);
/// Throws std::runtime_error when RabbitMQ is not installed.
[[nodiscard]] std::unique_ptr<node> make_rabbit_node(const options& given);

}  // namespace lovage::bench
