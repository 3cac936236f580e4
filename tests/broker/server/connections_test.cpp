// Connections by the management API: who is there, and how an operator ends what he names.
#include "tests/broker/server/http_client.hpp"
#include "tests/broker/server/support.hpp"
#include "tests/broker/server/wire_client.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

class Connections : public testing::Test {
protected:
    Connections() {
        server_options options;
        options.data_directory = folder_.path() / "data";
        options.management_port = 0;
        broker_ = std::make_unique<server>(options);
        broker_->start();
    }
    http_answer ask(
        const std::string& verb,
        const std::string& target,
        const std::string& login = guest_login,
        const std::string& headers = "",
        const std::string& body = "") {
        return http_ask(broker_->management_port(), {verb, "/api/" + target, login, body, headers});
    }
    /// As it stands in paths.
    std::string name_of(std::size_t position) {
        const auto all = ask("GET", "connections").json();
        return std::string(all.as_array().at(position).at("name").as_string());
    }
    [[nodiscard]] std::size_t count(const std::string& target = "connections") {
        return ask("GET", target).json().as_array().size();
    }
    /// 401 or 404 and so on, and nobody's connection is gone.
    void refused(
        int status,
        const std::string& target,
        const std::string& login = guest_login,
        const std::string& headers = "") {
        const std::size_t before = count();
        EXPECT_EQ(ask("DELETE", target, login, headers).status, status) << target;
        EXPECT_EQ(count(), before);
    }

    temporary_folder folder_;
    std::unique_ptr<server> broker_;
};

TEST_F(Connections, AreListedWhileTheyAreOpen) {
    EXPECT_EQ(count(), 0U);
    const wire_client first{broker_->port()};
    const wire_client second{broker_->port()};

    const auto all = ask("GET", "connections").json().as_array();

    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].at("user").as_string(), "guest");
    EXPECT_EQ(all[0].at("vhost").as_string(), "/");
    EXPECT_EQ(all[0].at("channels").to_number<int>(), 1);
    const std::string name{all[0].at("name").as_string()};
    EXPECT_EQ(name.substr(0, 10), "127.0.0.1:");
    EXPECT_EQ(ask("GET", "connections/" + name).json().at("name").as_string(), name);
    EXPECT_EQ(count("connections/username/guest"), 2U);
    EXPECT_EQ(count("connections/username/nobody"), 0U);
    EXPECT_EQ(ask("GET", "connections/127.0.0.1:1").status, 404);
}

TEST_F(Connections, TheOneThatIsNamedIsClosedWithTheReason) {
    wire_client named{broker_->port()};
    wire_client other{broker_->port()};

    EXPECT_EQ(
        ask("DELETE", "connections/" + name_of(0), guest_login, "X-Reason: go away\r\n").status,
        204);

    const auto told = named.await<amqp::connection::close>();
    EXPECT_EQ(told.reply_code, 320);
    EXPECT_EQ(told.reply_text, "CONNECTION_FORCED - go away");
    EXPECT_EQ(count(), 1U);
    other.call<amqp::basic::qos_ok>(amqp::basic::qos{});
}

TEST_F(Connections, AllOfAUserAreClosedWithRabbitMqsTextIfNoneIsGiven) {
    wire_client first{broker_->port()};
    wire_client second{broker_->port()};
    EXPECT_EQ(ask("DELETE", "connections/username/nobody").status, 204);
    EXPECT_EQ(count(), 2U);

    EXPECT_EQ(ask("DELETE", "connections/username/guest").status, 204);

    for (wire_client* each : {&first, &second}) {
        EXPECT_EQ(
            each->await<amqp::connection::close>().reply_text,
            "CONNECTION_FORCED - Closed via management plugin");
    }
    EXPECT_EQ(count(), 0U);
}

TEST_F(Connections, NothingIsClosedByAWrongRequest) {
    const wire_client open{broker_->port()};
    refused(404, "connections/127.0.0.1:1");
    refused(405, "connections");
    refused(400, "connections/" + name_of(0), guest_login, "X-Reason: \xff\r\n");
    refused(400, "connections/username/guest", guest_login, "X-Reason: \xff\r\n");
    refused(401, "connections/username/guest", base64_login("guest", "wrong"));
}

TEST_F(Connections, OnlyAdministratorsCloseThemAndOnlyMonitoringSeesThoseOfOthers) {
    const wire_client open{broker_->port()};
    for (const char* tags : {"management", "policymaker", "monitoring"}) {
        const std::string body = std::string(R"({"password": "pw", "tags": ")") + tags + "\"}";
        EXPECT_LE(ask("PUT", "users/joe", guest_login, "", body).status, 204);
        const std::string joe = base64_login("joe", "pw");
        const bool sees = std::string(tags) == "monitoring";
        EXPECT_EQ(ask("GET", "connections", joe).json().as_array().size(), sees ? 1U : 0U);
        EXPECT_EQ(ask("GET", "connections/" + name_of(0), joe).status, sees ? 200 : 404);
        refused(401, "connections/" + name_of(0), joe);
        refused(401, "connections/username/guest", joe);
    }
}

}  // namespace
}  // namespace lovage::broker::test
