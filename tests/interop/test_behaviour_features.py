"""RabbitMQ's extensions, beyond what the other modules compare: headers and alternate exchanges,
bindings between exchanges, CC and BCC, direct reply-to, transactions, full queues, priorities,
single active consumers, quorum queues. Rows of sections 9, 11, 13, 19 to 24."""

import harness
from wire import Typed, shortstr, table
from wire_test import WireTest

NAME = "amq.rabbitmq.reply-to"


def headers(**values):
    return b"\x20\x00" + table(values)


class FeatureTest(WireTest):
    def exchange(self, kind="fanout", **flags):
        name = self.name("x")
        self.w.exchange(1, name, kind, auto_delete=True, **flags)
        return name

    def join(self, source, destination, key="", arguments=None):
        self.w.call(1, "exchange.bind", 0, destination, source, key, False, arguments or {})

    def part(self, source, destination, key=""):
        self.w.call(1, "exchange.unbind", 0, destination, source, key, False, {})

    def publish(self, exchange, key, body=b"", properties=b"\x00\x00"):
        """Published when this returns: True if it was accepted. Channel 3 is for this."""
        if not getattr(self, "confirming", False):
            self.confirming = True
            self.w.open(3)
            self.w.call(3, "confirm.select", False)
        self.w.publish(3, exchange, key, body, properties=properties)
        channel, method, _ = self.w.read()
        self.assertEqual(channel, 3)
        self.assertIn(method, ("basic.ack", "basic.nack"))
        return method == "basic.ack"

    def bodies(self, queue):
        taken = []
        while got := self.w.get(1, queue):
            taken.append(got[-1])
        return taken


class Exchanges(FeatureTest):
    def test_headers_with_x(self):
        for match, value, other, expected in (
                ("all", "wrong", "2", True), ("all-with-x", "wrong", "2", False),
                ("all-with-x", "1", "2", True), ("any", "1", "wrong", False),
                ("any-with-x", "1", "wrong", True)):
            with self.subTest(match=match, value=value, other=other):
                queue, exchange = self.queue(), self.exchange("headers")
                self.w.bind(1, queue, exchange, "",
                            {"x-match": match, "x-a": value, "b": other})
                self.publish(exchange, "", b"m", b"\x20\x00" + table({"x-a": "1", "b": "2"}))
                self.assertEqual(self.bodies(queue), [b"m"] if expected else [])

    def test_headers_compare_numbers_by_value(self):
        double = Typed("d", b"\x3f\xf0" + bytes(6))  # 1.0
        for wanted, there, expected in ((1, double, True), (double, 1, True), (True, 1, False),
                                        (Typed("T", (5).to_bytes(8, "big")), 5, True)):
            with self.subTest(wanted=str(wanted), there=str(there)):
                queue, exchange = self.queue(), self.exchange("headers")
                self.w.bind(1, queue, exchange, "", {"h": wanted})
                self.publish(exchange, "", b"m", headers(h=there))
                self.assertEqual(self.bodies(queue), [b"m"] if expected else [])

    def test_wrong_x_match(self):
        self.channel_error(
            406, "PRECONDITION_FAILED - Invalid x-match field type signedint (value 3); expected "
            "longstr", "queue.bind", 0, self.queue(), "amq.headers", "", False, {"x-match": 3})
        self.channel_error(
            406, "PRECONDITION_FAILED - Invalid x-match field value <<\"foo\">>; expected all, "
            "any, all-with-x, or any-with-x", "exchange.bind", 0, self.exchange(), "amq.headers",
            "", False, {"x-match": "foo"})

    def test_alternate_is_for_what_matches_nothing_at_all(self):
        other, queue = self.exchange(), self.queue()
        self.w.bind(1, queue, other)
        dead_end = self.exchange("direct")
        first = self.exchange("topic", arguments={"alternate-exchange": other})
        self.join(first, dead_end, "bound")
        self.publish(first, "unbound", b"caught")
        self.publish(first, "bound", b"lost in the dead end")
        self.assertEqual(self.bodies(queue), [b"caught"])

    def test_alternate_of_an_exchange_along_the_way(self):
        other, queue = self.exchange(), self.queue()
        self.w.bind(1, queue, other)
        second = self.exchange("direct", arguments={"alternate-exchange": other})
        first = self.exchange()
        self.join(first, second)
        self.publish(first, "k", b"caught")
        self.assertEqual(self.bodies(queue), [b"caught"])

    def test_alternate_is_compared(self):
        name = self.exchange(arguments={"alternate-exchange": "a"})
        text = (f"PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange "
                f"'{name}' in vhost '/': ")
        for arguments, difference in (
                ({"alternate-exchange": "b"}, "received 'b' but current is 'a'"),
                ({}, "received none but current is the value 'a' of type 'longstr'")):
            self.channel_error(406, text + difference, "exchange.declare", 0, name, "fanout",
                               False, False, True, False, False, arguments)
        missing = self.name("x")
        self.channel_error(
            406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in "
            f"exchange '{missing}' in vhost '/'", "exchange.declare", 0, missing, "fanout", False,
            False, True, False, False, {"alternate-exchange": 1})

    def test_auto_delete_goes_with_its_last_binding_as_source(self):
        first, second, queue = self.exchange(), self.exchange(), self.queue()
        self.join(first, second)
        self.w.bind(1, queue, second)
        self.w.call(1, "queue.unbind", 0, queue, second, "", {})
        for name in (second, first):
            self.channel_error(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'",
                               "exchange.declare", 0, name, "fanout", True, False, False, False,
                               False, {})

    def test_trace_exchange_is_there(self):
        self.w.exchange(1, "amq.rabbitmq.trace", "topic", durable=True, internal=True)


