// The pattern of a permission: which names somebody may use. The two that nearly everybody has,
// "all" and "nothing", cost neither memory nor time. Called by access control; see name_pattern for
// the bounds of the others.
#pragma once

#include "broker/core/name_pattern.hpp"

#include <optional>
#include <string>

namespace lovage::broker {

class access_rule {
public:
    /// Fits nothing.
    access_rule() = default;
    /// Nothing, and `problem` in words, if the text is no pattern. The empty text fits the empty
    /// name only, as in RabbitMQ.
    static std::optional<access_rule> compile(octets text, std::string& problem);

    [[nodiscard]] bool matches(octets name) const;
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
    bool all_ = false;
    std::optional<name_pattern> pattern_;
};

/// `text` with `{username}` and `{vhost}` replaced by the names, in which nothing has a meaning for
/// the pattern.
[[nodiscard]] std::string expanded_topic_pattern(octets text, octets user, octets vhost);

}  // namespace lovage::broker
