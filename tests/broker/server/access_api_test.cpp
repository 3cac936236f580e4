// Users, permissions, virtual hosts and limits by the management API: answers, and that they are
// there after a restart. What RabbitMQ answers is compared in tests/interop/test_permissions.py.
#include "tests/broker/server/http_client.hpp"
#include "tests/broker/server/support.hpp"

#include <lovage/connection.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

using testing::HasSubstr;

class AccessApi : public testing::Test {
protected:
    AccessApi() { start(); }

    void start() {
        server_options options;
        options.data_directory = folder_.path() / "data";
        options.management_port = 0;
        broker_.reset();
        broker_ = std::make_unique<server>(options);
        broker_->start();
    }
    http_answer ask(
        const std::string& verb,
        const std::string& target,
        const std::string& body = "",
        const std::string& login = guest_login) {
        return http_ask(broker_->management_port(), {verb, "/api/" + target, login, body});
    }
    void done(
        int status,
        const std::string& verb,
        const std::string& target,
        const char* body = "") {
        const http_answer answer = ask(verb, target, body);
        EXPECT_EQ(answer.status, status) << verb << " " << target << ": " << answer.body;
    }
    [[nodiscard]] std::string url(const std::string& login, const std::string& vhost) const {
        return "amqp://" + login + "@127.0.0.1:" + std::to_string(broker_->port()) + "/" + vhost;
    }

    temporary_folder folder_;
    std::unique_ptr<server> broker_;
};

TEST_F(AccessApi, EverythingIsThereAfterARestart) {
    done(201, "PUT", "vhosts/shop", R"({"description": "what we sell"})");
    done(201, "PUT", "users/joe", R"({"password": "pw", "tags": ["monitoring", "x"]})");
    done(
        201, "PUT", "permissions/shop/joe", R"({"configure": "^q$", "write": ".*", "read": ".*"})");
    done(
        201,
        "PUT",
        "topic-permissions/shop/joe",
        R"({"exchange": "amq.topic", "write": "w", "read": "r"})");
    done(204, "PUT", "vhost-limits/shop/max-queues", R"({"value": 3})");
    done(204, "PUT", "user-limits/joe/max-connections", R"({"value": 4})");

    start();

    const auto user = ask("GET", "users/joe").json();
    EXPECT_EQ(user.at("tags").as_array().size(), 2U);
    EXPECT_EQ(user.at("limits").at("max-connections").to_number<int>(), 4);
    EXPECT_EQ(ask("GET", "permissions/shop/joe").json().at("configure").as_string(), "^q$");
    EXPECT_EQ(ask("GET", "topic-permissions/shop/joe").json().as_array().size(), 1U);
    EXPECT_EQ(ask("GET", "vhosts/shop").json().at("description").as_string(), "what we sell");
    EXPECT_THAT(ask("GET", "vhost-limits/shop").body, HasSubstr("\"max-queues\":3"));
    connection client{url("joe:pw", "shop")};
    client.declare_queue("q");
}

TEST_F(AccessApi, NoAnswerShowsAPasswordOrItsHash) {
    done(201, "PUT", "users/joe", R"({"password": "geheim", "tags": ""})");
    for (const char* target : {"users", "users/joe", "whoami", "permissions", "overview"}) {
        const std::string body = ask("GET", target).body;
        EXPECT_EQ(body.find("scrypt"), std::string::npos) << target;
        EXPECT_EQ(body.find("geheim"), std::string::npos) << target;
    }
}

TEST_F(AccessApi, HashesAreTakenInOurForm) {
    const std::string hash =
        "scrypt$16$1$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    EXPECT_EQ(
        ask("PUT", "users/joe", R"({"tags": "", "password_hash": ")" + hash + "\"}").status, 201);
    done(204, "PUT", "users/joe", R"({"tags": "", "password_hash": ""})");
    done(400, "PUT", "users/joe", R"({"tags": "", "password_hash": "secret"})");
    done(400, "PUT", "users/joe", R"({"tags": "", "password_hash": "", "password": "x"})");
}

TEST_F(AccessApi, WrongBodiesAreBadRequests) {
    for (const char* body :
         {"",
          "{}",
          "[]",
          "nonsense",
          R"({"tags": 5})",
          R"({"tags": [5]})",
          R"({"tags": "", "password": 5})"}) {
        done(400, "PUT", "users/joe", body);
    }
    done(404, "GET", "users/joe");
    done(400, "PUT", "users/" + std::string(300, 'x'), R"({"tags": ""})");
    done(400, "PUT", "users/%ff", R"({"tags": ""})");
    done(400, "PUT", "vhosts/%ff");
    for (const char* body : {"{}", R"({"value": "5"})", R"({"value": 1.5})"}) {
        done(400, "PUT", "vhost-limits/%2F/max-queues", body);
    }
    done(400, "PUT", "vhost-limits/%2F/max-cats", R"({"value": 5})");
    done(404, "PUT", "vhost-limits/nowhere/max-queues", R"({"value": 5})");
    done(404, "PUT", "user-limits/nobody/max-channels", R"({"value": 5})");
    done(204, "PUT", "vhost-limits/%2F/max-queues", R"({"value": -1})");
    EXPECT_EQ(ask("GET", "vhost-limits").body, "[]");
}

