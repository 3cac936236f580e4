// The management HTTP API as far as it goes: GET /api/overview, GET /api/queues[/{vhost}],
// GET /api/exchanges[/{vhost}], JSON in RabbitMQ's names, HTTP basic authentication with the
// broker's users. On the node's thread; asks the node for a view of its state, changes nothing.
#pragma once

#include "broker/core/engine.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lovage::broker {

/// What the API shows, as of one moment.
struct management_view {
    std::vector<queue_status> queues;
    std::vector<exchange_status> exchanges;
    std::size_t connections = 0;
    std::uint64_t memory_octets = 0;
    std::uint64_t log_syncs = 0;
    std::uint64_t log_octets_written = 0;
    std::uint64_t log_records = 0;
    std::uint64_t log_file_octets = 0;
    std::uint64_t log_live_octets = 0;
};

class listener;

class management {
public:
    struct sources {
        std::function<management_view()> view;
        /// `from_here`: the client is on this machine.
        std::function<bool(const std::string& user, const std::string& password, bool from_here)>
            login;
    };

    /// Listens; throws start_error.
    management(
        boost::asio::io_context& io,
        const std::string& address,
        std::uint16_t port,
        sources from);
    ~management();

    void start();
    void stop();
    [[nodiscard]] std::uint16_t port() const;

private:
    sources from_;
    std::unique_ptr<listener> listener_;
};

}  // namespace lovage::broker
