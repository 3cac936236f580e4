// The router of headers exchanges (rows 143 to 148 of RabbitMQ's behaviour): a binding's arguments
// are what a message's headers must have, all of them or any, as argument x-match says.
// A message costs time in proportion to the arguments of all bindings, as in RabbitMQ.
#pragma once

#include "broker/core/fault.hpp"
#include "broker/core/router.hpp"

#include <string>

namespace lovage::broker {

/// Refuses a wrong x-match in RabbitMQ's words.
[[nodiscard]] fault check_headers_binding(const amqp::table& arguments);

/// Is the header what the binding wants? Integers are equal across their widths and to doubles,
/// text to octets; a void is equal to everything.
[[nodiscard]] bool header_matches(const amqp::field_value& wanted, const amqp::field_value& there);

class headers_router final : public router {
public:
    void add(const binding& what) override;
    void remove(const binding& what) override;
    void match(octets key, message_headers& headers, std::vector<route_target*>& into) override;

private:
    /// Bindings with the same target and arguments, whatever their keys.
    struct rule {
        route_target* target = nullptr;
        std::string arguments;  ///< encoded: the rule's identity
        std::uint32_t count = 0;
        bool all = true;
        std::vector<amqp::table::entry> wanted;  ///< by name
    };
    static bool holds(const rule& what, const std::vector<amqp::table::entry>& headers);
    std::vector<rule>::iterator find(const binding& what);

    std::vector<rule> rules_;
};

}  // namespace lovage::broker
