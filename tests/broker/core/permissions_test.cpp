// What a user may do with which permission: rows 247 to 254 of RabbitMQ's behaviour, codes, texts
// and the order of checks.
#include "broker/core/direct_reply.hpp"
#include "tests/broker/core/harness.hpp"

namespace lovage::broker::test {
namespace {

using amqp::method_id;

constexpr method_id exchange_declare = amqp::exchange::declare::id;
constexpr method_id exchange_delete = amqp::exchange::delete_::id;
constexpr method_id exchange_bind = amqp::exchange::bind::id;
constexpr method_id exchange_unbind = amqp::exchange::unbind::id;
constexpr method_id queue_declare = amqp::queue::declare::id;
constexpr method_id queue_bind = amqp::queue::bind::id;
constexpr method_id queue_unbind = amqp::queue::unbind::id;
constexpr method_id queue_purge = amqp::queue::purge::id;
constexpr method_id basic_get = amqp::basic::get::id;
constexpr method_id basic_consume = amqp::basic::consume::id;
constexpr method_id basic_publish = amqp::basic::publish::id;

amqp::exchange::bind exchange_binding(octets destination, octets source, octets key = "k") {
    amqp::exchange::bind m;
    m.destination = destination;
    m.source = source;
    m.routing_key = key;
    return m;
}
amqp::exchange::unbind exchange_unbinding(octets destination, octets source) {
    amqp::exchange::unbind m;
    m.destination = destination;
    m.source = source;
    m.routing_key = "k";
    return m;
}

/// Guest may do everything, joe what allow() says.
class Permissions : public testing::Test {
protected:
    Permissions() {
        broker.administer([](administration& with) {
            with.put_user("joe", broker_under_test::verifier_of("secret"), {});
        });
        allow("", "", "");
    }
    void allow(octets configure, octets write, octets read) {
        broker.administer([&](administration& with) {
            EXPECT_EQ(
                with.set_permission(
                    "joe", "/", {std::string(configure), std::string(write), std::string(read)}),
                std::nullopt);
        });
    }
    void allow_topics(octets exchange, octets write, octets read) {
        broker.administer([&](administration& with) {
            EXPECT_EQ(
                with.set_topics("joe", "/", exchange, {{}, std::string(write), std::string(read)}),
                std::nullopt);
        });
    }
    client& joe() {
        if (joe_ == nullptr) {
            joe_ = &broker.connect({.user = "joe", .password = "secret"});
        }
        return *joe_;
    }
    void expect_refused(
        method_id method,
        const std::string& what,
        where_t where = where_t::current()) {
        joe().expect_channel_error(
            1, method, "403 access to " + what + " in vhost '/' refused for user 'joe'", where);
    }
    template <class Method>
    void refused(
        const Method& method,
        const std::string& what,
        where_t where = where_t::current()) {
        joe().send(1, method);
        expect_refused(Method::id, what, where);
    }
    void publish(const std::string& exchange, const std::string& key) {
        joe().publish(1, {exchange, key, "m", {}, true});
    }

