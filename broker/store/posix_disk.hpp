// The disk of a real directory: pwritev, fdatasync, flock. Interrupted calls are repeated, short
// writes continued. Used by one thread at a time; makes the directory itself but not its parents.
#pragma once

#include "broker/store/disk.hpp"

#include <memory>

namespace lovage::broker::store {

class posix_disk final : public disk {
public:
    /// Opens the directory, making it (mode 0700) if only its last part is missing. On failure
    /// `problem` says what, with the path.
    [[nodiscard]] static result<std::unique_ptr<posix_disk>> open_directory(
        const std::string& path,
        std::string& problem);
    /// Opens an existing directory to look at: every call that would change something fails, and
    /// lock() takes a lock file that is there, without writing to it; one that is not there means
    /// that no broker runs.
    [[nodiscard]] static result<std::unique_ptr<posix_disk>> open_read_only(
        const std::string& path,
        std::string& problem);
    ~posix_disk() override;

    [[nodiscard]] result<std::vector<std::string>> list() override;
    [[nodiscard]] result<handle> open(const std::string& name, open_mode mode) override;
    void close(handle file) override;
    [[nodiscard]] result<std::uint64_t> size(handle file) override;
    [[nodiscard]] result<std::size_t> read(
        handle file,
        std::uint64_t offset,
        char* into,
        std::size_t count) override;
    [[nodiscard]] error_code write(
        handle file,
        std::uint64_t offset,
        std::span<const octets> pieces) override;
    [[nodiscard]] error_code sync(handle file) override;
    [[nodiscard]] error_code sync_with_names(std::span<const handle> files) override;
    [[nodiscard]] error_code sync_directory() override;
    [[nodiscard]] error_code rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] error_code remove(const std::string& name) override;
    [[nodiscard]] result<space_report> space() override;
    [[nodiscard]] error_code lock(const std::string& name, std::string& holder) override;

private:
    explicit posix_disk(int directory, bool read_only = false)
        : directory_(directory), read_only_(read_only) {}

    int directory_;
    bool read_only_;
    int lock_ = -1;
};

}  // namespace lovage::broker::store
