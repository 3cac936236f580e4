#include "broker/store/page_scan.hpp"

#include "broker/store/directory.hpp"

#include <algorithm>

namespace lovage::broker::store {
namespace {

/// Octets of the message's record that `rest` begins with; 0 if it does not.
std::size_t message_at(octets rest, page_id page, std::uint32_t seed) {
    if (rest.size() < record_header_bytes) {
        return 0;
    }
    const record_header header = get_record_header(rest.data());
    if (header.number != page || header.type != static_cast<std::uint8_t>(record_type::message) ||
        header.length > rest.size() - record_header_bytes) {
        return 0;
    }
    const std::size_t whole = record_header_bytes + header.length;
    return record_crc(rest.substr(0, whole), seed) == header.crc ? whole : 0;
}

/// Of what the file has of the page.
std::string read_page(
    disk& files,
    segment_number segment,
    const page_extent& where,
    byte_buffer& into) {
    const auto file = files.open(segment_name(segment), disk::open_mode::existing);
    if (!file) {
        return "cannot open " + segment_name(segment) + ": " + file.error().message();
    }
    const auto size = files.size(*file);
    disk::error_code error = size ? disk::error_code{} : size.error();
    if (!error && where.offset < *size) {
        const std::uint64_t there = std::min(where.bytes, *size - where.offset);
        const auto got = files.read(*file, where.offset, into.prepare(there), there);
        if (got) {
            into.commit(*got);
        } else {
            error = got.error();
        }
    }
    files.close(*file);
    return error ? "cannot read " + segment_name(segment) + ": " + error.message() : std::string();
}

}  // namespace

page_scan scan_page(
    disk& files,
    std::uint64_t salt,
    const segment_page& page,
    segment_number segment,
    const page_taker& take) {
    page_scan found;
    byte_buffer content;
    found.problem = read_page(files, segment, page.extent, content);
    const std::uint32_t seed = segment_seed(salt, segment);
    const octets all = content.view();
    std::vector<queue_entry> entries;
    std::size_t whole_until = 0;
    std::size_t at = 0;
    const auto damaged_until = [&](std::uint64_t end) {
        if (end > whole_until) {
            found.damaged.push_back({page.extent.offset + whole_until, page.extent.offset + end});
        }
    };
    while (at < all.size()) {
        const std::size_t whole = message_at(all.substr(at), page.page, seed);
        segment_message message;
        if (whole == 0 || !read_payload(
                              all.substr(at + record_header_bytes, whole - record_header_bytes),
                              message,
                              entries)) {
            ++at;
            continue;
        }
        damaged_until(at);
        take(message, page.extent.offset + at);
        at += whole;
        whole_until = at;
    }
    damaged_until(page.extent.bytes);
    return found;
}

}  // namespace lovage::broker::store
