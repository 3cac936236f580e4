// The only file that knows spdlog: lines of framework/base/log.hpp to stderr. Here, at the edge
// that broker and clients share, so that all programs log alike.
#include "framework/base/log.hpp"

#include <lovage/logging.hpp>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <utility>

namespace lovage {
namespace {

spdlog::level::level_enum level_of(log_level level) {
    switch (level) {
        case log_level::trace: return spdlog::level::trace;
        case log_level::debug: return spdlog::level::debug;
        case log_level::info: return spdlog::level::info;
        case log_level::warning: return spdlog::level::warn;
        case log_level::error: return spdlog::level::err;
        case log_level::off: return spdlog::level::off;
    }
    return spdlog::level::off;
}

void write_line(log_level level, std::string_view line) {
    spdlog::default_logger_raw()->log(
        level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

bool init_logging(std::string_view level) {
    static constexpr std::array<std::pair<std::string_view, log_level>, 8> names{{
        {"trace", log_level::trace},
        {"debug", log_level::debug},
        {"info", log_level::info},
        {"warning", log_level::warning},
        {"warn", log_level::warning},
        {"error", log_level::error},
        {"critical", log_level::error},
        {"off", log_level::off},
    }};
    for (const auto& [name, value] : names) {
        if (name == level) {
            auto logger = std::make_shared<spdlog::logger>(
                "lovage", std::make_shared<spdlog::sinks::stderr_sink_mt>());
            logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f%z %l %v");
            logger->set_level(spdlog::level::trace);
            logger->flush_on(spdlog::level::trace);
            spdlog::set_default_logger(std::move(logger));
            set_log_sink(&write_line, value);
            return true;
        }
    }
    return false;
}

}  // namespace lovage
