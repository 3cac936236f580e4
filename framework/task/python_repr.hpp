// The short text of a call's arguments that goes into the headers argsrepr and kwargsrepr, where
// monitors and logs show it: `(2, 'x', None)`. Like Python's repr, cut to a length, and made from
// the JSON text in one pass that stops at the cut, so that large arguments cost nothing here. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lovage {

/// Celery cuts at 1024; every copy of the message carries it, so ours is shorter.
inline constexpr std::size_t repr_bytes_max = 256;

/// `args` is the text of a JSON list that we wrote ourselves.
[[nodiscard]] std::string args_repr(std::string_view args);
/// `kwargs` is the text of a JSON object that we wrote ourselves.
[[nodiscard]] std::string kwargs_repr(std::string_view kwargs);

}  // namespace lovage
