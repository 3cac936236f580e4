// Starting, stopping and starting again.
#include "tests/broker/server/support.hpp"

#include <lovage/broker_error.hpp>
#include <lovage/connection.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <sys/stat.h>

namespace lovage::broker::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// Declares, publishes and takes one message.
void expect_serves(const std::string& url) {
    connection client{url};
    queue_options options;
    options.exclusive = true;
    const std::string queue = client.declare_queue("", options).name;
    client.publish("", queue, message("hello"));
    const auto got = client.get(queue, true);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->message.body, "hello");
}

/// Names of the temporary directories that brokers leave in `folder`.
std::set<std::string> entries_of(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        names.insert(entry.path().filename().string());
    }
    return names;
}

/// Temporary directories of this test go to a folder of its own.
class TemporaryDirectory : public testing::Test {
protected:
    TemporaryDirectory() {
        const char* old = std::getenv("TMPDIR");
        old_ = old == nullptr ? "" : old;
        ::setenv("TMPDIR", folder_.path().c_str(), 1);
    }
    ~TemporaryDirectory() override {
        if (old_.empty()) {
            ::unsetenv("TMPDIR");
        } else {
            ::setenv("TMPDIR", old_.c_str(), 1);
        }
    }

    temporary_folder folder_;
    std::string old_;
};

TEST(Server, ServesOnAnyFreePortWhenStartReturns) {
    server broker{server_options{}};
    broker.start();
    EXPECT_NE(broker.port(), 0);
    EXPECT_EQ(broker.tls_port(), 0);
    EXPECT_EQ(broker.management_port(), 0);
    expect_serves(broker.url());
}

TEST(Server, TwoServeInOneProcess) {
    server one{server_options{}};
    server other{server_options{}};
    one.start();
    other.start();
    EXPECT_NE(one.port(), other.port());
    expect_serves(one.url());
    expect_serves(other.url());
    one.stop();
    expect_serves(other.url());
}

TEST(Server, StartingARunningOneChangesNothing) {
    server broker{server_options{}};
    broker.start();
    const auto port = broker.port();
    broker.start();
    EXPECT_EQ(broker.port(), port);
    expect_serves(broker.url());
}

TEST(Server, StopsTwice) {
    server broker{server_options{}};
    broker.start();
    const auto port = broker.port();
    broker.stop();
    broker.stop();
    EXPECT_THROW(raw_socket{port}, std::runtime_error);
}

TEST(Server, StopBeforeStartDoesNothingButForbidsStarting) {
    server broker{server_options{}};
    broker.stop();
    EXPECT_THROW(broker.start(), start_error);
}

TEST(Server, StartAfterStopIsRefused) {
    server broker{server_options{}};
    broker.start();
    broker.stop();
    EXPECT_THROW(broker.start(), start_error);
}

TEST(Server, TellsItsClientsWhenItStops) {
    server broker{server_options{}};
    broker.start();
    const raw_socket client{broker.port()};
    ASSERT_TRUE(client.send(std::string_view("AMQP\0\0\x09\x01", 8)));
    ASSERT_FALSE(client.receive().empty());
    broker.stop();
    static_cast<void>(client.receive_all());  // returns only when the broker has closed
}

TEST(Server, UrlHasAddressPortAndFirstUser) {
    server_options options;
    options.users = {{"alice", "secret", false}, {"bob", "other", false}};
    server broker{options};
    broker.start();
    EXPECT_EQ(
        broker.url(), "amqp://alice:secret@127.0.0.1:" + std::to_string(broker.port()) + "//");
    expect_serves(broker.url());
}

TEST(Server, UrlCanBeUsedWhateverIsInThePassword) {
    server_options options;
    options.users = {{"al/ice", "p@ss:w/rd?#%", false}};
    server broker{options};
    broker.start();
    expect_serves(broker.url());
}

TEST(Server, UrlOfAServerOnAllAddressesNamesThisMachine) {
    server_options options;
    options.bind = "0.0.0.0";
    server broker{options};
    broker.start();
    EXPECT_THAT(broker.url(), StartsWith("amqp://guest:guest@127.0.0.1:"));
    expect_serves(broker.url());
}

TEST(Server, UsersWithAWrongPasswordAreRefused) {
    server broker{server_options{}};
    broker.start();
    connection client{"amqp://guest:wrong@127.0.0.1:" + std::to_string(broker.port())};
    try {
        client.open();
        FAIL() << "the password was accepted";
    } catch (const broker_error& error) {
        EXPECT_EQ(error.code(), broker_errc::access_denied) << error.what();
    }
}

