// The one seam between the store and the operating system: a directory of files. The real one is
// posix_disk; tests put in fake_disk, which keeps what is written and what is durable apart.
// One disk stands for one directory and is used by one thread at a time: by recovery first, then
// by the store thread. It does not retry, log or interpret.
//
// What is durable when:
//   write()           nothing, until sync() of that file has succeeded; after a crash any part of
//                     what was written since may be there, in units of a sector
//   sync()            all that was written to the file so far, and its length, but not its name
//   sync_directory()  all names made, renamed and removed so far
// After a failed sync nothing is known about the file; calling it again proves nothing.
#pragma once

#include "framework/base/bytes.hpp"

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lovage::broker::store {

class disk {
public:
    using error_code = boost::system::error_code;
    template <class Value>
    using result = boost::system::result<Value>;
    /// An open file; from open() to close().
    using handle = int;
    enum class open_mode { existing, create };
    /// Octets of the file system that holds the directory.
    struct space_report {
        std::uint64_t total = 0;      ///< its size
        std::uint64_t available = 0;  ///< what this process may still write
    };

    disk() = default;
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;
    virtual ~disk() = default;

    /// Names of all entries, in no order, without "." and "..".
    [[nodiscard]] virtual result<std::vector<std::string>> list() = 0;
    /// `create`: an existing file is opened as it is, otherwise an empty one is made.
    [[nodiscard]] virtual result<handle> open(const std::string& name, open_mode mode) = 0;
    virtual void close(handle file) = 0;
    [[nodiscard]] virtual result<std::uint64_t> size(handle file) = 0;
    /// Reads up to `count` octets at `offset`; fewer only at the end of the file.
    [[nodiscard]] virtual result<std::size_t> read(
        handle file,
        std::uint64_t offset,
        char* into,
        std::size_t count) = 0;
    /// Writes all pieces one after another from `offset` on. After an error any part of them may
    /// have been written. A full disk is no_space_on_device.
    [[nodiscard]] virtual error_code write(
        handle file,
        std::uint64_t offset,
        std::span<const octets> pieces) = 0;
    [[nodiscard]] virtual error_code sync(handle file) = 0;
    /// These files and the directory, in no order, together where that is faster; one of the errors
    /// if there are any.
    [[nodiscard]] virtual error_code sync_with_names(std::span<const handle> files);
    [[nodiscard]] virtual error_code sync_directory() = 0;
    /// Replaces `to` if it exists.
    [[nodiscard]] virtual error_code rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual error_code remove(const std::string& name) = 0;
    /// Nothing known is all there can be. A quota may end it sooner: then writes say so.
    [[nodiscard]] virtual result<space_report> space() = 0;
    /// Takes the lock file `name` for the lifetime of the disk and writes who holds it. If another
    /// has it, resource_unavailable_try_again, and `holder` is what that one wrote.
    [[nodiscard]] virtual error_code lock(const std::string& name, std::string& holder) = 0;
};

}  // namespace lovage::broker::store
