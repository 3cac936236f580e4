// The management HTTP API: JSON in RabbitMQ's paths and names, HTTP basic authentication with the
// broker's users. Listens and starts a session for each client; what is served is in the files of
// resources.hpp. On the node's thread.
#pragma once

#include "broker/admin/backend.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace lovage::broker {

class listener;

class management {
public:
    /// Listens; throws start_error. `broker` must outlive it and all handlers of `io`.
    management(
        boost::asio::io_context& io,
        const std::string& address,
        std::uint16_t port,
        management_backend& broker);
    ~management();

    void start();
    void stop();
    [[nodiscard]] std::uint16_t port() const;

private:
    std::unique_ptr<listener> listener_;
};

}  // namespace lovage::broker
