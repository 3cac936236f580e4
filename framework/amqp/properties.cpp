#include "framework/amqp/properties.hpp"

#include "framework/amqp/table_codec.hpp"
#include "framework/amqp/wire.hpp"

namespace lovage::amqp {
namespace {

// Property flags, highest bit first in the order of the specification; bit 1 is unused, bit 0
// would announce more flags, which no property of class basic needs.
constexpr std::uint16_t flag_content_type = 1U << 15;
constexpr std::uint16_t flag_content_encoding = 1U << 14;
constexpr std::uint16_t flag_headers = 1U << 13;
constexpr std::uint16_t flag_delivery_mode = 1U << 12;
constexpr std::uint16_t flag_priority = 1U << 11;
constexpr std::uint16_t flag_correlation_id = 1U << 10;
constexpr std::uint16_t flag_reply_to = 1U << 9;
constexpr std::uint16_t flag_expiration = 1U << 8;
constexpr std::uint16_t flag_message_id = 1U << 7;
constexpr std::uint16_t flag_timestamp = 1U << 6;
constexpr std::uint16_t flag_type = 1U << 5;
constexpr std::uint16_t flag_user_id = 1U << 4;
constexpr std::uint16_t flag_app_id = 1U << 3;
constexpr std::uint16_t flag_cluster_id = 1U << 2;
constexpr std::uint16_t flag_continuation = 1U << 0;

}  // namespace

std::optional<basic_properties> read_properties(octets encoded) {
    wire_reader in{encoded};
    basic_properties p;
    const auto flags = in.number<std::uint16_t>();
    if ((flags & flag_continuation) != 0) {
        return std::nullopt;
    }
    const auto text = [&](std::uint16_t flag, std::optional<std::string>& field) {
        if ((flags & flag) != 0) {
            field = std::string(in.short_string());
        }
    };
    text(flag_content_type, p.content_type);
    text(flag_content_encoding, p.content_encoding);
    if ((flags & flag_headers) != 0) {
        p.headers = read_table(in);
    }
    if ((flags & flag_delivery_mode) != 0) {
        p.delivery_mode = in.number<std::uint8_t>();
    }
    if ((flags & flag_priority) != 0) {
        p.priority = in.number<std::uint8_t>();
    }
    text(flag_correlation_id, p.correlation_id);
    text(flag_reply_to, p.reply_to);
    text(flag_expiration, p.expiration);
    text(flag_message_id, p.message_id);
    if ((flags & flag_timestamp) != 0) {
        p.timestamp = in.number<std::uint64_t>();
    }
    text(flag_type, p.type);
    text(flag_user_id, p.user_id);
    text(flag_app_id, p.app_id);
    text(flag_cluster_id, p.cluster_id);
    if (!in.ok() || !in.at_end()) {
        return std::nullopt;
    }
    return p;
}

std::optional<properties_view> scan_properties(octets encoded) {
    wire_reader in{encoded};
    properties_view p;
    const auto flags = in.number<std::uint16_t>();
    if ((flags & flag_continuation) != 0) {
        return std::nullopt;
    }
    const auto pass = [&](std::uint16_t flag) {
        if ((flags & flag) != 0) {
            in.short_string();
        }
    };
    const auto text = [&](std::uint16_t flag, std::optional<octets>& field) {
        if ((flags & flag) != 0) {
            field = in.short_string();
        }
    };
    pass(flag_content_type);
    pass(flag_content_encoding);
    if ((flags & flag_headers) != 0) {
        const octets before = in.rest();
        skip_table(in);
        p.headers = before.substr(4 <= before.size() ? 4 : before.size());
        p.headers->remove_suffix(in.ok() ? in.rest().size() : p.headers->size());
    }
    if ((flags & flag_delivery_mode) != 0) {
        p.delivery_mode = in.number<std::uint8_t>();
    }
    if ((flags & flag_priority) != 0) {
        p.priority = in.number<std::uint8_t>();
    }
    pass(flag_correlation_id);
    text(flag_reply_to, p.reply_to);
    text(flag_expiration, p.expiration);
    pass(flag_message_id);
    if ((flags & flag_timestamp) != 0) {
        in.take(8);
    }
    pass(flag_type);
    text(flag_user_id, p.user_id);
    pass(flag_app_id);
    pass(flag_cluster_id);
    if (!in.ok() || !in.at_end()) {
        return std::nullopt;
    }
    return p;
}

void write_properties(byte_buffer& out, const basic_properties& p) {
    std::uint16_t flags = 0;
    const std::size_t start = out.size();
    write_number(out, flags);
    const auto text = [&](std::uint16_t flag, const std::optional<std::string>& field) {
        if (field) {
            flags |= flag;
            write_short_string(out, *field);
        }
    };
    const auto number = [&](std::uint16_t flag, const auto& field) {
        if (field) {
            flags |= flag;
            write_number(out, *field);
        }
    };
    text(flag_content_type, p.content_type);
    text(flag_content_encoding, p.content_encoding);
    if (p.headers) {
        flags |= flag_headers;
        write_table(out, *p.headers);
    }
    number(flag_delivery_mode, p.delivery_mode);
    number(flag_priority, p.priority);
    text(flag_correlation_id, p.correlation_id);
    text(flag_reply_to, p.reply_to);
    text(flag_expiration, p.expiration);
    text(flag_message_id, p.message_id);
    number(flag_timestamp, p.timestamp);
    text(flag_type, p.type);
    text(flag_user_id, p.user_id);
    text(flag_app_id, p.app_id);
    text(flag_cluster_id, p.cluster_id);
    const auto wire = big_endian(flags);
    std::memcpy(out.at(start), &wire, sizeof wire);
}

void write_properties_with_headers(byte_buffer& out, octets encoded, octets headers) {
    wire_reader in{encoded};
    const auto flags = in.number<std::uint16_t>();
    write_number(out, static_cast<std::uint16_t>(flags | flag_headers));
    const octets before = in.rest();
    for (const auto flag : {flag_content_type, flag_content_encoding}) {
        if ((flags & flag) != 0) {
            in.short_string();
        }
    }
    out.append(before.substr(0, before.size() - in.rest().size()));
    if ((flags & flag_headers) != 0) {
        in.long_string();
    }
    write_long_string(out, headers);
    out.append(in.rest());
}

}  // namespace lovage::amqp
