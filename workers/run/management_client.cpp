#include "workers/run/management_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <charconv>
#include <chrono>

namespace lovage::workers {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds patience{10};
/// Longest answer; a broker with 100,000 queues stays below.
constexpr std::uint64_t answer_octets_max = 256U << 20U;

std::string basic_authorization(const management_address& where) {
    const std::string plain = where.user + ":" + where.password;
    std::string coded(beast::detail::base64::encoded_size(plain.size()), '\0');
    coded.resize(beast::detail::base64::encode(coded.data(), plain.data(), plain.size()));
    return "Basic " + coded;
}

/// Connect, write, read; stops at the first error, `step` says where.
class get_request {
public:
    get_request(const management_address& where, const std::string& path)
        : stream_(io_), resolver_(io_), request_(http::verb::get, path, 11) {
        request_.set(http::field::host, where.host);
        request_.set(http::field::authorization, basic_authorization(where));
        request_.set(http::field::connection, "close");
        parser_.body_limit(answer_octets_max);
    }

    error_code run(const management_address& where) {
        const auto found = resolver_.resolve(where.host, std::to_string(where.port), error_);
        if (error_) {
            return error_;
        }
        stream_.expires_after(patience);
        stream_.async_connect(found, [this](error_code error, const auto&) {
            if (!failed(error)) {
                write();
            }
        });
        io_.run();
        return error_;
    }

    [[nodiscard]] const http::response<http::string_body>& response() const {
        return parser_.get();
    }

private:
    bool failed(error_code error) {
        error_ = error;
        return error.failed();
    }
    void write() {
        http::async_write(stream_, request_, [this](error_code error, std::size_t) {
            if (!failed(error)) {
                read();
            }
        });
    }
    void read() {
        http::async_read(
            stream_, buffer_, parser_, [this](error_code error, std::size_t) { failed(error); });
    }

    asio::io_context io_{1};
    beast::tcp_stream stream_;
    asio::ip::tcp::resolver resolver_;
    http::request<http::string_body> request_;
    http::response_parser<http::string_body> parser_;
    beast::flat_buffer buffer_;
    error_code error_;
};

}  // namespace

bool parse_management_url(std::string_view text, management_address& out, std::string& problem) {
    constexpr std::string_view scheme = "http://";
    if (!text.starts_with(scheme)) {
        problem = "it must begin with http://";
        return false;
    }
    text.remove_prefix(scheme.size());
    text = text.substr(0, text.find('/'));
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = text.substr(0, at);
        text.remove_prefix(at + 1);
        const std::size_t colon = login.find(':');
        out.user = login.substr(0, colon);
        out.password = colon == std::string_view::npos ? "" : login.substr(colon + 1);
    }
    const std::size_t bracket = text.rfind(']');
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        const std::string_view port = text.substr(colon + 1);
        const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (code != std::errc{} || end != port.data() + port.size() || out.port == 0) {
            problem = "the port is not a number from 1 to 65535";
            return false;
        }
        text = text.substr(0, colon);
    }
    if (text.starts_with('[') && text.ends_with(']')) {
        text = text.substr(1, text.size() - 2);
    }
    if (text.empty()) {
        problem = "it names no host";
        return false;
    }
    out.host = text;
    return true;
}

std::optional<std::string> management_get(
    const management_address& where,
    const std::string& path,
    std::string& problem) {
    const std::string place = where.host + ":" + std::to_string(where.port);
    get_request request(where, path);
    if (const error_code error = request.run(where)) {
        problem = "no answer from the management API at " + place + ": " + error.message() +
                  " (give its address with --management-url or LOVAGE_MANAGEMENT_URL)";
        return std::nullopt;
    }
    const auto& response = request.response();
    if (response.result() == http::status::unauthorized) {
        problem =
            "the management API at " + place + " does not accept user or password of " + where.user;
        return std::nullopt;
    }
    if (response.result() != http::status::ok) {
        problem = "the management API at " + place + " answered " +
                  std::to_string(response.result_int()) + " to " + path;
        return std::nullopt;
    }
    return response.body();
}

}  // namespace lovage::workers