class CarbonCopies(FeatureTest):
    def test_wrong_types_are_406(self):
        for name, value, kind in (("CC", "x", "longstr"), ("BCC", 1, "signedint")):
            self.w.open(9)
            self.w.publish(9, "", "k", b"", properties=b"\x20\x00" + table({name: value}))
            self.closes_channel(9, 406, "PRECONDITION_FAILED - invalid message: "
                                f'{{unacceptable_type_in_header,"{name}",{kind}}}',
                                "basic.publish")

    def test_other_entries_are_skipped_and_one_copy_comes(self):
        first, second = self.queue(), self.queue()
        self.publish("", first, b"m", headers(CC=[1, second, second, first], BCC=[first]))
        self.assertEqual((self.bodies(first), self.bodies(second)), ([b"m"], [b"m"]))

    def test_copies_count_for_mandatory(self):
        queue = self.queue()
        self.w.publish(1, "", self.name(), b"m", True, headers(BCC=[queue]))
        self.w.call(1, "basic.qos", 0, 0, False)
        self.w.publish(1, "", self.name(), b"m", True, headers(a="b", BCC=["nowhere"]))
        self.assertEqual(self.w.expect(1, "basic.return")[0], 312)
        self.assertEqual(self.w.read_content(1), (headers(a="b"), b"m"))

    def test_dead_letters_route_by_cc_again(self):
        dead, dying = self.queue(), self.queue(arguments={"x-dead-letter-exchange": "amq.direct"})
        self.w.bind(1, dead, "amq.direct", "copy-" + dead)
        self.publish("", dying, b"m", headers(CC=["copy-" + dead]))
        tag = self.w.get(1, dying, no_ack=False)[0]
        self.w.send(1, "basic.reject", tag, False)
        got = harness.wait_for(lambda: self.w.get(1, dead), what="the dead letter")
        self.assertEqual((got[2], got[3], got[-1]), ("amq.direct", dying, b"m"))


class DirectReplyTo(FeatureTest):
    def token(self):
        queue = self.queue()
        self.w.publish(1, "", queue, b"", properties=b"\x02\x00" + shortstr(NAME))
        return self.w.get(1, queue)[-2][3:].decode()

    def test_mandatory_reply_is_delivered_and_returned(self):
        self.w.consume(1, NAME, "r", no_ack=True)
        token = self.token()
        server = self.wire()
        server.open(1)
        server.publish(1, "", token, b"answer", True)
        self.assertEqual(server.expect(1, "basic.return")[0], 312)
        server.read_content(1)
        self.assertEqual(self.w.delivery(1)[-1], b"answer")

    def test_name_and_token_can_be_declared(self):
        self.w.consume(1, NAME, "r", no_ack=True)
        other = self.wire()  # RabbitMQ cannot answer the channel that consumes
        other.open(1)
        for name in (NAME, self.token()):
            for passive in (False, True):
                self.assertEqual(other.declare(1, name, passive=passive), [name, 0, 1])

    def test_second_consumer_is_406_and_cancel_makes_room(self):
        self.w.consume(1, NAME, "r", no_ack=True)
        first = self.token()
        self.w.call(1, "basic.cancel", "r", False)
        self.w.consume(1, NAME, "s", no_ack=True)
        self.assertNotEqual(self.token(), first)
        self.w.open(2)
        self.w.consume(2, NAME, "r", no_ack=True)
        self.w.send(2, "basic.consume", 0, NAME, "other", False, True, False, False, {})
        self.closes_channel(2, 406, "PRECONDITION_FAILED - reply consumer already set",
                            "basic.consume")

    def test_token_is_no_queue(self):
        self.w.consume(1, NAME, "r", no_ack=True)
        token = self.token()
        text = f"NOT_FOUND - no queue '{token}' in vhost '/'"
        self.channel_error(404, text, "basic.get", 0, token, True)
        self.channel_error(404, text, "queue.bind", 0, token, "amq.direct", "k", False, {})
        self.channel_error(404, text, "queue.purge", 0, token, False)
        self.assertEqual(self.w.call(1, "queue.delete", 0, token, False, False, False), [0])

    def test_reply_to_a_closed_channel_is_confirmed(self):
        self.w.open(2)
        self.w.consume(2, NAME, "r", no_ack=True)
        queue = self.queue()
        self.w.publish(2, "", queue, b"", properties=b"\x02\x00" + shortstr(NAME))
        self.w.call(2, "channel.close", 200, "", 0, 0)
        token = harness.wait_for(lambda: self.w.get(1, queue), what="the request")[-2][3:].decode()
        self.assertTrue(self.publish("", token, b"late"))


