#include "framework/app/message_codec.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <string>

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

TEST(MessageCodec, TextsThatWouldBeCutAreRefused) {
    const std::string longest(255, 'x');
    const std::string longer(256, 'x');
    for (std::string message::* member :
         {&message::content_type,
          &message::content_encoding,
          &message::correlation_id,
          &message::reply_to,
          &message::message_id,
          &message::type,
          &message::user_id,
          &message::app_id}) {
        message what;
        what.*member = longest;
        EXPECT_FALSE(check_properties(what).has_value());
        what.*member = longer;
        ASSERT_TRUE(check_properties(what).has_value());
        EXPECT_EQ(check_properties(what)->code, broker_errc::invalid_argument);
    }
}

TEST(MessageCodec, NamesOfHeadersThatWouldBeCutAreRefusedAtAnyDepth) {
    message what;
    what.headers["long value"] = std::string(1000, 'x');
    EXPECT_FALSE(check_properties(what).has_value());

    boost::json::object inner;
    inner[std::string(256, 'x')] = 1;
    boost::json::array list;
    list.emplace_back(inner);
    what.headers["list"] = list;
    EXPECT_TRUE(check_properties(what).has_value());
}

TEST(MessageCodec, MalformedPropertiesAreRefused) {
    message in;

    EXPECT_FALSE(read_properties_into(std::string("\xFF\xFF\x01", 3), in));
}

}  // namespace
}  // namespace lovage
