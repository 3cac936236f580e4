#include "broker/store/recovery.hpp"

#include "broker/store/blob.hpp"
#include "broker/store/directory.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker::store {
namespace {

// Files open at once while messages are read.
constexpr std::size_t windows_max = 64;
constexpr std::size_t message_window_bytes = std::size_t{256} << 10U;
constexpr const char* damage_advice =
    "; lovage-broker --verify DATA_DIR lists all that is damaged, lovage-broker --salvage "
    "DATA_DIR --into NEW_DIR takes over what is whole; or restore a backup";

std::string at_offset(file_number file, std::uint64_t offset) {
    return log_name(file) + " at offset " + std::to_string(offset);
}

}  // namespace

boost::system::error_code recovery::run(std::string& problem) {
    const auto claimed = options_.read_only ? look_at_directory(disk_, problem)
                                            : claim_directory(disk_, options_.new_salt, problem);
    if (!claimed) {
        return claimed.error();
    }
    tail_.salt = claimed->salt;
    has_marker_ = true;
    const auto names = disk_.list();
    if (!names) {
        problem = "cannot list the data directory: " + names.error().message();
        return names.error();
    }
    const directory_content content = classify(*names);
    logs_ = content.logs;
    tail_.spares = content.spares;
    segments_ = content.segments;
    blobs_ = content.blobs;
    error_code error = read_logs();
    if (!error) {
        error = check_start();
    }
    if (options_.read_only) {
        if (!error) {
            finish();
        }
        problem = problem_;
        return error;
    }
    if (!error && claimed->version < format_version) {
        // Not before all was read: what cannot be read here is left to the older version.
        error = upgrade_marker(disk_, claimed->salt, problem_);
    }
    if (!error) {
        finish();
        error = check_segments();
    }
    if (!error) {
        error = check_blobs();
    }
    if (!error) {
        error = sync_all();
    }
    if (!error) {
        error = tidy();
    }
    problem = problem_;
    return error;
}

boost::system::error_code recovery::read_logs() {
    if (!logs_.empty() && logs_.front() != 1 && tail_.spares.empty()) {
        // Unless something here shows that the first batch was whole, it was cut by a crash, and
        // the name of its first file with it.
        const auto begin = look_behind_stop(0);
        if (!begin) {
            return begin.error();
        }
        if (*begin == ending::torn_or_clean) {
            logs_begin_ = false;
            return {};
        }
    }
    for (std::size_t index = 0; index < logs_.size(); ++index) {
        if (const error_code error = read_file(index)) {
            return error;
        }
        const auto next = look_at_next(index + 1);
        if (!next) {
            return next.error();
        }
        if (*next == next_file::unrelated) {
            const auto end = look_behind_stop(index);
            if (!end) {
                return end.error();
            }
            if (*end == ending::torn_or_clean) {
                break;
            }
            // All up to here may be files that were reclaimed; what follows will say so.
            damage_ = at_offset(logs_[stop_index_], stop_offset_);
            start_over(index + 1);
        }
    }
    return {};
}

void recovery::start_over(std::size_t index) {
    accounts_.clear();
    replay_ = replay{};
    any_lsn_ = true;
    last_ = 0;
    stop_index_ = index;
    stop_offset_ = 0;
}

disk::result<std::unique_ptr<log_reader>> recovery::open_log(file_number file) {
    auto opened = log_reader::open(disk_, file, tail_.salt, options_.window_bytes);
    if (!opened) {
        return fail("open", file, opened.error());
    }
    switch ((*opened)->header()) {
        case log_reader::header_state::newer:
            return fail(
                errc::newer_version,
                log_name(file) + " has format version " + std::to_string((*opened)->version()) +
                    ", this broker supports up to " + std::to_string(format_version) +
                    "; run the newer broker");
        case log_reader::header_state::other_directory:
            return fail_damaged(log_name(file) + " belongs to another data directory");
        case log_reader::header_state::valid:
        case log_reader::header_state::invalid: break;
    }
    return opened;
}

boost::system::error_code recovery::read_file(std::size_t index) {
    const file_number file = logs_[index];
    const auto reader = open_log(file);
    if (!reader) {
        return reader.error();
    }
    stop_index_ = index;
    stop_offset_ = 0;
    if ((*reader)->header() != log_reader::header_state::valid) {
        return {};
    }
    accounts_.push_back({file, 0, 0});
    ++counters_.files;
    return apply_records(**reader, file);
}

