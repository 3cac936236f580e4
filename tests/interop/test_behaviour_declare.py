"""Exchanges and queues: declaring, deleting, purging, lifetimes, arguments. Sections 9 to 12 of
what RabbitMQ 3.10.8 was seen to do."""

import pika.exceptions

import harness
from wire import Typed
from wire_test import WireTest

LOCKED = ("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{}' in vhost '/'. "
          "It could be originally declared on another connection or the exclusive property value "
          "does not match that of the original declaration.")


DOUBLE = Typed("d", b"\x3f\xf0" + bytes(6))  # 1.0


class Exchanges(WireTest):
    def declare(self, name, kind="direct", passive=False, durable=False, auto_delete=False,
                internal=False, arguments=None):
        """Arguments of an exchange.declare that is to fail."""
        return ("exchange.declare", 0, name, kind, passive, durable, auto_delete, internal, False,
                arguments or {})

    def exchange(self, kind="direct", **flags):
        name = self.name("x")
        self.w.exchange(1, name, kind, **flags)
        self.addCleanup(lambda: self.w.call(1, "exchange.delete", 0, name, False, False))
        return name

    def test_predeclared_exchanges_are_there(self):
        for name, kind in (("amq.direct", "direct"), ("amq.fanout", "fanout"),
                           ("amq.topic", "topic")):
            self.w.exchange(1, name, kind, passive=True)
            self.w.exchange(1, name, kind, durable=True)

    def test_predeclared_headers_exchanges_are_there(self):
        for name in ("amq.headers", "amq.match"):
            self.w.exchange(1, name, "headers", durable=True)

    def test_declaring_again_equal_is_ok_and_different_is_406(self):
        name = self.exchange()
        self.w.exchange(1, name, arguments={"x-whatever": 1})
        template = ("PRECONDITION_FAILED - inequivalent arg '{}' for exchange '" + name +
                    "' in vhost '/': received '{}' but current is '{}'")
        for flags, text in (({"kind": "fanout"}, ("type", "fanout", "direct")),
                            ({"durable": True}, ("durable", "true", "false")),
                            ({"auto_delete": True}, ("auto_delete", "true", "false")),
                            ({"internal": True}, ("internal", "true", "false"))):
            with self.subTest(**flags):
                self.channel_error(406, template.format(*text), *self.declare(name, **flags))

    def test_unknown_type_closes_the_connection_with_503(self):
        wire = self.wire()
        wire.open(1)
        wire.send(1, *self.declare(self.name("x"), "no-such-type"))
        code, text, *ids = wire.closed_connection()
        self.assertEqual((code, ids), (503, [40, 10]))
        self.assertRegex(text, "^COMMAND_INVALID - (unknown|invalid) exchange type 'no-such-type'")

    def test_passive(self):
        name = self.exchange()
        self.w.exchange(1, name, "fanout", passive=True, durable=True)
        missing = self.name("x")
        self.channel_error(404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'",
                           *self.declare(missing, passive=True))

    def test_reserved_prefix_is_403(self):
        self.channel_error(403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved "
                           "prefix 'amq.*'", *self.declare("amq.mine"))
        self.channel_error(403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in "
                           "vhost '/' not allowed", "exchange.delete", 0, "amq.direct", False,
                           False)

    def test_default_exchange_refuses_everything(self):
        text = "ACCESS_REFUSED - operation not permitted on the default exchange"
        queue = self.queue()
        for call in (self.declare(""), ("exchange.delete", 0, "", False, False),
                     ("queue.bind", 0, queue, "", "k", False, {}),
                     ("queue.unbind", 0, queue, "", "k", {})):
            with self.subTest(call[0]):
                self.channel_error(403, text, *call)

    def test_default_exchange_cannot_be_bound_to_an_exchange(self):
        text = "ACCESS_REFUSED - operation not permitted on the default exchange"
        other = self.exchange()
        for call in (("exchange.bind", 0, other, "", "k", False, {}),
                     ("exchange.bind", 0, "", other, "k", False, {}),
                     ("exchange.unbind", 0, other, "", "k", False, {})):
            with self.subTest(call[0]):
                self.channel_error(403, text, *call)

    def test_delete(self):
        self.w.call(1, "exchange.delete", 0, self.name("x"), True, False)
        name = self.exchange()
        queue = self.queue()
        self.w.bind(1, queue, name, "k")
        self.channel_error(406, f"PRECONDITION_FAILED - exchange '{name}' in vhost '/' in use",
                           "exchange.delete", 0, name, True, False)
        self.w.call(1, "exchange.delete", 0, name, False, False)
        self.w.open(9)
        self.w.publish(9, name, "k")
        self.closes_channel(9, 404, f"NOT_FOUND - no exchange '{name}' in vhost '/'",
                            "basic.publish")

    def test_internal_exchange_takes_no_publish(self):
        name = self.exchange(internal=True)
        self.w.open(9)
        self.w.publish(9, name, "k")
        self.closes_channel(9, 403, "ACCESS_REFUSED - cannot publish to internal exchange "
                            f"'{name}' in vhost '/'", "basic.publish")

    def test_auto_delete_goes_with_its_last_binding(self):
        name = self.name("x")
        self.w.exchange(1, name, auto_delete=True)
        queue = self.queue()
        self.w.bind(1, queue, name, "a")
        self.w.bind(1, queue, name, "b")
        self.w.call(1, "queue.unbind", 0, queue, name, "a", {})
        self.w.exchange(1, name, passive=True)
        self.w.call(1, "queue.unbind", 0, queue, name, "b", {})
        self.channel_error(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'",
                           *self.declare(name, passive=True))

    def test_nowait_suppresses_ok_but_not_the_close(self):
        name = self.name("x")
        self.w.send(1, "exchange.declare", 0, name, "direct", False, False, True, False, True, {})
        self.w.exchange(1, name, passive=True)
        self.channel_error(406, f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange "
                           f"'{name}' in vhost '/': received 'topic' but current is 'direct'",
                           "exchange.declare", 0, name, "topic", False, False, True, False, True,
                           {})
        self.w.call(1, "exchange.delete", 0, name, False, False)


