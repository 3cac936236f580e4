// What can go wrong in the store, as boost::system::error_code. Errors of the system (no such
// directory, permission denied) keep their own category; these are the store's own.
#pragma once

#include <boost/system/error_code.hpp>

namespace lovage::broker::store {

enum class errc {
    /// No space left; nothing is lost and the same batch may be written again later.
    disk_full = 1,
    /// A sync or write failed: what reached the disk is unknown. The process has to end.
    write_failed,
    /// The directory holds other things and no lovage.format.
    foreign_directory,
    /// Another broker holds the lock.
    locked,
    /// Written by a newer version of the format.
    newer_version,
    /// Something is damaged or missing that had been synced.
    damaged,
};

[[nodiscard]] const boost::system::error_category& store_category();
[[nodiscard]] boost::system::error_code make_error_code(errc value);

/// Of the system: no space, or no more by a quota.
[[nodiscard]] bool is_disk_full(const boost::system::error_code& error);
/// Of the system: nothing was done, and a later try may succeed; no space, or no descriptor for
/// another file.
[[nodiscard]] bool may_pass(const boost::system::error_code& error);

}  // namespace lovage::broker::store

template <>
struct boost::system::is_error_code_enum<lovage::broker::store::errc> : std::true_type {};
