#include "broker/admin/http_session.hpp"

#include <openssl/evp.h>

#include <utility>

namespace lovage::broker {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t header_octets_max = 16 * 1024;
constexpr std::size_t body_octets_max = 64 * 1024;
constexpr std::chrono::seconds patience{30};

std::optional<std::string> base64_decoded(std::string_view text) {
    std::string decoded(text.size() / 4 * 3 + 3, '\0');
    const int size = EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(decoded.data()),
        reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size()));
    if (size < 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
    decoded.resize(static_cast<std::size_t>(size) - padding);
    return decoded;
}

/// Name and password of HTTP basic authentication.
std::optional<std::pair<std::string, std::string>> read_login(std::string_view header) {
    constexpr std::string_view scheme = "Basic ";
    if (!header.starts_with(scheme)) {
        return std::nullopt;
    }
    const auto pair = base64_decoded(header.substr(scheme.size()));
    const std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) {
        return std::nullopt;
    }
    return std::pair{pair->substr(0, colon), pair->substr(colon + 1)};
}

}  // namespace

http_session::http_session(
    boost::asio::ip::tcp::socket socket,
    management_backend& broker,
    std::shared_ptr<const api_routes> routes)
    : stream_(std::move(socket)),
      broker_(broker),
      routes_(std::move(routes)),
      buffer_(header_octets_max + body_octets_max) {
    error_code unknown;
    const auto peer = stream_.socket().remote_endpoint(unknown);
    if (!unknown) {
        from_ = {peer.address().to_string(), peer.address().is_loopback()};
    }
}

void http_session::read() {
    parser_.emplace();
    parser_->header_limit(header_octets_max);
    parser_->body_limit(body_octets_max);
    stream_.expires_after(patience);
    http::async_read(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) {
                self->log_in();
            }
        });
}

void http_session::log_in() {
    const auto login = read_login(parser_->get()[http::field::authorization]);
    if (!login) {
        answer(std::nullopt);
        return;
    }
    broker_.log_in(
        login->first,
        login->second,
        from_,
        [self = shared_from_this()](std::optional<api_caller> who) {
            self->answer(std::move(who));
        });
}

void http_session::answer(std::optional<api_caller> who) {
    const request& asked = parser_->get();
    const std::string_view target{asked.target().data(), asked.target().size()};
    const std::string_view reason = asked["X-Reason"];
    routes_->answer(
        broker_,
        {asked.method(), target, asked.body(), reason},
        std::move(who),
        [self = shared_from_this()](api_reply reply) { self->write(std::move(reply)); });
}

void http_session::write(api_reply reply) {
    const request& asked = parser_->get();
    reply_ = response{reply.status, asked.version()};
    reply_.set(http::field::content_type, "application/json");
    if (reply.status == http::status::unauthorized) {
        reply_.set(http::field::www_authenticate, "Basic realm=\"lovage management\"");
    }
    reply_.body() = std::move(reply.body);
    reply_.keep_alive(asked.keep_alive());
    reply_.prepare_payload();
    stream_.expires_after(patience);
    http::async_write(stream_, reply_, [self = shared_from_this()](error_code error, std::size_t) {
        if (!error && self->reply_.keep_alive()) {
            self->read();
        }
    });
}

}  // namespace lovage::broker
