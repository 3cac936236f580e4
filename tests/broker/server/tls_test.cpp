// amqps with certificates made for the occasion by the openssl command.
#include "framework/net/tls.hpp"

#include "tests/broker/server/support.hpp"

#include <lovage/broker_error.hpp>
#include <lovage/connection.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* openssl = "/usr/bin/openssl";
/// What a refused client may take to say so; it tries again until then.
constexpr std::chrono::seconds refusal_patience{3};

/// An authority and certificates that it vouches for, in a folder.
class authority {
public:
    authority(fs::path folder, const std::string& name) : folder_(std::move(folder)), name_(name) {
        request(name, {"-subj", "/CN=" + name});
    }

    /// For the name localhost and the address 127.0.0.1.
    void certify(const std::string& name) const {
        request(
            name,
            {"-subj",
             "/CN=" + name,
             "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-addext",
             "basicConstraints=critical,CA:FALSE",
             "-CA",
             certificate(name_),
             "-CAkey",
             key(name_)});
    }
    [[nodiscard]] std::string certificate(const std::string& name) const {
        return (folder_ / (name + ".pem")).string();
    }
    [[nodiscard]] std::string key(const std::string& name) const {
        return (folder_ / (name + ".key")).string();
    }

private:
    void request(const std::string& name, const std::vector<std::string>& options) const {
        std::vector<std::string> command{
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key(name),
            "-out",
            certificate(name)};
        command.insert(command.end(), options.begin(), options.end());
        const auto made = workers::test::run(command);
        if (made.status != 0) {
            throw std::runtime_error("openssl: " + made.err);
        }
    }

    fs::path folder_;
    std::string name_;
};

class Tls : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new temporary_folder;
        ours_ = new authority{folder_->path(), "ours"};
        ours_->certify("server");
        ours_->certify("client");
        others_ = new authority{folder_->path(), "others"};
        others_->certify("stranger");
    }
    static void TearDownTestSuite() {
        delete ours_;
        delete others_;
        delete folder_;
    }

    static server_options options() {
        tls_options tls;
        tls.port = 0;
        tls.certificate_file = ours_->certificate("server");
        tls.key_file = ours_->key("server");
        server_options wanted;
        wanted.tls = tls;
        return wanted;
    }
    static connection_options to(
        const server& broker,
        const std::string& query,
        const std::string& host = "localhost") {
        connection_options wanted{
            "amqps://guest:guest@" + host + ":" + std::to_string(broker.tls_port()) + "//?" +
            query};
        wanted.timeout = refusal_patience;
        return wanted;
    }
    static std::string ca(const std::string& name) {
        return "cacertfile=" + ours_->certificate(name);
    }
    static std::string identity(const std::string& name) {
        return "&certfile=" + ours_->certificate(name) + "&keyfile=" + ours_->key(name);
    }
    static void expect_serves(connection_options wanted) {
        wanted.timeout = patience;
        connection client{wanted};
        client.open();
        const std::string queue = client.declare_queue("").name;
        const std::string body(1'000'000, 'x');  // many TLS records
        client.publish("", queue, message(body));
        const auto got = client.get(queue, true);
        ASSERT_TRUE(got.has_value());
        EXPECT_EQ(got->message.body, body);
    }
    /// What the client says when it is refused; empty if it is not.
    static std::string refusal(const connection_options& wanted) {
        connection client{wanted};
        try {
            client.open();
        } catch (const broker_error& error) {
            EXPECT_TRUE(
                error.code() == broker_errc::connect_failed || error.code() == broker_errc::timeout)
                << error.what();
            return error.what();
        }
        return {};
    }

    static inline temporary_folder* folder_ = nullptr;
    static inline authority* ours_ = nullptr;
    static inline authority* others_ = nullptr;
};

TEST_F(Tls, ClientThatKnowsTheAuthorityIsServed) {
    server broker{options()};
    broker.start();
    ASSERT_NE(broker.tls_port(), 0);
    expect_serves(to(broker, ca("ours")));
    expect_serves(to(broker, ca("ours"), "127.0.0.1"));
}

TEST_F(Tls, PlainPortIsServedBesides) {
    server broker{options()};
    broker.start();
    ASSERT_NE(broker.port(), broker.tls_port());
    expect_serves(connection_options{broker.url()});
}

TEST_F(Tls, ClientRefusesACertificateForAnotherName) {
    server broker{options()};
    broker.start();
    EXPECT_THAT(
        refusal(to(broker, ca("ours") + "&server_name_indication=other.example")),
        HasSubstr("certificate"));
    expect_serves(to(broker, ca("ours")));
}

TEST_F(Tls, ClientRefusesAnUnknownAuthority) {
    server broker{options()};
    broker.start();
    EXPECT_THAT(refusal(to(broker, ca("others"))), HasSubstr("certificate"));
    EXPECT_THAT(refusal(to(broker, "heartbeat=10")), HasSubstr("certificate"));
    expect_serves(to(broker, ca("ours")));
}

TEST_F(Tls, ClientThatDoesNotWantToVerifyIsServed) {
    server broker{options()};
    broker.start();
    expect_serves(to(broker, "verify=verify_none"));
}

TEST_F(Tls, MissingAuthorityFileIsNamed) {
    server broker{options()};
    broker.start();
    EXPECT_THAT(
        refusal(to(broker, "cacertfile=/no/such/file.pem")), HasSubstr("/no/such/file.pem"));
}

TEST_F(Tls, PlainClientOnTheTlsPortIsDroppedAndOthersServed) {
    server broker{options()};
    broker.start();
    const raw_socket plain{broker.tls_port()};
    plain.send(std::string_view("AMQP\0\0\x09\x01", 8));
    static_cast<void>(plain.receive_all());  // returns when the broker has closed
    expect_serves(to(broker, ca("ours")));
}

TEST_F(Tls, ClientsThatOnlyConnectDoNotHinderOthersNorTheEnd) {
    server broker{options()};
    broker.start();
    const raw_socket silent{broker.tls_port()};
    const raw_socket cut_short{broker.tls_port()};
    cut_short.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));  // a ClientHello begins
    expect_serves(to(broker, ca("ours")));
    broker.stop();
}

TEST_F(Tls, ClientsNeedCertificatesWhereTheServerSaysSo) {
    auto wanted = options();
    wanted.tls->client_ca_file = ours_->certificate("ours");
    server broker{wanted};
    broker.start();
    expect_serves(to(broker, ca("ours") + identity("client")));
    EXPECT_NE(refusal(to(broker, ca("ours"))), "");
    EXPECT_NE(refusal(to(broker, ca("ours") + identity("stranger"))), "");
}

TEST_F(Tls, UnreadableFilesAreNamed) {
    auto wanted = options();
    wanted.tls->certificate_file = "/no/such/certificate.pem";
    EXPECT_THAT(start_problem(wanted), HasSubstr("/no/such/certificate.pem"));

    wanted = options();
    wanted.tls->key_file = (folder_->path() / "garbage.key").string();
    write_file(wanted.tls->key_file, "no key");
    EXPECT_THAT(start_problem(wanted), HasSubstr("garbage.key"));

    wanted = options();
    wanted.tls->client_ca_file = "/no/such/authority.pem";
    EXPECT_THAT(start_problem(wanted), HasSubstr("/no/such/authority.pem"));
}

TEST_F(Tls, KeyOfAnotherCertificateIsRefused) {
    auto wanted = options();
    wanted.tls->key_file = ours_->key("client");
    EXPECT_THAT(start_problem(wanted), HasSubstr("client.key"));
}

}  // namespace
}  // namespace lovage::broker::test
