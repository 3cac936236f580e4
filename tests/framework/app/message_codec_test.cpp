#include "framework/app/message_codec.hpp"

#include <gtest/gtest.h>

namespace lovage {
namespace {

TEST(MessageCodec, AllPropertiesComeBack) {
    message out("body", "text/plain");
    out.content_encoding = "utf-8";
    out.headers["n"] = 1;
    out.headers["t"] = "text";
    out.persistent = false;
    out.priority = 4;
    out.correlation_id = "c";
    out.reply_to = "r";
    out.expiration = std::chrono::milliseconds(1500);
    out.message_id = "m";
    out.timestamp = 17;
    out.type = "t";
    out.user_id = "u";
    out.app_id = "a";

    message in;
    ASSERT_TRUE(read_properties_into(properties_of(out), in));

    EXPECT_EQ(in.content_type, "text/plain");
    EXPECT_EQ(in.content_encoding, "utf-8");
    EXPECT_EQ(in.headers.at("n").to_number<int>(), 1);
    EXPECT_EQ(in.headers.at("t").as_string(), "text");
    EXPECT_FALSE(in.persistent);
    EXPECT_EQ(in.priority, 4);
    EXPECT_EQ(in.correlation_id, "c");
    EXPECT_EQ(in.reply_to, "r");
    EXPECT_EQ(in.expiration, std::chrono::milliseconds(1500));
    EXPECT_EQ(in.message_id, "m");
    EXPECT_EQ(in.timestamp, 17U);
    EXPECT_EQ(in.type, "t");
    EXPECT_EQ(in.user_id, "u");
    EXPECT_EQ(in.app_id, "a");
}

TEST(MessageCodec, EmptyTextIsNoProperty) {
    const std::string encoded = properties_of(message("body"));

    EXPECT_EQ(encoded.size(), 3U);  // flags and delivery mode
}

TEST(MessageCodec, MalformedPropertiesAreRefused) {
    message in;

    EXPECT_FALSE(read_properties_into(std::string("\xFF\xFF\x01", 3), in));
}

}  // namespace
}  // namespace lovage
