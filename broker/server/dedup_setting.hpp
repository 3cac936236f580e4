// How the log keeps what a queue or an exchange has taken lately (docs/store_format.md, Settings):
// one setting for each key. Pure; used by log_journal and restore.
#pragma once

#include "broker/core/journal.hpp"

#include <string>

namespace lovage::broker {

/// The name of the setting; `until_ms` is not part of it.
[[nodiscard]] std::string dedup_setting_name(const dedup_mark& of);
[[nodiscard]] std::string dedup_setting_value(std::uint64_t until_ms);
/// False if it is a setting of another kind. Views point into the arguments.
[[nodiscard]] bool read_dedup_setting(octets name, octets value, dedup_mark& into);

}  // namespace lovage::broker
