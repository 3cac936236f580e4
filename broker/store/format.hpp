// The constants of docs/store_format.md and the fixed parts of the log: file header and record
// header. Read that page first. Used by the log, its writer and its reader; pure.
#pragma once

#include "broker/store/crc32c.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace lovage::broker::store {

using queue_id = std::uint64_t;
using message_id = std::uint64_t;
/// Log sequence number of a record; 0 is before the first.
using lsn = std::uint64_t;
/// Number of a log file, from 1; 0 is none.
using file_number = std::uint32_t;
/// Number of a segment, from 1; 0 is none.
using segment_number = std::uint64_t;
using page_id = std::uint64_t;
/// A blob has the id of the message for which it was written; 0 is none.
using blob_id = message_id;

static_assert(std::endian::native == std::endian::little, "the store writes numbers as they lie");

inline constexpr std::uint32_t format_version = 2;
inline constexpr octets header_magic = "lovagwal";
inline constexpr octets segment_magic = "lovagseg";
inline constexpr octets blob_magic = "lovagblb";
inline constexpr std::size_t header_bytes = 64;
inline constexpr std::size_t record_header_bytes = 21;
/// A longer payload is never written; the engine's message limit keeps far below it.
inline constexpr std::size_t payload_bytes_max = std::size_t{1} << 30U;
/// Longest body whose record keeps below that, whatever properties and queues it has.
inline constexpr std::size_t message_bytes_max = payload_bytes_max / 2;
/// A page never has more messages.
inline constexpr std::uint32_t page_messages_max = 1U << 20U;
/// How far numbers jump at a restart: more than a torn batch may have records.
inline constexpr std::uint64_t lsn_restart_gap = std::uint64_t{1} << 20U;
/// How far a sequence number may run ahead and still be believed when a tail is searched.
inline constexpr std::uint64_t lsn_window = std::uint64_t{1} << 32U;

enum class record_type : std::uint8_t {
    batch = 1,
    queue_declared = 2,
    queue_deleted = 3,
    exchange_declared = 4,
    exchange_deleted = 5,
    bound = 6,
    unbound = 7,
    published = 8,
    settled = 9,
    returned = 10,
    reclaimed = 11,
    setting_put = 12,
    setting_erased = 13,
    delivered = 14,
    paged = 15,
    page_settled = 16,
    page_returned = 17,
    page_dropped = 18,
    // Of segments, never in the log:
    message = 19,
    segment_end = 20,
    // Of the log again:
    mark_lowered = 21,
    // Of blobs:
    body = 22,
};
inline constexpr std::uint8_t record_type_max = 22;

/// Bit of the flags of a `published` record: a (queue, message) that it settles follows.
inline constexpr std::uint8_t published_moves = 1;
/// Another: that message lies in a page, whose number, place and body's size stand instead.
inline constexpr std::uint8_t published_moves_paged = 2;
/// With any of them: the body lies in a blob, whose id and length stand instead.
inline constexpr std::uint8_t published_in_blob = 4;

template <class Number>
inline void put_fixed(char* at, Number value) {
    std::memcpy(at, &value, sizeof value);
}
template <class Number>
[[nodiscard]] inline Number get_fixed(const char* at) {
    Number value{};
    std::memcpy(&value, at, sizeof value);
    return value;
}

struct record_header {
    std::uint32_t crc = 0;
    std::uint32_t length = 0;    ///< of the payload
    lsn number = 0;              ///< of this record
    std::uint32_t unsynced = 0;  ///< numbers before it that were not known to be on disk
    std::uint8_t type = 0;

    /// The lowest sequence number that was not on disk when the record was written.
    [[nodiscard]] lsn first_unsynced() const { return number - unsynced; }
};

/// Writes all but the crc, which finish_record() adds when the payload is there.
inline void put_record_header(char* at, const record_header& header) {
    put_fixed(at + 4, header.length);
    put_fixed(at + 8, header.number);
    put_fixed(at + 16, header.unsynced);
    put_fixed(at + 20, header.type);
}
[[nodiscard]] inline record_header get_record_header(const char* at) {
    return {
        get_fixed<std::uint32_t>(at),
        get_fixed<std::uint32_t>(at + 4),
        get_fixed<lsn>(at + 8),
        get_fixed<std::uint32_t>(at + 16),
        get_fixed<std::uint8_t>(at + 20)};
}
/// `whole` is the record, header included.
[[nodiscard]] inline std::uint32_t record_crc(octets whole, std::uint32_t seed) {
    return crc32c(whole.substr(4), seed);
}

/// What the checksums of a file's records are continued from.
[[nodiscard]] inline std::uint32_t record_seed(std::uint64_t salt, file_number file) {
    char both[16];
    put_fixed(both, salt);
    put_fixed(both + 8, std::uint64_t{file});
    return crc32c({both, sizeof both});
}

/// The same for those of a segment or, with the other magic, of a blob.
[[nodiscard]] inline std::uint32_t segment_seed(
    std::uint64_t salt,
    std::uint64_t number,
    octets magic = segment_magic) {
    char both[24];
    put_fixed(both, salt);
    put_fixed(both + 8, number);
    std::memcpy(both + 16, magic.data(), magic.size());
    return crc32c({both, sizeof both});
}

/// Fills in the checksums of the records that lie there one behind the other.
inline void finish_records(char* at, std::size_t bytes, std::uint32_t seed) {
    for (const char* const end = at + bytes; at != end;) {
        const std::size_t whole = record_header_bytes + get_record_header(at).length;
        put_fixed(at, record_crc({at, whole}, seed));
        at += whole;
    }
}

/// The header block of a log file or, with their magic, of a segment or a blob.
struct file_header {
    std::uint32_t version = format_version;
    std::uint64_t number = 0;
    std::uint64_t salt = 0;
};

inline void put_file_header(char* at, const file_header& header, octets magic = header_magic) {
    std::memset(at, 0, header_bytes);
    std::memcpy(at, magic.data(), magic.size());
    put_fixed(at + 8, header.version);
    put_fixed(at + 16, header.number);
    put_fixed(at + 24, header.salt);
    put_fixed(at + 60, crc32c({at, 60}));
}
/// False when magic or checksum is wrong. `at` has header_bytes octets.
[[nodiscard]] inline bool get_file_header(
    const char* at,
    file_header& header,
    octets magic = header_magic) {
    if (octets{at, magic.size()} != magic ||
        get_fixed<std::uint32_t>(at + 60) != crc32c({at, 60})) {
        return false;
    }
    header = {
        get_fixed<std::uint32_t>(at + 8),
        get_fixed<std::uint64_t>(at + 16),
        get_fixed<std::uint64_t>(at + 24)};
    return true;
}

}  // namespace lovage::broker::store
