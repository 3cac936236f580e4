// One connected byte stream, TCP or TLS over TCP, behind one type: made by the client's connector
// (connector.hpp) or by the broker's acceptor, handed to a pump that reads and writes it.
// Move-only; all members on the socket's executor. Does not retry and does not buffer.
#pragma once

#include "framework/net/tls.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <string>

namespace lovage::net {

namespace asio = boost::asio;
using boost::system::error_code;

using io_handler = asio::any_completion_handler<void(error_code, std::size_t)>;
using status_handler = asio::any_completion_handler<void(error_code)>;

class stream {
public:
    /// A closed stream.
    explicit stream(const asio::any_io_executor& executor);
    /// Plain TCP over a connected socket. Sets TCP_NODELAY and non-blocking mode.
    explicit stream(asio::ip::tcp::socket socket);
    /// TLS over a connected socket; a handshake must come first. `context` is kept alive.
    stream(asio::ip::tcp::socket socket, tls_context context);
    ~stream();
    stream(stream&& other) noexcept;
    stream& operator=(stream&& other) noexcept;

    [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] asio::any_io_executor executor();
    [[nodiscard]] asio::ip::tcp::socket& socket();
    /// Address and port of the peer and of this side as text ("127.0.0.1:40312"); empty if closed.
    [[nodiscard]] std::string remote_address() const;
    [[nodiscard]] std::string local_address() const;

    /// TLS only. The server's side.
    void async_accept_handshake(status_handler handler);
    /// TLS only. The client's side: sends `host` as the server's name unless it is an address, and,
    /// when `verify`, requires a certificate for it.
    void async_connect_handshake(const std::string& host, bool verify, status_handler handler);

    /// At least one octet, or an error.
    void async_read_some(asio::mutable_buffer into, io_handler handler);
    /// All octets, or an error.
    void async_write(asio::const_buffer from, io_handler handler);
    /// Plain TCP only: waits until a read would not block.
    void async_wait_readable(status_handler handler);
    /// Plain TCP only: what can be done without waiting; would_block if nothing.
    std::size_t read_now(asio::mutable_buffer into, error_code& error);
    std::size_t write_now(asio::const_buffer from, error_code& error);

    /// Says goodbye: TLS close_notify if there is TLS, then the end of our octets (FIN).
    void async_shutdown(status_handler handler);
    /// Hard close. Handlers of operations under way get operation_aborted.
    void close();

private:
    struct tls_state;

    asio::ip::tcp::socket socket_;
    std::unique_ptr<tls_state> tls_;
};

}  // namespace lovage::net
