#include "framework/amqp/frame.hpp"

#include <algorithm>

namespace lovage::amqp {
namespace {

constexpr std::size_t header_octets = 7;

void write_frame_header(
    byte_buffer& out,
    frame_type type,
    std::uint16_t channel,
    std::size_t payload) {
    write_number(out, static_cast<std::uint8_t>(type));
    write_number(out, channel);
    write_number(out, static_cast<std::uint32_t>(payload));
}

}  // namespace

frame_status next_frame(octets& input, frame& into, std::size_t payload_max, std::uint32_t& size) {
    if (input.size() < header_octets) {
        return frame_status::incomplete;
    }
    wire_reader in{input};
    into.type = in.number<std::uint8_t>();
    into.channel = in.number<std::uint16_t>();
    size = in.number<std::uint32_t>();
    if (size > payload_max) {
        return frame_status::too_large;
    }
    if (in.rest().size() < std::size_t{size} + 1) {
        return frame_status::incomplete;
    }
    into.payload = in.take(size);
    if (in.number<std::uint8_t>() != frame_end) {
        return frame_status::bad_end;
    }
    input = in.rest();
    return frame_status::complete;
}

bool read_content_header(octets payload, content_header& into) {
    wire_reader in{payload};
    into.class_id = in.number<std::uint16_t>();
    into.weight = in.number<std::uint16_t>();
    into.body_size = in.number<std::uint64_t>();
    into.properties = in.rest();
    return in.ok() && into.properties.size() >= 2;
}

void write_content_header(
    byte_buffer& out,
    std::uint16_t channel,
    std::uint64_t body_size,
    octets properties) {
    write_frame_header(out, frame_type::header, channel, content_header_octets + properties.size());
    write_number(out, class_basic);
    write_number(out, std::uint16_t{0});
    write_number(out, body_size);
    out.append(properties);
    write_number(out, frame_end);
}

void write_body(byte_buffer& out, std::uint16_t channel, octets body, std::size_t frame_max) {
    const std::size_t payload_max = frame_max - frame_overhead;
    while (!body.empty()) {
        const octets part = body.substr(0, std::min(payload_max, body.size()));
        write_frame_header(out, frame_type::body, channel, part.size());
        out.append(part);
        write_number(out, frame_end);
        body.remove_prefix(part.size());
    }
}

void write_heartbeat(byte_buffer& out) {
    write_frame_header(out, frame_type::heartbeat, 0, 0);
    write_number(out, frame_end);
}

}  // namespace lovage::amqp