boost::system::error_code recovery::apply_records(log_reader& reader, file_number file) {
    stop_offset_ = header_bytes;
    for (;;) {
        const auto found = reader.record_at(stop_offset_);
        if (!found) {
            return fail("read", file, found.error());
        }
        if (!*found || (!any_lsn_ && !follows(**found, last_))) {
            return {};
        }
        const found_record& record = **found;
        const record_place place{file, record.offset, record.bytes(), record.header.number};
        if (!replay_.apply(static_cast<record_type>(record.header.type), record.payload, place)) {
            return fail_damaged(
                at_offset(file, record.offset) + ": a record of type " +
                std::to_string(record.header.type) + " cannot be understood");
        }
        any_lsn_ = false;
        last_ = record.header.number;
        accounts_.back().bytes += record.bytes();
        ++counters_.records;
        counters_.bytes += record.bytes();
        stop_offset_ += record.bytes();
    }
}

disk::result<recovery::next_file> recovery::look_at_next(std::size_t index) {
    if (index >= logs_.size() || stop_offset_ == 0 || any_lsn_ ||
        logs_[index] != logs_[index - 1] + 1) {
        return next_file::unrelated;
    }
    const auto reader = open_log(logs_[index]);
    if (!reader) {
        return reader.error();
    }
    if ((*reader)->header() != log_reader::header_state::valid) {
        return next_file::unrelated;
    }
    const auto record = (*reader)->record_at(header_bytes);
    if (!record) {
        return fail("read", logs_[index], record.error());
    }
    return *record && follows(**record, last_) ? next_file::continues : next_file::unrelated;
}

disk::result<recovery::ending> recovery::look_behind_stop(std::size_t index) {
    highest_stray_ = 0;
    for (std::size_t i = index; i < logs_.size(); ++i) {
        const auto reader = open_log(logs_[i]);
        if (!reader) {
            return reader.error();
        }
        const std::uint64_t from =
            i == index && stop_offset_ != 0 ? stop_offset_ : std::uint64_t{header_bytes};
        const auto found = (*reader)->search(from, last_);
        if (!found) {
            return fail("read", logs_[i], found.error());
        }
        highest_stray_ = std::max(highest_stray_, found->highest);
        if (found->proof != 0) {
            return ending::damaged;
        }
    }
    counters_.torn = highest_stray_ != 0;
    return ending::torn_or_clean;
}

boost::system::error_code recovery::check_start() {
    if (!logs_begin_) {
        return {};
    }
    const bool nothing = accounts_.empty();
    file_number start = 1;
    if (!logs_.empty()) {
        start = nothing ? logs_.front() : accounts_.front().file;
    }
    if (start <= replay_.first_needed() && (damage_.empty() || !nothing)) {
        return {};
    }
    if (!damage_.empty()) {
        return fail_damaged(
            damage_ + " is damaged: records behind it show that it had been stored");
    }
    return fail_damaged(
        log_name(replay_.first_needed()) + " is missing, the log starts with " + log_name(start));
}

void recovery::finish() {
    replay_.finish();
    const file_number needed = replay_.first_needed();
    tail_.first_needed = needed;
    for (const file_account& account : accounts_) {
        if (account.file >= needed) {
            tail_.files.push_back(account);
        }
    }
    if (!accounts_.empty()) {
        tail_.offset = stop_offset_;
        tail_.next_file = accounts_.back().file + 1;
    }
    tail_.previous = last_;
    tail_.next = std::max(last_, highest_stray_) + 1;
    if (tail_.next != 1) {
        tail_.next += lsn_restart_gap;
    }
    const auto keep = [&](location where) {
        tail_.files[where.file - tail_.files.front().file].live += where.bytes;
    };
    for (const auto& queue : replay_.queues()) {
        keep(queue.where);
    }
    for (const auto& exchange : replay_.exchanges()) {
        keep(exchange.where);
    }
    for (const auto& binding : replay_.bindings()) {
        keep(binding.where);
    }
    for (const auto& setting : replay_.settings()) {
        keep(setting.where);
    }
    for (const auto& page : replay_.pages()) {
        keep(page.where);
    }
    for (const auto& message : replay_.messages()) {
        keep(message.where);
    }
    if (!segments_.empty()) {
        tail_.next_segment = segments_.back() + 1;
    }
    tail_.blobs = replay_.blobs();
}

