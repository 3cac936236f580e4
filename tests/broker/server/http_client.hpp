// HTTP requests to the management API over a plain socket, one connection each, so that wrong ones
// can be sent as well. For tests, on their thread.
#pragma once

#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lovage::broker::test {

/// guest:guest in base64.
inline constexpr const char* guest_login = "Z3Vlc3Q6Z3Vlc3Q=";
/// For HTTP basic authentication.
[[nodiscard]] std::string base64_login(const std::string& user, const std::string& password);

struct http_question {
    std::string verb = "GET";
    std::string target;
    std::string login = guest_login;  ///< empty: none is sent
    std::string body{};
    std::string headers{};  ///< further ones, each with its end of line
};
struct http_answer {
    int status = 0;
    std::string head;
    std::string body;

    [[nodiscard]] boost::json::value json() const;
    /// The member `reason` of an error.
    [[nodiscard]] std::string reason() const;
};

/// Sends `octets` and reads until the broker closes.
[[nodiscard]] std::string http_exchange(std::uint16_t port, std::string_view octets);
http_answer http_ask(std::uint16_t port, const http_question& what);

/// The same as guest, for tests that want little more than the answers.
class http_client {
public:
    explicit http_client(std::uint16_t port) : port_(port) {}

    [[nodiscard]] http_answer ask(
        const std::string& verb,
        const std::string& target,
        const std::string& body = "") const {
        return http_ask(port_, {.verb = verb, .target = target, .body = body});
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
