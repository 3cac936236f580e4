// Policies and pauses over the management API, with clients beside and over restarts.
#include "tests/broker/server/http_client.hpp"
#include "tests/broker/server/support.hpp"

#include <lovage/connection.hpp>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

namespace json = boost::json;

json::value only(const json::value& element) {
    json::array list;
    list.push_back(element);
    return list;
}

class PolicyApi : public testing::Test {
protected:
    PolicyApi() { start(); }

    void start() {
        server_options options;
        options.data_directory = (folder_.path() / "data").string();
        options.management_port = 0;
        broker_ = std::make_unique<server>(options);
        broker_->start();
        client_ = std::make_unique<connection>(broker_->url());
    }
    void restart() {
        client_->close();
        broker_->stop();
        start();
    }
    [[nodiscard]] http_client api() const { return http_client{broker_->management_port()}; }
    [[nodiscard]] connection& client() { return *client_; }
    json::value shown(const std::string& list, const std::string& name) {
        const json::value all = api().get(list);
        for (const json::value& each : all.as_array()) {
            if (each.at("name").as_string() == name) {
                return each;
            }
        }
        ADD_FAILURE() << name << " is not in " << list;
        return json::object{};
    }
    json::value queue(const std::string& name) { return shown("/api/queues", name); }
    int ready(const std::string& name) { return queue(name).at("messages_ready").to_number<int>(); }

private:
    temporary_folder folder_;
    std::unique_ptr<server> broker_;
    std::unique_ptr<connection> client_;
};

TEST_F(PolicyApi, PolicyIsSetShownReplacedAndCleared) {
    EXPECT_EQ(
        api().put(
            "/api/policies/%2F/p",
            R"({"pattern":"^q","definition":{"max-length":2},"apply-to":"queues","priority":3})"),
        201);
    const json::value expected =
        json::parse(R"({"vhost":"/","name":"p","pattern":"^q","apply-to":"queues",)"
                    R"("definition":{"max-length":2},"priority":3})");
    EXPECT_EQ(api().get("/api/policies/%2F/p"), expected);
    EXPECT_EQ(api().get("/api/policies/%2F"), only(expected));
    EXPECT_EQ(api().get("/api/policies"), only(expected));
    EXPECT_EQ(api().ask("GET", "/api/policies/other").status, 404);
    EXPECT_EQ(api().get("/api/operator-policies"), json::parse("[]"));

    EXPECT_EQ(
        api().put("/api/policies/%2F/p", R"({"pattern":"","definition":{"expires":9000}})"), 204);
    const json::value replaced = api().get("/api/policies/%2F/p");
    EXPECT_EQ(replaced.at("apply-to").as_string(), "all");
    EXPECT_EQ(replaced.at("priority").to_number<int>(), 0);

    EXPECT_EQ(api().erase("/api/policies/%2F/p"), 204);
    EXPECT_EQ(api().erase("/api/policies/%2F/p"), 404);
    EXPECT_EQ(api().ask("GET", "/api/policies/%2F/p").status, 404);
}

TEST_F(PolicyApi, QueueFollowsAtOnceAndShowsWhy) {
    queue_options options;
    options.arguments = {{"x-max-length", 5}};
    client().declare_queue("q", options);
    for (int i = 0; i < 4; ++i) {
        client().publish("", "q", message("m"));
    }
    EXPECT_EQ(queue("q").at("policy"), json::value(nullptr));
    EXPECT_EQ(queue("q").at("operator_policy"), json::value(nullptr));
    EXPECT_EQ(queue("q").at("effective_policy_definition"), json::parse("{}"));

    EXPECT_EQ(
        api().put(
            "/api/policies/%2F/p",
            R"({"pattern":"^q$","definition":{"max-length":3,"overflow":"drop-head"}})"),
        201);
    EXPECT_EQ(ready("q"), 3);
    EXPECT_EQ(
        api().put(
            "/api/operator-policies/%2F/o",
            R"({"pattern":"","definition":{"max-length":2,"expires":900000}})"),
        201);
    EXPECT_EQ(ready("q"), 2);

    const json::value now = queue("q");
    EXPECT_EQ(now.at("policy").as_string(), "p");
    EXPECT_EQ(now.at("operator_policy").as_string(), "o");
    EXPECT_EQ(
        now.at("effective_policy_definition"),
        json::parse(R"({"max-length":2,"overflow":"drop-head","expires":900000})"));
    EXPECT_EQ(now.at("arguments"), json::parse(R"({"x-max-length":5})"));
    EXPECT_EQ(now.at("type").as_string(), "classic");
}

