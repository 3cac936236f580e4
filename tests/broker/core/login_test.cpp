// Logins whose passwords somebody else checks, and the users of a new and an old data directory.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using std::chrono::seconds;

constexpr octets refused =
    "403 Login was refused using authentication mechanism PLAIN. For details see the broker "
    "logfile.";

class Login : public testing::Test {
protected:
    static std::string plain(const std::string& name, const std::string& password) {
        return std::string(1, '\0') + name + std::string(1, '\0') + password;
    }
    client& asking(const std::string& name, const std::string& password) {
        client& made = broker.connect_raw();
        made.send_octets(amqp::protocol_header);
        made.expect<amqp::connection::start>(0);
        made.send(0, plain_login(plain(name, password)));
        return made;
    }
    void expect_accepted(const std::string& name, const std::string& password) {
        asking(name, password).expect<amqp::connection::tune>(0);
    }
    void expect_refused(const std::string& name, const std::string& password) {
        asking(name, password).expect_connection_error({}, refused);
    }
    void put_user(octets name, octets password, std::vector<std::string> tags = {}) {
        broker.administer([&](administration& with) {
            with.put_user(name, broker_under_test::verifier_of(password), tags);
        });
    }
    std::size_t settings_of(octets kind) {
        return static_cast<std::size_t>(
            std::ranges::count_if(broker.journal.settings, [&](const auto& each) {
                return each.first.starts_with(std::string(kind) + std::string(1, '\0'));
            }));
    }

    broker_under_test broker;
};

TEST_F(Login, WaitsForTheAnswerHoweverLongThatTakes) {
    broker.check_at_once = false;
    client& peer = asking("guest", "guest");
    peer.send(0, amqp::connection::tune_ok{2047, 131072, 0});
    peer.expect_nothing();

    broker.advance(seconds{60});
    EXPECT_FALSE(peer.dropped());
    broker.check_passwords();

    peer.expect<amqp::connection::tune>(0);
    amqp::connection::open open;
    open.virtual_host = "/";
    peer.send(0, open);
    peer.expect<amqp::connection::open_ok>(0);
}

TEST_F(Login, ClientsTimeForTheHandshakeGoesOnAfterTheAnswer) {
    broker.check_at_once = false;
    client& peer = broker.connect_raw();
    peer.send_octets(amqp::protocol_header);
    peer.expect<amqp::connection::start>(0);
    broker.advance(seconds{4});
    peer.send(0, plain_login(plain("guest", "guest")));
    broker.advance(seconds{60});
    broker.check_passwords();
    peer.expect<amqp::connection::tune>(0);
    peer.expect_silent_drop(seconds{6});
}

TEST_F(Login, ClientThatGoesWhileItWaitsIsForgotten) {
    broker.check_at_once = false;
    client& peer = asking("guest", "guest");
    peer.vanish();
    broker.check_passwords();
    EXPECT_EQ(broker.broker().connection_count(), 0U);
}

TEST_F(Login, AnswerForWhatHasChangedMeanwhileIsARefusal) {
    put_user("joe", "old");
    put_user("jim", "old");
    broker.check_at_once = false;
    client& joe = asking("joe", "old");
    client& jim = asking("jim", "old");
    put_user("joe", "new");
    broker.administer([](administration& with) { with.delete_user("jim"); });
    broker.check_passwords();
    joe.expect_connection_error({}, refused);
    EXPECT_TRUE(jim.dropped());
}

TEST_F(Login, NewPasswordReplacesTheOldOne) {
    put_user("joe", "old");
    expect_accepted("joe", "old");
    put_user("joe", "new");
    expect_refused("joe", "old");
    expect_accepted("joe", "new");
}

TEST_F(Login, UserWithoutPasswordCannotLogIn) {
    broker.administer([](administration& with) { with.put_user("joe", "", {}); });
    expect_refused("joe", "");
    expect_refused("nobody", "");
}

TEST_F(Login, GuestOfTheOperatorIsForThisMachineOnlyToo) {
    broker.administer([](administration& with) { with.delete_user("guest"); });
    put_user("guest", "guest");
    client& far = broker.connect_raw(false);
    far.send_octets(amqp::protocol_header);
    far.expect<amqp::connection::start>(0);
    far.send(0, plain_login(plain("guest", "guest")));
    far.expect_connection_error({}, refused);
}

TEST_F(Login, UsersOfTheOptionsAreWrittenAllTogetherWhenTheyAreHashed) {
    engine_options options;
    options.users = {{"a", "1", false, false}, {"b", "2", false, false}};
    broker.restart(options);
    expect_accepted("a", "1");
    EXPECT_EQ(broker.journal.records.size(), 0U);

    broker.hash_passwords();

    EXPECT_EQ(settings_of("user"), 2U);
    EXPECT_EQ(settings_of("permission"), 2U);
    EXPECT_EQ(settings_of("vhost"), 1U);
    expect_accepted("a", "1");
    expect_accepted("b", "2");
    expect_refused("b", "1");
}

TEST_F(Login, UserThatWasChangedBeforeHeIsHashedStaysAsHeWasSet) {
    broker.connect_raw();
    put_user("guest", "other");
    broker.hash_passwords();
    expect_refused("guest", "guest");
    expect_accepted("guest", "other");
}

TEST_F(Login, UsersOfTheOptionsAreForNewDirectoriesOnly) {
    broker.connect_raw();
    broker.hash_passwords();
    put_user("joe", "secret", {"monitoring"});
    broker.administer([](administration& with) { with.delete_user("guest"); });

    broker.restart();

    expect_refused("guest", "guest");
    expect_accepted("joe", "secret");
    EXPECT_TRUE(broker.broker().access().has_tag("joe", "monitoring"));
}

TEST_F(Login, ResetPasswordHoldsAndIsKept) {
    put_user("joe", "lost", {"monitoring"});
    engine_options options;
    options.users = {{"joe", "found", false, true}, {"new", "user", false, true}};
    broker.restart(options);

    expect_refused("joe", "lost");
    expect_accepted("joe", "found");
    EXPECT_FALSE(broker.broker().access().has_tag("joe", "administrator"));
    EXPECT_TRUE(broker.broker().access().has_tag("new", "administrator"));
    broker.hash_passwords();
    broker.restart();

    expect_accepted("joe", "found");
    expect_accepted("new", "user");
    expect_refused("guest", "guest");
}

TEST_F(Login, RefusalDoesNotWriteThePasswordAnywhere) {
    expect_refused("joe", "geheim");
    for (const std::string& line : broker.log) {
        EXPECT_EQ(line.find("geheim"), std::string::npos) << line;
    }
}

}  // namespace
}  // namespace lovage::broker::test
