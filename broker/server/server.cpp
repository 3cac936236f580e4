#include "broker/server/node.hpp"

#include <lovage/broker.hpp>

#include <string_view>
#include <thread>
#include <utility>

namespace lovage::broker {
namespace {

/// Names and passwords may hold what has a meaning in an address.
std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string encoded;
    for (const char c : text) {
        if (plain.find(c) != std::string_view::npos) {
            encoded += c;
        } else {
            const auto code = static_cast<unsigned char>(c);
            encoded += {'%', digits[code >> 4U], digits[code & 15U]};
        }
    }
    return encoded;
}

}  // namespace

class server::implementation {
public:
    explicit implementation(server_options wanted) : options(std::move(wanted)) {}

    server_options options;
    std::unique_ptr<node> running;
    std::thread thread;
    std::uint16_t port = 0;
    std::uint16_t tls_port = 0;
    std::uint16_t management_port = 0;
    bool stopped = false;
};

server::server(server_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

server::~server() {
    stop();
}

void server::start() {
    auto& self = *implementation_;
    if (self.running) {
        return;
    }
    if (self.stopped) {
        throw start_error("this broker was stopped; make another lovage::broker::server");
    }
    self.running = std::make_unique<node>(self.options);
    self.port = self.running->port();
    self.tls_port = self.running->tls_port();
    self.management_port = self.running->management_port();
    self.thread = std::thread([running = self.running.get()] { running->run(); });
}

void server::stop() {
    auto& self = *implementation_;
    self.stopped = true;
    if (!self.running) {
        return;
    }
    self.running->stop();
    self.thread.join();
    self.running.reset();
}

std::uint16_t server::port() const {
    return implementation_->port;
}
std::uint16_t server::tls_port() const {
    return implementation_->tls_port;
}
std::uint16_t server::management_port() const {
    return implementation_->management_port;
}

std::string server::url() const {
    const auto& options = implementation_->options;
    const bool everywhere = options.bind == "0.0.0.0" || options.bind == "::";
    std::string host = everywhere ? "127.0.0.1" : options.bind;
    if (host.find(':') != std::string::npos) {
        host = "[" + host + "]";
    }
    std::string login;
    if (!options.users.empty()) {
        const auto& first = options.users.front();
        login = percent_encoded(first.name) + ":" + percent_encoded(first.password) + "@";
    }
    return "amqp://" + login + host + ":" + std::to_string(port()) + "//";
}

}  // namespace lovage::broker
