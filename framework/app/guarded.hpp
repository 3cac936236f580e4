// Calls of users' functions amid a connection's work: what they throw is logged and goes no
// further, so that the work behind the call is done all the same.
// Used by client_driver and mailbox, on their executor. Does not help against what never returns.
#pragma once

#include "framework/base/log.hpp"

#include <exception>
#include <utility>

namespace lovage {

template <class Function>
void call_guarded(Function&& function) {
    try {
        std::forward<Function>(function)();
    } catch (const std::exception& problem) {
        log_event(log_level::error, "handler_failed", {{"what", problem.what()}});
    } catch (...) {
        log_event(log_level::error, "handler_failed", {{"what", "not a std::exception"}});
    }
}

}  // namespace lovage