class Transactions(FeatureTest):
    def test_refused_publish_fails_the_commit(self):
        queue = self.queue(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        self.w.open(2)
        self.w.call(2, "tx.select")
        self.w.publish(2, "", queue, b"a")
        self.w.publish(2, "", queue, b"b")
        self.w.send(2, "tx.commit")
        self.closes_channel(2, 406, "PRECONDITION_FAILED - partial tx completion", "tx.commit")
        self.assertEqual(self.bodies(queue), [b"a"])

    def test_settling_twice_is_406_at_once(self):
        queue = self.queue()
        self.publish("", queue, b"m")
        self.w.open(2)
        self.w.call(2, "tx.select")
        tag = self.w.get(2, queue, no_ack=False)[0]
        self.w.send(2, "basic.ack", tag, False)
        self.w.send(2, "basic.ack", tag, False)
        self.closes_channel(2, 406, f"PRECONDITION_FAILED - unknown delivery tag {tag}",
                            "basic.ack")

    def test_closing_drops_what_is_held(self):
        queue = self.queue()
        self.publish("", queue, b"m")
        self.w.open(2)
        self.w.call(2, "tx.select")
        self.w.send(2, "basic.ack", self.w.get(2, queue, no_ack=False)[0], False)
        self.w.publish(2, "", queue, b"never")
        self.w.call(2, "channel.close", 200, "", 0, 0)
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 1, what="the message")
        self.assertEqual(self.bodies(queue), [b"m"])

    def test_recover_leaves_what_is_settled(self):
        queue = self.queue()
        self.publish("", queue, b"a")
        self.publish("", queue, b"b")
        self.w.open(2)
        self.w.call(2, "tx.select")
        tags = [self.w.get(2, queue, no_ack=False)[0] for _ in range(2)]
        self.w.send(2, "basic.ack", tags[0], False)
        self.w.call(2, "basic.recover", True)
        self.w.call(2, "tx.commit")
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 1, what="the message")
        self.assertEqual(self.bodies(queue), [b"b"])


