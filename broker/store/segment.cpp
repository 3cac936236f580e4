#include "broker/store/segment.hpp"

#include "broker/store/directory.hpp"

#include <algorithm>
#include <array>

namespace lovage::broker::store {
namespace {

using error_code = boost::system::error_code;

constexpr std::size_t open_files_max = 16;
constexpr std::size_t buffer_kept_max = std::size_t{4} << 20U;
/// Offset of the end record and the checksum of that number.
constexpr std::size_t trailer_bytes = 12;
constexpr std::size_t segment_page_bytes_max = 5 * varint_bytes_max;

std::uint32_t trailer_crc(const char* at, std::uint32_t seed) {
    return crc32c({at, sizeof(std::uint64_t)}, seed);
}

}  // namespace

segment_builder::segment_builder(std::uint64_t salt, segment_number number)
    : salt_(salt), number_(number) {
    begin();
}

void segment_builder::begin() {
    put_file_header(
        content_.prepare(header_bytes), {format_version, number_, salt_}, segment_magic);
    content_.commit(header_bytes);
}

void segment_builder::append(record_type type, std::uint64_t number, std::size_t payload_bytes) {
    record_header header;
    header.length = static_cast<std::uint32_t>(payload_bytes);
    header.number = number;
    header.type = static_cast<std::uint8_t>(type);
    put_record_header(content_.prepare(0), header);
    content_.commit(record_header_bytes + payload_bytes);
}

void segment_builder::begin_page(page_id page, queue_id queue) {
    pages_.push_back({page, queue, {content_.size(), 0}, 0});
}

void segment_builder::add(const segment_message& message) {
    char* const start = content_.prepare(record_header_bytes + payload_bound(message));
    payload_writer out{start + record_header_bytes};
    write_payload(out, message);
    ++pages_.back().count;
    append(
        record_type::message,
        pages_.back().page,
        static_cast<std::size_t>(out.position() - start) - record_header_bytes);
}

page_extent segment_builder::end_page() {
    page_extent& extent = pages_.back().extent;
    extent.bytes = content_.size() - extent.offset;
    return extent;
}

built_segment segment_builder::finish(segment_number next) {
    const std::uint64_t end = content_.size();
    char* const start = content_.prepare(
        record_header_bytes + varint_bytes_max + pages_.size() * segment_page_bytes_max);
    payload_writer out{start + record_header_bytes};
    out.varint(pages_.size());
    for (const page_entry& each : pages_) {
        out.varint(each.page);
        out.varint(each.queue);
        out.varint(each.extent.offset);
        out.varint(each.extent.bytes);
        out.varint(each.count);
    }
    append(
        record_type::segment_end,
        number_,
        static_cast<std::size_t>(out.position() - start) - record_header_bytes);
    char* const trailer = content_.prepare(trailer_bytes);
    put_fixed(trailer, end);
    put_fixed(trailer + sizeof end, trailer_crc(trailer, segment_seed(salt_, number_)));
    content_.commit(trailer_bytes);
    built_segment built{number_, std::move(content_), true, false};
    content_ = {};
    pages_.clear();
    number_ = next;
    begin();
    return built;
}

error_code write_segment(
    disk& files,
    std::uint64_t salt,
    built_segment& what,
    std::string& problem) {
    byte_buffer& content = what.content;
    finish_records(
        content.at(header_bytes),
        content.size() - header_bytes - trailer_bytes,
        segment_seed(salt, what.number));
    const std::string name = segment_name(what.number);
    const auto fail = [&](const char* doing, const error_code& error) -> error_code {
        problem = std::string{"cannot "} + doing + " " + name + ": " + error.message();
        return may_pass(error) ? error_code{errc::disk_full} : error_code{errc::write_failed};
    };
    const auto opened = files.open(name, disk::open_mode::create);
    if (!opened) {
        return fail("create", opened.error());
    }
    const octets piece = content.view();
    const error_code written = files.write(*opened, 0, {&piece, 1});
    const error_code synced = written || !what.lasting ? error_code{} : files.sync(*opened);
    files.close(*opened);
    if (written || synced) {
        static_cast<void>(files.remove(name));
        return written ? fail("write", written) : fail("sync", synced);
    }
    const error_code named = what.lasting ? files.sync_directory() : error_code{};
    return named ? fail("sync the name of", named) : error_code{};
}

disk::result<segment_content> read_segment_end(
    disk& files,
    std::uint64_t salt,
    segment_number segment,
    std::string& problem) {
    const std::string name = segment_name(segment);
    const auto opened = files.open(name, disk::open_mode::existing);
    if (!opened) {
        return opened.error();
    }
    const disk::handle file = *opened;
    const auto damaged = [&](const char* what) -> disk::result<segment_content> {
        files.close(file);
        problem = name + ": " + what;
        return error_code{errc::damaged};
    };
    const auto failed = [&](const error_code& error) -> disk::result<segment_content> {
        files.close(file);
        return error;
    };
    const std::uint32_t seed = segment_seed(salt, segment);
    const auto size = files.size(file);
    if (!size) {
        return failed(size.error());
    }
    std::array<char, header_bytes> head{};
    std::array<char, trailer_bytes> trailer{};
    if (*size < header_bytes + record_header_bytes + trailer_bytes) {
        return damaged("the file is too short");
    }
    const auto got = files.read(file, 0, head.data(), head.size());
    const auto got_end = files.read(file, *size - trailer_bytes, trailer.data(), trailer.size());
    if (!got || !got_end) {
        return failed(!got ? got.error() : got_end.error());
    }
    file_header header;
    if (!get_file_header(head.data(), header, segment_magic) || header.number != segment ||
        header.salt != salt) {
        return damaged("its header is not that of this segment");
    }
    const auto end = get_fixed<std::uint64_t>(trailer.data());
    const std::uint64_t last = *size - trailer_bytes;
    if (get_fixed<std::uint32_t>(trailer.data() + sizeof end) !=
            trailer_crc(trailer.data(), seed) ||
        end < header_bytes || end + record_header_bytes > last) {
        return damaged("the file does not end as it should");
    }
    std::string record(last - end, '\0');
    const auto got_record = files.read(file, end, record.data(), record.size());
    if (!got_record) {
        return failed(got_record.error());
    }
    const record_header end_header = get_record_header(record.data());
    if (*got_record != record.size() || end_header.length + record_header_bytes != record.size() ||
        record_crc(record, seed) != end_header.crc) {
        return damaged("the list of its pages is damaged");
    }
    segment_content content;
    content.bytes = *size;
    content.end = end;
    payload_reader in{octets{record}.substr(record_header_bytes)};
    const std::uint64_t count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        segment_page page;
        page.page = in.varint();
        page.queue = in.varint();
        page.extent.offset = in.varint();
        page.extent.bytes = in.varint();
        page.count = in.small();
        content.pages.push_back(page);
    }
    if (!in.ok() || !in.at_end()) {
        return damaged("the list of its pages cannot be understood");
    }
    files.close(file);
    return content;
}

