// Accepts connections on one address, plain or TLS, and hands each over as a stream when its
// handshake is done. When the process's file descriptors are nearly used up, it turns clients away
// and waits instead of failing in a loop; some are left for the log.
#pragma once

#include "framework/net/stream.hpp"
#include "framework/net/tls.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace lovage::broker {

class listener {
public:
    using accepted = std::function<void(net::stream)>;

    /// Binds and listens; throws start_error with the address and what to do. `tls` may be null.
    listener(
        boost::asio::io_context& io,
        const std::string& address,
        std::uint16_t port,
        net::tls_context tls,
        accepted on_accepted);

    void start() { accept(); }
    void stop();
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    void accept();
    void hand_over(boost::asio::ip::tcp::socket socket);

    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    net::tls_context tls_;
    accepted on_accepted_;
    std::uint16_t port_ = 0;
    int descriptors_max_ = std::numeric_limits<int>::max();  ///< larger numbers are turned away
};

}  // namespace lovage::broker
