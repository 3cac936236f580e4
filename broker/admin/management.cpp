#include "broker/admin/management.hpp"

#include "broker/server/listener.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/evp.h>

#include <optional>
#include <utility>

namespace lovage::broker {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

constexpr std::size_t header_octets_max = 16 * 1024;
constexpr std::size_t body_octets_max = 64 * 1024;
constexpr std::chrono::seconds patience{30};

boost::json::object queue_json(const queue_status& queue) {
    return {
        {"name", queue.name},
        {"vhost", queue.vhost},
        {"type", "classic"},
        {"durable", queue.durable},
        {"exclusive", queue.exclusive},
        {"auto_delete", queue.auto_delete},
        {"messages", queue.ready + queue.unacked},
        {"messages_ready", queue.ready},
        {"messages_unacknowledged", queue.unacked},
        {"message_bytes_ready", queue.ready_octets},
        {"consumers", queue.consumers},
        {"state", "running"}};
}

boost::json::object exchange_json(const exchange_status& exchange) {
    boost::json::object shown{
        {"name", exchange.name},
        {"vhost", exchange.vhost},
        {"type", exchange.type},
        {"durable", exchange.durable},
        {"auto_delete", exchange.auto_delete},
        {"internal", exchange.internal}};
    if (exchange.delayed) {
        shown["messages_delayed"] = *exchange.delayed;
    }
    return shown;
}

std::string queues_json(const management_view& view, const std::optional<std::string>& vhost) {
    boost::json::array all;
    for (const auto& queue : view.queues) {
        if (!vhost || queue.vhost == *vhost) {
            all.push_back(queue_json(queue));
        }
    }
    return boost::json::serialize(all);
}

std::string exchanges_json(const management_view& view, const std::optional<std::string>& vhost) {
    boost::json::array all;
    for (const auto& exchange : view.exchanges) {
        if (!vhost || exchange.vhost == *vhost) {
            all.push_back(exchange_json(exchange));
        }
    }
    return boost::json::serialize(all);
}

std::string overview_json(const management_view& view) {
    std::size_t ready = 0;
    std::size_t unacked = 0;
    std::size_t consumers = 0;
    for (const auto& queue : view.queues) {
        ready += queue.ready;
        unacked += queue.unacked;
        consumers += queue.consumers;
    }
    std::size_t delayed = 0;
    for (const auto& exchange : view.exchanges) {
        delayed += exchange.delayed.value_or(0);
    }
    const boost::json::object overview{
        {"product_name", "lovage"},
        {"queue_totals",
         {{"messages", ready + unacked},
          {"messages_ready", ready},
          {"messages_unacknowledged", unacked},
          {"messages_delayed", delayed}}},
        {"object_totals",
         {{"connections", view.connections},
          {"exchanges", view.exchanges.size()},
          {"queues", view.queues.size()},
          {"consumers", consumers}}},
        {"lovage",
         {{"memory_octets", view.memory_octets},
          {"syncs", view.log_syncs},
          {"log_octets_written", view.log_octets_written},
          {"log_records", view.log_records},
          {"log_file_octets", view.log_file_octets},
          {"log_live_octets", view.log_live_octets}}}};
    return boost::json::serialize(overview);
}

std::optional<std::string> percent_decoded(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        const char low = static_cast<char>(c | 0x20);
        return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
    };
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
            return std::nullopt;
        }
        decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return decoded;
}

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

bool logged_in(const request& asked, bool from_here, const management::sources& from) {
    const std::string_view header = asked[http::field::authorization];
    constexpr std::string_view scheme = "Basic ";
    if (!header.starts_with(scheme)) {
        return false;
    }
    const auto pair = base64_decoded(header.substr(scheme.size()));
    if (!pair) {
        return false;
    }
    const std::size_t colon = pair->find(':');
    return colon != std::string::npos &&
           from.login(pair->substr(0, colon), pair->substr(colon + 1), from_here);
}

