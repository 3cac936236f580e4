#include "tests/broker/server/http_client.hpp"

#include "tests/broker/server/support.hpp"

#include <boost/json/parse.hpp>
#include <openssl/evp.h>

namespace lovage::broker::test {

std::string base64_login(const std::string& user, const std::string& password) {
    const std::string both = user + ":" + password;
    std::string text((both.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(both.data()),
        static_cast<int>(both.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

boost::json::value http_answer::json() const {
    return boost::json::parse(body);
}

std::string http_exchange(std::uint16_t port, std::string_view octets) {
    const raw_socket socket{port};
    socket.send(octets);
    return socket.receive_all();
}

http_answer http_ask(std::uint16_t port, const http_question& what) {
    std::string request = what.verb + " " + what.target + " HTTP/1.1\r\nHost: localhost\r\n";
    if (!what.login.empty()) {
        request += "Authorization: Basic " + what.login + "\r\n";
    }
    if (!what.body.empty()) {
        request += "Content-Length: " + std::to_string(what.body.size()) + "\r\n";
    }
    request += what.headers;
    const std::string text = http_exchange(port, request + "Connection: close\r\n\r\n" + what.body);
    http_answer answer;
    const std::size_t end = text.find("\r\n\r\n");
    if (text.starts_with("HTTP/1.1 ") && end != std::string::npos) {
        answer.status = std::stoi(text.substr(9, 3));
        answer.head = text.substr(0, end);
        answer.body = text.substr(end + 4);
    }
    return answer;
}

std::string http_answer::reason() const {
    return std::string(json().at("reason").as_string());
}

}  // namespace lovage::broker::test
