// How the log keeps what a queue or an exchange has taken lately (docs/store_format.md, Settings):
// one setting for each key. Pure; used by log_journal and restore.
#pragma once

#include "broker/core/journal.hpp"

#include <string>

namespace lovage::broker {

/// The name of the setting: all but `until_ms` and `serial`.
[[nodiscard]] std::string dedup_setting_name(const dedup_mark& of);
/// These two.
[[nodiscard]] std::string dedup_setting_value(const dedup_mark& of);
/// False if it is a setting of another kind. Views point into the arguments.
[[nodiscard]] bool read_dedup_setting(octets name, octets value, dedup_mark& into);

}  // namespace lovage::broker
