// Frames (specification 4.2.3): finding the next one in a stream of octets, and writing header,
// body and heartbeat frames. Method frames are written by method_codec.hpp.
#pragma once

#include "framework/amqp/spec.hpp"
#include "framework/amqp/wire.hpp"

namespace lovage::amqp {

struct frame {
    std::uint8_t type = 0;  ///< as received; may be none of frame_type
    std::uint16_t channel = 0;
    octets payload;  ///< a view into the input
};

enum class frame_status {
    complete,
    incomplete,  ///< wait for more octets
    too_large,   ///< seen from the header alone; the payload need not have come
    bad_end      ///< the octet behind the payload is not 0xCE
};

/// Looks at the front of `input` and takes one frame off it when it is complete. `payload_max` is
/// the largest payload that is taken. On too_large `size` is what the frame announced.
[[nodiscard]] frame_status next_frame(
    octets& input,
    frame& into,
    std::size_t payload_max,
    std::uint32_t& size);

/// Octets of a content header's payload in front of the properties: class, weight, body size.
inline constexpr std::size_t content_header_octets = 12;

/// What a content header frame's payload says (specification 4.2.6.1).
struct content_header {
    std::uint16_t class_id = 0;
    std::uint16_t weight = 0;
    std::uint64_t body_size = 0;
    octets properties;  ///< flags and properties, a view into the payload
};
/// False when the payload is too short for a header with property flags.
[[nodiscard]] bool read_content_header(octets payload, content_header& into);

void write_content_header(
    byte_buffer& out,
    std::uint16_t channel,
    std::uint64_t body_size,
    octets properties);
/// Body frames of at most `frame_max` octets each, overhead included; none for an empty body.
void write_body(byte_buffer& out, std::uint16_t channel, octets body, std::size_t frame_max);
void write_heartbeat(byte_buffer& out);

}  // namespace lovage::amqp
