#include "framework/amqp/wire.hpp"
#include "framework/task/envelope.hpp"

#include <lovage/how.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lovage {

how& how::id(std::string task_id) {
    if (task_id.size() > amqp::short_string_max) {
        throw std::invalid_argument("lovage: a task's id has at most 255 octets");
    }
    id_ = std::move(task_id);
    return *this;
}

how& how::header(std::string name, boost::json::value value) {
    if (name.size() > amqp::short_string_max) {
        throw std::invalid_argument("lovage: the name of a header has at most 255 octets");
    }
    if (name.empty() || is_protocol_header(name)) {
        throw std::invalid_argument("lovage: \"" + name + "\" cannot be the name of a header");
    }
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
}

std::optional<wall_time> how::due(wall_time now) const {
    return after_.has_value() ? now + std::clamp(*after_, -delay_max, delay_max) : eta_;
}

std::optional<wall_time> how::expiry(wall_time now) const {
    return expires_after_.has_value() ? now + std::clamp(*expires_after_, -delay_max, delay_max)
                                      : expires_at_;
}

}  // namespace lovage
