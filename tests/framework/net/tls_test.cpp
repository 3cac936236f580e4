#include "framework/net/connector.hpp"
#include "framework/net/uri.hpp"
#include "tests/framework/net/certificates.hpp"
#include "tests/framework/net/socket_pair.hpp"

namespace lovage::net {
namespace {

using asio::ip::tcp;
using test::certificates;
using test::recorder;
using test::run_until;

/// A TLS server that accepts one connection and echoes what it gets.
class echo_server {
public:
    echo_server(asio::io_context& context, const certificates& files)
        : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
        std::string problem;
        tls_ = make_server_context({files.server(), files.key(), {}, false, false}, problem);
        EXPECT_NE(tls_, nullptr) << problem;
        acceptor_.async_accept([this](error_code error, tcp::socket socket) {
            ASSERT_FALSE(error);
            accepted_ = std::make_unique<stream>(std::move(socket), tls_);
            accepted_->async_accept_handshake([this](error_code failed) {
                handshake_error = failed;
                if (!failed) {
                    served = pump::create(std::move(*accepted_));
                    owner->on_received = [this](octets input) {
                        served->out().append(input);
                        served->flush();
                        return input.size();
                    };
                    served->start(owner);
                }
            });
        });
    }
    [[nodiscard]] uri address(const std::string& host, const std::string& ca) const {
        uri made;
        made.tls = true;
        made.host = host;
        made.port = acceptor_.local_endpoint().port();
        made.ca_file = ca;
        return made;
    }

    std::optional<error_code> handshake_error;
    std::shared_ptr<pump> served;
    std::shared_ptr<recorder> owner = std::make_shared<recorder>();

private:
    tcp::acceptor acceptor_;
    tls_context tls_;
    std::unique_ptr<stream> accepted_;
};

std::optional<connect_result> connect(asio::io_context& context, const uri& to) {
    std::optional<connect_result> result;
    async_connect(
        context.get_executor(), to, {}, [&](connect_result r) { result.emplace(std::move(r)); });
    run_until(context, [&] { return result.has_value(); });
    return result;
}

TEST(Tls, OctetsGoBothWaysAndTheEndIsClean) {
    asio::io_context context{1};
    const certificates files;
    echo_server server(context, files);

    auto result = connect(context, server.address("localhost", files.ca()));
    ASSERT_TRUE(result.has_value());
    ASSERT_FALSE(result->error) << result->problem;
    const auto client = pump::create(std::move(result->connection));
    const auto owner = std::make_shared<recorder>();
    client->start(owner);
    const std::string large(1'000'000, 'q');
    client->out().append(large);
    client->flush();
    run_until(context, [&] { return owner->text.size() == large.size(); });
    client->close_after_flush();
    run_until(context, [&] { return owner->closes == 1 && server.owner->closes == 1; });

    EXPECT_EQ(owner->text, large);
    EXPECT_FALSE(owner->close_error);
}

TEST(Tls, ServerOfAnUnknownAuthorityIsRefused) {
    asio::io_context context{1};
    const certificates files;
    const certificates others;
    echo_server server(context, files);

    const auto result = connect(context, server.address("localhost", others.ca()));

    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->error);
    EXPECT_NE(result->problem.find("TLS handshake failed (localhost:"), std::string::npos)
        << result->problem;
}

TEST(Tls, ServerOfAnotherNameIsRefused) {
    asio::io_context context{1};
    const certificates files;
    echo_server server(context, files);
    uri address = server.address("localhost", files.ca());
    address.server_name = "broker.example";

    const auto result = connect(context, address);

    ASSERT_TRUE(result.has_value());
    EXPECT_TRUE(result->error);
}

TEST(Tls, VerifyNoneTakesAnyServer) {
    asio::io_context context{1};
    const certificates files;
    echo_server server(context, files);
    uri address = server.address("localhost", "");
    address.verify_peer = false;

    const auto result = connect(context, address);

    ASSERT_TRUE(result.has_value());
    EXPECT_FALSE(result->error) << result->problem;
}

TEST(Tls, CertificateOfAnAddressIsVerifiedToo) {
    asio::io_context context{1};
    const certificates files;
    echo_server server(context, files);

    const auto result = connect(context, server.address("127.0.0.1", files.ca()));

    ASSERT_TRUE(result.has_value());
    EXPECT_FALSE(result->error) << result->problem;
}

TEST(Tls, MissingFilesAreNamed) {
    std::string problem;

    EXPECT_EQ(make_server_context({"/no/such.pem", "k", {}, false, false}, problem), nullptr);
    EXPECT_NE(problem.find("/no/such.pem"), std::string::npos) << problem;
}

}  // namespace
}  // namespace lovage::net
