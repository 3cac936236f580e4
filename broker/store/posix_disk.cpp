#include "broker/store/posix_disk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace lovage::broker::store {
namespace {

using error_code = disk::error_code;

constexpr std::size_t pieces_per_call = 64;
constexpr std::size_t lock_text_bytes_max = 64;

error_code last_error() {
    return {errno, boost::system::system_category()};
}

error_code read_only_error() {
    return {EROFS, boost::system::system_category()};
}

/// Repeats `call` while a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
    auto outcome = call();
    while (outcome < 0 && errno == EINTR) {
        outcome = call();
    }
    return outcome;
}

error_code sync_parent(const std::filesystem::path& path) {
    auto parent = path.parent_path();
    if (parent.empty()) {
        parent = ".";
    }
    const int opened = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        return last_error();
    }
    const int outcome = uninterrupted([&] { return ::fsync(opened); });
    const error_code error = outcome < 0 ? last_error() : error_code{};
    ::close(opened);
    return error;
}

}  // namespace

disk::result<std::unique_ptr<posix_disk>> posix_disk::open_directory(
    const std::string& path,
    std::string& problem) {
    // "data/" and "data" are the same directory with different parents.
    std::filesystem::path directory{path};
    if (!directory.has_filename()) {
        directory = directory.parent_path();
    }
    const auto fail = [&](const char* what, error_code error) {
        problem = std::string{what} + " data directory " + path + ": " + error.message();
        return error;
    };
    if (::mkdir(directory.c_str(), 0700) == 0) {
        if (const error_code error = sync_parent(directory)) {
            return fail("cannot sync the parent of", error);
        }
    } else if (errno != EEXIST) {
        return fail("cannot create", last_error());
    }
    const int opened = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        return fail("cannot open", last_error());
    }
    // Asked now, so that the user reads it here and not from the first write.
    if (::faccessat(opened, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        const error_code error = last_error();
        ::close(opened);
        return fail("cannot write to", error);
    }
    return std::unique_ptr<posix_disk>{new posix_disk{opened}};
}

disk::result<std::unique_ptr<posix_disk>> posix_disk::open_read_only(
    const std::string& path,
    std::string& problem) {
    const int opened = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        const error_code error = last_error();
        problem = "cannot open data directory " + path + ": " + error.message();
        return error;
    }
    return std::unique_ptr<posix_disk>{new posix_disk{opened, true}};
}

posix_disk::~posix_disk() {
    if (lock_ >= 0) {
        ::close(lock_);
    }
    ::close(directory_);
}

