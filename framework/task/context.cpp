#include "framework/amqp/table.hpp"
#include "framework/task/header_values.hpp"

#include <lovage/context.hpp>

namespace lovage {

std::optional<boost::json::value> context::header(std::string_view name) const {
    if (facts_.headers == nullptr) {
        return std::nullopt;
    }
    const amqp::field_value* found = facts_.headers->find(name);
    return found == nullptr ? std::nullopt : std::optional(header_to_json(*found));
}

}  // namespace lovage
