// Numbers and methods against the specification. The table of methods is a file of this folder,
// made from the XML by spec_methods.py, which also compares the names of the fields.
#include "framework/amqp/spec.hpp"

#include "framework/amqp/methods.hpp"
#include "tests/framework/amqp/support.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

namespace lovage::amqp {
namespace {

using namespace testing;

struct type_lister {
    std::string& list;

    void operator()(bool&) { list += " bit"; }
    void operator()(std::uint8_t&) { list += " octet"; }
    void operator()(std::uint16_t&) { list += " short"; }
    void operator()(std::uint32_t&) { list += " long"; }
    void operator()(std::uint64_t&) { list += " longlong"; }
    void operator()(octets&) { list += " shortstr"; }
    void operator()(long_string&) { list += " longstr"; }
    void operator()(table&) { list += " table"; }
};

/// Ids and the types of the fields in wire order: {"20.20", " bit"}.
std::map<std::string, std::string> methods_of_the_code() {
    std::map<std::string, std::string> result;
    for_each_method([&]<class Method>() {
        Method method;
        std::string types;
        visit_fields(method, type_lister{types});
        EXPECT_TRUE(result.emplace(name_of(Method::id), types).second) << name_of(Method::id);
    });
    return result;
}

std::map<std::string, std::string> methods_of_the_specification() {
    std::map<std::string, std::string> result;
    std::ifstream file{LOVAGE_TEST_DATA "/spec_methods.txt"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with('#')) {
            continue;
        }
        std::string types;
        for (auto at = line.find(':'); at != std::string::npos; at = line.find(':', at + 1)) {
            types += ' ' + line.substr(at + 1, line.find(' ', at) - at - 1);
        }
        result.emplace(line.substr(0, line.find(' ')), types);
    }
    return result;
}

TEST(Specification, HasEveryMethodWithTheseFields) {
    const auto specified = methods_of_the_specification();

    EXPECT_GE(specified.size(), 66U);
    EXPECT_EQ(methods_of_the_code(), specified);
}

TEST(Specification, ProtocolHeaderIsThatOf091) {
    EXPECT_EQ(to_hex(protocol_header), "414d515000000901");
}

TEST(Specification, ReplyCodesHaveTheirNames) {
    EXPECT_EQ(reply_code_name(reply_code::reply_success), "REPLY_SUCCESS");
    EXPECT_EQ(reply_code_name(reply_code{311}), "CONTENT_TOO_LARGE");
    EXPECT_EQ(reply_code_name(reply_code{312}), "NO_ROUTE");
    EXPECT_EQ(reply_code_name(reply_code{313}), "NO_CONSUMERS");
    EXPECT_EQ(reply_code_name(reply_code{320}), "CONNECTION_FORCED");
    EXPECT_EQ(reply_code_name(reply_code{402}), "INVALID_PATH");
    EXPECT_EQ(reply_code_name(reply_code{403}), "ACCESS_REFUSED");
    EXPECT_EQ(reply_code_name(reply_code{404}), "NOT_FOUND");
    EXPECT_EQ(reply_code_name(reply_code{405}), "RESOURCE_LOCKED");
    EXPECT_EQ(reply_code_name(reply_code{406}), "PRECONDITION_FAILED");
    EXPECT_EQ(reply_code_name(reply_code{501}), "FRAME_ERROR");
    EXPECT_EQ(reply_code_name(reply_code{502}), "SYNTAX_ERROR");
    EXPECT_EQ(reply_code_name(reply_code{503}), "COMMAND_INVALID");
    EXPECT_EQ(reply_code_name(reply_code{504}), "CHANNEL_ERROR");
    EXPECT_EQ(reply_code_name(reply_code{505}), "UNEXPECTED_FRAME");
    EXPECT_EQ(reply_code_name(reply_code{506}), "RESOURCE_ERROR");
    EXPECT_EQ(reply_code_name(reply_code{530}), "NOT_ALLOWED");
    EXPECT_EQ(reply_code_name(reply_code{540}), "NOT_IMPLEMENTED");
    EXPECT_EQ(reply_code_name(reply_code{541}), "INTERNAL_ERROR");
}

TEST(Specification, OtherReplyCodesHaveNone) {
    EXPECT_EQ(reply_code_name(reply_code{0}), "");
    EXPECT_EQ(reply_code_name(reply_code{499}), "");
}

}  // namespace
}  // namespace lovage::amqp
