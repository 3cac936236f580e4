#include "framework/amqp/frame.hpp"

#include "framework/amqp/method_codec.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace lovage::amqp {
namespace {

using testing::from_hex;
using testing::to_hex;

constexpr std::size_t payload_max = frame_size_min - frame_overhead;

frame_status take(octets& input, frame& into) {
    std::uint32_t size = 0;
    return next_frame(input, into, payload_max, size);
}

struct owned_frame {
    std::uint8_t type;
    std::uint16_t channel;
    std::string payload;
    bool operator==(const owned_frame&) const = default;
};

std::vector<owned_frame> all_frames(octets input) {
    std::vector<owned_frame> result;
    frame next;
    while (take(input, next) == frame_status::complete) {
        result.push_back({next.type, next.channel, std::string(next.payload)});
    }
    EXPECT_TRUE(input.empty());
    return result;
}

TEST(Frame, IsTakenOffTheFront) {
    const std::string bytes = from_hex("01 1234 00000003 616263 ce") + "rest";
    octets input = bytes;
    frame taken;

    ASSERT_EQ(take(input, taken), frame_status::complete);

    EXPECT_EQ(taken.type, 1);
    EXPECT_EQ(taken.channel, 0x1234);
    EXPECT_EQ(taken.payload, "abc");
    EXPECT_EQ(input, "rest");
}

TEST(Frame, MayHaveNoPayloadAndAnyType) {
    const std::string bytes = from_hex("ff 0000 00000000 ce");
    octets input = bytes;
    frame taken;

    ASSERT_EQ(take(input, taken), frame_status::complete);

    EXPECT_EQ(taken.type, 255);
    EXPECT_EQ(taken.payload, "");
    EXPECT_TRUE(input.empty());
}

TEST(Frame, IsIncompleteUntilItsLastOctet) {
    const std::string bytes = from_hex("03 0001 00000003 616263 ce");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        octets input = octets{bytes}.substr(0, size);
        frame taken;
        EXPECT_EQ(take(input, taken), frame_status::incomplete) << size;
        EXPECT_EQ(input.size(), size);
    }
}

TEST(Frame, StreamSplitAnywhereGivesTheSameFrames) {
    byte_buffer out;
    write_method(out, 1, basic::ack{.delivery_tag = 1, .multiple = false});
    write_content_header(out, 1, 5, from_hex("0000"));
    write_body(out, 1, "12345", frame_size_min);
    write_heartbeat(out);
    const std::string bytes{out.view()};
    const auto expected = all_frames(bytes);
    ASSERT_EQ(expected.size(), 4U);

    for (std::size_t split = 0; split <= bytes.size(); ++split) {
        std::vector<owned_frame> frames;
        std::string pending;
        for (const octets part : {octets{bytes}.substr(0, split), octets{bytes}.substr(split)}) {
            pending += part;
            octets input = pending;
            frame next;
            while (take(input, next) == frame_status::complete) {
                frames.push_back({next.type, next.channel, std::string(next.payload)});
            }
            pending = std::string(input);
        }
        EXPECT_EQ(frames, expected) << split;
        EXPECT_EQ(pending, "") << split;
    }
}

TEST(Frame, TooLargeIsSeenFromSevenOctets) {
    const std::string bytes = from_hex("03 0001 00000ff9");
    octets input = bytes;
    frame taken;
    std::uint32_t size = 0;

    EXPECT_EQ(next_frame(input, taken, payload_max, size), frame_status::too_large);

    EXPECT_EQ(size, payload_max + 1);
    EXPECT_EQ(input.size(), 7U);
    input.remove_suffix(1);
    EXPECT_EQ(next_frame(input, taken, payload_max, size), frame_status::incomplete);
}

TEST(Frame, OfExactlyTheLargestSizeIsTaken) {
    const std::string bytes =
        from_hex("03 0001 00000ff8") + std::string(payload_max, 'x') + from_hex("ce");
    octets input = bytes;
    frame taken;

    ASSERT_EQ(take(input, taken), frame_status::complete);

    EXPECT_EQ(taken.payload.size(), payload_max);
}

TEST(Frame, TheLargestAnnouncedSizeDoesNotWrap) {
    const std::string bytes = from_hex("03 0001 ffffffff ce");
    octets input = bytes;
    frame taken;
    std::uint32_t size = 0;

    EXPECT_EQ(
        next_frame(input, taken, std::numeric_limits<std::uint32_t>::max(), size),
        frame_status::incomplete);
    EXPECT_EQ(size, 0xffffffffU);
}

TEST(Frame, AnyOtherEndIsBad) {
    for (int end = 0; end < 256; ++end) {
        std::string bytes = from_hex("01 0000 00000001 61");
        bytes += static_cast<char>(end);
        octets input = bytes;
        frame taken;
        const auto expected = end == frame_end ? frame_status::complete : frame_status::bad_end;
        EXPECT_EQ(take(input, taken), expected) << end;
    }
}

TEST(ContentHeader, ReadsWhatIsWritten) {
    byte_buffer out;
    write_content_header(out, 9, 0x0102030405060708, from_hex("1000 02"));

    EXPECT_EQ(
        to_hex(out.view()),
        "02"
        "0009"
        "0000000f"
        "003c"
        "0000"
        "0102030405060708"
        "100002ce");
    const auto frames = all_frames(out.view());
    ASSERT_EQ(frames.size(), 1U);
    content_header header;
    ASSERT_TRUE(read_content_header(frames[0].payload, header));
    EXPECT_EQ(header.class_id, class_basic);
    EXPECT_EQ(header.weight, 0);
    EXPECT_EQ(header.body_size, 0x0102030405060708U);
    EXPECT_EQ(to_hex(header.properties), "100002");
}

TEST(ContentHeader, NeedsItsFlags) {
    const std::string payload = from_hex("003c 0000 0000000000000001 0000");
    content_header header;

    EXPECT_TRUE(read_content_header(payload, header));
    for (std::size_t size = 0; size < payload.size(); ++size) {
        EXPECT_FALSE(read_content_header(octets{payload}.substr(0, size), header)) << size;
    }
}

TEST(Body, IsCutIntoFramesOfTheAgreedSize) {
    for (const std::size_t size : {1U, 4087U, 4088U, 4089U, 8176U, 8177U, 20000U}) {
        SCOPED_TRACE(size);
        const std::string body(size, 'b');
        byte_buffer out;

        write_body(out, 3, body, frame_size_min);

        const auto frames = all_frames(out.view());
        EXPECT_EQ(frames.size(), (size + payload_max - 1) / payload_max);
        std::string joined;
        for (const auto& one : frames) {
            EXPECT_EQ(one.type, static_cast<std::uint8_t>(frame_type::body));
            EXPECT_EQ(one.channel, 3);
            EXPECT_LE(one.payload.size() + frame_overhead, frame_size_min);
            joined += one.payload;
        }
        EXPECT_EQ(joined, body);
    }
}

TEST(Body, EmptyIsNoFrame) {
    byte_buffer out;

    write_body(out, 3, "", frame_size_min);

    EXPECT_TRUE(out.empty());
}

TEST(Heartbeat, IsEightOctetsOnChannelZero) {
    byte_buffer out;

    write_heartbeat(out);

    EXPECT_EQ(to_hex(out.view()), "08000000000000ce");
}

}  // namespace
}  // namespace lovage::amqp
