// The management HTTP API over a plain socket, so that wrong requests can be sent as well.
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
using testing::UnorderedElementsAre;

class Management : public testing::Test {
protected:
    Management() : broker_(options()) { broker_.start(); }

    static server_options options() {
        server_options wanted;
        wanted.management_port = 0;
        return wanted;
    }

    /// Sends `octets` and reads until the broker closes.
    std::string exchange(std::string_view octets) {
        return http_exchange(broker_.management_port(), octets);
    }

    http_answer ask(
        const std::string& target,
        const std::string& login = guest_login,
        const std::string& verb = "GET",
        const std::string& body = "") {
        return http_ask(broker_.management_port(), {verb, target, login, body});
    }

    std::vector<std::string> queue_names(const std::string& target) {
        const http_answer answer = ask(target);
        EXPECT_EQ(answer.status, 200);
        const boost::json::value queues = answer.json();
        std::vector<std::string> names;
        for (const auto& queue : queues.as_array()) {
            names.emplace_back(queue.at("name").as_string());
        }
        return names;
    }

    server broker_;
};

TEST_F(Management, OverviewCountsMessagesQueuesAndConnections) {
    connection client{broker_.url()};
    client.declare_queue("work");
    client.publish("", "work", message("one"));
    client.publish("", "work", message("two"));
    const auto held = client.get("work");
    ASSERT_TRUE(held.has_value());

    const http_answer answer = ask("/api/overview");
    ASSERT_EQ(answer.status, 200);
    EXPECT_THAT(answer.head, HasSubstr("application/json"));
    const auto overview = answer.json();
    EXPECT_EQ(overview.at("product_name").as_string(), "lovage");
    EXPECT_EQ(overview.at("queue_totals").at("messages").to_number<int>(), 2);
    EXPECT_EQ(overview.at("queue_totals").at("messages_ready").to_number<int>(), 1);
    EXPECT_EQ(overview.at("queue_totals").at("messages_unacknowledged").to_number<int>(), 1);
    EXPECT_EQ(overview.at("object_totals").at("queues").to_number<int>(), 1);
    EXPECT_GE(overview.at("object_totals").at("connections").to_number<int>(), 1);
}

TEST_F(Management, QueuesShowWhatTheyHold) {
    connection client{broker_.url()};
    client.declare_queue("work");
    client.publish("", "work", message("12345"));

    const http_answer answer = ask("/api/queues");
    ASSERT_EQ(answer.status, 200);
    const auto queues = answer.json().as_array();
    ASSERT_EQ(queues.size(), 1U);
    const auto& queue = queues.at(0);
    EXPECT_EQ(queue.at("name").as_string(), "work");
    EXPECT_EQ(queue.at("vhost").as_string(), "/");
    EXPECT_TRUE(queue.at("durable").as_bool());
    EXPECT_EQ(queue.at("messages").to_number<int>(), 1);
    EXPECT_EQ(queue.at("messages_ready").to_number<int>(), 1);
    EXPECT_EQ(queue.at("messages_unacknowledged").to_number<int>(), 0);
    EXPECT_EQ(queue.at("consumers").to_number<int>(), 0);
}

TEST_F(Management, ExchangesShowWhatWaitsInThem) {
    connection client{broker_.url()};
    exchange_options options;
    options.arguments = {{"x-delayed-type", "direct"}};
    client.declare_exchange("later", "x-delayed-message", options);
    message what("m");
    what.headers = {{"x-delay", 3'600'000}};
    client.publish("later", "k", what);

    const http_answer answer = ask("/api/exchanges/%2F");
    ASSERT_EQ(answer.status, 200);
    std::size_t found = 0;
    const auto shown = answer.json();
    for (const auto& exchange : shown.as_array()) {
        if (exchange.at("name").as_string() == "later") {
            ++found;
            EXPECT_EQ(exchange.at("type").as_string(), "x-delayed-message");
            EXPECT_EQ(exchange.at("messages_delayed").to_number<int>(), 1);
        } else {
            EXPECT_FALSE(exchange.as_object().contains("messages_delayed"));
        }
    }
    EXPECT_EQ(found, 1U);
    const auto overview = ask("/api/overview").json();
    EXPECT_EQ(overview.at("queue_totals").at("messages_delayed").to_number<int>(), 1);
    EXPECT_EQ(overview.at("queue_totals").at("messages").to_number<int>(), 0);
}

TEST_F(Management, QueuesOfAVirtualHostAreNamedPercentEncoded) {
    connection client{broker_.url()};
    client.declare_queue("a");
    client.declare_queue("b");
    EXPECT_THAT(queue_names("/api/queues"), UnorderedElementsAre("a", "b"));
    EXPECT_THAT(queue_names("/api/queues/%2F"), UnorderedElementsAre("a", "b"));
    EXPECT_THAT(queue_names("/api/queues/%2f?columns=name"), UnorderedElementsAre("a", "b"));
    EXPECT_EQ(ask("/api/queues/other").status, 404);
}

