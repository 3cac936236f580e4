#include "framework/net/uri.hpp"

#include <gtest/gtest.h>

namespace lovage::net {
namespace {

uri parsed(std::string_view text) {
    std::string problem;
    const auto result = parse_uri(text, problem);
    EXPECT_TRUE(result.has_value()) << text << ": " << problem;
    return result.value_or(uri{});
}

std::string problem_of(std::string_view text) {
    std::string problem;
    EXPECT_FALSE(parse_uri(text, problem).has_value()) << text;
    return problem;
}

TEST(Uri, DefaultsAreTheLocalBrokersGuest) {
    const uri u = parsed("amqp://");

    EXPECT_EQ(u.host, "localhost");
    EXPECT_EQ(u.port, 5672);
    EXPECT_EQ(u.user, "guest");
    EXPECT_EQ(u.password, "guest");
    EXPECT_EQ(u.vhost, "/");
    EXPECT_FALSE(u.tls);
}

TEST(Uri, AllPartsAreRead) {
    const uri u = parsed("amqp://anna:secret@broker.example:10000/shop?heartbeat=15");

    EXPECT_EQ(u.user, "anna");
    EXPECT_EQ(u.password, "secret");
    EXPECT_EQ(u.host, "broker.example");
    EXPECT_EQ(u.port, 10000);
    EXPECT_EQ(u.vhost, "shop");
    EXPECT_EQ(u.heartbeat_seconds, 15);
}

TEST(Uri, TlsHasItsOwnPortAndParameters) {
    const uri u = parsed(
        "AMQPS://broker/?cacertfile=/a%20b/ca.pem&certfile=c.pem&keyfile=k.pem&verify=verify_none"
        "&server_name_indication=other");

    EXPECT_TRUE(u.tls);
    EXPECT_EQ(u.port, 5671);
    EXPECT_EQ(u.ca_file, "/a b/ca.pem");
    EXPECT_EQ(u.certificate_file, "c.pem");
    EXPECT_EQ(u.key_file, "k.pem");
    EXPECT_FALSE(u.verify_peer);
    EXPECT_EQ(u.server_name, "other");
    EXPECT_TRUE(parsed("amqps://broker").verify_peer);
}

TEST(Uri, EscapesAreDecodedInEachPart) {
    // The long example of RabbitMQ's URI specification.
    const uri u = parsed("amqp://user%61:%61pass@ho%61st:10000/v%2fhost");

    EXPECT_EQ(u.user, "usera");
    EXPECT_EQ(u.password, "apass");
    EXPECT_EQ(u.host, "hoast");
    EXPECT_EQ(u.vhost, "v/host");
}

TEST(Uri, AllWaysToWriteTheDefaultVirtualHostMeanIt) {
    EXPECT_EQ(parsed("amqp://host").vhost, "/");
    EXPECT_EQ(parsed("amqp://host/").vhost, "/");
    EXPECT_EQ(parsed("amqp://host//").vhost, "/");
    EXPECT_EQ(parsed("amqp://host/%2f").vhost, "/");
    EXPECT_EQ(parsed("amqp://host/%2F?heartbeat=1").vhost, "/");
}

TEST(Uri, AddressesOfIpv6StandInBrackets) {
    const uri u = parsed("amqp://[::1]:5673/x");

    EXPECT_EQ(u.host, "::1");
    EXPECT_EQ(u.port, 5673);
    EXPECT_EQ(u.display(), "[::1]:5673");
    EXPECT_EQ(parsed("amqp://[::1]").port, 5672);
}

TEST(Uri, UserWithoutPasswordKeepsTheDefaultPassword) {
    const uri u = parsed("amqp://anna@host");

    EXPECT_EQ(u.user, "anna");
    EXPECT_EQ(u.password, "guest");
    EXPECT_EQ(parsed("amqp://anna:@host").password, "");
}

TEST(Uri, NumbersInTheQueryAreRead) {
    const uri u =
        parsed("amqp://h?connection_timeout=5000&channel_max=100&frame_max=8192&heartbeat=0");

    EXPECT_EQ(u.connection_timeout, std::chrono::milliseconds(5000));
    EXPECT_EQ(u.channel_max, 100);
    EXPECT_EQ(u.frame_max, 8192U);
    EXPECT_EQ(u.heartbeat_seconds, 0);
}

TEST(Uri, ProblemsSayWhatAndWhere) {
    EXPECT_NE(problem_of("http://host").find("amqp://"), std::string::npos);
    EXPECT_NE(problem_of("amqp://host:99999").find("(at character 13)"), std::string::npos);
    EXPECT_NE(problem_of("amqp://host:12x").find("the port"), std::string::npos);
    EXPECT_NE(problem_of("amqp://ho%4").find("hexadecimal"), std::string::npos);
    EXPECT_NE(problem_of("amqp://ho%zz").find("(at character 10)"), std::string::npos);
    EXPECT_NE(problem_of("amqp://h/a/b").find("%2F"), std::string::npos);
    EXPECT_NE(problem_of("amqp://[::1").find("]"), std::string::npos);
    EXPECT_NE(problem_of("amqp://h?hearbeat=1").find("unknown parameter"), std::string::npos);
    EXPECT_NE(problem_of("amqp://h?heartbeat").find("key=value"), std::string::npos);
    EXPECT_NE(problem_of("amqp://h?heartbeat=").find("heartbeat"), std::string::npos);
    EXPECT_NE(problem_of("amqp://h?verify=yes").find("verify_none"), std::string::npos);
    EXPECT_NE(problem_of("amqp://" + std::string(10'000, 'x')).find("long"), std::string::npos);
}

TEST(Uri, PasswordIsNeverShown) {
    const uri u = parsed("amqp://anna:hunter2@host/shop");

    EXPECT_EQ(u.to_string().find("hunter2"), std::string::npos);
    EXPECT_EQ(u.display().find("hunter2"), std::string::npos);
    EXPECT_EQ(problem_of("amqp://anna:hunter2@host:x").find("hunter2"), std::string::npos);
    EXPECT_EQ(problem_of("amqp://anna:?hunter2=x@host").find("hunter2"), std::string::npos);
}

TEST(Uri, TextOfAnAddressCanBeReadAgain) {
    uri u = parsed(
        "amqps://us%20er:pw@[::1]:1/v%2Fh?heartbeat=3&verify=verify_none&cacertfile=%2Fx%26y");

    const uri again = parsed(u.to_string());

    u.password = "guest";  // left out
    EXPECT_EQ(again, u);
}

}  // namespace
}  // namespace lovage::net
