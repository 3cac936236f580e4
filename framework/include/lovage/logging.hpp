// Turning the library's log on: one line an event on stderr, by spdlog. Called once by programs,
// before threads start. Without it the library is silent.
#pragma once

#include <string_view>

namespace lovage {

/// `level` is trace, debug, info, warning (or warn), error or off; false if it is something else.
bool init_logging(std::string_view level);

}  // namespace lovage
