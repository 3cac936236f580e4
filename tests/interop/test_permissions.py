"""What a user may do: every method with and without each permission, and permissions that change.
Sections 22 and 25 of what RabbitMQ 3.10.8 was seen to do."""

import struct

import harness
from permission_test import PermissionTest, declare_exchange, declare_queue
from wire import Closed


class Methods(PermissionTest):
    def test_queue_declare_and_delete_need_configure(self):
        name = self.name()
        self.allow(configure=f"^{name}$")
        self.new_session()
        self.joe.declare(1, name)
        self.joe.call(1, "queue.delete", 0, name, False, False, False)
        self.allow(write=".*", read=".*")
        self.new_session()
        self.refused("queue.declare", "queue", name, *declare_queue(name))
        self.refused("queue.delete", "queue", name, 0, name, False, False, False)
        self.queue(name)
        self.refused("queue.declare", "queue", name, *declare_queue(name))
        self.refused("queue.delete", "queue", name, 0, name, False, False, False)

    def test_generated_names_are_checked(self):
        self.joe.send(1, "queue.declare", *declare_queue(""))
        code, text, *ids = self.joe.closed_channel(1)
        self.assertEqual((code, ids), (403, [50, 10]))
        self.assertRegex(text, "^ACCESS_REFUSED - access to queue 'amq.gen-")

    def test_reserved_names_come_first(self):
        self.joe.send(1, "queue.declare", *declare_queue("amq.mine"))
        self.assertEqual(
            self.joe.closed_channel(1),
            (403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", 50,
             10))
        self.joe.open(1)
        self.joe.send(1, "exchange.delete", 0, "amq.direct", False, False)
        self.assertEqual(
            self.joe.closed_channel(1),
            (403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not "
             "allowed", 40, 20))

    def test_passive_declares(self):
        name, missing = self.queue(), self.name("missing")
        if harness.Options.target == "rabbitmq":  # 3.10 asks for nothing (CVE-2026-57221)
            self.told_of(name, missing)
            return
        for asked in (name, missing):
            self.refused("queue.declare", "queue", asked, *declare_queue(asked, passive=True))
        for asked in ("amq.direct", missing):
            self.refused("exchange.declare", "exchange", asked,
                         *declare_exchange(asked, passive=True))
        for right in ("configure", "write", "read"):
            with self.subTest(right):
                self.allow(**{right: ".*"})
                self.new_session()
                self.told_of(name, missing)

    def told_of(self, name, missing):
        self.joe.declare(1, name, passive=True)
        self.joe.exchange(1, "amq.direct", passive=True)
        self.joe.send(1, "queue.declare", *declare_queue(missing, passive=True))
        self.assertEqual(self.joe.closed_channel(1)[0], 404)
        self.joe.open(1)

    def test_dead_letter_exchange_needs_write_and_its_queue_read(self):
        name = self.name()
        arguments = {"x-dead-letter-exchange": "dlx"}
        self.allow(configure=".*", write=".*")
        self.new_session()
        self.refused("queue.declare", "queue", name, *declare_queue(name, arguments=arguments))
        self.allow(configure=".*", read=".*")
        self.new_session()
        self.refused("queue.declare", "exchange", "dlx", *declare_queue(name, arguments=arguments))
        self.refused("queue.declare", "exchange", "amq.default",
                     *declare_queue(name, arguments={"x-dead-letter-exchange": ""}))
        self.allow(configure=".*", write="^dlx$", read=".*")
        self.new_session()
        self.joe.declare(1, name, arguments=arguments)
        self.joe.call(1, "queue.delete", 0, name, False, False, False)

    def test_queue_bind_and_unbind(self):
        name = self.queue()
        for method, arguments in (
                ("queue.bind", (0, name, "amq.direct", "k", False, {})),
                ("queue.unbind", (0, name, "amq.direct", "k", {}))):
            with self.subTest(method):
                self.allow(read=".*")
                self.new_session()
                self.refused(method, "queue", name, *arguments)
                self.allow(write=".*")
                self.new_session()
                self.refused(method, "exchange", "amq.direct", *arguments)
                self.allow(write=f"^{name}$", read="^amq.direct$")
                self.new_session()
                self.joe.call(1, method, *arguments)

    def test_order_of_checks_of_a_binding(self):
        missing = self.name("missing")
        self.refused("queue.bind", "queue", missing, 0, missing, missing, "k", False, {})
        self.refused("queue.bind", "queue", missing, 0, missing, "", "k", False, {})
        self.allow(write=".*")
        self.new_session()
        self.refused("queue.bind", "exchange", missing, 0, missing, missing, "k", False, {})
        self.joe.send(1, "queue.bind", 0, missing, "", "k", False, {})
        self.assertEqual(
            self.joe.closed_channel(1),
            (403, "ACCESS_REFUSED - operation not permitted on the default exchange", 50, 20))
        self.joe.open(1)
        self.joe.send(1, "queue.bind", 0, "", "amq.direct", "k", False, {})
        self.assertEqual(self.joe.closed_channel(1)[:2],
                         (404, "NOT_FOUND - no previously declared queue"))

    def test_purge_get_and_consume_need_read(self):
        name = self.queue()
        missing = self.name("missing")
        self.allow(configure=".*", write=".*")
        self.new_session()
        for queue in (name, missing):
            self.refused("queue.purge", "queue", queue, 0, queue, False)
            self.refused("basic.get", "queue", queue, 0, queue, True)
            self.refused("basic.consume", "queue", queue, 0, queue, "t", False, False, False,
                         False, {})
        self.allow(read=f"^{name}$")
        self.new_session()
        self.joe.call(1, "queue.purge", 0, name, False)
        self.assertIsNone(self.joe.get(1, name))
        self.joe.consume(1, name, "t")

    def test_publish_needs_write(self):
        name = self.queue()
        self.allow(configure=".*", read=".*")
        self.new_session()
        self.refused("basic.publish", "exchange", "amq.direct", "amq.direct", "k")
        self.refused("basic.publish", "exchange", "missing", "missing", "k")
        self.refused("basic.publish", "exchange", "amq.default", "", name)
        self.allow(write="^amq.default$")
        self.new_session()
        self.joe.publish(1, "", name, b"m")
        self.joe.publish(1, "", name, b"m")
        harness.wait_for(lambda: self.w.get(1, name), what="the message")

    def test_exchange_declare_and_delete_need_configure(self):
        name = self.name("x")
        self.allow(write=".*", read=".*")
        self.new_session()
        self.refused("exchange.declare", "exchange", name, *declare_exchange(name))
        self.refused("exchange.delete", "exchange", name, 0, name, False, False)
        self.allow(configure=f"^{name}$")
        self.new_session()
        self.joe.exchange(1, name)
        self.joe.call(1, "exchange.delete", 0, name, False, False)

    def test_alternate_exchange_needs_write_and_its_exchange_read(self):
        name = self.name("x")
        arguments = {"alternate-exchange": "ae"}
        self.allow(configure=".*", write=".*")
        self.new_session()
        self.refused("exchange.declare", "exchange", name,
                     *declare_exchange(name, arguments=arguments))
        self.allow(configure=".*", read=".*")
        self.new_session()
        self.refused("exchange.declare", "exchange", "ae",
                     *declare_exchange(name, arguments=arguments))

    def test_exchange_bind_and_unbind(self):
        for method in ("exchange.bind", "exchange.unbind"):
            arguments = (0, "amq.topic", "amq.fanout", "k", False, {})
            with self.subTest(method):
                self.allow(read=".*")
                self.new_session()
                self.refused(method, "exchange", "amq.topic", *arguments)
                self.allow(write=".*")
                self.new_session()
                self.refused(method, "exchange", "amq.fanout", *arguments)
                self.allow(write="^amq.topic$", read="^amq.fanout$")
                self.new_session()
                self.joe.call(1, method, *arguments)

    def test_topics(self):
        name = self.queue()
        self.allow(write=".*", read=".*")
        self.api.do("PUT", "topic-permissions", "/", self.user,
                    body={"exchange": "amq.topic", "write": "^{username}-", "read": "^public"})
        self.new_session()
        self.joe.publish(1, "amq.topic", "jim-a")
        self.topic_refused("basic.publish", "jim-a")
        self.joe.publish(1, "amq.direct", "jim-a")
        self.joe.publish(1, "amq.topic", self.user + "-a", mandatory=True)
        self.assertEqual(self.joe.expect(1, "basic.return")[0], 312)
        self.joe.read_content(1)
        self.joe.call(1, "queue.bind", 0, name, "amq.topic", "public.#", False, {})
        self.joe.send(1, "queue.bind", 0, name, "amq.topic", "#", False, {})
        self.topic_refused("queue.bind", "#")

    def test_user_id_of_another_needs_the_tag_impersonator(self):
        name = self.queue()
        self.allow(write=".*")
        self.new_session()
        properties = struct.pack(">H", 0x0010) + b"\x05guest"
        self.joe.publish(1, "", name, b"m", properties=properties)
        self.assertEqual(
            self.joe.closed_channel(1)[:2],
            (406, "PRECONDITION_FAILED - user_id property set to 'guest' but authenticated user "
             f"was '{self.user}'"))
        self.put_user(tags="impersonator")
        self.new_session()
        self.joe.publish(1, "", name, b"m", properties=properties)
        harness.wait_for(lambda: self.w.get(1, name), what="the message")


