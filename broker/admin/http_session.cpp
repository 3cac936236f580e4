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
    std::shared_ptr<const api_routes> routes,
    std::shared_ptr<std::size_t> sessions)
    : sessions_(std::move(sessions)),
      stream_(std::move(socket)),
      broker_(broker),
      routes_(std::move(routes)),
      buffer_(header_octets_max + body_octets_max) {
    error_code unknown;
    const auto peer = stream_.socket().remote_endpoint(unknown);
    if (!unknown) {
        from_ = {peer.address().to_string(), peer.address().is_loopback()};
    }
    ++*sessions_;
}

http_session::~http_session() {
    --*sessions_;
}

void http_session::read() {
    parser_.emplace();
    parser_->header_limit(header_octets_max);
    parser_->body_limit(body_octets_max);
    stream_.expires_after(patience);
    http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) {
                self->log_in();
            }
        });
}

/// Before any body is taken in: who is nobody gets no memory.
void http_session::log_in() {
    if (!comes_from_no_web_page()) {
        write(
            api_error(
                http::status::forbidden,
                "forbidden",
                "Host must be an IP address or localhost, and Origin, if there is one, the same"),
            false);
        return;
    }
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
            if (who) {
                self->read_body(std::move(*who));
            } else {
                self->answer(std::nullopt);
            }
        });
}

/// A page from elsewhere whose name has come to mean this machine talks to us with its own name.
bool http_session::comes_from_no_web_page() const {
    const request& asked = parser_->get();
    const std::string_view host = asked[http::field::host];
    const std::string_view origin = asked[http::field::origin];
    if (!origin.empty() && origin != "http://" + std::string(host)) {
        return false;
    }
    std::string_view name = host.substr(0, host.rfind(':'));
    if (host.ends_with(']')) {
        name = host;
    }
    if (name.starts_with('[') && name.ends_with(']')) {
        name = name.substr(1, name.size() - 2);
    }
    error_code no_address;
    static_cast<void>(boost::asio::ip::make_address(std::string(name), no_address));
    return !from_.loopback || name.empty() || name == "localhost" || !no_address;
}

void http_session::read_body(api_caller who) {
    stream_.expires_after(patience);
    http::async_read(
        stream_,
        buffer_,
        *parser_,
        [self = shared_from_this(), who = std::move(who)](error_code error, std::size_t) {
            if (!error) {
                self->answer(who);
            }
        });
}

void http_session::answer(std::optional<api_caller> who) {
    const request& asked = parser_->get();
    const std::string_view target{asked.target().data(), asked.target().size()};
    const std::string_view reason = asked["X-Reason"];
    const bool known = who.has_value();
    routes_->answer(
        broker_,
        {asked.method(), target, asked.body(), reason},
        std::move(who),
        [self = shared_from_this(), known](api_reply reply) {
            self->write(std::move(reply), known);
        });
}

/// `body_read`: what follows on the connection is another request.
void http_session::write(api_reply reply, bool body_read) {
    const request& asked = parser_->get();
    reply_ = response{reply.status, asked.version()};
    reply_.set(http::field::content_type, "application/json");
    if (reply.status == http::status::unauthorized) {
        reply_.set(http::field::www_authenticate, "Basic realm=\"lovage management\"");
    }
    reply_.body() = std::move(reply.body);
    reply_.keep_alive(asked.keep_alive() && (body_read || parser_->is_done()));
    reply_.prepare_payload();
    stream_.expires_after(patience);
    http::async_write(stream_, reply_, [self = shared_from_this()](error_code error, std::size_t) {
        if (!error && self->reply_.keep_alive()) {
            self->read();
        }
    });
}

}  // namespace lovage::broker
