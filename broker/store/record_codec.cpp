#include "broker/store/record_codec.hpp"

namespace lovage::broker::store {
namespace {

std::size_t text_bound(octets text) {
    return text.size() + varint_bytes_max;
}

}  // namespace

std::uint64_t payload_reader::long_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const std::uint64_t next = octet();
        value |= (next & 0x7FU) << shift;
        // The tenth octet has room for one bit only.
        if (shift == 63 && next > 1) {
            fail();
        }
        if ((next & 0x80U) == 0 || failed_) {
            return failed_ ? 0 : value;
        }
    }
    fail();
    return 0;
}

std::size_t payload_bound(const queue_record& record) {
    return 1 + 2 * varint_bytes_max + text_bound(record.vhost) + text_bound(record.name) +
           text_bound(record.arguments);
}

void write_payload(payload_writer& out, const queue_record& record) {
    out.varint(record.id);
    out.octet(record.flags);
    out.varint(record.delivered);
    out.text(record.vhost);
    out.text(record.name);
    out.text(record.arguments);
}

bool read_payload(octets payload, queue_record& record) {
    payload_reader in{payload};
    record.id = in.varint();
    record.flags = in.octet();
    record.delivered = in.varint();
    record.vhost = in.text();
    record.name = in.text();
    record.arguments = in.text();
    return in.ok() && in.at_end();
}

std::size_t payload_bound(const exchange_record& record) {
    return 1 + text_bound(record.vhost) + text_bound(record.name) + text_bound(record.type) +
           text_bound(record.arguments);
}

void write_payload(payload_writer& out, const exchange_record& record) {
    out.octet(record.flags);
    out.text(record.vhost);
    out.text(record.name);
    out.text(record.type);
    out.text(record.arguments);
}

bool read_payload(octets payload, exchange_record& record) {
    payload_reader in{payload};
    record.flags = in.octet();
    record.vhost = in.text();
    record.name = in.text();
    record.type = in.text();
    record.arguments = in.text();
    return in.ok() && in.at_end();
}

std::size_t payload_bound(const binding_record& record) {
    return 1 + text_bound(record.vhost) + text_bound(record.source) +
           text_bound(record.destination) + text_bound(record.routing_key) +
           text_bound(record.arguments);
}

void write_payload(payload_writer& out, const binding_record& record) {
    out.octet(static_cast<std::uint8_t>(record.target));
    out.text(record.vhost);
    out.text(record.source);
    out.text(record.destination);
    out.text(record.routing_key);
    out.text(record.arguments);
}

bool read_payload(octets payload, binding_record& record) {
    payload_reader in{payload};
    const std::uint8_t target = in.octet();
    record.target = static_cast<binding_target>(target);
    record.vhost = in.text();
    record.source = in.text();
    record.destination = in.text();
    record.routing_key = in.text();
    record.arguments = in.text();
    return in.ok() && in.at_end() && target <= 1;
}

std::size_t payload_bound(const publish_record& record) {
    return 1 + varint_bytes_max * (10 + 2 * record.queues.size()) + text_bound(record.exchange) +
           text_bound(record.routing_key) + text_bound(record.properties) + record.body.size();
}

void write_payload(payload_writer& out, const publish_record& record) {
    out.varint(record.id);
    std::uint8_t flags = 0;
    if (record.replaces) {
        flags = record.replaces->page == 0 ? published_moves : published_moves_paged;
    }
    out.octet(flags | (record.blob.blob != 0 ? published_in_blob : 0));
    out.varint(record.arrived_ms);
    out.varint(record.due_ms);
    out.text(record.exchange);
    out.text(record.routing_key);
    out.text(record.properties);
    out.varint(record.queues.size());
    for (const queue_entry& entry : record.queues) {
        out.varint(entry.queue);
        out.varint(std::uint64_t{entry.delivery_count} * 2 + (entry.redelivered ? 1U : 0U));
    }
    if (flags == published_moves) {
        out.varint(record.replaces->queue);
        out.varint(record.replaces->message);
    } else if (flags == published_moves_paged) {
        out.varint(record.replaces->page);
        out.varint(record.replaces->index);
        out.varint(record.replaces->body_bytes);
    }
    if (record.blob.blob != 0) {
        out.varint(record.blob.blob);
        out.varint(record.blob.bytes);
    } else {
        out.raw(record.body);
    }
}

bool read_payload(octets payload, publish_record& record, std::vector<queue_entry>& entries) {
    payload_reader in{payload};
    record.id = in.varint();
    const std::uint8_t all_flags = in.octet();
    const auto flags = static_cast<std::uint8_t>(all_flags & ~published_in_blob);
    record.arrived_ms = in.varint();
    record.due_ms = in.varint();
    record.exchange = in.text();
    record.routing_key = in.text();
    record.properties = in.text();
    const std::uint64_t count = in.varint();
    entries.clear();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const queue_id queue = in.varint();
        const std::uint64_t state = in.varint();
        if (state / 2 > std::numeric_limits<std::uint32_t>::max()) {
            in.fail();
        }
        entries.push_back({queue, static_cast<std::uint32_t>(state / 2), (state & 1U) != 0});
    }
    record.queues = entries;
    record.replaces.reset();
    if (flags == published_moves) {
        message_ref& gone = record.replaces.emplace();
        gone.queue = in.varint();
        gone.message = in.varint();
    } else if (flags == published_moves_paged) {
        message_ref& gone = record.replaces.emplace();
        gone.page = in.varint();
        gone.index = in.small();
        gone.body_bytes = in.varint();
    }
    record.blob = {};
    if (flags != all_flags) {
        record.blob.blob = in.varint();
        record.blob.bytes = in.varint();
        if (!in.at_end() || record.blob.blob == 0 || record.blob.blob > record.id) {
            in.fail();
        }
    }
    record.body = in.rest();
    return in.ok() && flags <= published_moves_paged;
}

std::size_t payload_bound(const segment_message& record) {
    return 1 + 2 * varint_bytes_max + payload_bound(record.record);
}

void write_payload(payload_writer& out, const segment_message& record) {
    out.varint(record.index);
    out.octet(record.persistent ? 1 : 0);
    out.varint(record.deaths_left);
    write_payload(out, record.record);
}

bool read_payload(octets payload, segment_message& record, std::vector<queue_entry>& entries) {
    payload_reader in{payload};
    record.index = in.small();
    const std::uint8_t persistent = in.octet();
    record.persistent = persistent != 0;
    record.deaths_left = in.small();
    return in.ok() && persistent <= 1 && read_payload(in.rest(), record.record, entries) &&
           entries.size() == 1;
}

}  // namespace lovage::broker::store
