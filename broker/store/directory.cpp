#include "broker/store/directory.hpp"

#include "broker/store/errors.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lovage::broker::store {
namespace {

using error_code = disk::error_code;

constexpr std::size_t number_digits = 16;
constexpr std::string_view log_prefix = "log-";
constexpr std::string_view spare_prefix = "spare-";
constexpr std::string_view segment_prefix = "segment-";
constexpr std::string_view blob_prefix = "blob-";
constexpr std::string_view marker_prefix = "lovage-store ";
constexpr std::size_t marker_bytes_max = 64;

std::string hex(std::uint64_t value) {
    std::string digits(number_digits, '0');
    for (std::size_t i = number_digits; i != 0 && value != 0; value >>= 4U) {
        digits[--i] = "0123456789abcdef"[value & 0xFU];
    }
    return digits;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (parsed.ec != std::errc{} || hex(value) != text) {
        return std::nullopt;
    }
    return value;
}

/// The number in a name that is `prefix` and 16 hex digits; 0 if it is not, or is too large.
template <class Number>
Number numbered(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) {
        return 0;
    }
    const auto value = parse_hex(name.substr(prefix.size()));
    return value && *value < std::numeric_limits<Number>::max() ? static_cast<Number>(*value) : 0;
}

disk::result<std::string> read_small(disk& files, const std::string& name) {
    const auto opened = files.open(name, disk::open_mode::existing);
    if (!opened) {
        return opened.error();
    }
    std::array<char, marker_bytes_max> text{};
    const auto got = files.read(*opened, 0, text.data(), text.size());
    files.close(*opened);
    if (!got) {
        return got.error();
    }
    return std::string{text.data(), *got};
}

error_code write_marker(disk& files, const std::string& name, const std::string& text) {
    const auto opened = files.open(name, disk::open_mode::create);
    if (!opened) {
        return opened.error();
    }
    const octets piece = text;
    error_code error = files.write(*opened, 0, {&piece, 1});
    if (!error) {
        error = files.sync(*opened);
    }
    files.close(*opened);
    return error;
}

/// After a kill what is read may never have been synced, and the logs are nothing without it.
error_code sync_marker(disk& files) {
    const auto opened = files.open(marker_name, disk::open_mode::existing);
    if (!opened) {
        return opened.error();
    }
    const error_code error = files.sync(*opened);
    files.close(*opened);
    return error ? error : files.sync_directory();
}

error_code take_lock(disk& files, std::string& problem) {
    std::string holder;
    const error_code error = files.lock(lock_name, holder);
    if (error == boost::system::errc::resource_unavailable_try_again) {
        while (!holder.empty() && holder.back() == '\n') {
            holder.pop_back();
        }
        problem = "the data directory is in use by another broker" +
                  (holder.empty() ? "" : " (process " + holder + ")") +
                  "; stop it or choose another --data-dir";
        return errc::locked;
    }
    if (error) {
        problem = "cannot lock the data directory: " + error.message();
    }
    return error;
}

/// Nothing if it is damaged; a newer version is an error.
disk::result<std::optional<marker>> read_marker(disk& files, std::string& problem) {
    const auto text = read_small(files, marker_name);
    if (!text) {
        problem = std::string{"cannot read "} + marker_name + ": " + text.error().message();
        return text.error();
    }
    auto found = parse_marker(*text);
    if (found && found->version > format_version) {
        problem = std::string{marker_name} + " says format version " +
                  std::to_string(found->version) + ", this broker supports up to " +
                  std::to_string(format_version) + "; run the newer broker";
        return error_code{errc::newer_version};
    }
    return found;
}

}  // namespace

std::string log_name(file_number file) {
    return std::string{log_prefix} + hex(file);
}
std::string spare_name(file_number file) {
    return std::string{spare_prefix} + hex(file);
}
std::string segment_name(segment_number segment) {
    return std::string{segment_prefix} + hex(segment);
}
std::string blob_name(blob_id blob) {
    return std::string{blob_prefix} + hex(blob);
}

directory_content classify(const std::vector<std::string>& names) {
    directory_content content;
    for (const std::string& name : names) {
        if (const auto file = numbered<file_number>(name, log_prefix)) {
            content.logs.push_back(file);
        } else if (numbered<file_number>(name, spare_prefix) != 0) {
            content.spares.push_back(name);
        } else if (const auto segment = numbered<segment_number>(name, segment_prefix)) {
            content.segments.push_back(segment);
        } else if (const auto blob = numbered<blob_id>(name, blob_prefix)) {
            content.blobs.push_back(blob);
        } else if (name == marker_name) {
            content.has_marker = true;
        } else if (name != new_marker_name && name != lock_name && name != "lost+found") {
            content.foreign = name;
        }
    }
    std::sort(content.logs.begin(), content.logs.end());
    std::sort(content.spares.begin(), content.spares.end());
    std::sort(content.segments.begin(), content.segments.end());
    std::sort(content.blobs.begin(), content.blobs.end());
    return content;
}

