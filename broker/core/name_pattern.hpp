// A regular expression over names, as operators write them for permissions and policies. RE2 runs
// it: time grows with the name's length and not with the pattern's cleverness, memory is bounded.
// Used by access control and policies on the engine's thread. Knows nothing of what it is for.
#pragma once

#include "framework/base/bytes.hpp"

#include <memory>
#include <optional>
#include <string>

namespace re2 {
class RE2;
}

namespace lovage::broker {

class name_pattern {
public:
    /// Octets of a pattern; a longer one is refused.
    static constexpr std::size_t octets_max = 4096;

    /// Nothing, and `problem` in words, if the text is no pattern: a wrong expression, one that is
    /// too long, or one that needs back-references or look-around, which cannot be bounded.
    static std::optional<name_pattern> compile(octets text, std::string& problem);

    name_pattern(name_pattern&&) noexcept;
    name_pattern& operator=(name_pattern&&) noexcept;
    ~name_pattern();

    /// True if some part of the name fits: anchors are the pattern's affair, as in RabbitMQ. Octets
    /// are compared, not characters.
    [[nodiscard]] bool matches(octets name) const;
    [[nodiscard]] const std::string& text() const;

private:
    explicit name_pattern(std::unique_ptr<re2::RE2> compiled);

    std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace lovage::broker