class Queues(WireTest):
    def args(self, name, passive=False, durable=False, exclusive=False, auto_delete=False,
             arguments=None):
        return ("queue.declare", 0, name, passive, durable, exclusive, auto_delete, False,
                arguments or {})

    def made(self, **flags):
        """A queue that another connection may use; deleted at the end."""
        name = self.name()
        self.w.declare(1, name, **flags)
        self.addCleanup(lambda: self.w.call(1, "queue.delete", 0, name, False, False, False))
        return name

    def test_declare_ok_counts_ready_messages_and_consumers(self):
        name = self.made()
        for _ in range(3):
            self.w.publish(1, "", name)
        harness.wait_for(lambda: self.w.declare(1, name) == [name, 3, 0], what="three messages")
        self.w.get(1, name, no_ack=False)
        harness.wait_for(lambda: self.w.declare(1, name) == [name, 2, 0], what="two ready")
        other = self.wire()
        other.open(1)
        other.call(1, "basic.qos", 0, 1, False)
        other.consume(1, name)
        self.assertEqual(self.w.declare(1, name)[2], 1)

    def test_difference_is_406(self):
        name = self.made(durable=True)
        self.w.declare(1, name, durable=True)
        text = (f"PRECONDITION_FAILED - inequivalent arg '{{}}' for queue '{name}' in vhost '/': "
                "received '{}' but current is '{}'")
        self.channel_error(406, text.format("durable", "false", "true"), *self.args(name))
        self.channel_error(406, text.format("auto_delete", "true", "false"),
                           *self.args(name, durable=True, auto_delete=True))
        self.channel_error(405, LOCKED.format(name),
                           *self.args(name, durable=True, exclusive=True))

    def test_arguments_are_compared(self):
        with_ttl = self.made(arguments={"x-message-ttl": 60000})
        without = self.made()
        start = ("PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{}' in vhost "
                 "'/': ")
        # The integer's width does not count, unknown arguments do not either.
        long_ttl = Typed("l", (60000).to_bytes(8, "big"))
        self.w.declare(1, with_ttl, arguments={"x-message-ttl": long_ttl, "x-unheard-of": "y"})
        self.channel_error(406, start.format(with_ttl) + "received '60001' but current is '60000'",
                           *self.args(with_ttl, arguments={"x-message-ttl": 60001}))
        self.channel_error(406, start.format(with_ttl) + "received none but current is the value "
                           "'60000' of type 'signedint'", *self.args(with_ttl))
        self.channel_error(406, start.format(without) + "received the value '1000' of type "
                           "'signedint' but current is none",
                           *self.args(without, arguments={"x-message-ttl": 1000}))

    def test_passive(self):
        name = self.made(durable=True)
        self.assertEqual(self.w.declare(1, name, passive=True), [name, 0, 0])
        for missing in (self.name(), ""):
            self.channel_error(404, f"NOT_FOUND - no queue '{missing}' in vhost '/'",
                               *self.args(missing, passive=True))

    def test_reserved_prefix_is_403(self):
        self.channel_error(403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix "
                           "'amq.*'", *self.args("amq.mine"))

    def test_server_named_queues_are_all_different(self):
        names = {self.queue() for _ in range(20)}
        self.assertEqual(len(names), 20)
        for name in names:
            self.assertRegex(name, r"^amq\.gen-[A-Za-z0-9_-]{22}$")

    def test_empty_name_means_the_queue_last_declared_on_the_channel(self):
        queue = self.queue()
        self.w.bind(1, "", "amq.direct", "")  # and the key is the queue's name then
        self.w.publish(1, "amq.direct", queue, b"by its name")
        self.assertEqual(self.w.get(1, "")[-1], b"by its name")
        tag = self.w.consume(1, "")
        self.assertEqual(self.w.call(1, "queue.purge", 0, "", False), [0])
        self.w.call(1, "basic.cancel", tag, False)
        self.assertEqual(self.w.call(1, "queue.delete", 0, "", False, False, False), [0])

    def test_empty_name_without_a_declare_is_404(self):
        self.channel_error(404, "NOT_FOUND - no previously declared queue",
                           "basic.get", 0, "", True)

    def test_exclusive_queue_is_locked_for_other_connections(self):
        name = self.name("excl")
        self.w.declare(1, name, exclusive=True)
        other = self.wire()
        other.open(1)
        for call in (self.args(name), self.args(name, passive=True),
                     self.args(name, exclusive=True),
                     ("queue.bind", 0, name, "amq.direct", "k", False, {}),
                     ("queue.purge", 0, name, False),
                     ("queue.delete", 0, name, False, False, False), ("basic.get", 0, name, True),
                     ("basic.consume", 0, name, "", False, True, False, False, {})):
            with self.subTest(call[0]):
                self.channel_error(405, LOCKED.format(name), *call, wire=other)
        other.publish(1, "", name, b"publishing is allowed")
        harness.wait_for(lambda: self.w.get(1, name), what="the message")

    def test_exclusive_queue_goes_with_its_connection_not_its_channel(self):
        name = self.name("excl")
        owner = self.wire()
        owner.open(1)
        owner.open(2)
        owner.declare(1, name, exclusive=True)
        owner.call(1, "channel.close", 200, "", 0, 0)
        owner.declare(2, name, passive=True)
        owner.close()

        def gone():
            self.w.open(9)
            self.w.send(9, *self.args(name, passive=True))
            _, method, arguments = self.w.read()
            self.assertEqual((method, arguments[0] in (404, 405)), ("channel.close", True))
            self.w.send(9, "channel.close_ok")
            return arguments[0] == 404

        harness.wait_for(gone, what="the exclusive queue is gone")

    def test_auto_delete_goes_with_the_last_consumer(self):
        name = self.name("auto")
        self.w.declare(1, name, auto_delete=True)
        self.w.get(1, name)
        self.w.open(2)
        self.w.consume(1, name, "a")
        self.w.consume(2, name, "b")
        self.w.call(1, "basic.cancel", "a", False)
        self.w.declare(1, name, passive=True)
        self.w.call(2, "basic.cancel", "b", False)
        self.channel_error(404, f"NOT_FOUND - no queue '{name}' in vhost '/'",
                           *self.args(name, passive=True))

    def test_delete(self):
        self.assertEqual(self.w.call(1, "queue.delete", 0, self.name(), True, True, False), [0])
        name = self.made()
        self.w.consume(1, name, "c")
        self.channel_error(406, f"PRECONDITION_FAILED - queue '{name}' in vhost '/' in use",
                           "queue.delete", 0, name, True, True, False)
        self.w.call(1, "basic.cancel", "c", False)
        self.w.call(1, "confirm.select", False)
        for _ in range(4):
            self.w.publish(1, "", name)
            self.w.expect(1, "basic.ack")
        self.channel_error(406, f"PRECONDITION_FAILED - queue '{name}' in vhost '/' not empty",
                           "queue.delete", 0, name, False, True, False)
        self.w.get(1, name, no_ack=False)
        self.assertEqual(self.w.call(1, "queue.delete", 0, name, False, False, False), [3])

    def test_purge_counts_ready_messages_and_leaves_unacknowledged_ones(self):
        channel = self.channel()
        channel.confirm_delivery()
        name = channel.queue_declare(self.name(), exclusive=True).method.queue
        for number in range(5):
            channel.basic_publish("", name, str(number).encode())
        method, _, _ = channel.basic_get(name)
        self.assertEqual(channel.queue_purge(name).method.message_count, 4)
        channel.basic_nack(method.delivery_tag, requeue=True)
        self.assertEqual(self.gets(channel, name)[0][2], b"0")
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
            channel.queue_purge(self.name())
        self.assertEqual(closed.exception.reply_code, 404)

    def test_names_up_to_255_octets_of_utf8(self):
        name = self.name() + "ü" * 100
        name += "x" * (255 - len(name.encode()))
        self.assertEqual(self.queue(name=name), name)
        self.w.publish(1, "", name, b"x")
        self.assertTrue(harness.wait_for(lambda: self.w.get(1, name), what="the message"))