std::string format_marker(const marker& content) {
    return std::string{marker_prefix} + std::to_string(content.version) + " " + hex(content.salt) +
           "\n";
}

std::optional<marker> parse_marker(octets text) {
    if (!text.starts_with(marker_prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(marker_prefix.size());
    marker content;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), content.version);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (parsed.ec != std::errc{} || !text.starts_with(' ') || text.size() < number_digits + 2 ||
        text[number_digits + 1] != '\n') {
        return std::nullopt;
    }
    const auto salt = parse_hex(text.substr(1, number_digits));
    if (!salt) {
        return std::nullopt;
    }
    content.salt = *salt;
    return content.version == 0 ? std::nullopt : std::optional{content};
}

disk::result<marker> claim_directory(disk& files, std::uint64_t new_salt, std::string& problem) {
    const auto names = files.list();
    if (!names) {
        problem = "cannot list the data directory: " + names.error().message();
        return names.error();
    }
    const directory_content content = classify(*names);
    const bool empty = content.logs.empty() && content.spares.empty() && content.segments.empty();
    if (!content.has_marker && !content.foreign.empty()) {
        problem = "this is not a lovage data directory: it holds " + content.foreign + " and no " +
                  marker_name + "; choose an empty or new --data-dir";
        return error_code{errc::foreign_directory};
    }
    if (const error_code error = take_lock(files, problem)) {
        return error;
    }
    if (content.has_marker) {
        const auto read = read_marker(files, problem);
        if (!read) {
            return read.error();
        }
        const std::optional<marker>& found = *read;
        if (found && empty) {
            if (const error_code error = sync_marker(files)) {
                problem = std::string{"cannot sync "} + marker_name + ": " + error.message();
                return error;
            }
        }
        if (found) {
            return *found;
        }
    }
    if (!empty || (content.has_marker && !content.foreign.empty())) {
        problem = std::string{marker_name} + (content.has_marker ? " is damaged" : " is missing") +
                  " although the directory has been used; restore it from a backup, or take over "
                  "what is whole with lovage-broker --salvage DATA_DIR --into NEW_DIR";
        return error_code{errc::damaged};
    }
    // New, or a crash came before the marker was whole: nothing was ever stored here.
    const marker fresh{format_version, new_salt};
    error_code error = write_marker(files, marker_name, format_marker(fresh));
    if (!error) {
        error = files.sync_directory();
    }
    if (error) {
        problem = std::string{"cannot write "} + marker_name + ": " + error.message();
        return error;
    }
    return fresh;
}

disk::result<marker> look_at_directory(disk& files, std::string& problem) {
    const auto names = files.list();
    if (!names) {
        problem = "cannot list the data directory: " + names.error().message();
        return names.error();
    }
    const directory_content content = classify(*names);
    const bool empty = content.logs.empty() && content.spares.empty() && content.segments.empty();
    if (!content.has_marker && (empty || !content.foreign.empty())) {
        problem = std::string{"this is not a lovage data directory: it holds no "} + marker_name;
        return error_code{errc::foreign_directory};
    }
    if (const error_code error = take_lock(files, problem)) {
        return error;
    }
    if (!content.has_marker) {
        problem = std::string{marker_name} + " is missing although the directory has been used";
        return error_code{errc::damaged};
    }
    const auto found = read_marker(files, problem);
    if (!found) {
        return found.error();
    }
    if (!*found && empty) {
        problem = std::string{"nothing was ever stored here: "} + marker_name + " is not whole";
        return error_code{errc::foreign_directory};
    }
    if (!*found) {
        problem = std::string{marker_name} + " is damaged";
        return error_code{errc::damaged};
    }
    return **found;
}

error_code upgrade_marker(disk& files, std::uint64_t salt, std::string& problem) {
    error_code error = write_marker(files, new_marker_name, format_marker({format_version, salt}));
    if (!error) {
        error = files.rename(new_marker_name, marker_name);
    }
    if (!error) {
        error = files.sync_directory();
    }
    if (error) {
        problem = std::string{"cannot upgrade "} + marker_name + " to version " +
                  std::to_string(format_version) + ": " + error.message();
    }
    return error;
}

}  // namespace lovage::broker::store