TEST(Server, PortInUseSaysWhereAndWhatToDo) {
    server first{server_options{}};
    first.start();
    server_options options;
    options.port = first.port();
    EXPECT_THAT(
        start_problem(options),
        AllOf(
            HasSubstr("127.0.0.1:" + std::to_string(first.port())),
            HasSubstr("another program listens there"),
            HasSubstr("choose another port")));
    expect_serves(first.url());
}

TEST(Server, PortOfTheManagementInUseIsSaidToo) {
    server first{server_options{}};
    first.start();
    server_options options;
    options.management_port = first.port();
    EXPECT_THAT(start_problem(options), HasSubstr("127.0.0.1:" + std::to_string(first.port())));
}

TEST(Server, CanBeStartedAgainWhenThePortIsFree) {
    auto first = std::make_unique<server>(server_options{});
    first->start();
    server_options options;
    options.port = first->port();
    server second{options};
    EXPECT_THROW(second.start(), start_error);
    first.reset();
    second.start();
    expect_serves(second.url());
}

TEST(Server, BindAddressMustBeAnIpAddress) {
    server_options options;
    options.bind = "no.such.host.example";
    EXPECT_THAT(
        start_problem(options),
        AllOf(HasSubstr("no.such.host.example"), HasSubstr("no IP address")));
}

TEST(Server, AddressOfAnotherMachineIsRefused) {
    server_options options;
    options.bind = "192.0.2.1";  // for documentation only, RFC 5737
    EXPECT_THAT(start_problem(options), HasSubstr("cannot listen on 192.0.2.1:0"));
}

TEST(Server, DataDirectoryInAMissingFolderIsRefused) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = (folder.path() / "missing" / "data").string();
    EXPECT_THAT(start_problem(options), HasSubstr(options.data_directory));
}

TEST(Server, DataDirectoryThatIsAFileIsRefused) {
    const temporary_folder folder;
    write_file(folder.path() / "file", "not a folder");
    server_options options;
    options.data_directory = (folder.path() / "file").string();
    EXPECT_THAT(start_problem(options), HasSubstr(options.data_directory));
}

TEST(Server, DataDirectoryOfARunningOneIsRefused) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = (folder.path() / "data").string();
    server first{options};
    first.start();
    EXPECT_THAT(start_problem(options), HasSubstr(options.data_directory));
    expect_serves(first.url());
}

TEST(Server, KeepsWhatIsDurableInItsDataDirectory) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = (folder.path() / "data").string();
    {
        server broker{options};
        broker.start();
        connection client{broker.url()};
        client.declare_queue("kept");
        client.publish("", "kept", message("one"));
        message transient("two");
        transient.persistent = false;
        client.publish("", "kept", transient);
        client.publish("", "kept", message("three"));
        broker.stop();
    }
    server broker{options};
    broker.start();
    connection client{broker.url()};
    EXPECT_EQ(client.queue_status("kept").messages, 2U);
    for (const char* body : {"one", "three"}) {
        auto got = client.get("kept");
        ASSERT_TRUE(got.has_value());
        EXPECT_EQ(got->message.body, body);
        got->ack();
    }
    EXPECT_FALSE(client.get("kept").has_value());
}

TEST(Server, SettledMessagesAreGoneAfterARestart) {
    const temporary_folder folder;
    server_options options;
    options.data_directory = (folder.path() / "data").string();
    {
        server broker{options};
        broker.start();
        connection client{broker.url()};
        client.declare_queue("kept");
        client.publish("", "kept", message("done"));
        auto got = client.get("kept");
        ASSERT_TRUE(got.has_value());
        got->ack();
        client.close();
        broker.stop();
    }
    server broker{options};
    broker.start();
    connection client{broker.url()};
    EXPECT_EQ(client.queue_status("kept").messages, 0U);
}

TEST_F(TemporaryDirectory, IsThereWhileTheServerRunsAndGoneAfterwards) {
    server broker{server_options{}};
    broker.start();
    EXPECT_EQ(entries_of(folder_.path()).size(), 1U);
    broker.stop();
    EXPECT_THAT(entries_of(folder_.path()), IsEmpty());
}

TEST_F(TemporaryDirectory, IsGoneWhenTheServerCouldNotStart) {
    server_options options;
    options.bind = "192.0.2.1";
    EXPECT_THAT(start_problem(options), HasSubstr("cannot listen"));
    EXPECT_THAT(entries_of(folder_.path()), IsEmpty());
}

TEST_F(TemporaryDirectory, IsForItsOwnerOnly) {
    server broker{server_options{}};
    broker.start();
    for (const std::string& name : entries_of(folder_.path())) {
        struct stat found{};
        ASSERT_EQ(::stat((folder_.path() / name).c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0777U, 0700U);
    }
}

}  // namespace
}  // namespace lovage::broker::test