class FullQueues(FeatureTest):
    def test_requeued_messages_are_the_first_to_go(self):
        queue = self.queue(arguments={"x-max-length": 2})
        for body in (b"a", b"b"):
            self.publish("", queue, body)
        for _ in range(2):
            self.w.get(1, queue, no_ack=False)
        self.publish("", queue, b"c")
        self.w.send(1, "basic.nack", 0, True, True)
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 2, what="requeued")
        self.assertEqual(self.bodies(queue), [b"b", b"c"])

    def test_reject_publish_keeps_what_is_requeued(self):
        queue = self.queue(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        self.assertTrue(self.publish("", queue, b"a"))
        tag = self.w.get(1, queue, no_ack=False)[0]
        self.assertTrue(self.publish("", queue, b"b"))
        self.w.send(1, "basic.reject", tag, True)
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 2, what="requeued")
        self.assertFalse(self.publish("", queue, b"c"))
        self.assertEqual(self.bodies(queue), [b"a", b"b"])

    def test_one_refusal_is_a_nack_though_others_keep_it(self):
        full = self.queue(arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        queue, exchange = self.queue(), self.exchange()
        for name in (full, queue):
            self.w.bind(1, name, exchange)
        self.assertFalse(self.publish(exchange, "", b"m"))
        self.assertEqual((self.bodies(queue), self.bodies(full)), ([b"m"], []))

    def test_refused_is_not_returned(self):
        full = self.queue(arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        self.w.publish(1, "", full, b"m", True)
        self.assertTrue(self.w.silent(0.2))

    def test_refused_message_is_dead_lettered_where_that_is_asked_for(self):
        dead = self.queue()
        queue = self.queue(arguments={
            "x-max-length": 1, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead})
        self.assertTrue(self.publish("", queue, b"a"))
        self.assertFalse(self.publish("", queue, b"b"))
        got = harness.wait_for(lambda: self.w.get(1, dead), what="the dead letter")
        self.assertEqual(got[-1], b"b")
        self.assertIn(b"maxlen", got[-2])
        self.assertEqual(self.bodies(queue), [b"a"])

    def test_length_0_serves_a_consumer_that_waits(self):
        queue = self.queue(arguments={"x-max-length": 0})
        self.publish("", queue, b"dropped")
        self.w.consume(1, queue, no_ack=True)
        self.w.publish(1, "", queue, b"taken")
        self.assertEqual(self.w.delivery(1)[-1], b"taken")

    def test_message_over_the_byte_limit_is_dropped(self):
        queue = self.queue(arguments={"x-max-length-bytes": 10})
        self.assertTrue(self.publish("", queue, b"12345"))
        self.assertTrue(self.publish("", queue, b"more than ten"))
        self.assertEqual(self.bodies(queue), [])


class Priorities(FeatureTest):
    def test_order_and_place(self):
        queue = self.queue(arguments={"x-max-priority": 3})
        for priority, body in ((0, b"low"), (9, b"above"), (3, b"high"), (1, b"one")):
            self.publish("", queue, body, b"\x08\x00" + bytes([priority]))
        self.publish("", queue, b"none")
        for _ in range(3):
            self.w.get(1, queue, no_ack=False)
        self.w.send(1, "basic.nack", 0, True, True)
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 5, what="requeued")
        self.assertEqual(self.bodies(queue), [b"above", b"high", b"one", b"low", b"none"])

    def test_head_expires(self):
        queue = self.queue(arguments={"x-max-priority": 1, "x-message-ttl": 50})
        self.publish("", queue, b"low")
        self.publish("", queue, b"high", b"\x08\x00\x01")
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == 0, what="expiry")


class Consumers(FeatureTest):
    def test_exclusive_beside_a_single_active_consumer_is_403(self):
        queue = self.queue(arguments={"x-single-active-consumer": True})
        self.channel_error(403, f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use",
                           "basic.consume", 0, queue, "", False, False, True, False, {})

    def test_next_active_gets_what_the_lost_one_had(self):
        queue = self.name()
        self.w.declare(1, queue, arguments={"x-single-active-consumer": True})
        first, second = self.wire(), self.wire()
        for wire in (first, second):
            wire.open(1)
            wire.consume(1, queue)
        for body in (b"1", b"2"):
            self.publish("", queue, body)
        for body in (b"1", b"2"):
            self.assertEqual(first.delivery(1)[-1], body)
        first.close()
        for body in (b"1", b"2"):
            got = second.delivery(1)
            self.assertEqual((got[1], got[-1]), (True, body))
        self.w.call(1, "queue.delete", 0, queue, False, False, False)


class QuorumQueues(FeatureTest):
    def refused(self, text, name, durable, exclusive, auto_delete, **more):
        arguments = {key.replace("_", "-"): value for key, value in more.items()}
        self.channel_error(406, "PRECONDITION_FAILED - " + text, "queue.declare", 0, name, False,
                           durable, exclusive, auto_delete, False,
                           {"x-queue-type": "quorum", **arguments})

    def test_flags_and_arguments_that_do_not_go_with_it(self):
        name = self.name()
        place = f"for queue '{name}' in vhost '/'"
        self.refused(f"invalid property 'non-durable' {place}", name, False, False, False)
        self.refused(f"invalid property 'exclusive-owner' {place}", name, True, True, False)
        self.refused(f"invalid property 'auto-delete' {place}", name, True, False, True)
        self.refused("Cannot declare a server-named queue for type rabbit_quorum_queue", "", True,
                     False, False)
        for argument, value in (("x_max_priority", 5), ("x_queue_mode", "lazy"),
                                ("x_queue_version", 1), ("x_max_age", "1D")):
            self.refused(f"invalid arg '{argument.replace('_', '-')}' {place} of queue type "
                         "rabbit_quorum_queue", name, True, False, False, **{argument: value})

    def test_age_is_not_for_classic_queues(self):
        name = self.name()
        self.channel_error(
            406, f"PRECONDITION_FAILED - invalid arg 'x-max-age' for queue '{name}' in vhost '/' "
            "of queue type rabbit_classic_queue", "queue.declare", 0, name, False, False, True,
            False, False, {"x-max-age": "1D"})
