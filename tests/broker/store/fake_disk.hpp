// A disk in memory for tests: keeps what was written and what is durable apart, so that a power
// loss can be played at any call, with any part of the unsynced sectors and names surviving.
// Also fails on demand: full, input/output errors, power off. Single-threaded; no real files.
#pragma once

#include "broker/store/disk.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace lovage::broker::store::testing {

class fake_disk final : public disk {
public:
    /// Asked once for each unsynced sector and each unsynced change of a name: does it survive?
    using chooser = std::function<bool()>;

    explicit fake_disk(std::size_t sector_bytes = 512) : sector_bytes_(sector_bytes) {}

    // Faults. Calls that change something are counted from 0.
    /// From this call on nothing is done any more and every call fails.
    void power_off_at(std::size_t call) { power_off_ = call; }
    /// This one call fails with `error`; a write does its first half.
    void fail_at(std::size_t call, error_code error) { failures_[call] = error; }
    /// The read after that many more fails, once.
    void fail_read(std::size_t reads) { failing_read_ = reads_ + reads; }
    /// No call fails any more, but for lack of space.
    void clear_faults();
    /// Writes that make the files longer than this in sum fail with no_space_on_device.
    void set_capacity(std::optional<std::uint64_t> bytes) { capacity_ = bytes; }
    /// As a quota: the capacity is not seen by space().
    void hide_capacity() { capacity_hidden_ = true; }
    /// Syncs do nothing and report success: what a store must not get away with.
    void ignore_syncs() { ignore_syncs_ = true; }

    [[nodiscard]] std::size_t calls() const { return calls_; }
    [[nodiscard]] std::size_t file_syncs() const { return file_syncs_; }
    [[nodiscard]] std::size_t writes() const { return writes_; }
    [[nodiscard]] const std::vector<std::string>& trace() const { return trace_; }

    /// The disk after a power loss: what was durable and what `survives`.
    [[nodiscard]] std::unique_ptr<fake_disk> after_power_loss(const chooser& survives) const;
    /// The same disk after the process was killed: all written is still there, unsynced or not.
    void after_kill();

    [[nodiscard]] std::uint64_t total_bytes() const;
    /// Content of a file for inspection and damage; it must exist. Damage is durable.
    [[nodiscard]] std::string content(const std::string& name) const;
    void set_content(const std::string& name, const std::string& content);
    [[nodiscard]] std::vector<std::string> names() const;

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
    [[nodiscard]] error_code sync_directory() override;
    [[nodiscard]] error_code rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] error_code remove(const std::string& name) override;
    [[nodiscard]] result<space_report> space() override;
    [[nodiscard]] error_code lock(const std::string& name, std::string& holder) override;

    [[nodiscard]] std::size_t open_files() const { return handles_.size(); }

private:
    struct file {
        std::string current;
        std::string durable;
        std::set<std::size_t> dirty;  // sectors of `current` written since the last sync
    };
    using file_ptr = std::shared_ptr<file>;
    using directory = std::map<std::string, file_ptr>;
    using name_change = std::function<void(directory&)>;

    [[nodiscard]] error_code begin_call(const std::string& what);
    void change_names(name_change change);
    [[nodiscard]] file surviving(const file& from, const chooser& survives) const;

    std::size_t sector_bytes_;
    directory names_;
    directory durable_names_;
    std::vector<name_change> pending_names_;
    std::map<handle, file_ptr> handles_;
    handle next_handle_ = 1;
    bool locked_ = false;
    std::size_t calls_ = 0;
    std::size_t file_syncs_ = 0;
    std::size_t writes_ = 0;
    std::vector<std::string> trace_;
    std::optional<std::size_t> power_off_;
    std::map<std::size_t, error_code> failures_;
    std::size_t reads_ = 0;
    std::optional<std::size_t> failing_read_;
    std::optional<std::uint64_t> capacity_;
    bool capacity_hidden_ = false;
    bool ignore_syncs_ = false;
};

}  // namespace lovage::broker::store::testing
