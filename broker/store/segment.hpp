// Segments: files of pages, each written once, whole, and never changed (docs/store_format.md,
// Segments). segment_builder encodes on the engine's thread; write_segment() writes what it made,
// on another; segment_reader reads messages back. None of them knows which messages are alive.
#pragma once

#include "broker/store/disk.hpp"
#include "broker/store/errors.hpp"
#include "broker/store/record_codec.hpp"

#include <functional>
#include <list>
#include <string>
#include <vector>

namespace lovage::broker::store {

/// A segment that is whole in memory; a value that goes to the thread that writes it.
struct built_segment {
    segment_number number = 0;
    byte_buffer content;  ///< checksums of records are filled in by write_segment()
    bool lasting = true;  ///< false: of no use after a restart, so there is nothing to sync
    bool frees = false;   ///< others go by it: that is worth a part of the log's reserve
};

/// Where a page lies.
struct page_extent {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

class segment_builder {
public:
    segment_builder(std::uint64_t salt, segment_number number);

    [[nodiscard]] segment_number number() const { return number_; }
    /// Without what finish() adds.
    [[nodiscard]] std::uint64_t bytes() const { return content_.size(); }
    void begin_page(page_id page, queue_id queue);
    void add(const segment_message& message);
    page_extent end_page();
    /// Leaves the builder empty, for the segment of that number.
    [[nodiscard]] built_segment finish(segment_number next);

private:
    struct page_entry {
        page_id page = 0;
        queue_id queue = 0;
        page_extent extent;
        std::uint32_t count = 0;
    };
    void begin();
    void append(record_type type, std::uint64_t number, std::size_t payload_bytes);

    std::uint64_t salt_;
    segment_number number_;
    byte_buffer content_;
    std::vector<page_entry> pages_;
};

/// Creates the file and syncs it and its name, if it is to last. errc::disk_full: there is no room,
/// nothing is left behind. Other errors: the disk has failed. `problem` says more.
[[nodiscard]] boost::system::error_code write_segment(
    disk& files,
    std::uint64_t salt,
    built_segment& what,
    std::string& problem);

/// What the end of a segment says of its pages.
struct segment_page {
    page_id page = 0;
    queue_id queue = 0;
    page_extent extent;
    std::uint32_t count = 0;
};
struct segment_content {
    std::uint64_t bytes = 0;
    std::uint64_t end = 0;  ///< offset behind its pages
    std::vector<segment_page> pages;
};
/// Reads header and end of a segment. `problem` is what is wrong with it, empty if the disk failed.
[[nodiscard]] disk::result<segment_content> read_segment_end(
    disk& files,
    std::uint64_t salt,
    segment_number segment,
    std::string& problem);

/// Keeps a few files open.
class segment_reader {
public:
    /// False: not this one, and no more. Views live as long as the call.
    using taker = std::function<bool(const segment_message&)>;

    segment_reader(disk& files, std::uint64_t salt) : disk_(files), salt_(salt) {}
    ~segment_reader();
    segment_reader(const segment_reader&) = delete;
    segment_reader& operator=(const segment_reader&) = delete;

    /// Messages of a page from `offset` within it on, until about `bytes` are read, but at least
    /// one. `offset` moves behind the last that was taken. What is wrong, in words; empty: nothing.
    [[nodiscard]] std::string read(
        segment_number segment,
        page_id page,
        page_extent where,
        std::uint64_t& offset,
        std::size_t bytes,
        const taker& take);
    /// The file will not be read again.
    void forget(segment_number segment);

private:
    struct open_file {
        segment_number segment = 0;
        disk::handle file = -1;
    };
    [[nodiscard]] disk::result<disk::handle> open(segment_number segment);
    [[nodiscard]] std::string read_at(disk::handle file, std::uint64_t offset, std::uint64_t bytes);

    disk& disk_;
    std::uint64_t salt_;
    std::list<open_file> files_;  // the last used first
    byte_buffer buffer_;
    std::vector<queue_entry> entries_;
};

}  // namespace lovage::broker::store
