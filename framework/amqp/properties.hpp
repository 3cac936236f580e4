// The properties of class basic (specification 1.8, table "Properties"): the owned form, which
// clients fill and read, and a view of the encoded form, with which a broker reads the few fields
// that it needs and passes the octets on as they came.
#pragma once

#include "framework/amqp/spec.hpp"
#include "framework/amqp/table.hpp"
#include "framework/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace lovage::amqp {

struct basic_properties {
    std::optional<std::string> content_type;      ///< MIME type, e.g. application/json
    std::optional<std::string> content_encoding;  ///< e.g. utf-8
    std::optional<table> headers;
    std::optional<std::uint8_t> delivery_mode;  ///< 1 transient, 2 persistent
    std::optional<std::uint8_t> priority;       ///< 0 to 9 by the specification, RabbitMQ 0 to 255
    std::optional<std::string> correlation_id;
    std::optional<std::string> reply_to;
    std::optional<std::string> expiration;  ///< milliseconds as decimal text
    std::optional<std::string> message_id;
    std::optional<std::uint64_t> timestamp;  ///< seconds since 1970
    std::optional<std::string> type;
    std::optional<std::string> user_id;
    std::optional<std::string> app_id;
    std::optional<std::string> cluster_id;  ///< deprecated in 0-9-1, still carried

    bool operator==(const basic_properties&) const = default;
};

/// What a broker needs of a message's properties, as views into their octets.
struct properties_view {
    std::uint8_t delivery_mode = delivery_mode_transient;
    std::optional<std::uint8_t> priority;
    std::optional<octets> headers;  ///< the encoded table without its length
    std::optional<octets> reply_to;
    std::optional<octets> expiration;
    std::optional<octets> user_id;
};

/// Reads flags and properties, i.e. the content header's payload behind the body size. Nothing if
/// they are malformed: cut short, octets left over, a bad table, continuation flags.
[[nodiscard]] std::optional<basic_properties> read_properties(octets encoded);
/// Checks all of `encoded` as read_properties does, without allocation; the views live as long.
[[nodiscard]] std::optional<properties_view> scan_properties(octets encoded);
void write_properties(byte_buffer& out, const basic_properties& properties);
/// The same properties with the headers' encoded table replaced by `headers` (without length).
/// `encoded` must have passed scan_properties.
void write_properties_with_headers(byte_buffer& out, octets encoded, octets headers);

}  // namespace lovage::amqp
