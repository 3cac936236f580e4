#include "broker/store/log_writer.hpp"

#include "broker/store/blob.hpp"
#include "broker/store/directory.hpp"
#include "broker/store/zeros.hpp"

#include <algorithm>
#include <limits>

namespace lovage::broker::store {
namespace {

// Room for publishers ends below the first number of files and begins again at the second. One is
// for batches that are under way when the alarm comes, one for acknowledgements, and one for what
// is still alive in the oldest file and has to move before that file is free.
constexpr std::uint64_t low_files = 3;
constexpr std::uint64_t enough_files = 4;
// Of these the last two are spares, written before they are needed: nobody else can take them.
constexpr std::uint64_t spares_wanted = 2;
constexpr std::uint64_t steps_left_free = 2;
// The next file grows so much faster than this one fills up: it is whole long before it is used.
constexpr std::uint64_t spare_growth = 2;
constexpr std::uint64_t file_bytes_max = std::uint64_t{64} << 20U;
constexpr std::uint64_t file_bytes_min = std::uint64_t{1} << 20U;
constexpr std::uint64_t files_of_a_file_system = 32;
// Large bodies that are written and synced together: as many files are open then.
constexpr std::size_t blobs_at_once = 16;
// The head of a batch may go beyond the nominal size.
constexpr std::uint64_t head_bytes_ahead = std::uint64_t{64} << 10U;

}  // namespace

std::uint64_t nominal_file_bytes(std::uint64_t file_system_bytes) {
    return std::clamp(file_system_bytes / files_of_a_file_system, file_bytes_min, file_bytes_max);
}

log_writer::log_writer(disk& files, const writer_options& options, const recovered_tail& tail)
    : disk_(files),
      options_(options),
      salt_(tail.salt),
      spares_(files, tail.spares, options.spare_bytes_max),
      made_file_(tail.next_file - 1),
      begun_(!tail.files.empty()) {
    for (const file_account& file : tail.files) {
        log_bytes_ += file.bytes;
    }
    if (begun_) {
        batch::run last;
        last.file = tail.files.back().file;
        last.offset = tail.offset;
        static_cast<void>(use_file(last));
        failed_ = false;  // the first batch will tell
    }
    measure();
}

log_writer::~log_writer() {
    close_current();
}

boost::system::error_code log_writer::write(batch& full) {
    if (failed_) {
        return errc::write_failed;
    }
    no_descriptor_ = false;
    error_code error = write_blobs(full);
    if (!error) {
        error = write_and_sync(full);
    }
    if (!error) {
        for (const batch::reclaim& freed : full.reclaims) {
            reclaim(freed);
        }
        begun_ = true;
        ++counters_.batches;
        counters_.records += full.records;
        const std::uint64_t bytes = full.head.size() + full.body.size();
        counters_.bytes += bytes;
        log_bytes_ += bytes;
        batch_bytes_ = bytes;
    }
    measure();
    return error;
}

boost::system::error_code log_writer::write_blobs(batch& full) {
    while (full.blobs_written != full.blobs.size()) {
        const std::span<const new_blob> left =
            std::span<const new_blob>{full.blobs}.subspan(full.blobs_written);
        const std::span<const new_blob> some = left.first(std::min(left.size(), blobs_at_once));
        error_code error = store::write_blobs(disk_, salt_, some);
        while (is_disk_full(error) && spares_.give_up_one()) {
            ++counters_.files_removed;
            error = store::write_blobs(disk_, salt_, some);
        }
        if (may_pass(error)) {
            refused_ = refused_ || is_disk_full(error);
            fail("write", blob_name(some.front().blob), error);
            return errc::disk_full;
        }
        if (error) {
            failed_ = true;
            return fail("write", blob_name(some.front().blob), error);
        }
        full.blobs_written += some.size();
        counters_.blobs += some.size();
        counters_.file_syncs += some.size();
        ++counters_.directory_syncs;
        for (const new_blob& each : some) {
            counters_.bytes += each.body.size();
        }
    }
    return {};
}

boost::system::error_code log_writer::write_and_sync(batch& full) {
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
    if (refused_ && !failed_ && begun_) {
        // A quota is found out by trying only.
        refused_ = false;
        static_cast<void>(missing_in_current() != 0 ? grow_current() : grow_spare());
    }
    measure();
}

void log_writer::measure() {
    const auto space = disk_.space();
    const std::uint64_t available =
        space ? space->available : std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t ahead = ready_ > end_ ? ready_ - end_ : 0;
    room_ = ahead + spares_.bytes();
    free_ = refused_ ? 0 : available;
    if (!refused_) {
        room_ += std::min(available, std::numeric_limits<std::uint64_t>::max() - room_);
    }
    const std::uint64_t files = space_low_ ? enough_files : low_files;
    space_low_ = refused_ || room_ < files * options_.file_bytes;
    // The reserve comes before publishers, but nobody is served by a disk without a free octet.
    starved_ = refused_ || available < steps_left_free * options_.ahead_bytes;
}

std::uint64_t log_writer::in_steps(std::uint64_t bytes) const {
    return (bytes + options_.ahead_bytes - 1) / options_.ahead_bytes * options_.ahead_bytes;
}

std::uint64_t log_writer::reserve_bytes() const {
    const std::uint64_t wanted = in_steps(std::max(2 * log_bytes_, options_.ahead_bytes));
    return std::min(spares_wanted * whole_bytes(), wanted);
}

std::uint64_t log_writer::whole_bytes() const {
    return options_.file_bytes + std::min(head_bytes_ahead, options_.file_bytes / 16);
}

std::uint64_t log_writer::missing_in_current() const {
    if (current_file_ == 0) {
        return 0;
    }
    const std::uint64_t wanted = std::min(whole_bytes(), in_steps(end_ + reserve_bytes()));
    return wanted - std::min(wanted, ready_);
}

std::uint64_t log_writer::missing_in_spares() const {
    const std::uint64_t wanted = reserve_bytes();
    return wanted - std::min(wanted, spares_.bytes(whole_bytes()));
}

log_writer::preparation log_writer::preparing() const {
    if (failed_ || starved_ || no_descriptor_ || !begun_) {
        return preparation::none;
    }
    const std::uint64_t in_spares = missing_in_spares();
    if (in_spares != 0 &&
        spares_.bytes(whole_bytes()) < std::min(spare_growth * end_, whole_bytes())) {
        return preparation::due;
    }
    return in_spares + missing_in_current() != 0 ? preparation::wanted : preparation::none;
}

boost::system::error_code log_writer::prepare() {
    if (preparing() == preparation::none) {
        return {};
    }
    const error_code error = missing_in_spares() != 0 ? grow_spare() : grow_current();
    measure();
    return error;
}

boost::system::error_code log_writer::grow_current() {
    const std::uint64_t step = std::min(missing_in_current(), options_.ahead_bytes);
    error_code error = write_zeros(disk_, current_, ready_, step);
    if (!error) {
        error = disk_.sync(current_);
    }
    if (!error) {
        ready_ += step;
    }
    return grown(step, current_name_, error);
}

boost::system::error_code log_writer::grow_spare() {
    const std::uint64_t before = spares_.bytes();
    // As fast as the log itself, however large its batches are.
    const std::uint64_t step = std::max(options_.ahead_bytes, spare_growth * batch_bytes_);
    batch_bytes_ = 0;
    const error_code error = spares_.grow(step, whole_bytes(), made_file_ + 1);
    return grown(spares_.bytes() - before, spares_.grown_file(), error);
}

boost::system::error_code log_writer::grown(
    std::uint64_t step,
    const std::string& name,
    error_code error) {
    if (!error) {
        counters_.bytes_prepared += step;
        return {};
    }
    if (may_pass(error)) {
        refused_ = refused_ || is_disk_full(error);
        no_descriptor_ = !is_disk_full(error);
        return {};
    }
    failed_ = true;
    return fail("prepare", name, error);
}

boost::system::error_code log_writer::write_pieces(std::uint64_t offset, std::size_t bytes) {
    const std::uint64_t end = offset + bytes;
    const std::size_t own_pieces = pieces_.size();
    // Zeros go ahead of the log before they are needed: a sync in written space has no length to
    // record.
    std::uint64_t ahead = end;
    const std::uint64_t wanted =
        std::min(end + options_.ahead_bytes / 2, std::max(end, whole_bytes()));
    if (ready_ < wanted) {
        ahead =
            std::min(std::max(ready_, end) + options_.ahead_bytes, std::max(end, whole_bytes()));
        append_zeros(pieces_, ahead - end);
    }
    error_code error = disk_.write(current_, offset, pieces_);
    if (ahead > ready_) {
        refused_ = is_disk_full(error);
    }
    if (is_disk_full(error) && ahead != end) {
        pieces_.resize(own_pieces);
        ahead = end;
        error = disk_.write(current_, offset, pieces_);
    }
    // The reserve is for the log, wherever in the log the space is needed.
    while (is_disk_full(error) && spares_.give_up_one()) {
        ++counters_.files_removed;
        error = disk_.write(current_, offset, pieces_);
    }
    if (is_disk_full(error)) {
        refused_ = true;
        fail("write", current_name_, error);
        return errc::disk_full;
    }
    if (error) {
        failed_ = true;
        return fail("write", current_name_, error);
    }
    ready_ = std::max(ready_, ahead);
    end_ = end;
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
    end_ = run.offset;
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
        error = spares_.use_as(name);
        if (!error) {
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
        refused_ = refused_ || is_disk_full(error);
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
    log_bytes_ -= std::min(log_bytes_, freed.bytes);
    // A failure here costs space and nothing else: the log says already that the file is not
    // needed, and recovery will find it.
    if (spares_.count() < options_.spares_max && freed.bytes <= options_.spare_bytes_max) {
        static_cast<void>(spares_.take(freed.file));
    } else if (!disk_.remove(log_name(freed.file))) {
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
