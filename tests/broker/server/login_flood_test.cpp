// Logins on the socket: a flood of wrong ones, and what is kept of passwords.
#include "tests/broker/server/http_client.hpp"
#include "tests/broker/server/support.hpp"
#include "tests/broker/server/wire_client.hpp"

#include <lovage/connection.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace lovage::broker::test {
namespace {

std::string login_frames(const std::string& user, const std::string& password) {
    byte_buffer out;
    out.append(amqp::protocol_header);
    amqp::connection::start_ok start;
    start.mechanism = "PLAIN";
    const std::string response = std::string(1, '\0') + user + std::string(1, '\0') + password;
    start.response = {response};
    amqp::write_method(out, 0, start);
    return std::string(out.view());
}

bool somewhere_in(const std::filesystem::path& folder, const std::string& text) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) {
            std::ifstream in{entry.path(), std::ios::binary};
            const std::string all{std::istreambuf_iterator<char>{in}, {}};
            if (all.find(text) != std::string::npos) {
                return true;
            }
        }
    }
    return false;
}

TEST(LoginFlood, OfWrongPasswordsDoesNotKeepKnownUsersOut) {
    server broker{server_options{}};
    broker.start();
    std::vector<std::unique_ptr<raw_socket>> flood;
    for (int i = 0; i < 200; ++i) {
        flood.push_back(std::make_unique<raw_socket>(broker.port()));
        flood.back()->send(login_frames(i % 2 == 0 ? "guest" : "nobody", std::to_string(i)));
    }

    connection client{broker.url()};
    client.declare_queue("q");
    client.publish("", "q", message("m"));

    EXPECT_TRUE(client.get("q").has_value());
}

TEST(LoginFlood, ClientsThatGoWhileTheyWaitCostNothing) {
    server broker{server_options{}};
    broker.start();
    for (int i = 0; i < 300; ++i) {
        const raw_socket gone{broker.port()};
        gone.send(login_frames("nobody", std::to_string(i)));
    }
    const wire_client client{broker.port()};
}

TEST(Passwords, AreNotOnDisk) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = folder.path() / "data";
    options.management_port = 0;
    options.users = {{"alice", "a-very-own-password", false}};
    {
        server broker{options};
        broker.start();
        const connection client{broker.url()};
        const auto done = http_ask(
            broker.management_port(),
            {"PUT",
             "/api/users/bob",
             base64_login("alice", "a-very-own-password"),
             R"({"password": "another-password", "tags": ""})"});
        EXPECT_EQ(done.status, 201) << done.body;
    }
    EXPECT_TRUE(somewhere_in(options.data_directory, "scrypt$16384$8$1$"));
    EXPECT_FALSE(somewhere_in(options.data_directory, "a-very-own-password"));
    EXPECT_FALSE(somewhere_in(options.data_directory, "another-password"));
}

TEST(Passwords, OfTheDirectoryHoldWhateverTheOptionsSay) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = folder.path() / "data";
    options.management_port = 0;
    options.users = {{"alice", "first", false}};
    const auto logs_in = [](const server& broker, const std::string& password) {
        return http_ask(
                   broker.management_port(),
                   {"GET", "/api/whoami", base64_login("alice", password)})
                   .status == 200;
    };
    {
        server broker{options};
        broker.start();
        EXPECT_TRUE(logs_in(broker, "first"));
        // Hashes are made in order: when this one is kept, so is alice.
        http_ask(
            broker.management_port(),
            {"PUT",
             "/api/users/bob",
             base64_login("alice", "first"),
             R"({"password": "b", "tags": ""})"});
    }
    options.users = {{"alice", "second", false}};
    {
        server broker{options};
        broker.start();
        EXPECT_FALSE(logs_in(broker, "second"));
        EXPECT_TRUE(logs_in(broker, "first"));
    }
    options.reset_users = {{"alice", "third", false}};
    server broker{options};
    broker.start();
    EXPECT_TRUE(logs_in(broker, "third"));
    EXPECT_FALSE(logs_in(broker, "first"));
}

}  // namespace
}  // namespace lovage::broker::test
