// A worker's name as people give it with -n: w1@%h, with Celery's letters. Pure: the machine's name
// is an argument.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lovage::workers {

/// Expands %h (whole host name), %n (its part before the first dot), %d (the part behind it), %%.
/// A name without @ gets `@host`. Celery's rule, too: `celery worker -n w1` is w1@host.
/// Nothing, and in `problem` why, for an unknown letter, an empty name, blanks or control
/// characters.
[[nodiscard]] std::optional<std::string> expand_node_name(
    std::string_view pattern,
    std::string_view host,
    std::string& problem);

}  // namespace lovage::workers
