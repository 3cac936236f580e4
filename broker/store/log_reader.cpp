#include "broker/store/log_reader.hpp"

#include "broker/store/directory.hpp"
#include "broker/store/record_codec.hpp"

#include <algorithm>

namespace lovage::broker::store {
namespace {

/// The first octet from there on that is not 0; the size if there is none.
std::size_t next_nonzero(octets in, std::size_t from) {
    constexpr std::size_t word = sizeof(std::uint64_t);
    while (from + word <= in.size() && get_fixed<std::uint64_t>(in.data() + from) == 0) {
        from += word;
    }
    while (from < in.size() && in[from] == 0) {
        ++from;
    }
    return std::min(from, in.size());
}

}  // namespace

disk::result<octets> file_window::at(std::uint64_t offset, std::uint64_t count) {
    if (offset > size_ || count > size_ - offset) {
        return octets{};
    }
    if (offset < base_ || offset + count > base_ + buffer_.size()) {
        const std::uint64_t wanted =
            std::min<std::uint64_t>(std::max<std::uint64_t>(count, window_bytes_), size_ - offset);
        buffer_.clear();
        const auto got = disk_->read(file_, offset, buffer_.prepare(wanted), wanted);
        if (!got) {
            return got.error();
        }
        buffer_.commit(*got);
        base_ = offset;
        if (*got < count) {
            return octets{};  // the file became shorter
        }
    }
    return buffer_.view().substr(offset - base_, count);
}

disk::result<std::unique_ptr<log_reader>> log_reader::open(
    disk& files,
    file_number file,
    std::uint64_t salt,
    std::size_t window_bytes) {
    const auto opened = files.open(log_name(file), disk::open_mode::existing);
    if (!opened) {
        return opened.error();
    }
    const auto size = files.size(*opened);
    if (!size) {
        files.close(*opened);
        return size.error();
    }
    std::unique_ptr<log_reader> reader{
        new log_reader{files, *opened, *size, window_bytes, record_seed(salt, file)}};
    const auto block = reader->window_.at(0, header_bytes);
    if (!block) {
        return block.error();
    }
    file_header header;
    if (block->size() != header_bytes || !get_file_header(block->data(), header)) {
        return reader;
    }
    reader->version_ = header.version;
    if (header.version > format_version) {
        reader->header_ = header_state::newer;
    } else if (header.salt != salt) {
        reader->header_ = header_state::other_directory;
    } else if (header.number == file) {
        reader->header_ = header_state::valid;
    }
    return reader;
}

disk::result<std::optional<found_record>> log_reader::record_at(std::uint64_t offset) {
    const std::optional<found_record> nothing;
    const auto head = window_.at(offset, record_header_bytes);
    if (!head) {
        return head.error();
    }
    if (head->size() != record_header_bytes) {
        return nothing;
    }
    const record_header header = get_record_header(head->data());
    if (header.type == 0 || header.type > record_type_max) {
        return nothing;
    }
    const auto whole = window_.at(offset, record_header_bytes + std::uint64_t{header.length});
    if (!whole) {
        return whole.error();
    }
    if (whole->size() < record_header_bytes || record_crc(*whole, seed_) != header.crc) {
        return nothing;
    }
    return found_record{header, whole->substr(record_header_bytes), offset};
}

disk::result<octets> log_reader::raw(std::uint64_t offset, std::uint64_t count) {
    const std::uint64_t left = offset < window_.size() ? window_.size() - offset : 0;
    return window_.at(offset, std::min(count, left));
}

/// Not even that is true of nearly all places. What lies in the chunk as a whole is a record then:
/// reading it again, and the chunk after it, would cost far more than the checksum.
bool log_reader::may_begin(
    octets chunk,
    std::size_t place,
    std::uint64_t offset,
    lsn last,
    std::uint64_t window) const {
    if (get_fixed<lsn>(chunk.data() + place + 8) - last - 1 >= window) {
        return false;
    }
    const record_header header = get_record_header(chunk.data() + place);
    const std::uint64_t whole = record_header_bytes + std::uint64_t{header.length};
    if (header.type == 0 || header.type > record_type_max ||
        whole > window_.size() - offset - place) {
        return false;
    }
    return whole > chunk.size() - place ||
           record_crc(chunk.substr(place, whole), seed_) == header.crc;
}

disk::result<std::optional<found_record>> log_reader::find(
    std::uint64_t offset,
    lsn last,
    std::uint64_t window) {
    while (offset + record_header_bytes <= window_.size()) {
        const std::uint64_t count = std::min<std::uint64_t>(
            std::max(window_bytes_, record_header_bytes * 2), window_.size() - offset);
        const auto chunk = window_.at(offset, count);
        if (!chunk) {
            return chunk.error();
        }
        if (chunk->size() < record_header_bytes) {
            break;
        }
        // Nearly all places fall at the first look: zeros and what is left of earlier uses of the
        // file have lower numbers.
        const std::size_t places = chunk->size() - record_header_bytes + 1;
        std::size_t place = 0;
        while (place < places && !may_begin(*chunk, place, offset, last, window)) {
            // A record's type is not 0, which takes what is written ahead in long strides.
            const std::size_t type = next_nonzero(*chunk, place + record_header_bytes);
            place = type - record_header_bytes + 1;
        }
        place = std::min(place, places);
        offset += place;
        if (place == places) {
            continue;
        }
        auto record = record_at(offset);
        if (!record || *record) {
            return record;
        }
        ++offset;
    }
    return std::optional<found_record>{};
}

disk::result<log_reader::stray> log_reader::search(std::uint64_t offset, lsn last) {
    stray found;
    for (;;) {
        const auto record = find(offset, last);
        if (!record) {
            return record.error();
        }
        if (!*record) {
            return found;
        }
        offset = (*record)->offset;
        found.highest = std::max(found.highest, (*record)->header.number);
        if ((*record)->header.first_unsynced() > last + 1) {
            found.proof = offset;
            return found;
        }
        ++offset;
    }
}

lsn number_before(const found_record& record) {
    if (record.header.type != static_cast<std::uint8_t>(record_type::batch)) {
        return record.header.number - 1;
    }
    payload_reader in{record.payload};
    const std::uint64_t gap = in.varint();
    return in.ok() && gap != 0 && gap <= record.header.number ? record.header.number - gap
                                                              : record.header.number - 1;
}

bool follows(const found_record& record, lsn last) {
    if (record.header.number == last + 1) {
        return true;
    }
    if (record.header.type != static_cast<std::uint8_t>(record_type::batch)) {
        return false;
    }
    payload_reader in{record.payload};
    const std::uint64_t gap = in.varint();
    return in.ok() && gap != 0 && record.header.number > last && record.header.number - last == gap;
}

}  // namespace lovage::broker::store
