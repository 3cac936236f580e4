// What operators change: users and virtual hosts that come and go, limits, and what of it a restart
// finds again. Rows 30, 31, 77 and 255 to 258 of RabbitMQ's behaviour.
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

class Administration : public testing::Test {
protected:
    void change(const std::function<void(administration&)>& what) { broker.administer(what); }
    void add_user(const std::string& name, octets vhost = "/") {
        change([&](administration& with) {
            with.put_user(name, broker_under_test::verifier_of("secret"), {});
            EXPECT_EQ(with.set_permission(name, vhost, {".*", ".*", ".*"}), std::nullopt);
        });
    }
    void add_vhost(const std::string& name, const std::string& user = "guest") {
        change([&](administration& with) {
            with.put_vhost(name, "of a test");
            EXPECT_EQ(with.set_permission(user, name, {".*", ".*", ".*"}), std::nullopt);
        });
    }
    void limit(octets vhost, vhost_limits limits) {
        change([&](administration& with) {
            with.set_vhost_limits(*broker.broker().find_vhost(vhost), limits);
        });
    }
    void limit_user(octets user, user_limits limits) {
        change([&](administration& with) { with.set_user_limits(user, limits); });
    }
    /// Logs in and asks for the virtual host.
    client& entering(const std::string& user, const std::string& password, octets vhost) {
        client& made = broker.connect_raw();
        made.send_octets(amqp::protocol_header);
        made.expect<amqp::connection::start>(0);
        const std::string nul(1, '\0');
        made.send(0, plain_login(nul + user + nul + password));
        made.expect<amqp::connection::tune>(0);
        made.send(0, amqp::connection::tune_ok{2047, 131072, 0});
        amqp::connection::open open;
        open.virtual_host = vhost;
        made.send(0, open);
        return made;
    }
    void expect_no_entry(
        const std::string& user,
        octets vhost,
        const std::string& text,
        where_t where = where_t::current()) {
        const std::string password = user == "guest" ? "guest" : "secret";
        client& peer = entering(user, password, vhost);
        peer.expect_connection_error(amqp::connection::open::id, "530 " + text, where);
        EXPECT_TRUE(peer.dropped());
    }
    std::size_t live_settings() { return broker.journal.settings.size(); }

    broker_under_test broker;
};

TEST_F(Administration, VhostWithoutPermissionIsRefused) {
    change([](administration& with) { with.put_vhost("shop", {}); });
    expect_no_entry("guest", "shop", "access to vhost 'shop' refused for user 'guest'");
    expect_no_entry("guest", "/shop", "vhost /shop not found");
    add_vhost("shop");
    broker.connect({.vhost = "shop"});
}

TEST_F(Administration, VhostsKnowNothingOfEachOther) {
    add_vhost("shop");
    client& here = broker.connect();
    client& there = broker.connect({.vhost = "shop"});
    declare(here, "q");
    there.send(1, declare_queue("q", {.passive = true}));
    there.expect_channel_error(1, amqp::queue::declare::id, "404 no queue 'q' in vhost 'shop'");
    declare(there, "q");
    there.publish(1, {"", "q", "m"});
    here.send(1, get_from("q", true));
    here.expect<amqp::basic::get_empty>(1);
}

TEST_F(Administration, DeletedUserIsThrownOut) {
    add_user("joe");
    client& joe = broker.connect({.user = "joe", .password = "secret"});
    client& guest = broker.connect();
    declare(joe, "own", {.exclusive = true});
    change([](administration& with) { EXPECT_TRUE(with.delete_user("joe")); });
    joe.expect_connection_error({}, "320 user 'joe' is deleted");
    EXPECT_TRUE(joe.dropped());
    EXPECT_FALSE(guest.dropped());
    EXPECT_FALSE(broker.has_queue("own"));
    EXPECT_EQ(live_settings(), 2U);  // the virtual host, and that the directory is not new
    change([](administration& with) { EXPECT_FALSE(with.delete_user("joe")); });
    add_user("joe");  // and nothing of the old one comes back
    EXPECT_EQ(live_settings(), 4U);
}

TEST_F(Administration, ConnectionThatIsClosedIsToldTheReasonAndGivesBackWhatItHad) {
    client& peer = broker.connect();
    client& other = broker.connect();
    declare(peer, "own", {.exclusive = true});
    const connection_id whose = broker.broker().connection_statuses().at(0).id;

    change([&](administration& with) { EXPECT_TRUE(with.close_connection(whose, "go away")); });

    peer.expect_connection_error({}, "320 go away");
    EXPECT_TRUE(peer.dropped());
    EXPECT_FALSE(other.dropped());
    EXPECT_FALSE(broker.has_queue("own"));
    change([&](administration& with) { EXPECT_FALSE(with.close_connection(whose, "again")); });
}

TEST_F(Administration, OnlyOpenConnectionsAreShownAndCanBeClosed) {
    client& handshaking = broker.connect_raw();
    handshaking.send_octets(amqp::protocol_header);
    EXPECT_TRUE(broker.broker().connection_statuses().empty());

    change([](administration& with) {
        EXPECT_FALSE(with.close_connection(connection_id{1}, "go away"));
    });

    EXPECT_FALSE(handshaking.dropped());
    EXPECT_EQ(broker.broker().connection_count(), 1U);
}

