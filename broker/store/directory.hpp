// The names in a data directory and the marker file that makes it ours (docs/store_format.md,
// Files). Used by recovery and the writer. Touches nothing in a directory that is not ours.
#pragma once

#include "broker/store/disk.hpp"
#include "broker/store/format.hpp"

#include <optional>

namespace lovage::broker::store {

inline constexpr const char* marker_name = "lovage.format";
/// The next marker while it is written; means nothing.
inline constexpr const char* new_marker_name = "lovage.format.new";
inline constexpr const char* lock_name = "lock";

[[nodiscard]] std::string log_name(file_number file);
[[nodiscard]] std::string spare_name(file_number file);
[[nodiscard]] std::string segment_name(segment_number segment);
[[nodiscard]] std::string blob_name(blob_id blob);

struct directory_content {
    std::vector<file_number> logs;  ///< ascending
    std::vector<std::string> spares;
    std::vector<segment_number> segments;  ///< ascending
    std::vector<blob_id> blobs;            ///< ascending
    bool has_marker = false;
    std::string foreign;  ///< a name that is not ours, empty for none
};
[[nodiscard]] directory_content classify(const std::vector<std::string>& names);

struct marker {
    std::uint64_t version = 0;
    std::uint64_t salt = 0;
};
[[nodiscard]] std::string format_marker(const marker& content);
/// Nothing if `text` is not a marker.
[[nodiscard]] std::optional<marker> parse_marker(octets text);

/// Makes sure that the directory is ours, not in use and of a version we know; locks it and marks
/// it, with `new_salt`, if it is empty. Returns its marker, which may be of an older version. On
/// failure `problem` says what is wrong and what to do about it.
[[nodiscard]] disk::result<marker> claim_directory(
    disk& files,
    std::uint64_t new_salt,
    std::string& problem);

/// The same for somebody who only looks: takes the lock and changes nothing else. A directory
/// without a whole marker is foreign_directory if nothing else in it is ours, and damaged
/// otherwise.
[[nodiscard]] disk::result<marker> look_at_directory(disk& files, std::string& problem);

/// Marks a directory of an older version as one of ours: before anything is written that the older
/// version would not understand. After a crash the directory has one marker or the other.
[[nodiscard]] disk::error_code upgrade_marker(
    disk& files,
    std::uint64_t salt,
    std::string& problem);

}  // namespace lovage::broker::store