class DirectReplies(PermissionTest):
    def test_consuming_needs_none_and_answering_write(self):
        self.joe.consume(1, "amq.rabbitmq.reply-to", "t", no_ack=True)
        token = "amq.rabbitmq.reply-to.forged"
        self.refused("basic.publish", "exchange", "amq.default", "", token)

    def test_forged_tokens_lead_nowhere(self):
        self.allow(configure=".*", write=".*", read=".*")
        self.new_session()
        token = "amq.rabbitmq.reply-to.forged"
        self.joe.publish(1, "", token, b"m", mandatory=True)
        self.assertEqual(self.joe.expect(1, "basic.return")[0], 312)
        self.joe.read_content(1)
        for method, arguments in (
                ("queue.bind", (0, token, "amq.direct", "k", False, {})),
                ("basic.get", (0, token, True)),
                ("queue.purge", (0, token, False)),
                ("basic.consume", (0, token, "t", False, False, False, False, {}))):
            with self.subTest(method):
                self.joe.send(1, method, *arguments)
                self.assertEqual(self.joe.closed_channel(1)[0], 404)
                self.joe.open(1)


class Revocation(PermissionTest):
    def test_new_channels_feel_it(self):
        name = self.queue()
        self.allow(read=".*")
        self.new_session()
        self.assertIsNone(self.joe.get(1, name))
        self.allow()
        self.new_session()
        self.refused("basic.get", "queue", name, 0, name, True)

    def test_consumers_are_cancelled(self):
        name = self.queue()
        self.allow(read=".*")
        self.joe.consume(1, name, "t")
        self.allow()
        if harness.Options.target == "rabbitmq":  # goes on delivering (CVE-2026-57218)
            self.w.publish(1, "", name, b"secret")
            self.assertEqual(self.joe.delivery(1)[-1], b"secret")
            return
        self.assertEqual(self.joe.expect(1, "basic.cancel")[0], "t")
        self.w.publish(1, "", name, b"secret")
        self.assertTrue(self.joe.silent(0.2))
        harness.wait_for(lambda: self.w.get(1, name), what="the message is still there")

    def test_open_channels_feel_it_at_once(self):
        name = self.queue()
        self.allow(write=".*")
        self.joe.publish(1, "", name, b"m")
        harness.wait_for(lambda: self.w.get(1, name), what="the message")
        self.allow()
        if harness.Options.target == "rabbitmq":  # remembers what the channel was allowed
            self.joe.publish(1, "", name, b"m")
            harness.wait_for(lambda: self.w.get(1, name), what="the second message")
            return
        self.refused("basic.publish", "exchange", "amq.default", "", name)

    def test_deleted_user_is_thrown_out(self):
        self.api.do("DELETE", "users", self.user)
        code, text, *ids = self.joe.closed_connection()
        self.assertEqual((code, ids), (320, [0, 0]))
        self.assertEqual(text, f"CONNECTION_FORCED - user '{self.user}' is deleted")
        with self.assertRaises((Closed, AssertionError)):
            self.as_user()

    def test_new_password(self):
        self.put_user(password="other")
        wire = self.wire(user=self.user, password="other")
        wire.close()
        with self.assertRaises((Closed, AssertionError)):
            self.as_user()