TEST_F(PolicyApi, ExchangesShowTheirsOnlyIfTheyHaveOne) {
    client().declare_exchange("x", "fanout");
    EXPECT_EQ(
        api().put(
            "/api/policies/%2F/p",
            R"({"pattern":"^x$","definition":{"alternate-exchange":"amq.fanout"}})"),
        201);
    EXPECT_EQ(shown("/api/exchanges", "x").at("policy").as_string(), "p");
    EXPECT_FALSE(shown("/api/exchanges", "amq.topic").as_object().contains("policy"));
    client().declare_queue("q");
    client().bind("q", "amq.fanout", "");
    client().publish("x", "k", message("m"));
    EXPECT_EQ(ready("q"), 1);
}

TEST_F(PolicyApi, WhatIsWrongIsSaid) {
    const std::string path = "/api/policies/%2F/p";
    const auto reason = [&](const std::string& body) {
        const auto answer = api().ask("PUT", path, body);
        EXPECT_EQ(answer.status, 400) << body;
        return answer.reason();
    };
    EXPECT_EQ(reason(R"({"definition":{"expires":1}})"), "[{key_missing,pattern}]");
    EXPECT_EQ(reason(R"({"pattern":""})"), "[{key_missing,definition}]");
    EXPECT_EQ(
        reason(R"({"pattern":5,"definition":{"expires":1}})"),
        "Validation failed\n\npattern should be a string\n");
    EXPECT_EQ(
        reason(R"({"pattern":"","definition":[]})"),
        "Validation failed\n\ndefinition should be an object\n");
    EXPECT_EQ(
        reason(R"({"pattern":"","definition":{"expires":1},"priority":1.5})"),
        "Validation failed\n\npriority should be a whole number\n");
    EXPECT_EQ(
        reason(R"({"pattern":"","definition":{"expires":1},"apply-to":1})"),
        "Validation failed\n\napply-to should be a string\n");
    EXPECT_EQ(
        reason(R"({"pattern":"","definition":{"max-priority":1,"foo":[1,{"a":null}]}})"),
        "Validation failed\n\n'max-priority', 'foo' are not recognised policy settings\n");
    EXPECT_EQ(
        reason(R"({"pattern":"","definition":{"max-length":18446744073709551615}})"),
        "Validation failed\n\n'18446744073709551616.000000' is not a valid maximum length\n");
    EXPECT_TRUE(reason(R"({"pattern":"(","definition":{"expires":1}})")
                    .starts_with("Validation failed\n\nthe pattern is no regular expression: "));
    const auto nowhere =
        api().ask("PUT", "/api/policies/no/p", R"({"pattern":"","definition":{"expires":1}})");
    EXPECT_EQ(nowhere.status, 404);
    EXPECT_EQ(api().get("/api/policies"), json::parse("[]"));
}

TEST_F(PolicyApi, PoliciesAndPausesAreThereAfterARestart) {
    client().declare_queue("q");
    EXPECT_EQ(
        api().put("/api/policies/%2F/p", R"({"pattern":"","definition":{"max-length":2}})"), 201);
    EXPECT_EQ(
        api().put(
            "/api/operator-policies/%2F/o", R"({"pattern":"","definition":{"max-length":1}})"),
        201);
    EXPECT_EQ(api().put("/api/queues/%2F/q/pause"), 204);

    restart();

    EXPECT_EQ(api().get("/api/policies").as_array().size(), 1U);
    EXPECT_EQ(queue("q").at("state").as_string(), "paused");
    client().publish("", "q", message("a"));
    client().publish("", "q", message("b"));
    EXPECT_EQ(ready("q"), 1);
    EXPECT_FALSE(client().get("q").has_value());
    EXPECT_EQ(api().erase("/api/operator-policies/%2F/o"), 204);
    EXPECT_EQ(api().put("/api/queues/%2F/q/resume"), 204);

    restart();

    EXPECT_EQ(queue("q").at("state").as_string(), "running");
    EXPECT_EQ(queue("q").at("operator_policy"), json::value(nullptr));
    client().publish("", "q", message("c"));
    EXPECT_EQ(ready("q"), 2);
    EXPECT_EQ(client().get("q")->message.body, "b");
}

TEST_F(PolicyApi, PausedQueueIsShownAndGivesNothingOut) {
    client().declare_queue("q");
    client().publish("", "q", message("m"));
    EXPECT_EQ(queue("q").at("state").as_string(), "running");
    EXPECT_EQ(api().put("/api/queues/%2F/q/pause"), 204);
    EXPECT_EQ(queue("q").at("state").as_string(), "paused");
    EXPECT_FALSE(client().get("q").has_value());
    EXPECT_EQ(api().put("/api/queues/%2F/q/resume"), 204);
    EXPECT_TRUE(client().get("q").has_value());
    EXPECT_EQ(api().put("/api/queues/%2F/unknown/pause"), 404);
    EXPECT_EQ(api().put("/api/queues/no/q/resume"), 404);
}

}  // namespace
}  // namespace lovage::broker::test
