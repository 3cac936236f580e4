// Payloads of the records about pages (docs/store_format.md, Pages).
#include "broker/store/record_codec.hpp"

#include <bit>

namespace lovage::broker::store {
namespace {

constexpr std::uint32_t word_bits = 64;

bool is_dead(std::span<const std::uint64_t> words, std::uint32_t index) {
    const std::size_t word = index / word_bits;
    return word < words.size() && (words[word] >> (index % word_bits) & 1U) != 0;
}

/// Calls `take(first, more)` for each run of dead ones.
template <class Take>
void for_each_run(const page_record& record, Take&& take) {
    for (std::uint32_t index = 0; index < record.count; ++index) {
        if (!is_dead(record.dead, index)) {
            continue;
        }
        const std::uint32_t first = index;
        while (index + 1 < record.count && is_dead(record.dead, index + 1)) {
            ++index;
        }
        take(first, index - first);
    }
}

std::size_t count_runs(const page_record& record) {
    std::size_t runs = 0;
    for_each_run(record, [&](std::uint32_t, std::uint32_t) { ++runs; });
    return runs;
}

bool read_dead(payload_reader& in, page_content& content) {
    std::uint64_t next = 0;
    const std::uint64_t runs = in.varint();
    for (std::uint64_t i = 0; i < runs && in.ok(); ++i) {
        const std::uint64_t first = next + in.varint();
        const std::uint64_t more = in.varint();
        if (!in.ok() || first >= content.record.count || more >= content.record.count - first) {
            return false;
        }
        next = first + more + 1;
        content.dead.resize((next + word_bits - 1) / word_bits);
        for (std::uint64_t index = first; index < next; ++index) {
            content.dead[index / word_bits] |= std::uint64_t{1} << (index % word_bits);
        }
    }
    return in.ok();
}

}  // namespace

std::size_t payload_bound(const page_record& record) {
    constexpr std::size_t numbers = 16;
    return varint_bytes_max *
           (numbers + 2 * (count_runs(record) + record.returned.size() + record.moved.size()) +
            3 * record.blobs.size());
}

void write_payload(payload_writer& out, const page_record& record) {
    out.varint(record.id);
    out.varint(record.queue);
    out.octet(record.level);
    out.varint(record.segment);
    out.varint(record.offset);
    out.varint(record.bytes);
    out.varint(record.count);
    out.varint(record.first_message);
    out.varint(record.last_message);
    out.varint(record.first_due_ms);
    out.varint(record.oldest_ms);
    out.varint(record.first_expiry_ms);
    out.varint(record.body_bytes);
    out.varint(count_runs(record));
    std::uint32_t next = 0;
    for_each_run(record, [&](std::uint32_t first, std::uint32_t more) {
        out.varint(first - next);
        out.varint(more);
        next = first + more + 1;
    });
    out.varint(record.returned.size());
    for (const auto& [index, count] : record.returned) {
        out.varint(index);
        out.varint(count);
    }
    out.varint(record.blobs.size());
    for (const paged_blob& each : record.blobs) {
        out.varint(each.index);
        out.varint(each.ref.blob);
        out.varint(each.ref.bytes);
    }
    // Runs of ids: mostly one follows the other.
    message_id last = 0;
    for (std::size_t i = 0; i < record.moved.size(); ++i) {
        const message_id first = record.moved[i];
        while (i + 1 < record.moved.size() && record.moved[i + 1] == record.moved[i] + 1) {
            ++i;
        }
        out.varint(zigzag(first - last));
        out.varint(record.moved[i] - first);
        last = record.moved[i];
    }
}

bool read_payload(octets payload, page_content& content) {
    payload_reader in{payload};
    page_record& record = content.record;
    record.id = in.varint();
    record.queue = in.varint();
    record.level = in.octet();
    record.segment = in.varint();
    record.offset = in.varint();
    record.bytes = in.varint();
    record.count = in.small();
    record.first_message = in.varint();
    record.last_message = in.varint();
    record.first_due_ms = in.varint();
    record.oldest_ms = in.varint();
    record.first_expiry_ms = in.varint();
    record.body_bytes = in.varint();
    if (!in.ok() || record.count == 0 || record.count > page_messages_max ||
        record.offset + record.bytes < record.offset || !read_dead(in, content)) {
        return false;
    }
    const std::uint64_t counts = in.varint();
    for (std::uint64_t i = 0; i < counts && in.ok(); ++i) {
        const std::uint32_t index = in.small();
        content.returned.emplace_back(index, in.small());
    }
    const std::uint64_t blobs = in.varint();
    for (std::uint64_t i = 0; i < blobs && in.ok(); ++i) {
        paged_blob& each = content.blobs.emplace_back();
        each.index = in.small();
        each.ref.blob = in.varint();
        each.ref.bytes = in.varint();
        const bool ascends = i == 0 || each.index > content.blobs[i - 1].index;
        if (each.index >= record.count || each.ref.blob == 0 || !ascends) {
            return false;
        }
    }
    message_id last = 0;
    while (in.ok() && !in.at_end()) {
        const message_id first = last + unzigzag(in.varint());
        const std::uint64_t more = in.varint();
        if (more >= record.count - content.moved.size()) {
            return false;
        }
        for (std::uint64_t i = 0; i <= more; ++i) {
            content.moved.push_back(first + i);
        }
        last = first + more;
    }
    return in.ok();
}

void write_page_run(payload_writer& out, const page_run& run) {
    out.varint(run.page);
    out.varint(run.first);
    out.varint(run.more);
    out.varint(run.body_bytes);
}

page_run read_page_run(payload_reader& in) {
    page_run run;
    run.page = in.varint();
    run.first = in.small();
    run.more = in.small();
    run.body_bytes = in.varint();
    return run;
}

}  // namespace lovage::broker::store
