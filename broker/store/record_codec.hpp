// Payloads of the log's records, written and read (docs/store_format.md, Records).
// payload_writer fills memory that its caller has prepared with the size given by *_bound();
// payload_reader is sticky: after the first failure it gives nothing, callers check ok() once.
// Pure; the writer runs on the engine's thread, the reader in recovery.
#pragma once

#include "broker/store/records.hpp"

#include <vector>

namespace lovage::broker::store {

inline constexpr std::size_t varint_bytes_max = 10;

[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t difference) {
    return (difference << 1U) ^ (0 - (difference >> 63U));
}
[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t coded) {
    return (coded >> 1U) ^ (0 - (coded & 1U));
}

class payload_writer {
public:
    explicit payload_writer(char* at) : at_(at) {}
    [[nodiscard]] char* position() const { return at_; }

    void octet(std::uint8_t value) { *at_++ = static_cast<char>(value); }
    void varint(std::uint64_t value) {
        while (value >= 0x80) {
            octet(static_cast<std::uint8_t>(value | 0x80U));
            value >>= 7U;
        }
        octet(static_cast<std::uint8_t>(value));
    }
    void raw(octets bytes) {
        if (!bytes.empty()) {
            std::memcpy(at_, bytes.data(), bytes.size());
            at_ += bytes.size();
        }
    }
    void text(octets bytes) {
        varint(bytes.size());
        raw(bytes);
    }

private:
    char* at_;
};

class payload_reader {
public:
    explicit payload_reader(octets payload) : rest_(payload) {}
    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }

    std::uint8_t octet() { return rest_.empty() ? failed() : take_octet(); }
    std::uint64_t varint() {
        // Most are small.
        const bool short_one = !rest_.empty() && static_cast<unsigned char>(rest_.front()) < 0x80;
        return short_one ? take_octet() : long_varint();
    }
    /// One of 32 bits.
    std::uint32_t small() {
        const std::uint64_t value = varint();
        if (value > std::numeric_limits<std::uint32_t>::max()) {
            fail();
        }
        return failed_ ? 0 : static_cast<std::uint32_t>(value);
    }
    octets text() { return take(varint()); }
    octets take(std::uint64_t count) {
        if (count > rest_.size()) {
            fail();
            return {};
        }
        const octets taken{rest_.data(), count};
        rest_.remove_prefix(count);
        return taken;
    }
    octets rest() { return take(rest_.size()); }
    void fail() {
        failed_ = true;
        rest_ = {};
    }

private:
    std::uint64_t long_varint();
    std::uint8_t failed() {
        fail();
        return 0;
    }
    std::uint8_t take_octet() {
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }

    octets rest_;
    bool failed_ = false;
};

/// At least as many octets as the payload of that record takes.
[[nodiscard]] std::size_t payload_bound(const queue_record& record);
[[nodiscard]] std::size_t payload_bound(const exchange_record& record);
[[nodiscard]] std::size_t payload_bound(const binding_record& record);
[[nodiscard]] std::size_t payload_bound(const publish_record& record);

void write_payload(payload_writer& out, const queue_record& record);
void write_payload(payload_writer& out, const exchange_record& record);
void write_payload(payload_writer& out, const binding_record& record);
void write_payload(payload_writer& out, const publish_record& record);

/// False if the payload is not exactly one such record. Views point into `payload`.
[[nodiscard]] bool read_payload(octets payload, queue_record& record);
[[nodiscard]] bool read_payload(octets payload, exchange_record& record);
[[nodiscard]] bool read_payload(octets payload, binding_record& record);
/// `entries` takes the queue list, to which record.queues points then.
[[nodiscard]] bool read_payload(
    octets payload,
    publish_record& record,
    std::vector<queue_entry>& entries);

[[nodiscard]] std::size_t payload_bound(const page_record& record);
void write_payload(payload_writer& out, const page_record& record);
[[nodiscard]] std::size_t payload_bound(const segment_message& record);
void write_payload(payload_writer& out, const segment_message& record);
[[nodiscard]] bool read_payload(
    octets payload,
    segment_message& record,
    std::vector<queue_entry>& entries);

/// What read_payload() finds in a `paged` record, in memory of its own.
struct page_content {
    page_record record;  ///< without its spans
    std::vector<std::uint64_t> dead;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> returned;
    std::vector<paged_blob> blobs;
    std::vector<message_id> moved;
};
[[nodiscard]] bool read_payload(octets payload, page_content& content);

inline constexpr std::size_t page_run_bytes_max = 4 * varint_bytes_max;
void write_page_run(payload_writer& out, const page_run& run);
/// Meaningless if `in` has failed afterwards.
[[nodiscard]] page_run read_page_run(payload_reader& in);

/// Messages first .. first + more of a queue that are gone: one run of a `settled` record.
struct settled_run {
    queue_id queue = 0;
    message_id first = 0;
    std::uint64_t more = 0;
};
inline constexpr std::size_t settled_run_bytes_max = 3 * varint_bytes_max;

/// Writes runs one after another, each relative to the one before.
class settled_writer {
public:
    void write(payload_writer& out, const settled_run& run) {
        const bool new_queue = run.queue != queue_;
        out.varint((zigzag(run.first - last_) << 1U) | (new_queue ? 1U : 0U));
        if (new_queue) {
            out.varint(run.queue);
        }
        out.varint(run.more);
        queue_ = run.queue;
        last_ = run.first + run.more;
    }

private:
    queue_id queue_ = 0;
    message_id last_ = 0;
};

class settled_reader {
public:
    /// The next run; meaningless if `in` has failed afterwards.
    settled_run read(payload_reader& in) {
        const std::uint64_t head = in.varint();
        if ((head & 1U) != 0) {
            queue_ = in.varint();
        }
        const settled_run run{queue_, last_ + unzigzag(head >> 1U), in.varint()};
        last_ = run.first + run.more;
        return run;
    }

private:
    queue_id queue_ = 0;
    message_id last_ = 0;
};

}  // namespace lovage::broker::store
