#include "broker/server/listener.hpp"

#include "framework/base/log.hpp"

#include <lovage/broker.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <memory>
#include <sys/resource.h>

namespace lovage::broker {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds pause_when_out_of_files{200};
constexpr std::chrono::seconds tls_handshake_patience{10};
/// Of the process's limit, connections leave so many: the log must be able to open files.
constexpr int reserved_descriptors = 64;

[[noreturn]] void refuse(const std::string& where, const error_code& error) {
    std::string advice = "choose another address or port";
    if (error == boost::asio::error::address_in_use) {
        advice = "another program listens there: stop it or choose another port (--port)";
    } else if (error == boost::asio::error::access_denied) {
        advice = "ports below 1024 need rights: choose another port (--port)";
    }
    throw start_error("cannot listen on " + where + ": " + error.message() + "; " + advice);
}

}  // namespace

listener::listener(
    boost::asio::io_context& io,
    const std::string& address,
    std::uint16_t port,
    net::tls_context tls,
    accepted on_accepted)
    : acceptor_(io), pause_(io), tls_(std::move(tls)), on_accepted_(std::move(on_accepted)) {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 &&
        files.rlim_cur < static_cast<rlim_t>(descriptors_max_)) {
        descriptors_max_ = std::max(static_cast<int>(files.rlim_cur) - reserved_descriptors, 1);
    }
    const std::string where = address + ":" + std::to_string(port);
    error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error) {
        throw start_error(
            "cannot listen on " + where + ": '" + address +
            "' is no IP address; use e.g. --bind 127.0.0.1");
    }
    const tcp::endpoint endpoint{parsed, port};
    const auto check = [&] {
        if (error) {
            refuse(where, error);
        }
    };
    acceptor_.open(endpoint.protocol(), error);
    check();
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    check();
    acceptor_.bind(endpoint, error);
    check();
    acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    check();
    port_ = acceptor_.local_endpoint().port();
}

void listener::stop() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

void listener::accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
        if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) {
            return;
        }
        if (!error && socket.native_handle() < descriptors_max_) {
            hand_over(std::move(socket));
            accept();
            return;
        }
        if (!error) {
            error = boost::asio::error::no_descriptors;
        }
        // A client that gave up is no reason to wait; too many open files are.
        if (error == boost::asio::error::connection_aborted) {
            accept();
            return;
        }
        log_event(log_level::error, "accept_failed", {{"error", error.message()}});
        pause_.expires_after(pause_when_out_of_files);
        pause_.async_wait([this](error_code cancelled) {
            if (!cancelled) {
                accept();
            }
        });
    });
}

void listener::hand_over(tcp::socket socket) {
    if (tls_ == nullptr) {
        on_accepted_(net::stream{std::move(socket)});
        return;
    }
    struct pending {
        net::stream stream;
        boost::asio::steady_timer deadline;
    };
    const auto executor = socket.get_executor();
    auto waiting = std::make_shared<pending>(
        pending{net::stream{std::move(socket), tls_}, boost::asio::steady_timer{executor}});
    waiting->deadline.expires_after(tls_handshake_patience);
    waiting->deadline.async_wait([waiting](error_code cancelled) {
        if (!cancelled) {
            waiting->stream.close();
        }
    });
    waiting->stream.async_accept_handshake([this, waiting](error_code error) {
        waiting->deadline.cancel();
        if (error) {
            log_event(log_level::warning, "tls_handshake_failed", {{"error", error.message()}});
            return;
        }
        on_accepted_(std::move(waiting->stream));
    });
}

}  // namespace lovage::broker