class QueueArguments(WireTest):
    def refused(self, why, arguments):
        name = self.name()
        argument = next(iter(arguments))
        self.channel_error(
            406, f"PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost "
            f"'/': {why}", "queue.declare", 0, name, False, False, True, False, False, arguments)

    def refused_all(self, *cases):
        for why, arguments in cases:
            with self.subTest(arguments=str(arguments)):
                self.refused(why, arguments)

    def test_wrong_times_are_406(self):
        self.refused_all(
            ('"expected integer, got longstr"', {"x-message-ttl": "1000"}),
            ('"expected integer, got double"', {"x-message-ttl": DOUBLE}),
            ('"expected integer, got void"', {"x-expires": None}),
            ("{value_negative,-1}", {"x-message-ttl": -1}),
            ("{value_negative,-1}", {"x-expires": -1}),
            ("{value_zero,0}", {"x-expires": 0}),
            ("{value_too_large,315360000001}", {"x-message-ttl": 315360000001}),
            ("{value_too_large,315360000001}", {"x-expires": 315360000001}))

    def test_wrong_lengths_are_406(self):
        self.refused_all(
            ('"expected integer, got bool"', {"x-max-length": True}),
            ("{value_negative,-5}", {"x-max-length": -5}),
            ("{value_negative,-1}", {"x-max-length-bytes": -1}),
            ("invalid_overflow", {"x-overflow": "drop-tail"}),
            ("{unacceptable_type,signedint}", {"x-overflow": 1}))

    def test_wrong_priorities_are_406(self):
        self.refused_all(
            ('"expected integer, got void"', {"x-max-priority": None}),
            ("{max_value_exceeded,256}", {"x-max-priority": 256}))

    def test_wrong_single_active_consumer_is_406(self):
        self.refused_all(("{unacceptable_type,longstr}", {"x-single-active-consumer": "true"}))

    def test_wrong_modes_and_types_are_406(self):
        self.refused_all(
            ("routing_key_but_no_dlx_defined", {"x-dead-letter-routing-key": "k"}),
            ("\"unsupported queue mode 'foo'\"", {"x-queue-mode": "foo"}),
            ("\"unsupported queue type 'foo'\"", {"x-queue-type": "foo"}),
            ("{unacceptable_type,signedint}", {"x-queue-type": 5}))

    def test_dead_letter_exchange_must_be_a_string(self):
        name = self.name()
        self.channel_error(
            406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' "
            f"in queue '{name}' in vhost '/'", "queue.declare", 0, name, False, False, True, False,
            False, {"x-dead-letter-exchange": 1})

    def accepted(self, *cases):
        for arguments in cases:
            with self.subTest(arguments=str(arguments)):
                queue = self.queue(arguments=arguments)
                self.w.call(1, "queue.delete", 0, queue, False, False, False)

    def test_times_and_modes_are_accepted(self):
        self.accepted(
            {"x-message-ttl": 0}, {"x-message-ttl": 315360000000}, {"x-expires": 60000},
            {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
            {"x-dead-letter-exchange": "does.not.exist"}, {"x-queue-mode": "lazy"},
            {"x-queue-type": "classic"}, {"x-queue-version": 1}, {"my-own": [1, {"a": None}]})

    def test_lengths_are_accepted(self):
        self.accepted({"x-max-length": 0}, {"x-max-length-bytes": 2**40},
                      {"x-overflow": "reject-publish-dlx"}, {"x-overflow": "drop-head"})

    def test_priorities_and_single_active_consumer_are_accepted(self):
        self.accepted({"x-max-priority": 10}, {"x-single-active-consumer": True})

    def test_quorum_queues_can_be_declared_and_used(self):
        name = self.name("quorum")
        self.w.declare(1, name, durable=True, arguments={"x-queue-type": "quorum"})
        self.w.publish(1, "", name, b"kept")
        got = harness.wait_for(lambda: self.w.get(1, name), what="the message")
        self.assertEqual(got[-1], b"kept")
        self.w.call(1, "queue.delete", 0, name, False, False, False)

    def test_quorum_queue_with_a_delivery_limit(self):
        name = self.name("quorum")
        self.w.declare(1, name, durable=True, arguments={"x-queue-type": "quorum",
                                                         "x-delivery-limit": 2})
        self.w.publish(1, "", name, b"poison")
        for _ in range(3):
            got = harness.wait_for(lambda: self.w.get(1, name, no_ack=False), what="the message")
            self.w.send(1, "basic.reject", got[0], True)
        harness.wait_for(lambda: self.w.declare(1, name, passive=True)[1] == 0,
                         what="the message is given up")
        self.assertIsNone(self.w.get(1, name))
        self.w.call(1, "queue.delete", 0, name, False, False, False)
