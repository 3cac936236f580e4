#include "broker/core/name_pattern.hpp"

#include <re2/re2.h>

namespace lovage::broker {
namespace {

/// What RE2 may use for one pattern, compiled program and cache of states together.
constexpr std::int64_t memory_max = 1 << 20;
/// Instructions of a compiled pattern: matching takes at most so many steps for an octet of a name.
constexpr int program_size_max = 1000;

}  // namespace

name_pattern::name_pattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
name_pattern::name_pattern(name_pattern&&) noexcept = default;
name_pattern& name_pattern::operator=(name_pattern&&) noexcept = default;
name_pattern::~name_pattern() = default;

std::optional<name_pattern> name_pattern::compile(octets text, std::string& problem) {
    if (text.size() > octets_max) {
        problem = "is longer than " + std::to_string(octets_max) + " octets";
        return std::nullopt;
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(memory_max);
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
    auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) {
        problem = "is no regular expression: " + compiled->error();
        return std::nullopt;
    }
    if (compiled->ProgramSize() > program_size_max) {
        problem = "is too complex: fewer or smaller repetitions and alternatives are needed";
        return std::nullopt;
    }
    return name_pattern{std::move(compiled)};
}

bool name_pattern::matches(octets name) const {
    return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *compiled_);
}

const std::string& name_pattern::text() const {
    return compiled_->pattern();
}

}  // namespace lovage::broker