disk::result<std::vector<std::string>> posix_disk::list() {
    const int opened = ::openat(directory_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const entries = opened < 0 ? nullptr : ::fdopendir(opened);
    if (entries == nullptr) {
        const error_code error = last_error();
        if (opened >= 0) {
            ::close(opened);
        }
        return error;
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = ::readdir(entries)) {
        const std::string name{static_cast<const char*>(entry->d_name)};
        if (name != "." && name != "..") {
            names.push_back(name);
        }
        errno = 0;
    }
    const error_code error = errno != 0 ? last_error() : error_code{};
    ::closedir(entries);
    if (error) {
        return error;
    }
    return names;
}

disk::result<disk::handle> posix_disk::open(const std::string& name, open_mode mode) {
    if (read_only_ && mode == open_mode::create) {
        return read_only_error();
    }
    const int flags =
        (read_only_ ? O_RDONLY : O_RDWR) | O_CLOEXEC | (mode == open_mode::create ? O_CREAT : 0);
    const int opened =
        uninterrupted([&] { return ::openat(directory_, name.c_str(), flags, 0600); });
    if (opened < 0) {
        return last_error();
    }
    return opened;
}

void posix_disk::close(handle file) {
    ::close(file);
}

disk::result<std::uint64_t> posix_disk::size(handle file) {
    struct stat about{};
    if (::fstat(file, &about) != 0) {
        return last_error();
    }
    return static_cast<std::uint64_t>(about.st_size);
}

disk::result<std::size_t> posix_disk::read(
    handle file,
    std::uint64_t offset,
    char* into,
    std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
        const auto got = uninterrupted([&] {
            return ::pread(file, into + done, count - done, static_cast<off_t>(offset + done));
        });
        if (got < 0) {
            return last_error();
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

error_code posix_disk::write(handle file, std::uint64_t offset, std::span<const octets> pieces) {
    std::size_t piece = 0;
    std::size_t skip = 0;  // octets of that piece that are written already
    while (piece < pieces.size()) {
        std::array<iovec, pieces_per_call> vectors{};
        std::size_t count = 0;
        for (auto i = piece; i < pieces.size() && count < vectors.size(); ++i) {
            const octets left = pieces[i].substr(i == piece ? skip : 0);
            // pwritev only reads what its vectors point to, but takes them without const.
            vectors[count++] = {const_cast<char*>(left.data()), left.size()};
        }
        const auto wrote = uninterrupted([&] {
            return ::pwritev(
                file, vectors.data(), static_cast<int>(count), static_cast<off_t>(offset));
        });
        if (wrote < 0) {
            return last_error();
        }
        if (wrote == 0 && count != 0 && pieces[piece].size() > skip) {
            return {EIO, boost::system::system_category()};
        }
        offset += static_cast<std::uint64_t>(wrote);
        skip += static_cast<std::size_t>(wrote);
        while (piece < pieces.size() && skip >= pieces[piece].size()) {
            skip -= pieces[piece].size();
            ++piece;
        }
    }
    return {};
}

error_code posix_disk::sync(handle file) {
    if (read_only_) {
        return read_only_error();
    }
    return uninterrupted([&] { return ::fdatasync(file); }) < 0 ? last_error() : error_code{};
}

error_code disk::sync_with_names(std::span<const handle> files) {
    for (const handle each : files) {
        if (const error_code error = sync(each)) {
            return error;
        }
    }
    return sync_directory();
}

error_code posix_disk::sync_with_names(std::span<const handle> files) {
    // What is asked for at the same time goes into one commit of the file system's journal and one
    // flush of the device.
    std::vector<error_code> errors(files.size() + 1);
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 0; i < files.size(); ++i) {
            try {
                others.emplace_back([&, i] { errors[i] = sync(files[i]); });
            } catch (const std::system_error&) {
                errors[i] = sync(files[i]);  // no more threads for this process
            }
        }
        errors.back() = sync_directory();
    }
    const auto failed = std::ranges::find_if(errors, [](const error_code& each) { return !!each; });
    return failed == errors.end() ? error_code{} : *failed;
}

error_code posix_disk::sync_directory() {
    if (read_only_) {
        return read_only_error();
    }
    return uninterrupted([&] { return ::fsync(directory_); }) < 0 ? last_error() : error_code{};
}

error_code posix_disk::rename(const std::string& from, const std::string& to) {
    if (read_only_) {
        return read_only_error();
    }
    return ::renameat(directory_, from.c_str(), directory_, to.c_str()) != 0 ? last_error()
                                                                             : error_code{};
}

error_code posix_disk::remove(const std::string& name) {
    if (read_only_) {
        return read_only_error();
    }
    return ::unlinkat(directory_, name.c_str(), 0) != 0 ? last_error() : error_code{};
}

disk::result<disk::space_report> posix_disk::space() {
    struct statvfs about{};
    if (uninterrupted([&] { return ::fstatvfs(directory_, &about); }) != 0) {
        return last_error();
    }
    if (about.f_blocks == 0) {
        // A file system that does not count, such as a tmpfs without a limit.
        constexpr auto unknown = std::numeric_limits<std::uint64_t>::max();
        return space_report{unknown, unknown};
    }
    return space_report{
        std::uint64_t{about.f_blocks} * about.f_frsize,
        std::uint64_t{about.f_bavail} * about.f_frsize};
}

error_code posix_disk::lock(const std::string& name, std::string& holder) {
    const auto opened = open(name, read_only_ ? open_mode::existing : open_mode::create);
    if (!opened && read_only_ && opened.error() == boost::system::errc::no_such_file_or_directory) {
        return {};
    }
    if (!opened) {
        return opened.error();
    }
    if (uninterrupted([&] { return ::flock(*opened, LOCK_EX | LOCK_NB); }) != 0) {
        const error_code error = last_error();
        std::array<char, lock_text_bytes_max> text{};
        const auto got = read(*opened, 0, text.data(), text.size());
        holder.assign(text.data(), got ? *got : 0);
        ::close(*opened);
        return error;
    }
    lock_ = *opened;
    if (read_only_) {
        return {};
    }
    const std::string text = std::to_string(::getpid()) + "\n";
    const octets piece = text;
    // The text is only for the message another broker prints; on a full disk it may be missing.
    if (::ftruncate(lock_, 0) == 0) {
        static_cast<void>(write(lock_, 0, {&piece, 1}));
    }
    return {};
}

}  // namespace lovage::broker::store
