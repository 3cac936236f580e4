#include "broker/store/log_writer.hpp"

#include "broker/store/directory.hpp"

#include <algorithm>
#include <cerrno>

namespace lovage::broker::store {
namespace {

constexpr std::array<char, std::size_t{64} << 10U> zeros{};

bool is_disk_full(const boost::system::error_code& error) {
    return error == boost::system::errc::no_space_on_device ||
           error == boost::system::error_code{EDQUOT, boost::system::system_category()};
}

/// Nothing was done, and a later try may succeed: no space, or no descriptor for another file.
bool may_pass(const boost::system::error_code& error) {
    return is_disk_full(error) || error == boost::system::errc::too_many_files_open ||
           error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

log_writer::log_writer(disk& files, const writer_options& options, const recovered_tail& tail)
    : disk_(files),
      options_(options),
      salt_(tail.salt),
      spares_(tail.spares),
      made_file_(tail.next_file - 1) {}

log_writer::~log_writer() {
    close_current();
}

boost::system::error_code log_writer::write(batch& full) {
    if (failed_) {
        return errc::write_failed;
    }
    finish_records(full.head.at(0), full.head.size(), full.runs.front().seed);
    for (const batch::run& run : full.runs) {
        finish_records(full.body.at(run.begin), run.end - run.begin, run.seed);
        if (const error_code error = write_run(full, run, &run == &full.runs.front())) {
            return error;
        }
        if (const error_code error = sync_current()) {
            return error;
        }
    }
    if (directory_changed_) {
        if (const error_code error = disk_.sync_directory()) {
            failed_ = true;
            return fail("sync", "the data directory", error);
        }
        ++counters_.directory_syncs;
        directory_changed_ = false;
    }
    for (const batch::reclaim& freed : full.reclaims) {
        reclaim(freed);
    }
    ++counters_.batches;
    counters_.records += full.records;
    counters_.bytes += full.head.size() + full.body.size();
    return {};
}

boost::system::error_code log_writer::write_run(
    const batch& full,
    const batch::run& run,
    bool first) {
    if (const error_code error = use_file(run)) {
        return error;
    }
    pieces_.clear();
    std::uint64_t offset = run.offset;
    if (run.creates) {
        put_file_header(header_.data(), {format_version, run.file, salt_});
        pieces_.emplace_back(header_.data(), header_.size());
        offset = 0;
    }
    if (first) {
        pieces_.push_back(full.head.view());
    }
    pieces_.push_back(full.body.view().substr(run.begin, run.end - run.begin));
    std::size_t bytes = 0;
    for (const octets piece : pieces_) {
        bytes += piece.size();
    }
    return write_pieces(offset, bytes);
}

void log_writer::look_for_space() {
    if (failed_ || current_file_ == 0) {
        space_low_ = false;  // the next batch will tell
        return;
    }
    pieces_.assign(1, octets{zeros.data(), zeros.size()});
    const error_code error = disk_.write(current_, ready_, pieces_);
    space_low_ = is_disk_full(error);
    if (!error) {
        ready_ += zeros.size();
    }
}

boost::system::error_code log_writer::write_pieces(std::uint64_t offset, std::size_t bytes) {
    const std::uint64_t end = offset + bytes;
    const std::size_t own_pieces = pieces_.size();
    // Zeros go ahead of the log before they are needed: a sync in written space has no length to
    // record, and on a full disk acknowledgements still have room.
    std::uint64_t ahead = end;
    if (ready_ < end + options_.ahead_bytes / 2) {
        ahead = std::max(ready_, end) + options_.ahead_bytes;
        for (std::uint64_t left = ahead - end; left != 0;) {
            const std::size_t piece = std::min<std::uint64_t>(left, zeros.size());
            pieces_.emplace_back(zeros.data(), piece);
            left -= piece;
        }
    }
    error_code error = disk_.write(current_, offset, pieces_);
    space_low_ = is_disk_full(error);
    if (space_low_ && ahead != end) {
        pieces_.resize(own_pieces);
        ahead = end;
        error = disk_.write(current_, offset, pieces_);
    }
    if (is_disk_full(error)) {
        fail("write", current_name_, error);
        return errc::disk_full;
    }
    if (error) {
        failed_ = true;
        return fail("write", current_name_, error);
    }
    ready_ = std::max(ready_, ahead);
    return {};
}

boost::system::error_code log_writer::sync_current() {
    if (const error_code error = disk_.sync(current_)) {
        // What was written may be lost while the system believes it clean: a second try would
        // succeed and prove nothing.
        failed_ = true;
        return fail("sync", current_name_, error);
    }
    ++counters_.file_syncs;
    return {};
}

boost::system::error_code log_writer::use_file(const batch::run& run) {
    if (current_file_ == run.file) {
        return {};
    }
    close_current();
    const std::string name = log_name(run.file);
    if (run.creates && made_file_ < run.file) {
        if (const error_code error = make_file(run.file, name)) {
            return error;
        }
    }
    const auto opened = disk_.open(name, disk::open_mode::existing);
    if (!opened && may_pass(opened.error())) {
        fail("open", name, opened.error());
        return errc::disk_full;
    }
    if (!opened) {
        failed_ = true;
        return fail("open", name, opened.error());
    }
    current_ = *opened;
    current_file_ = run.file;
    current_name_ = name;
    const auto length = disk_.size(current_);
    if (!length) {
        failed_ = true;
        return fail("read the length of", name, length.error());
    }
    ready_ = *length;
    return {};
}

boost::system::error_code log_writer::make_file(file_number file, const std::string& name) {
    error_code error;
    directory_changed_ = true;
    if (!spares_.empty()) {
        error = disk_.rename(spares_.back(), name);
        if (!error) {
            spares_.pop_back();
            ++counters_.files_recycled;
            made_file_ = file;
            return {};
        }
    } else if (const auto made = disk_.open(name, disk::open_mode::create)) {
        disk_.close(*made);
        ++counters_.files_created;
        made_file_ = file;
        return {};
    } else {
        error = made.error();
    }
    if (may_pass(error)) {
        space_low_ = is_disk_full(error);
        fail("create", name, error);
        return errc::disk_full;
    }
    failed_ = true;
    return fail("create", name, error);
}

void log_writer::reclaim(const batch::reclaim& freed) {
    if (freed.file == current_file_) {
        close_current();
    }
    const std::string name = log_name(freed.file);
    // A failure here costs space and nothing else: the log says already that the file is not
    // needed, and recovery will find it.
    if (spares_.size() < options_.spares_max && freed.bytes <= options_.spare_bytes_max) {
        const std::string spare = spare_name(freed.file);
        if (!disk_.rename(name, spare)) {
            spares_.push_back(spare);
        }
    } else if (!disk_.remove(name)) {
        ++counters_.files_removed;
    }
}

void log_writer::close_current() {
    if (current_file_ != 0) {
        disk_.close(current_);
        current_file_ = 0;
    }
}

boost::system::error_code log_writer::fail(
    const char* what,
    const std::string& name,
    error_code error) {
    problem_ = std::string{"cannot "} + what + " " + name + ": " + error.message();
    return errc::write_failed;
}

}  // namespace lovage::broker::store