TEST_F(AccessApi, PatternsThatCannotBeBoundedAreNamed) {
    done(201, "PUT", "users/joe", R"({"password": "pw", "tags": ""})");
    const auto answer =
        ask("PUT", "permissions/%2F/joe", R"x({"configure": "(?!a)b", "write": "", "read": ""})x");
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("the pattern of 'configure' is no regular expression"));
}

TEST_F(AccessApi, NothingIsToldAboveTheTagsOfTheCaller) {
    done(201, "PUT", "users/joe", R"({"password": "pw", "tags": ""})");
    const std::string joe = base64_login("joe", "pw");
    for (const char* target : {"overview", "queues", "whoami", "users", "vhosts"}) {
        EXPECT_EQ(ask("GET", target, "", joe).status, 401) << target;
    }
    done(204, "PUT", "users/joe", R"({"password": "pw", "tags": "management"})");
    EXPECT_EQ(ask("GET", "whoami", "", joe).status, 200);
    EXPECT_EQ(ask("GET", "vhosts", "", joe).body, "[]");
    EXPECT_EQ(ask("GET", "queues", "", joe).body, "[]");
    EXPECT_EQ(ask("GET", "exchanges", "", joe).body, "[]");
    EXPECT_EQ(ask("GET", "queues/%2F", "", joe).status, 401);
    EXPECT_EQ(ask("GET", "vhosts/%2F", "", joe).status, 401);
    EXPECT_EQ(ask("GET", "vhost-limits/%2F", "", joe).status, 401);
    for (const char* target :
         {"users/joe",
          "vhosts/mine",
          "permissions/%2F/joe",
          "topic-permissions/%2F/joe",
          "vhost-limits/%2F/max-queues",
          "user-limits/joe/max-channels"}) {
        EXPECT_EQ(ask("PUT", target, "{}", joe).status, 401) << target;
        EXPECT_EQ(ask("DELETE", target, "", joe).status, 401) << target;
    }
}

TEST_F(AccessApi, PoliciesAndPausesAreForThoseWhoMaySeeTheVhost) {
    connection client{broker_->url()};
    client.declare_queue("q");
    done(201, "PUT", "vhosts/own");
    done(201, "PUT", "users/joe", R"({"password": "pw", "tags": "policymaker"})");
    done(201, "PUT", "permissions/own/joe", R"({"configure": ".*", "write": ".*", "read": ".*"})");
    done(201, "PUT", "policies/%2F/guests", R"({"pattern": "x", "definition": {"expires": 1000}})");
    const std::string joe = base64_login("joe", "pw");
    const std::string policy = R"({"pattern": ".*", "definition": {"expires": 1}})";

    EXPECT_EQ(ask("PUT", "policies/%2F/p", policy, joe).status, 401);
    EXPECT_EQ(ask("GET", "policies/%2F", "", joe).status, 401);
    EXPECT_EQ(ask("GET", "policies/%2F/guests", "", joe).status, 401);
    EXPECT_EQ(ask("DELETE", "policies/%2F/guests", "", joe).status, 401);
    EXPECT_EQ(ask("GET", "policies", "", joe).body, "[]");
    EXPECT_EQ(ask("PUT", "queues/%2F/q/pause", "", joe).status, 401);
    EXPECT_EQ(ask("PUT", "policies/own/p", policy, joe).status, 201);
    EXPECT_EQ(client.queue_status("q").messages, 0U);
}

TEST_F(AccessApi, WebPagesFromElsewhereAreRefused) {
    const auto status = [&](const std::string& headers) {
        return http_exchange(
                   broker_->management_port(),
                   "GET /api/whoami HTTP/1.1\r\nConnection: close\r\n" + headers +
                       "Authorization: Basic " + guest_login + "\r\n\r\n")
            .substr(9, 3);
    };
    EXPECT_EQ(status("Host: localhost:15672\r\n"), "200");
    EXPECT_EQ(status("Host: [::1]:15672\r\nOrigin: http://[::1]:15672\r\n"), "200");
    EXPECT_EQ(status("Host: rebound.example:15672\r\n"), "403");
    EXPECT_EQ(status("Host: localhost\r\nOrigin: http://attacker.example\r\n"), "403");
}

TEST_F(AccessApi, WhereTheLastUserWasDeletedNobodyComesBack) {
    done(204, "DELETE", "users/guest");
    start();
    EXPECT_EQ(ask("GET", "whoami").status, 401);
}

TEST_F(AccessApi, DeletedVhostIsGoneWithItsDurableThingsAfterARestartToo) {
    done(201, "PUT", "vhosts/shop");
    {
        connection client{url("guest:guest", "shop")};
        client.declare_queue("q");
        client.publish("", "q", message("m"));
    }
    done(204, "DELETE", "vhosts/shop");
    done(404, "DELETE", "vhosts/shop");
    start();
    EXPECT_EQ(ask("GET", "vhosts/shop").status, 404);
    EXPECT_EQ(ask("GET", "queues").body, "[]");
    done(201, "PUT", "vhosts/shop");
    EXPECT_EQ(ask("GET", "queues/shop").body, "[]");
}

TEST_F(AccessApi, CallerWhoDeletesHimselfGetsHisAnswer) {
    done(201, "PUT", "users/root", R"({"password": "pw", "tags": "administrator"})");
    const std::string root = base64_login("root", "pw");
    EXPECT_EQ(ask("DELETE", "users/root", "", root).status, 204);
    EXPECT_EQ(ask("GET", "whoami", "", root).status, 401);
}

}  // namespace
}  // namespace lovage::broker::test
