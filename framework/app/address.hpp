// Which broker a program means: the address it names, or LOVAGE_BROKER_URL, or the local default.
// Used where programs begin; reads the environment.
#pragma once

#include "framework/net/uri.hpp"

#include <string>

namespace lovage {

inline constexpr const char* broker_url_variable = "LOVAGE_BROKER_URL";
inline constexpr const char* broker_url_default = "amqp://guest:guest@127.0.0.1:5672//";

/// `url` if it is not empty, else the variable, else the default.
[[nodiscard]] std::string effective_url(const std::string& url);
/// Throws broker_error (invalid_address) whose text never has the password.
[[nodiscard]] net::uri parse_address(const std::string& url);

}  // namespace lovage