TEST_F(Administration, DeletedUserInTheHandshakeIsDropped) {
    add_user("joe");
    client& joe = broker.connect_raw();
    joe.send_octets(amqp::protocol_header);
    joe.send(0, plain_login(octets{"\0joe\0secret", 11}));
    change([](administration& with) { with.delete_user("joe"); });
    EXPECT_TRUE(joe.dropped());
}

TEST_F(Administration, DeletedVhostTakesAllThatIsInIt) {
    add_vhost("shop");
    add_user("joe", "shop");
    change([](administration& with) {
        EXPECT_EQ(with.set_topics("joe", "shop", "amq.topic", {{}, ".*", "a"}), std::nullopt);
    });
    client& joe = broker.connect({.user = "joe", .password = "secret", .vhost = "shop"});
    client& other = broker.connect({.vhost = "shop"});
    client& guest = broker.connect();
    declare(guest, "stays", durable);
    declare(joe, "q", durable);
    auto delayed = declare_exchange("later", "x-delayed-message", durable);
    delayed.arguments = {{"x-delayed-type", "direct"}};
    joe.send(1, delayed);
    joe.expect<amqp::exchange::declare_ok>(1);
    joe.send(1, bind_queue("q", "later", "k"));
    joe.expect<amqp::queue::bind_ok>(1);
    amqp::basic_properties waiting = persistent();
    waiting.headers = amqp::table{{"x-delay", std::int32_t{100'000}}};
    joe.publish(1, {"later", "k", "waits", waiting});
    joe.publish(1, {"", "q", "one", persistent()});
    joe.publish(1, {"", "q", "two", persistent()});
    start_consumer(other, 1, "q", "t");
    other.expect_delivery(1);
    other.expect_delivery(1);

    change([](administration& with) { EXPECT_TRUE(with.delete_vhost("shop")); });

    joe.expect_connection_error({}, "320 vhost 'shop' is deleted");
    other.expect_connection_error({}, "320 vhost 'shop' is deleted");
    EXPECT_FALSE(guest.dropped());
    EXPECT_TRUE(broker.has_queue("stays"));
    EXPECT_FALSE(broker.has_queue("q"));
    EXPECT_EQ(broker.held_octets(), 0U);
    EXPECT_EQ(live_settings(), 3U);        // joe, the virtual host that is left, not new
    EXPECT_EQ(broker.journal.live(), 4U);  // with the queue that stays
    expect_no_entry("joe", "shop", "vhost shop not found");
    change([](administration& with) { EXPECT_FALSE(with.delete_vhost("shop")); });
    add_vhost("shop");
    expect_no_entry("joe", "shop", "access to vhost 'shop' refused for user 'joe'");
}

TEST_F(Administration, QueueLimitIsForNewQueues) {
    client& peer = broker.connect();
    declare(peer, "a");
    declare(peer, "b");
    limit("/", {.connections = std::nullopt, .queues = 2});
    peer.send(1, declare_queue("c"));
    peer.expect_channel_error(
        1,
        amqp::queue::declare::id,
        "406 cannot declare queue 'c': queue limit in vhost '/' (2) is reached");
    declare(peer, "a");
    peer.send(1, delete_queue("b"));
    peer.expect<amqp::queue::delete_ok>(1);
    declare(peer, "c");
    limit("/", {});
    declare(peer, "d");
}

TEST_F(Administration, ConnectionLimitOfAVhost) {
    add_user("joe");
    client& first = broker.connect();
    limit("/", {.connections = 1, .queues = std::nullopt});
    expect_no_entry(
        "joe", "/", "access to vhost '/' refused for user 'joe': connection limit (1) is reached");
    first.vanish();
    broker.connect({.user = "joe", .password = "secret"});
    limit("/", {.connections = 0, .queues = std::nullopt});
    expect_no_entry(
        "joe", "/", "access to vhost '/' refused for user 'joe': connection limit (0) is reached");
}

TEST_F(Administration, ConnectionLimitOfAUser) {
    add_user("joe");
    limit_user("joe", {.connections = 1, .channels = std::nullopt});
    client& first = broker.connect({.user = "joe", .password = "secret"});
    expect_no_entry(
        "joe", "/", "connection refused for user 'joe': user connection limit (1) is reached");
    broker.connect();
    first.vanish();
    broker.connect({.user = "joe", .password = "secret"});
}

TEST_F(Administration, ChannelLimitOfAUserCountsAllHisConnections) {
    add_user("joe");
    client& first = broker.connect({.user = "joe", .password = "secret"});
    client& second = broker.connect({.user = "joe", .password = "secret"});
    limit_user("joe", {.connections = std::nullopt, .channels = 3});
    first.open_channel(2);
    second.send(2, amqp::channel::open{});
    second.expect_connection_error(
        {},
        "530 number of channels opened for user 'joe' has reached the maximum allowed user limit "
        "of (3)");
    first.send(2, amqp::channel::close{200, "bye", 0, 0});
    first.expect<amqp::channel::close_ok>(2);
    first.open_channel(5);
}

TEST_F(Administration, WrongPatternsChangeNothing) {
    add_user("joe");
    change([](administration& with) {
        const auto problem = with.set_permission("joe", "/", {".*", "(", ".*"});
        ASSERT_TRUE(problem.has_value());
        EXPECT_TRUE(problem->starts_with("the pattern of 'write' is no regular expression"));
        EXPECT_TRUE(with.set_topics("joe", "/", "amq.topic", {{}, ".*", "["}).has_value());
        EXPECT_TRUE(with.set_permission("nobody", "/", {}).has_value());
        EXPECT_TRUE(with.set_topics("nobody", "/", "amq.topic", {}).has_value());
    });
    const permission* has = broker.broker().access().find_permission("joe", "/");
    ASSERT_NE(has, nullptr);
    EXPECT_EQ(has->write.text(), ".*");
    EXPECT_EQ(broker.broker().access().find_topics("joe", "/", "amq.topic"), nullptr);
}

TEST_F(Administration, RestartFindsEverythingAgain) {
    broker.connect_raw();
    broker.hash_passwords();
    add_vhost("shop");
    add_user("joe", "shop");
    change([&](administration& with) {
        EXPECT_EQ(with.set_permission("joe", "shop", {"^c$", "^w$", "^r$"}), std::nullopt);
        EXPECT_EQ(
            with.set_topics("joe", "shop", "amq.topic", {{}, "{username}", ""}), std::nullopt);
        with.set_user_limits("joe", {.connections = 5, .channels = 6});
        with.set_vhost_limits(*broker.broker().find_vhost("shop"), {.connections = 7, .queues = 8});
    });

    broker.restart();

    broker.connect({.user = "joe", .password = "secret", .vhost = "shop"});
    const access_control& access = broker.broker().access();
    const permission* has = access.find_permission("joe", "shop");
    ASSERT_NE(has, nullptr);
    EXPECT_EQ(has->configure.text(), "^c$");
    EXPECT_EQ(has->write.text(), "^w$");
    EXPECT_EQ(has->read.text(), "^r$");
    const topic_permission* topics = access.find_topics("joe", "shop", "amq.topic");
    ASSERT_NE(topics, nullptr);
    EXPECT_EQ(topics->write_text, "{username}");
    EXPECT_TRUE(topics->write.matches("joe"));
    EXPECT_EQ(access.find("joe")->limits.connections, 5U);
    EXPECT_EQ(access.find("joe")->limits.channels, 6U);
    const vhost* shop = broker.broker().find_vhost("shop");
    ASSERT_NE(shop, nullptr);
    EXPECT_EQ(shop->description, "of a test");
    EXPECT_EQ(shop->limits.connections, 7U);
    EXPECT_EQ(shop->limits.queues, 8U);
}

TEST_F(Administration, DeletedDefaultVhostStaysDeleted) {
    broker.connect_raw();
    broker.hash_passwords();
    change([](administration& with) { with.delete_vhost("/"); });
    broker.restart();
    expect_no_entry("guest", "/", "vhost / not found");
}

TEST_F(Administration, DeletionThatACrashCutShortIsFinishedAtTheNextStart) {
    broker.connect_raw();
    broker.hash_passwords();
    add_vhost("shop");
    const auto kept = broker.journal.settings;
    change([](administration& with) { with.delete_vhost("shop"); });
    // As if nothing behind the first record of the deletion had reached the disk.
    for (const auto& [key, setting] : kept) {
        if (key != settings_store::key("vhost", {"shop"}) &&
            !broker.journal.settings.contains(key)) {
            broker.journal.setting_put(key, setting.first);
        }
    }
    broker.restart();
    broker.broker().restore_vhost("shop");
    broker.connect();

    EXPECT_EQ(broker.broker().find_vhost("shop"), nullptr);
    EXPECT_EQ(broker.broker().access().find_permission("guest", "shop"), nullptr);
    EXPECT_FALSE(
        broker.journal.settings.contains(settings_store::key("permission", {"shop", "guest"})));
}

TEST_F(Administration, UserBeforeThoseOfTheOptionsAreKeptDoesNotCostTheVhost) {
    client& peer = broker.connect();
    declare(peer, "q", durable);
    add_user("joe");  // and then the process ends
    broker.restart();
    broker.connect({.user = "joe", .password = "secret"});
}

TEST_F(Administration, AnswersComeWhenTheDiskHasIt) {
    broker.sync_at_once = false;
    broker.connect_raw();
    add_user("joe");
    EXPECT_FALSE(broker.broker().definitions_durable());
    broker.sync();
    EXPECT_TRUE(broker.broker().definitions_durable());
}

TEST_F(Administration, SettingsMoveOutOfAnOldFile) {
    add_user("joe");
    broker.journal.file = 2;
    broker.rewrite(1);
    EXPECT_EQ(broker.journal.live_in(1), 0U);
    broker.restart();
    broker.connect({.user = "joe", .password = "secret"});
}

}  // namespace
}  // namespace lovage::broker::test
