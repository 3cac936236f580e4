// Frames that pika, py-amqp and RabbitMQ sent each other (golden/*.hex, see record_golden.py) must
// come out of reading and writing as the same octets: both sides then mean the same by them.
#include "framework/amqp/content.hpp"
#include "framework/amqp/frame.hpp"
#include "framework/amqp/method_codec.hpp"
#include "framework/amqp/properties.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace lovage::amqp {
namespace {

using namespace testing;

constexpr std::size_t payload_max = frame_size_default - frame_overhead;

struct recorded {
    bool from_client = false;
    std::string octets;
};

std::vector<recorded> session(const std::string& name) {
    std::vector<recorded> result;
    std::ifstream file{LOVAGE_TEST_DATA "/golden/" + name + ".hex"};
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with('#')) {
            result.push_back({line.front() == 'C', from_hex(octets{line}.substr(2))});
        }
    }
    return result;
}

frame only_frame(octets bytes) {
    frame result;
    std::uint32_t size = 0;
    EXPECT_EQ(next_frame(bytes, result, payload_max, size), frame_status::complete);
    EXPECT_TRUE(bytes.empty());
    return result;
}

std::string method_again(const frame& from) {
    method_id id;
    method parsed;
    EXPECT_EQ(read_method(from.payload, id, parsed), method_error::none);
    byte_buffer out;
    std::visit(
        [&]<class Method>(const Method& m) {
            if constexpr (!std::is_same_v<Method, std::monostate>) {
                EXPECT_EQ(id, Method::id);
                write_method(out, from.channel, m);
            }
        },
        parsed);
    return std::string(out.view());
}

std::string header_again(const frame& from) {
    content_header header;
    EXPECT_TRUE(read_content_header(from.payload, header));
    EXPECT_EQ(header.class_id, class_basic);
    EXPECT_TRUE(scan_properties(header.properties));
    const auto properties = read_properties(header.properties);
    if (!properties) {
        return {};
    }
    byte_buffer encoded;
    write_properties(encoded, *properties);
    byte_buffer out;
    write_content_header(out, from.channel, header.body_size, encoded.view());
    return std::string(out.view());
}

std::string again(const frame& from) {
    byte_buffer out;
    switch (frame_type{from.type}) {
        case frame_type::method: return method_again(from);
        case frame_type::header: return header_again(from);
        case frame_type::body:
            write_body(out, from.channel, from.payload, frame_size_default);
            break;
        case frame_type::heartbeat: write_heartbeat(out); break;
    }
    return std::string(out.view());
}

class GoldenSession : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenSession, EveryFrameComesBackAsTheSameOctets) {
    const auto frames = session(GetParam());
    ASSERT_GT(frames.size(), 20U);
    EXPECT_EQ(frames.front().octets, protocol_header);

    for (std::size_t i = 1; i < frames.size(); ++i) {
        const std::string written = again(only_frame(frames[i].octets));
        EXPECT_EQ(to_hex(written), to_hex(frames[i].octets)) << "frame " << i;
    }
}

TEST_P(GoldenSession, EveryContentIsAssembled) {
    int contents = 0;
    for (const bool from_client : {true, false}) {
        content_assembler assembler;
        for (const auto& one : session(GetParam())) {
            if (one.from_client != from_client || one.octets == protocol_header) {
                continue;
            }
            const frame next = only_frame(one.octets);
            if (next.type == static_cast<std::uint8_t>(frame_type::header)) {
                assembler.start();
                const auto status = assembler.header(next.payload);
                EXPECT_EQ(status == content_status::complete, assembler.body_size() == 0);
                ++contents;
            } else if (next.type == static_cast<std::uint8_t>(frame_type::body)) {
                EXPECT_TRUE(assembler.active());
                EXPECT_LE(assembler.body(next.payload), content_status::complete);
            } else {
                EXPECT_FALSE(assembler.active());
            }
        }
        EXPECT_FALSE(assembler.active());
    }
    const std::set<std::string> without{"declare", "errors"};
    EXPECT_EQ(contents == 0, without.contains(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Recorded,
    GoldenSession,
    ::testing::
        Values("declare", "content", "dead_letter", "confirm", "transaction", "errors", "py_amqp"),
    [](const auto& one) { return std::string(one.param); });

/// So that a new recording that lost its point is noticed.
TEST(Golden, SessionsCoverTheUsualMethods) {
    std::set<std::string> seen;
    for (const auto* name :
         {"declare", "content", "dead_letter", "confirm", "transaction", "errors", "py_amqp"}) {
        for (const auto& one : session(name)) {
            if (one.octets != protocol_header && one.octets.front() == '\x01') {
                method_id id;
                method parsed;
                static_cast<void>(read_method(only_frame(one.octets).payload, id, parsed));
                seen.insert(name_of(id));
            }
        }
    }

    // Not recorded: secure, blocked, update-secret, access, recover-async (and their answers).
    for_each_method([&]<class Method>() {
        const std::set<std::string> rare{
            "10.20", "10.21", "10.60", "10.61", "10.70", "10.71", "30.10", "30.11", "60.100"};
        EXPECT_NE(seen.contains(name_of(Method::id)), rare.contains(name_of(Method::id)))
            << name_of(Method::id);
    });
}

TEST(Golden, ClientsPropertiesMeanWhatTheyWereGiven) {
    const auto frames = session("content");
    const auto found = std::ranges::find_if(frames, [](const recorded& one) {
        return one.octets.find("application/json") != std::string::npos;
    });
    ASSERT_NE(found, frames.end());
    content_header header;
    ASSERT_TRUE(read_content_header(only_frame(found->octets).payload, header));

    const auto p = read_properties(header.properties);

    ASSERT_TRUE(p);
    EXPECT_EQ(p->content_encoding, "utf-8");
    EXPECT_EQ(p->delivery_mode, 2);
    EXPECT_EQ(p->priority, 3);
    EXPECT_EQ(p->correlation_id, "correlation");
    EXPECT_EQ(p->reply_to, "reply");
    EXPECT_EQ(p->expiration, "60000");
    EXPECT_EQ(p->message_id, "message");
    EXPECT_EQ(p->timestamp, 1577934245U);
    EXPECT_EQ(p->type, "type");
    EXPECT_EQ(p->user_id, "guest");
    EXPECT_EQ(p->app_id, "application");
    EXPECT_EQ(p->cluster_id, "cluster");
    ASSERT_TRUE(p->headers);
    EXPECT_EQ(*p->headers->find("bool"), field_value{true});
    EXPECT_EQ(*p->headers->find("small"), field_value{1});
    EXPECT_EQ(*p->headers->find("large"), field_value{std::int64_t{1} << 40});
    EXPECT_EQ(*p->headers->find("negative"), field_value{-7});
    EXPECT_EQ(p->headers->find("text")->text(), "t\u00e4xt");
    EXPECT_EQ(*p->headers->find("octets"), (field_value{byte_array{std::string("\0\xff", 2)}}));
    EXPECT_EQ(*p->headers->find("decimal"), (field_value{decimal{2, 314}}));
    EXPECT_TRUE(p->headers->find("nothing")->is_void());
    EXPECT_EQ(*p->headers->find("time"), field_value{timestamp{1577934245}});
}

}  // namespace
}  // namespace lovage::amqp