TEST_F(Management, NamesThatAreNotPlainTextAreStillJson) {
    connection client{broker_.url()};
    client.declare_queue("caf\xc3\xa9 \"quoted\"\t");
    EXPECT_THAT(queue_names("/api/queues"), UnorderedElementsAre("caf\xc3\xa9 \"quoted\"\t"));
}

TEST_F(Management, BrokenPercentEncodingIsABadRequest) {
    for (const char* target : {"/api/queues/%", "/api/queues/%2", "/api/queues/%zz"}) {
        EXPECT_EQ(ask(target).status, 400) << target;
    }
}

TEST_F(Management, LoginIsNeeded) {
    const http_answer none = ask("/api/overview", "");
    EXPECT_EQ(none.status, 401);
    EXPECT_THAT(none.head, HasSubstr("WWW-Authenticate: Basic"));
    EXPECT_EQ(none.json().at("error").as_string(), "not_authorised");
    EXPECT_EQ(ask("/api/queues", "").status, 401);
    EXPECT_EQ(ask("/no/such/path", "").status, 401);
}

TEST_F(Management, WrongLoginsAreRefused) {
    for (const char* login :
         {"Z3Vlc3Q6d3Jvbmc=",  // guest:wrong
          "Z3Vlc3Q=",          // guest
          "",
          "=",
          "====",
          "Z3Vlc3Q6Z3Vlc3Q",  // cut short
          "not base64 at all"}) {
        EXPECT_EQ(ask("/api/overview", login).status, 401) << login;
    }
    EXPECT_EQ(ask("/api/overview").status, 200);
}

TEST_F(Management, OtherMethodsThanGetAreNotAllowed) {
    for (const char* verb : {"POST", "PUT", "DELETE", "PATCH"}) {
        EXPECT_EQ(ask("/api/overview", guest_login, verb, "{}").status, 405) << verb;
    }
}

TEST_F(Management, UnknownPathsAreNotFound) {
    for (const char* target :
         {"/",
          "/api",
          "/api/",
          "/api/overview/",
          "/api/queuesX",
          "/api/exchanges/",
          "/api/exchanges/a/b"}) {
        EXPECT_EQ(ask(target).status, 404) << target;
    }
}

TEST_F(Management, OneConnectionServesManyRequests) {
    const raw_socket socket{broker_.management_port()};
    const std::string request =
        std::string("GET /api/overview HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ") +
        guest_login + "\r\n\r\n";
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(socket.send(request));
        std::string text;
        while (text.find("log_live_octets") == std::string::npos) {
            const std::string more = socket.receive();
            ASSERT_FALSE(more.empty());
            text += more;
        }
        EXPECT_TRUE(text.starts_with("HTTP/1.1 200"));
    }
}

TEST_F(Management, GarbageEndsItsConnectionOnly) {
    const std::string endless_header =
        "GET / HTTP/1.1\r\nX: " + std::string(100 * 1024, 'x') + "\r\n\r\n";
    const std::string endless_body =
        "POST / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n" + std::string(200 * 1024, 'x');
    for (const std::string& garbage :
         {std::string("\0\0\0\0\r\n\r\n", 8),
          std::string("AMQP\0\0\x09\x01\r\n\r\n", 12),
          std::string("GET\r\n\r\n"),
          std::string("GET / HTTP/9.9\r\n\r\n"),
          endless_header,
          endless_body}) {
        const std::string answer = exchange(garbage);
        EXPECT_FALSE(answer.starts_with("HTTP/1.1 200")) << garbage.substr(0, 40);
        EXPECT_EQ(ask("/api/overview").status, 200) << garbage.substr(0, 40);
    }
}

TEST_F(Management, RequestsThatAreNeverFinishedDoNotHinderOthersNorTheEnd) {
    const raw_socket stuck{broker_.management_port()};
    stuck.send("GET /api/overview HTTP/1.1\r\nHost:");
    EXPECT_EQ(ask("/api/overview").status, 200);
    broker_.stop();
}

TEST(ManagementPort, IsOnItsOwnAddressOrOnThatOfTheBroker) {
    server_options options;
    options.bind = "127.0.0.2";
    options.management_port = 0;
    {
        server broker{options};
        broker.start();
        EXPECT_THROW(raw_socket{broker.management_port()}, std::runtime_error);
    }
    options.management_bind = "127.0.0.1";
    server broker{options};
    broker.start();
    EXPECT_THROW(raw_socket{broker.port()}, std::runtime_error);
    EXPECT_EQ(http_ask(broker.management_port(), {.target = "/api/overview"}).status, 200);
}

TEST(ManagementPort, IsNotListenedOnUnlessWanted) {
    server broker{server_options{}};
    broker.start();
    EXPECT_EQ(broker.management_port(), 0);
}

}  // namespace
}  // namespace lovage::broker::test
