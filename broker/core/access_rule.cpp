#include "broker/core/access_rule.hpp"

#include <re2/re2.h>
#include <utility>

namespace lovage::broker {
namespace {

constexpr octets everything = ".*";

void replace_all(std::string& text, octets what, octets name) {
    const std::string quoted = re2::RE2::QuoteMeta(re2::StringPiece(name.data(), name.size()));
    for (std::size_t at = text.find(what); at != std::string::npos;
         at = text.find(what, at + quoted.size())) {
        text.replace(at, what.size(), quoted);
    }
}

}  // namespace

std::optional<access_rule> access_rule::compile(octets text, std::string& problem) {
    access_rule made;
    made.text_ = text;
    made.all_ = text == everything;
    if (!made.all_ && !text.empty()) {
        made.pattern_ = name_pattern::compile(text, problem);
        if (!made.pattern_) {
            return std::nullopt;
        }
    }
    return made;
}

bool access_rule::matches(octets name) const {
    if (all_) {
        return true;
    }
    return pattern_ ? pattern_->matches(name) : name.empty();
}

std::string expanded_topic_pattern(octets text, octets user, octets vhost) {
    std::string expanded{text};
    replace_all(expanded, "{username}", user);
    replace_all(expanded, "{vhost}", vhost);
    return expanded;
}

}  // namespace lovage::broker
