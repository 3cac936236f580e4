// Asks the management API over a socket of its own for each request, as guest. Used by tests on any
// thread; reads until the broker closes.
#pragma once

#include "tests/broker/server/support.hpp"

#include <boost/json/parse.hpp>

#include <string>

namespace lovage::broker::test {

class http_client {
public:
    struct answer {
        int status = 0;  ///< 0 if it was no HTTP
        std::string body;

        [[nodiscard]] boost::json::value json() const { return boost::json::parse(body); }
        /// The member `reason` of an error.
        [[nodiscard]] std::string reason() const {
            return std::string(json().at("reason").as_string());
        }
    };

    explicit http_client(std::uint16_t port) : port_(port) {}

    [[nodiscard]] answer ask(
        const std::string& verb,
        const std::string& target,
        const std::string& body = "") const {
        std::string request = verb + " " + target +
                              " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                              "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";
        if (!body.empty()) {
            request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        }
        const raw_socket socket{port_};
        socket.send(request + "\r\n" + body);
        const std::string text = socket.receive_all();
        const std::size_t end = text.find("\r\n\r\n");
        if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) {
            return {};
        }
        return {std::stoi(text.substr(9, 3)), text.substr(end + 4)};
    }
    [[nodiscard]] boost::json::value get(const std::string& target) const {
        return ask("GET", target).json();
    }
    [[nodiscard]] int put(const std::string& target, const std::string& body = "") const {
        return ask("PUT", target, body).status;
    }
    [[nodiscard]] int erase(const std::string& target) const {
        return ask("DELETE", target).status;
    }

private:
    std::uint16_t port_;
};

}  // namespace lovage::broker::test