boost::system::error_code recovery::blank_end(disk::handle file) {
    // Half of a torn record may lie here, of which later writes could supply the other half: the
    // same body again, for one. Without its header it can never be whole.
    const std::array<char, record_header_bytes> zeros{};
    std::array<char, record_header_bytes> found{};
    const auto got = disk_.read(file, tail_.offset, found.data(), found.size());
    if (!got) {
        return got.error();
    }
    if (found == zeros) {
        return {};
    }
    const octets piece{zeros.data(), zeros.size()};
    return disk_.write(file, tail_.offset, {&piece, 1});
}

boost::system::error_code recovery::sync_all() {
    // After a kill the last batch may have been read from memory that never reached the disk; what
    // is built upon it now must not be more durable than itself.
    for (const file_account& account : tail_.files) {
        const auto opened = disk_.open(log_name(account.file), disk::open_mode::existing);
        if (!opened) {
            return fail("open", account.file, opened.error());
        }
        error_code error;
        if (account.file == tail_.files.back().file) {
            error = blank_end(*opened);
        }
        if (!error) {
            error = disk_.sync(*opened);
        }
        disk_.close(*opened);
        if (error) {
            return fail("sync", account.file, error);
        }
    }
    if (const error_code error = disk_.sync_directory()) {
        problem_ = "cannot sync the data directory: " + error.message();
        return error;
    }
    return {};
}

boost::system::error_code recovery::tidy() {
    bool changed = false;
    for (const file_number file : logs_) {
        const bool reclaimed = file < tail_.first_needed;
        if (!reclaimed && file < tail_.next_file) {
            continue;
        }
        // What lies behind the tail may hold records of the torn batch, with numbers that could
        // be used again: it must not become a log file of the same number.
        error_code error;
        if (reclaimed && tail_.spares.size() < options_.spares_max) {
            const std::string spare = spare_name(file);
            error = disk_.rename(log_name(file), spare);
            if (std::find(tail_.spares.begin(), tail_.spares.end(), spare) == tail_.spares.end()) {
                tail_.spares.push_back(spare);
            }
        } else {
            error = disk_.remove(log_name(file));
        }
        if (error) {
            return fail("tidy up", file, error);
        }
        changed = true;
    }
    if (const error_code error = remove_unneeded(changed)) {
        return error;
    }
    while (tail_.spares.size() > options_.spares_max) {
        static_cast<void>(disk_.remove(tail_.spares.back()));
        tail_.spares.pop_back();
    }
    if (changed) {
        if (const error_code error = disk_.sync_directory()) {
            problem_ = "cannot sync the data directory: " + error.message();
            return error;
        }
    }
    return {};
}

boost::system::error_code recovery::for_each_message(
    const message_visitor& visit,
    std::string& problem) {
    // In the order of ids: mostly the order of the files, with survivors of old files in between,
    // so each file has its own window.
    std::map<file_number, std::unique_ptr<log_reader>> readers;
    std::vector<queue_entry> unused;
    byte_buffer blob;
    for (const replay::stored_message& message : replay_.messages()) {
        if (readers.size() > windows_max) {
            readers.clear();
        }
        auto& reader = readers[message.where.file];
        if (!reader) {
            auto opened = log_reader::open(
                disk_,
                message.where.file,
                tail_.salt,
                std::min(options_.window_bytes, message_window_bytes));
            if (!opened) {
                fail("open", message.where.file, opened.error());
                problem = problem_;
                return opened.error();
            }
            reader = std::move(*opened);
        }
        const auto found = reader->record_at(message.offset);
        recovered_message out;
        out.where = message.where;
        if (!found || !*found || !read_payload((*found)->payload, out.record, unused) ||
            out.record.id != message.id) {
            const error_code error = fail_damaged(
                at_offset(message.where.file, message.offset) +
                ": the record cannot be read a second time");
            problem = problem_;
            return error;
        }
        if (out.record.blob.blob != 0 && !options_.read_only) {
            const std::string wrong =
                read_blob(disk_, tail_.salt, out.record.blob, blob, out.record.body);
            if (!wrong.empty()) {
                const error_code error = fail_damaged(wrong);
                problem = problem_;
                return error;
            }
        }
        out.record.queues = replay_.entries(message);
        out.record.replaces.reset();
        visit(out);
    }
    return {};
}

boost::system::error_code recovery::fail(errc code, std::string text) {
    problem_ = std::move(text);
    return code;
}

boost::system::error_code recovery::fail_damaged(std::string text) {
    return fail(errc::damaged, options_.read_only ? std::move(text) : text + damage_advice);
}

boost::system::error_code recovery::fail(const char* what, file_number file, error_code error) {
    problem_ = std::string{"cannot "} + what + " " + log_name(file) + ": " + error.message();
    return error;
}

}  // namespace lovage::broker::store
