#include "framework/net/connector.hpp"

#include "framework/net/uri.hpp"
#include "tests/framework/net/socket_pair.hpp"

#include <gmock/gmock.h>

namespace lovage::net {
namespace {

using asio::ip::tcp;
using test::run_until;
using ::testing::HasSubstr;

std::optional<connect_result> connect(
    asio::io_context& context,
    const uri& to,
    const connect_options& options = {}) {
    std::optional<connect_result> result;
    async_connect(context.get_executor(), to, options, [&](connect_result r) {
        result.emplace(std::move(r));
    });
    EXPECT_FALSE(result.has_value());  // never from within the call
    run_until(context, [&] { return result.has_value(); });
    return result;
}

uri local(std::uint16_t port) {
    uri made;
    made.host = "localhost";
    made.port = port;
    return made;
}

TEST(Connector, ConnectsToAListener) {
    asio::io_context context{1};
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));

    const auto result = connect(context, local(acceptor.local_endpoint().port()));

    ASSERT_TRUE(result.has_value());
    ASSERT_FALSE(result->error) << result->problem;
    EXPECT_TRUE(result->connection.is_open());
    EXPECT_FALSE(result->connection.remote_address().empty());
}

TEST(Connector, FallsBackToTheNextAddress) {
    asio::io_context context{1};
    const auto listening = asio::ip::make_address("127.0.0.2");
    tcp::acceptor acceptor(context, tcp::endpoint(listening, 0));
    connect_options options;
    options.addresses = {asio::ip::address_v4::loopback(), listening};

    const auto result = connect(context, local(acceptor.local_endpoint().port()), options);

    ASSERT_TRUE(result.has_value());
    ASSERT_FALSE(result->error) << result->problem;
    EXPECT_THAT(result->connection.remote_address(), HasSubstr("127.0.0.2"));
}

TEST(Connector, RefusedConnectionNamesTheAddress) {
    asio::io_context context{1};
    std::uint16_t port = 0;
    {
        tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        port = acceptor.local_endpoint().port();
    }

    const auto result = connect(context, local(port));

    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->error);
    EXPECT_NE(result->problem.find("localhost:" + std::to_string(port)), std::string::npos)
        << result->problem;
}

TEST(Connector, SilentTlsServerTimesOut) {
    asio::io_context context{1};
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    uri to = local(acceptor.local_endpoint().port());
    to.tls = true;
    to.verify_peer = false;
    connect_options options;
    options.timeout = std::chrono::milliseconds(50);

    const auto result = connect(context, to, options);

    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->error, asio::error::timed_out);
}

TEST(Connector, CancelledAttemptIsSilent) {
    asio::io_context context{1};
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    bool called = false;
    const auto attempt = async_connect(
        context.get_executor(),
        local(acceptor.local_endpoint().port()),
        {},
        [&](const connect_result&) { called = true; });

    attempt->cancel();
    attempt->cancel();
    context.run();

    EXPECT_FALSE(called);
}

TEST(Connector, UnknownNameSaysSo) {
    asio::io_context context{1};
    uri to;
    to.host = "no-such-host.invalid";
    connect_options options;
    options.may_use_threads = false;

    const auto result = connect(context, to, options);

    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->error);
    EXPECT_NE(result->problem.find("look up"), std::string::npos) << result->problem;
}

}  // namespace
}  // namespace lovage::net