segment_reader::~segment_reader() {
    for (const open_file& each : files_) {
        disk_.close(each.file);
    }
}

disk::result<disk::handle> segment_reader::open(segment_number segment) {
    const auto found = std::ranges::find(files_, segment, &open_file::segment);
    if (found != files_.end()) {
        files_.splice(files_.begin(), files_, found);
        return found->file;
    }
    const auto opened = disk_.open(segment_name(segment), disk::open_mode::existing);
    if (!opened) {
        return opened.error();
    }
    files_.push_front({segment, *opened});
    if (files_.size() > open_files_max) {
        disk_.close(files_.back().file);
        files_.pop_back();
    }
    return *opened;
}

void segment_reader::forget(segment_number segment) {
    const auto found = std::ranges::find(files_, segment, &open_file::segment);
    if (found != files_.end()) {
        disk_.close(found->file);
        files_.erase(found);
    }
}

std::string segment_reader::read_at(disk::handle file, std::uint64_t offset, std::uint64_t bytes) {
    buffer_.clear();
    if (buffer_.capacity() > buffer_kept_max && bytes <= buffer_kept_max) {
        buffer_.release();  // a very large message has gone
    }
    const auto got = disk_.read(file, offset, buffer_.prepare(bytes), bytes);
    if (!got) {
        return "cannot read: " + got.error().message();
    }
    buffer_.commit(*got);
    return *got < bytes ? "the file is shorter than it was" : std::string();
}

std::string segment_reader::read(
    segment_number segment,
    page_id page,
    page_extent where,
    std::uint64_t& offset,
    std::size_t bytes,
    const taker& take) {
    if (offset >= where.bytes) {
        return {};
    }
    const auto file = open(segment);
    if (!file) {
        return "cannot open " + segment_name(segment) + ": " + file.error().message();
    }
    const std::uint32_t seed = segment_seed(salt_, segment);
    std::uint64_t wanted = std::min<std::uint64_t>(
        std::max<std::uint64_t>(bytes, record_header_bytes), where.bytes - offset);
    bool any = false;
    for (;;) {
        if (std::string wrong = read_at(*file, where.offset + offset, wanted); !wrong.empty()) {
            return segment_name(segment) + ": " + wrong;
        }
        octets rest = buffer_.view();
        while (rest.size() >= record_header_bytes) {
            const record_header header = get_record_header(rest.data());
            const std::uint64_t whole = record_header_bytes + std::uint64_t{header.length};
            if (whole > rest.size()) {
                break;
            }
            segment_message message;
            if (record_crc(rest.substr(0, whole), seed) != header.crc ||
                header.type != static_cast<std::uint8_t>(record_type::message) ||
                header.number != page ||
                !read_payload(rest.substr(record_header_bytes, header.length), message, entries_)) {
                return segment_name(segment) + " at offset " +
                       std::to_string(where.offset + offset) + ": not the message that was there";
            }
            if (!take(message)) {
                return {};
            }
            any = true;
            offset += whole;
            rest.remove_prefix(whole);
        }
        if (any || offset >= where.bytes) {
            return {};
        }
        // A message that is larger than what was asked for.
        const std::uint64_t whole =
            record_header_bytes + std::uint64_t{get_record_header(buffer_.view().data()).length};
        if (wanted == where.bytes - offset || whole > where.bytes - offset) {
            return segment_name(segment) + " at offset " + std::to_string(where.offset + offset) +
                   ": a message that does not end";
        }
        wanted = whole;
    }
}

}  // namespace lovage::broker::store
