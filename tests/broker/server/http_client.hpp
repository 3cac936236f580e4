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
};
struct http_answer {
    int status = 0;
    std::string head;
    std::string body;

    [[nodiscard]] boost::json::value json() const;
};

/// Sends `octets` and reads until the broker closes.
[[nodiscard]] std::string http_exchange(std::uint16_t port, std::string_view octets);
http_answer http_ask(std::uint16_t port, const http_question& what);

}  // namespace lovage::broker::test