    broker_under_test broker;
    client& guest = broker.connect();
    client* joe_ = nullptr;
};

TEST_F(Permissions, QueueDeclareAndDeleteConfigureTheQueue) {
    allow("^a$", ".*", ".*");
    declare(joe(), "a");
    joe().send(1, delete_queue("a"));
    joe().expect<amqp::queue::delete_ok>(1);
    refused(declare_queue("b"), "queue 'b'");
    refused(delete_queue("missing"), "queue 'missing'");
    declare(guest, "b");
    refused(declare_queue("b"), "queue 'b'");
    refused(delete_queue("b"), "queue 'b'");
    refused(delete_queue("b", true, true), "queue 'b'");
}

TEST_F(Permissions, ReservedNamesAreToldBeforePermissions) {
    joe().send(1, declare_queue("amq.mine"));
    joe().expect_channel_error(
        1, queue_declare, "403 queue name 'amq.mine' contains reserved prefix 'amq.*'");
    amqp::exchange::delete_ gone;
    gone.exchange = "amq.direct";
    joe().send(1, gone);
    joe().expect_channel_error(
        1,
        exchange_delete,
        "403 deletion of system exchange 'amq.direct' in vhost '/' not allowed");
    joe().send(1, declare_exchange("", "direct"));
    joe().expect_channel_error(
        1, exchange_declare, "403 operation not permitted on the default exchange");
}

TEST_F(Permissions, GeneratedNameOfAQueueIsChecked) {
    joe().send(1, declare_queue(""));
    const auto close = joe().expect<amqp::channel::close>(1);
    EXPECT_EQ(close.reply_code, 403);
    EXPECT_TRUE(close.reply_text.starts_with("ACCESS_REFUSED - access to queue 'amq.gen-"));
    joe().send(1, amqp::channel::close_ok{});
    joe().open_channel(1);
    allow("^amq\\.gen-", "", "");
    EXPECT_TRUE(declare(joe(), "").queue.starts_with("amq.gen-"));
}

TEST_F(Permissions, PassiveDeclaresNeedOneOfTheThree) {
    declare(guest, "q");
    allow("^other$", "", "");
    for (const octets name : {"q", "missing"}) {
        refused(declare_queue(name, {.passive = true}), "queue '" + std::string(name) + "'");
    }
    for (const octets name : {"amq.direct", "missing"}) {
        refused(
            declare_exchange(name, "direct", {.passive = true}),
            "exchange '" + std::string(name) + "'");
    }
    const auto told = [&] {
        declare(joe(), "q", {.passive = true});
        joe().send(1, declare_exchange("amq.direct", "direct", {.passive = true}));
        joe().expect<amqp::exchange::declare_ok>(1);
        joe().send(1, declare_queue("missing", {.passive = true}));
        joe().expect_channel_error(1, queue_declare, "404 no queue 'missing' in vhost '/'");
        joe().send(1, declare_exchange("missing", "direct", {.passive = true}));
        joe().expect_channel_error(1, exchange_declare, "404 no exchange 'missing' in vhost '/'");
    };
    allow(".*", "", "");
    told();
    allow("", ".*", "");
    told();
    allow("", "", ".*");
    told();
}

TEST_F(Permissions, DeadLetterExchangeIsWrittenAndItsQueueRead) {
    const amqp::table arguments{{"x-dead-letter-exchange", "dlx"}};
    allow(".*", "^dlx$", "");
    refused(declare_queue("q", {}, arguments), "queue 'q'");
    allow(".*", "^other$", "^q$");
    refused(declare_queue("q", {}, arguments), "exchange 'dlx'");
    refused(declare_queue("q", {}, {{"x-dead-letter-exchange", ""}}), "exchange 'amq.default'");
    allow("", "^dlx$", "^q$");
    refused(declare_queue("q", {}, arguments), "queue 'q'");
    allow("^q$", "^dlx$", "^q$");
    declare(joe(), "q", {}, arguments);
    allow("^q$", "", "");
    declare(joe(), "q", {}, arguments);  // it is there already
}

TEST_F(Permissions, BindWritesTheQueueAndReadsTheExchange) {
    declare(guest, "q");
    allow("", "", ".*");
    refused(bind_queue("q", "amq.direct", "k"), "queue 'q'");
    refused(unbind_queue("q", "amq.direct", "k"), "queue 'q'");
    refused(bind_queue("missing", "amq.direct", "k"), "queue 'missing'");
    refused(bind_queue("q", "", "k"), "queue 'q'");
    allow("", ".*", "");
    refused(bind_queue("q", "amq.direct", "k"), "exchange 'amq.direct'");
    refused(unbind_queue("q", "amq.direct", "k"), "exchange 'amq.direct'");
    refused(bind_queue("q", "missing", "k"), "exchange 'missing'");
    joe().send(1, bind_queue("q", "", "k"));
    joe().expect_channel_error(
        1, queue_bind, "403 operation not permitted on the default exchange");
    allow("", "^q$", "^amq.direct$");
    joe().send(1, bind_queue("q", "amq.direct", "k"));
    joe().expect<amqp::queue::bind_ok>(1);
    joe().send(1, unbind_queue("q", "amq.direct", "k"));
    joe().expect<amqp::queue::unbind_ok>(1);
    joe().send(1, bind_queue("q", "amq.direct.2", "k"));
    expect_refused(queue_bind, "exchange 'amq.direct.2'");
    EXPECT_EQ(queue_unbind.method, 50);
}

TEST_F(Permissions, NoQueueToSpeakOfIsToldBeforePermissions) {
    joe().send(1, bind_queue("", "amq.direct", "k"));
    joe().expect_channel_error(1, queue_bind, "404 no previously declared queue");
    joe().send(1, amqp::queue::purge{});
    joe().expect_channel_error(1, queue_purge, "404 no previously declared queue");
}

TEST_F(Permissions, PurgeGetAndConsumeReadTheQueue) {
    declare(guest, "q");
    allow(".*", ".*", "^r$");
    amqp::queue::purge purge;
    for (const octets name : {"q", "missing"}) {
        const std::string shown = "queue '" + std::string(name) + "'";
        purge.queue = name;
        refused(purge, shown);
        refused(get_from(name), shown);
        refused(consume(name, "t"), shown);
    }
    allow("", "", "^q$");
    purge.queue = "q";
    joe().send(1, purge);
    joe().expect<amqp::queue::purge_ok>(1);
    joe().send(1, get_from("q"));
    joe().expect<amqp::basic::get_empty>(1);
    start_consumer(joe(), 1, "q", "t");
    EXPECT_EQ(basic_get.method, 70);
    EXPECT_EQ(basic_consume.method, 20);
}

TEST_F(Permissions, PublishWritesTheExchange) {
    declare(guest, "q");
    allow(".*", "^amq\\.fanout$", ".*");
    publish("amq.direct", "q");
    expect_refused(basic_publish, "exchange 'amq.direct'");
    publish("missing", "q");
    expect_refused(basic_publish, "exchange 'missing'");
    publish("", "q");
    expect_refused(basic_publish, "exchange 'amq.default'");
    publish("amq.fanout", "");
    EXPECT_EQ(joe().expect_return(1).reply, "312 NO_ROUTE");
    allow("", "^amq\\.default$", "");
    publish("", "q");
    joe().expect_nothing(1);
    EXPECT_EQ(broker.status("q").ready, 1U);
}

TEST_F(Permissions, PublishIsRefusedBeforeItsPropertiesAreLookedAt) {
    amqp::basic_properties wrong;
    wrong.expiration = "soon";
    joe().publish(1, {"missing", "k", "m", wrong});
    expect_refused(basic_publish, "exchange 'missing'");
}

TEST_F(Permissions, PublishInATransactionIsRefusedAtOnce) {
    joe().send(1, amqp::tx::select{});
    joe().expect<amqp::tx::select_ok>(1);
    publish("amq.direct", "q");
    expect_refused(basic_publish, "exchange 'amq.direct'");
}

TEST_F(Permissions, TransactionIsRefusedWhenTheRightHasGoneSince) {
    allow("", ".*", "");
    joe().send(1, amqp::tx::select{});
    joe().expect<amqp::tx::select_ok>(1);
    publish("", "q");
    allow("", "", "");
    joe().send(1, amqp::tx::commit{});
    expect_refused(amqp::tx::commit::id, "exchange 'amq.default'");
}

TEST_F(Permissions, ExchangeDeclareAndDeleteConfigureTheExchange) {
    allow("^a$", ".*", ".*");
    joe().send(1, declare_exchange("a", "direct"));
    joe().expect<amqp::exchange::declare_ok>(1);
    refused(declare_exchange("b", "direct"), "exchange 'b'");
    refused(declare_exchange("amq.direct", "direct"), "exchange 'amq.direct'");
    amqp::exchange::delete_ gone;
    gone.exchange = "missing";
    refused(gone, "exchange 'missing'");
    gone.exchange = "a";
    joe().send(1, gone);
    joe().expect<amqp::exchange::delete_ok>(1);
    joe().send(1, declare_exchange("b", "nothing"));
    joe().expect_connection_error(exchange_declare, "503 unknown exchange type 'nothing'");
}

TEST_F(Permissions, AlternateExchangeIsWrittenAndItsExchangeRead) {
    auto m = declare_exchange("x", "direct");
    m.arguments = {{"alternate-exchange", "ae"}};
    allow(".*", "^ae$", "");
    refused(m, "exchange 'x'");
    allow(".*", "", "^x$");
    refused(m, "exchange 'ae'");
    allow("^x$", "^ae$", "^x$");
    joe().send(1, m);
    joe().expect<amqp::exchange::declare_ok>(1);
}

TEST_F(Permissions, ExchangeBindWritesTheDestinationAndReadsTheSource) {
    allow("", "^amq.topic$", "");
    refused(exchange_binding("amq.direct", "amq.fanout"), "exchange 'amq.direct'");
    refused(exchange_binding("missing", "amq.fanout"), "exchange 'missing'");
    refused(exchange_binding("", "amq.fanout"), "exchange 'amq.default'");
    refused(exchange_binding("amq.topic", "amq.fanout"), "exchange 'amq.fanout'");
    refused(exchange_unbinding("amq.topic", "amq.fanout"), "exchange 'amq.fanout'");
    refused(exchange_unbinding("amq.direct", "amq.fanout"), "exchange 'amq.direct'");
    allow("", "^amq.topic$", "^amq.fanout$");
    joe().send(1, exchange_binding("amq.topic", "amq.fanout"));
    joe().expect<amqp::exchange::bind_ok>(1);
    joe().send(1, exchange_unbinding("amq.topic", "amq.fanout"));
    joe().expect<amqp::exchange::unbind_ok>(1);
    EXPECT_EQ(exchange_bind.method, 30);
    EXPECT_EQ(exchange_unbind.method, 40);
}

TEST_F(Permissions, TopicsAreCheckedOnTopicExchangesOnly) {
    declare(guest, "q");
    allow(".*", ".*", ".*");
    allow_topics("amq.topic", "^{username}\\.", "^public\\.");
    allow_topics("amq.direct", "^never$", "^never$");
    publish("amq.topic", "joe.a");
    EXPECT_EQ(joe().expect_return(1).reply, "312 NO_ROUTE");
    publish("amq.topic", "jim.a");
    joe().expect_channel_error(
        1,
        basic_publish,
        "403 access to topic 'jim.a' in exchange 'amq.topic' in vhost '/' refused for user 'joe'");
    publish("amq.direct", "jim.a");
    EXPECT_EQ(joe().expect_return(1).reply, "312 NO_ROUTE");
    joe().send(1, bind_queue("q", "amq.topic", "public.#"));
    joe().expect<amqp::queue::bind_ok>(1);
    joe().send(1, bind_queue("q", "amq.topic", "#"));
    joe().expect_channel_error(
        1,
        queue_bind,
        "403 access to topic '#' in exchange 'amq.topic' in vhost '/' refused for user 'joe'");
    joe().send(1, exchange_binding("amq.fanout", "amq.topic", "#"));
    joe().expect_channel_error(
        1,
        exchange_bind,
        "403 access to topic '#' in exchange 'amq.topic' in vhost '/' refused for user 'joe'");
}

TEST_F(Permissions, TopicsOfCopiesAreCheckedToo) {
    allow(".*", ".*", ".*");
    allow_topics("amq.topic", "^mine\\.", ".*");
    amqp::basic_properties properties;
    properties.headers = amqp::table{{"BCC", amqp::field_array{"mine.b", "others.a"}}};
    joe().publish(1, {"amq.topic", "mine.a", "m", properties});
    joe().expect_channel_error(
        1,
        basic_publish,
        "403 access to topic 'others.a' in exchange 'amq.topic' in vhost '/' refused for user "
        "'joe'");
}

TEST_F(Permissions, ChangesHoldFromTheNextMethodOn) {
    declare(guest, "q");
    allow("", ".*", "");
    publish("", "q");
    publish("", "q");
    allow("", "^amq\\.direct$", "");
    publish("", "q");
    expect_refused(basic_publish, "exchange 'amq.default'");
    allow("", ".*", "");
    publish("", "q");
    joe().expect_nothing(1);
    EXPECT_EQ(broker.status("q").ready, 3U);
    allow_topics("amq.topic", "^a$", ".*");
    publish("amq.topic", "a");
    joe().expect_return(1);
    allow_topics("amq.topic", "^b$", ".*");
    publish("amq.topic", "a");
    joe().expect_channel_error(
        1,
        basic_publish,
        "403 access to topic 'a' in exchange 'amq.topic' in vhost '/' refused for user 'joe'");
}

TEST_F(Permissions, TwoExchangesInTurnAreEachChecked) {
    allow("", "^amq\\.direct$", "");
    for (int i = 0; i < 2; ++i) {
        publish("amq.direct", "k");
        EXPECT_EQ(joe().expect_return(1).reply, "312 NO_ROUTE");
        publish("amq.fanout", "k");
        expect_refused(basic_publish, "exchange 'amq.fanout'");
    }
}

TEST_F(Permissions, ConsumersOfWhatMayNotBeReadAnyMoreAreCancelled) {
    declare(guest, "a");
    declare(guest, "b");
    allow("", "", ".*");
    start_consumer(joe(), 1, "a", "of a");
    start_consumer(joe(), 1, "b", "of b");
    guest.publish(1, {"", "a", "before"});
    const auto held = joe().expect_delivery(1);

    allow("", "", "^b$");

    const auto cancel = joe().expect<amqp::basic::cancel>(1);
    EXPECT_EQ(cancel.consumer_tag, "of a");
    guest.publish(1, {"", "a", "after"});
    guest.publish(1, {"", "b", "other"});
    EXPECT_EQ(joe().expect_delivery(1).body, "other");
    joe().ack(1, held.delivery_tag);
    joe().expect_nothing(1);
    EXPECT_EQ(broker.status("a").ready, 1U);
    EXPECT_EQ(broker.status("a").unacked, 0U);
}

TEST_F(Permissions, ClearedPermissionEndsAllConsumersAndNewConnections) {
    declare(guest, "a");
    allow(".*", ".*", ".*");
    start_consumer(joe(), 1, "a", "t");
    broker.administer([](administration& with) { EXPECT_TRUE(with.clear_permission("joe", "/")); });
    EXPECT_EQ(joe().expect<amqp::basic::cancel>(1).consumer_tag, "t");
    refused(declare_queue("x"), "queue 'x'");
    broker.administer(
        [](administration& with) { EXPECT_FALSE(with.clear_permission("joe", "/")); });
}

TEST_F(Permissions, DirectRepliesNeedNoneButTheAnswerIsAPublish) {
    client& requester = joe();
    requester.send(1, consume(reply_to_name, "replies", {.no_ack = true}));
    requester.expect<amqp::basic::consume_ok>(1);
    publish("", "amq.rabbitmq.reply-to.forged");
    expect_refused(basic_publish, "exchange 'amq.default'");
    joe().send(1, bind_queue("amq.rabbitmq.reply-to.forged", "amq.direct", "k"));
    expect_refused(queue_bind, "queue 'amq.rabbitmq.reply-to.forged'");
    allow(".*", ".*", ".*");
    publish("", "amq.rabbitmq.reply-to.forged");
    EXPECT_EQ(joe().expect_return(1).reply, "312 NO_ROUTE");
    joe().send(1, bind_queue("amq.rabbitmq.reply-to.forged", "amq.direct", "k"));
    joe().expect_channel_error(
        1, queue_bind, "404 no queue 'amq.rabbitmq.reply-to.forged' in vhost '/'");
}

TEST_F(Permissions, ImpersonatorMayNameAnotherUser) {
    declare(guest, "q");
    allow(".*", ".*", ".*");
    amqp::basic_properties properties;
    properties.user_id = "guest";
    joe().publish(1, {"", "q", "m", properties});
    joe().expect_channel_error(
        1, basic_publish, "406 user_id property set to 'guest' but authenticated user was 'joe'");
    broker.administer([](administration& with) {
        with.put_user("joe", broker_under_test::verifier_of("secret"), {"impersonator"});
    });
    joe().publish(1, {"", "q", "m", properties});
    joe().expect_nothing(1);
    EXPECT_EQ(broker.status("q").ready, 1U);
}

}  // namespace
}  // namespace lovage::broker::test
