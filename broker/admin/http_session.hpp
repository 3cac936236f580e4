// One client of the management API: reads requests with bounded headers and bodies, finds out who
// asks, and writes what the routes lead to. Keeps itself alive by its loop of reading and
// answering. On the node's thread.
#pragma once

#include "broker/admin/api_routes.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <memory>
#include <optional>

namespace lovage::broker {

class http_session : public std::enable_shared_from_this<http_session> {
public:
    /// Sessions at a time; the management closes further connections at once.
    static constexpr std::size_t sessions_max = 1024;

    /// `broker` must outlive all handlers of the socket's io_context. `sessions` counts those that
    /// there are.
    http_session(
        boost::asio::ip::tcp::socket socket,
        management_backend& broker,
        std::shared_ptr<const api_routes> routes,
        std::shared_ptr<std::size_t> sessions);
    ~http_session();
    http_session(const http_session&) = delete;
    http_session& operator=(const http_session&) = delete;

    void read();

private:
    using request = boost::beast::http::request<boost::beast::http::string_body>;
    using response = boost::beast::http::response<boost::beast::http::string_body>;

    void log_in();
    [[nodiscard]] bool comes_from_no_web_page() const;
    void read_body(api_caller who);
    void answer(std::optional<api_caller> who);
    void write(api_reply reply, bool body_read);

    std::shared_ptr<std::size_t> sessions_;
    boost::beast::tcp_stream stream_;
    management_backend& broker_;
    std::shared_ptr<const api_routes> routes_;
    api_client from_;
    boost::beast::flat_buffer buffer_;
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
    response reply_;
};

}  // namespace lovage::broker
