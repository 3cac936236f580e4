#include "framework/net/stream.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace lovage::net {

using asio::ip::tcp;

struct stream::tls_state {
    tls_state(tcp::socket socket, tls_context shared)
        : context(std::move(shared)), ssl(std::move(socket), *context) {}

    tls_context context;
    asio::ssl::stream<tcp::socket> ssl;
};

namespace {

void prepare_socket(tcp::socket& socket) {
    // Frames are small and answers are awaited: Nagle's delay would add 40 ms to a request. Where
    // an option cannot be set the connection still works.
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
}

std::string text_of(const tcp::endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    const std::string host = endpoint.address().is_v6() ? "[" + address + "]" : address;
    return host + ":" + std::to_string(endpoint.port());
}

}  // namespace

stream::stream(const asio::any_io_executor& executor) : socket_(executor) {}

stream::stream(tcp::socket socket) : socket_(std::move(socket)) {
    prepare_socket(socket_);
}

stream::stream(tcp::socket socket, tls_context context) : socket_(socket.get_executor()) {
    prepare_socket(socket);
    tls_ = std::make_unique<tls_state>(std::move(socket), std::move(context));
}

stream::~stream() = default;
stream::stream(stream&& other) noexcept = default;
stream& stream::operator=(stream&& other) noexcept = default;

tcp::socket& stream::socket() {
    return tls_ ? tls_->ssl.next_layer() : socket_;
}

bool stream::is_open() const {
    return tls_ ? tls_->ssl.next_layer().is_open() : socket_.is_open();
}

asio::any_io_executor stream::executor() {
    return socket().get_executor();
}

std::string stream::remote_address() const {
    error_code error;
    const auto& from = tls_ ? tls_->ssl.next_layer() : socket_;
    const auto endpoint = from.remote_endpoint(error);
    return error ? std::string() : text_of(endpoint);
}

std::string stream::local_address() const {
    error_code error;
    const auto& from = tls_ ? tls_->ssl.next_layer() : socket_;
    const auto endpoint = from.local_endpoint(error);
    return error ? std::string() : text_of(endpoint);
}

void stream::async_accept_handshake(status_handler handler) {
    tls_->ssl.async_handshake(asio::ssl::stream_base::server, std::move(handler));
}

void stream::async_connect_handshake(const std::string& host, bool verify, status_handler handler) {
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (not_an_address) {
        // The macro of OpenSSL casts its argument in the old style; this is what it expands to.
        ::SSL_ctrl(
            tls_->ssl.native_handle(),
            SSL_CTRL_SET_TLSEXT_HOSTNAME,
            TLSEXT_NAMETYPE_host_name,
            const_cast<char*>(host.c_str()));
    }
    error_code error;
    if (verify) {
        tls_->ssl.set_verify_callback(asio::ssl::host_name_verification(host), error);
    }
    if (error) {
        asio::post(executor(), [handler = std::move(handler), error]() mutable {
            std::move(handler)(error);
        });
        return;
    }
    tls_->ssl.async_handshake(asio::ssl::stream_base::client, std::move(handler));
}

void stream::async_read_some(asio::mutable_buffer into, io_handler handler) {
    if (tls_) {
        tls_->ssl.async_read_some(into, std::move(handler));
    } else {
        socket_.async_read_some(into, std::move(handler));
    }
}

void stream::async_write(asio::const_buffer from, io_handler handler) {
    if (tls_) {
        asio::async_write(tls_->ssl, from, std::move(handler));
    } else {
        asio::async_write(socket_, from, std::move(handler));
    }
}

void stream::async_wait_readable(status_handler handler) {
    socket().async_wait(tcp::socket::wait_read, std::move(handler));
}

std::size_t stream::read_now(asio::mutable_buffer into, error_code& error) {
    return socket_.read_some(into, error);
}

std::size_t stream::write_now(asio::const_buffer from, error_code& error) {
    return socket_.write_some(from, error);
}

void stream::async_shutdown(status_handler handler) {
    if (tls_) {
        tls_->ssl.async_shutdown(std::move(handler));
        return;
    }
    error_code error;
    socket_.shutdown(tcp::socket::shutdown_send, error);
    asio::post(
        executor(), [handler = std::move(handler), error]() mutable { std::move(handler)(error); });
}

void stream::close() {
    error_code ignored;
    socket().close(ignored);
}

}  // namespace lovage::net
