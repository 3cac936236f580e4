#include "broker/store/log.hpp"

#include <algorithm>
#include <cassert>

namespace lovage::broker::store {
namespace {

// A settled record is closed at this size, so that one record stays small beside a file.
constexpr std::size_t settled_bytes_max = std::size_t{64} << 10U;
// Batches in flight: one filled, one written, one on its way back.
constexpr std::size_t spare_batches_max = 3;

}  // namespace

log::log(const log_options& options, const recovered_tail& tail)
    : options_(options),
      salt_(tail.salt),
      offset_(tail.offset),
      head_lsn_(tail.next),
      previous_(tail.previous),
      unsynced_base_(tail.previous + 1),
      next_(tail.next + 1),
      files_(tail.files.begin(), tail.files.end()),
      next_file_(tail.next_file),
      first_needed_(tail.first_needed) {
    for (const file_account& file : files_) {
        live_ += file.live;
        if (file.file != files_.back().file) {
            closed_bytes_ += file.bytes;
            closed_live_ += file.live;
        }
    }
}

void log::queue_deleted(queue_id id, octets vhost, octets name) {
    payload_writer out{begin_record(vhost.size() + name.size() + 3 * varint_bytes_max)};
    out.varint(id);
    out.text(vhost);
    out.text(name);
    end_record(record_type::queue_deleted, out.position(), false);
}

void log::exchange_deleted(octets vhost, octets name) {
    payload_writer out{begin_record(vhost.size() + name.size() + 2 * varint_bytes_max)};
    out.text(vhost);
    out.text(name);
    end_record(record_type::exchange_deleted, out.position(), false);
}

location log::setting_put(octets key, octets value) {
    payload_writer out{begin_record(key.size() + value.size() + 2 * varint_bytes_max)};
    out.text(key);
    out.text(value);
    return end_record(record_type::setting_put, out.position(), true);
}

void log::setting_erased(octets key) {
    payload_writer out{begin_record(key.size() + varint_bytes_max)};
    out.text(key);
    end_record(record_type::setting_erased, out.position(), false);
}

void log::returned(queue_id queue, message_id message, std::uint32_t delivery_count) {
    payload_writer out{begin_record(3 * varint_bytes_max)};
    out.varint(queue);
    out.varint(message);
    out.varint(delivery_count);
    end_record(record_type::returned, out.position(), false);
}

location log::paged(const page_record& record) {
    append_page_settled();  // what is settled so far is in the record already
    return append_record(record_type::paged, record);
}

void log::page_returned(page_id page, std::uint32_t index, std::uint32_t delivery_count) {
    payload_writer out{begin_record(3 * varint_bytes_max)};
    out.varint(page);
    out.varint(index);
    out.varint(delivery_count);
    end_record(record_type::page_returned, out.position(), false);
}

void log::page_dropped(page_id page) {
    append_page_settled();
    payload_writer out{begin_record(varint_bytes_max)};
    out.varint(page);
    end_record(record_type::page_dropped, out.position(), false);
}

void log::begin_page_run(const page_run& run) {
    flush_page_run();
    page_run_ = run;
}

void log::flush_page_run() {
    if (page_run_.page == 0) {
        return;
    }
    payload_writer out{page_settled_.prepare(page_run_bytes_max)};
    const char* const start = out.position();
    write_page_run(out, page_run_);
    page_settled_.commit(static_cast<std::size_t>(out.position() - start));
    page_run_ = {};
    if (page_settled_.size() >= settled_bytes_max) {
        append_page_settled();
    }
}

void log::append_page_settled() {
    flush_page_run();
    if (page_settled_.empty()) {
        return;
    }
    payload_writer out{begin_record(page_settled_.size())};
    out.raw(page_settled_.view());
    end_record(record_type::page_settled, out.position(), false);
    page_settled_.clear();
}

template <class Record>
location log::append_record(record_type type, const Record& record) {
    payload_writer out{begin_record(payload_bound(record))};
    write_payload(out, record);
    return end_record(type, out.position(), type != record_type::unbound);
}

template location log::append_record(record_type, const queue_record&);
template location log::append_record(record_type, const exchange_record&);
template location log::append_record(record_type, const binding_record&);
template location log::append_record(record_type, const publish_record&);
template location log::append_record(record_type, const page_record&);

char* log::begin_record(std::size_t payload_bound) {
    assert(payload_bound <= payload_bytes_max);
    const std::uint64_t bytes = record_header_bytes + payload_bound;
    if (open_.runs.empty()) {
        begin_run();
    }
    if (offset_ + bytes > options_.file_bytes && files_.back().bytes != 0) {
        open_file();
    }
    return open_.body.prepare(bytes) + record_header_bytes;
}

location log::end_record(record_type type, const char* payload_end, bool alive) {
    char* const start = open_.body.prepare(0);
    const auto bytes = static_cast<std::uint32_t>(payload_end - start);
    record_header header;
    header.length = bytes - static_cast<std::uint32_t>(record_header_bytes);
    header.number = next_;
    header.unsynced = static_cast<std::uint32_t>(next_ - unsynced_base_);
    header.type = static_cast<std::uint8_t>(type);
    put_record_header(start, header);
    open_.body.commit(bytes);
    open_.runs.back().end += bytes;
    ++next_;
    ++body_records_;
    offset_ += bytes;
    file_account& file = files_.back();
    file.bytes += bytes;
    if (alive) {
        file.live += bytes;
        live_ += bytes;
    }
    return {file.file, bytes};
}

void log::begin_run() {
    if (files_.empty()) {
        open_file();
        return;
    }
    batch::run run;
    run.file = files_.back().file;
    run.offset = offset_;
    run.begin = run.end = open_.body.size();
    run.seed = record_seed(salt_, run.file);
    open_.runs.push_back(run);
}

void log::open_file() {
    if (!files_.empty()) {
        closed_bytes_ += files_.back().bytes;
        closed_live_ += files_.back().live;
    }
    files_.push_back({next_file_, 0, 0});
    ++next_file_;
    offset_ = header_bytes;
    begin_run();
    open_.runs.back().creates = true;
}

void log::begin_settled_run(queue_id queue, message_id message) {
    flush_settled_run();
    run_ = {queue, message, 0};
    run_open_ = true;
}

void log::flush_settled_run() {
    if (!run_open_) {
        return;
    }
    payload_writer out{settled_.prepare(settled_run_bytes_max)};
    const char* const start = out.position();
    settled_writer_.write(out, run_);
    settled_.commit(static_cast<std::size_t>(out.position() - start));
    run_open_ = false;
    if (settled_.size() >= settled_bytes_max) {
        append_settled();
    }
}

void log::append_settled() {
    payload_writer out{begin_record(settled_.size())};
    out.raw(settled_.view());
    end_record(record_type::settled, out.position(), false);
    settled_.clear();
    settled_writer_ = {};
}

void log::mark_delivered(queue_id queue, message_id message) {
    const auto [found, added] = mark_of_.try_emplace(queue, marks_.size());
    if (added) {
        marks_.emplace_back(queue, message);
    } else {
        marks_[found->second].second = std::max(marks_[found->second].second, message);
    }
    last_marked_queue_ = queue;
    last_mark_ = found->second;
}

void log::mark_lowered(queue_id queue, message_id message) {
    if (const auto found = mark_of_.find(queue); found != mark_of_.end()) {
        marks_[found->second].second = message;
    }
    payload_writer out{begin_record(2 * varint_bytes_max)};
    out.varint(queue);
    out.varint(message);
    end_record(record_type::mark_lowered, out.position(), false);
}

void log::released(location where) {
    if (where.file == 0) {
        return;
    }
    assert(!files_.empty() && where.file >= files_.front().file && where.file < next_file_);
    file_account& file = account(where.file);
    assert(file.live >= where.bytes);
    file.live -= where.bytes;
    live_ -= where.bytes;
    if (where.file != files_.back().file) {
        closed_live_ -= where.bytes;
    }
}

std::optional<file_number> log::wants_rewrite(std::uint64_t room) const {
    // Files with nothing alive go away with this batch and count no more.
    std::size_t closed = files_.empty() ? 0 : files_.size() - 1;
    std::uint64_t bytes = closed_bytes_;
    for (const file_account& file : files_) {
        const bool nearly_dead = closed != 0 && file.live * options_.nearly_dead_share < file.bytes;
        const bool worth_it =
            space_low_ ? bytes - closed_live_ >= options_.file_bytes : closed_live_ * 2 < bytes;
        if (!nearly_dead && (closed <= options_.rewrite_files_min || !worth_it)) {
            break;
        }
        // Records are not split: space for the longest of them may stay unused at a file's end.
        if (file.live + std::min(file.live, options_.file_bytes / 2) > room) {
            break;
        }
        if (file.live != 0) {
            return file.file;
        }
        bytes -= file.bytes;
        --closed;
    }
    return std::nullopt;
}

lsn log::last_lsn() const {
    if (has_settled()) {
        return next_;  // settlements still become a record with this number or a higher one
    }
    return has_batch() ? next_ - 1 : previous_;
}

void log::write_marks(payload_writer& out) const {
    for (const auto& [queue, message] : marks_) {
        out.varint(queue);
        out.varint(message);
    }
}

void log::append_marks() {
    payload_writer out{begin_record(2 * varint_bytes_max * marks_.size())};
    write_marks(out);
    end_record(record_type::delivered, out.position(), false);
}

void log::append_reclaimed() {
    // Not the files that this batch is written to: without one of them the others, and with them
    // the record that says so, would look like what a crash has left of the batch.
    const file_number begun = open_.runs.front().file;
    while (files_.front().file < begun && files_.front().live == 0) {
        const file_account& file = files_.front();
        open_.reclaims.push_back({file.file, file.bytes});
        closed_bytes_ -= file.bytes;
        first_needed_ = file.file + 1;
        files_.pop_front();
    }
    if (open_.reclaims.empty()) {
        return;
    }
    payload_writer out{begin_record(varint_bytes_max)};
    out.varint(first_needed_);
    end_record(record_type::reclaimed, out.position(), false);
}

void log::write_head() {
    const std::size_t bound = record_header_bytes + varint_bytes_max * (1 + 2 * marks_.size());
    char* const start = open_.head.prepare(bound);
    payload_writer out{start + record_header_bytes};
    out.varint(head_lsn_ - previous_);
    write_marks(out);
    const auto bytes = static_cast<std::uint32_t>(out.position() - start);
    record_header header;
    header.length = bytes - static_cast<std::uint32_t>(record_header_bytes);
    header.number = head_lsn_;
    header.unsynced = static_cast<std::uint32_t>(head_lsn_ - unsynced_base_);
    header.type = static_cast<std::uint8_t>(record_type::batch);
    put_record_header(start, header);
    open_.head.commit(bytes);
    marks_.clear();
    mark_of_.clear();
    last_mark_ = 0;
}

batch log::take_batch() {
    assert(has_batch());
    flush_settled_run();
    if (!settled_.empty()) {
        append_settled();
    }
    append_page_settled();
    if (open_.runs.empty()) {
        begin_run();  // delivery marks alone
    }
    if (open_.runs.size() > 1 && !marks_.empty()) {
        // The head stays behind in the older file, which may be reclaimed while a declaration in
        // the newer one still has the mark from before.
        append_marks();
    }
    append_reclaimed();
    write_head();
    const file_number head_file = open_.runs.front().file;
    account(head_file).bytes += open_.head.size();
    if (head_file == files_.back().file) {
        offset_ += open_.head.size();
    } else {
        closed_bytes_ += open_.head.size();
    }
    open_.records = body_records_ + 1;
    open_.highest = next_ - 1;
    previous_ = open_.highest;
    unsynced_base_ = next_;
    head_lsn_ = next_;
    ++next_;
    body_records_ = 0;
    blob_bytes_ = 0;
    batch full = std::move(open_);
    if (spare_batches_.empty()) {
        open_ = batch{};
    } else {
        open_ = std::move(spare_batches_.back());
        spare_batches_.pop_back();
    }
    check_invariants();
    return full;
}

void log::give_back(batch&& written) {
    batch kept = std::move(written);
    kept.head.clear();
    kept.body.clear();
    kept.runs.clear();
    kept.blobs.clear();
    kept.blobs_written = 0;
    kept.reclaims.clear();
    if (kept.body.capacity() > options_.buffer_bytes_kept) {
        kept.body.release();
    }
    if (spare_batches_.size() < spare_batches_max) {
        spare_batches_.push_back(std::move(kept));
    }
}

std::uint64_t log::file_bytes() const {
    return closed_bytes_ + (files_.empty() ? 0 : files_.back().bytes);
}

void log::check_invariants() const {
    assert(closed_live_ <= live_ && closed_live_ <= closed_bytes_);
    assert(files_.empty() || files_.back().file - files_.front().file + 1 == files_.size());
    assert(files_.empty() || files_.back().live == live_ - closed_live_);
}

}  // namespace lovage::broker::store
