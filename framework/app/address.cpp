#include "framework/app/address.hpp"

#include <lovage/broker_error.hpp>

#include <cstdlib>

namespace lovage {

std::string effective_url(const std::string& url) {
    if (!url.empty()) {
        return url;
    }
    const char* variable = std::getenv(broker_url_variable);
    return variable != nullptr && *variable != '\0' ? variable : broker_url_default;
}

net::uri parse_address(const std::string& url) {
    std::string problem;
    auto parsed = net::parse_uri(url, problem);
    if (!parsed) {
        throw broker_error(
            broker_errc::invalid_address,
            0,
            "the broker's address cannot be read: " + problem +
                "; it looks like amqp://user:password@host:5672/vhost");
    }
    return *std::move(parsed);
}

}  // namespace lovage