/// What a path like /api/queues or /api/queues/{vhost} asks for.
struct wanted_list {
    std::string (*write)(const management_view&, const std::optional<std::string>&) = nullptr;
    std::string_view vhost;  ///< percent-encoded; empty for all
};

std::optional<wanted_list> list_of(std::string_view path) {
    for (const auto& [prefix, write] :
         {std::pair{std::string_view("/api/queues"), &queues_json},
          std::pair{std::string_view("/api/exchanges"), &exchanges_json}}) {
        if (path == prefix) {
            return wanted_list{write, {}};
        }
        if (path.starts_with(prefix) && path[prefix.size()] == '/') {
            const std::string_view vhost = path.substr(prefix.size() + 1);
            if (!vhost.empty() && vhost.find('/') == std::string_view::npos) {
                return wanted_list{write, vhost};
            }
        }
    }
    return std::nullopt;
}

response answer(const request& asked, bool from_here, const management::sources& from) {
    response reply{http::status::ok, asked.version()};
    reply.set(http::field::content_type, "application/json");
    const auto fail = [&](http::status status, const char* error, const char* reason) {
        reply.result(status);
        reply.body() =
            boost::json::serialize(boost::json::object{{"error", error}, {"reason", reason}});
    };
    const std::string_view target = asked.target();
    const std::string_view path = target.substr(0, target.find('?'));
    if (!logged_in(asked, from_here, from)) {
        reply.set(http::field::www_authenticate, "Basic realm=\"lovage management\"");
        fail(http::status::unauthorized, "not_authorised", "Login failed");
    } else if (asked.method() != http::verb::get) {
        fail(http::status::method_not_allowed, "Method Not Allowed", "only GET is served here");
    } else if (path == "/api/overview") {
        reply.body() = overview_json(from.view());
    } else if (const auto list = list_of(path)) {
        const auto vhost = percent_decoded(list->vhost);
        if (!vhost) {
            fail(http::status::bad_request, "bad_request", "the path is not percent-encoded");
        } else {
            const bool all = list->vhost.empty();
            reply.body() = list->write(from.view(), all ? std::nullopt : vhost);
        }
    } else {
        fail(http::status::not_found, "Object Not Found", "Not Found");
    }
    reply.keep_alive(asked.keep_alive());
    reply.prepare_payload();
    return reply;
}

/// One client; keeps itself alive by its loop of reading and answering.
class http_session : public std::enable_shared_from_this<http_session> {
public:
    http_session(boost::asio::ip::tcp::socket socket, const management::sources& from)
        : stream_(std::move(socket)), from_(from) {
        error_code unknown;
        const auto peer = stream_.socket().remote_endpoint(unknown);
        from_here_ = !unknown && peer.address().is_loopback();
    }

    void read() {
        parser_.emplace();
        parser_->header_limit(header_octets_max);
        parser_->body_limit(body_octets_max);
        stream_.expires_after(patience);
        http::async_read(
            stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
                if (!error) {
                    self->write(answer(self->parser_->get(), self->from_here_, self->from_));
                }
            });
    }

private:
    void write(response reply) {
        reply_ = std::move(reply);
        http::async_write(
            stream_, reply_, [self = shared_from_this()](error_code error, std::size_t) {
                if (!error && self->reply_.keep_alive()) {
                    self->read();
                }
            });
    }

    boost::beast::tcp_stream stream_;
    management::sources from_;
    bool from_here_ = false;
    boost::beast::flat_buffer buffer_{header_octets_max + body_octets_max};
    std::optional<http::request_parser<http::string_body>> parser_;
    response reply_;
};

}  // namespace

management::management(
    boost::asio::io_context& io,
    const std::string& address,
    std::uint16_t port,
    sources from)
    : from_(std::move(from)),
      listener_(
          std::make_unique<listener>(io, address, port, nullptr, [this](net::stream accepted) {
              std::make_shared<http_session>(std::move(accepted.socket()), from_)->read();
          })) {}

management::~management() = default;

void management::start() {
    listener_->start();
}
void management::stop() {
    listener_->stop();
}
std::uint16_t management::port() const {
    return listener_->port();
}

}  // namespace lovage::broker
