"""Bindings and routing, publishing, returns, properties, dead letters, time to live: sections 13,
17, 18, 20 and 21 of what RabbitMQ 3.10.8 was seen to do."""

import struct
import time

import pika

import harness
from wire import Typed, longstr, shortstr, table
from wire_test import WireTest


class Routing(WireTest):
    def exchange(self, kind, **flags):
        name = self.name("x")
        self.w.exchange(1, name, kind, auto_delete=True, **flags)
        return name

    def routed(self, queue):
        """Has a message reached the queue? Takes it off."""
        return self.w.get(1, queue) is not None

    def matches(self, pattern, *keys):
        """Which of the keys the topic pattern lets through."""
        exchange, queue = self.exchange("topic"), self.queue()
        self.w.bind(1, queue, exchange, pattern)
        hits = []
        for key in keys:
            self.w.publish(1, exchange, key)
            if self.routed(queue):
                hits.append(key)
        return hits

    def test_topic_words(self):
        for pattern, yes, no in (
                ("#", ["", "a", "a.b", "."], []),
                ("", [""], ["a", "."]),
                ("*", ["a"], ["", "a.b", "."]),
                ("a.*", ["a.b", "a."], ["a", "a.b.c", "b.a"]),
                ("*.*", [".", "a.b", "a."], ["a", "a.b.c"]),
                ("a.#", ["a", "a.b", "a.b.c", "a."], ["ab", "b.a"]),
                ("#.b", ["b", "a.b", ".b", "a.a.b"], ["b.a", "ab"]),
                ("a.#.b", ["a.b", "a..b", "a.x.y.b"], ["ab", "a", "b", "a.b.c"]),
                ("*.#", ["a", "a.b", "."], [""]),
                ("#.#", ["", "a", "a.b.c"], []),
                ("#.*.#", ["a", "a.b.c"], [""]),
                ("*.#.*", ["a.b", "a.b.c"], ["a", ""]),
                ("a*", ["a*"], ["ab", "a"]),
                ("**", ["**"], ["ab", "a.b"]),
                ("#b", ["#b"], ["b", "ab"])):
            with self.subTest(pattern=pattern):
                self.assertEqual(self.matches(pattern, *yes, *no), yes)

    def test_missing_queue_or_exchange_is_404(self):
        queue, missing = self.queue(), self.name("missing")
        self.channel_error(404, f"NOT_FOUND - no queue '{missing}' in vhost '/'", "queue.bind", 0,
                           missing, "amq.direct", "k", False, {})
        self.channel_error(404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'", "queue.bind",
                           0, queue, missing, "k", False, {})

    def test_exchange_binding_to_a_missing_exchange_is_404(self):
        missing = self.name("missing")
        self.channel_error(404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'",
                           "exchange.bind", 0, "amq.direct", missing, "k", False, {})
        self.w.call(1, "exchange.unbind", 0, missing, "amq.direct", "k", False, {})

    def test_unbind_of_anything_missing_is_ok(self):
        queue, missing = self.queue(), self.name("missing")
        self.w.call(1, "queue.unbind", 0, queue, "amq.direct", "never bound", {})
        self.w.call(1, "queue.unbind", 0, missing, "amq.direct", "k", {})
        self.w.call(1, "queue.unbind", 0, queue, missing, "k", {})

    def test_same_binding_twice_is_one(self):
        exchange, queue = self.exchange("direct"), self.queue()
        self.w.bind(1, queue, "amq.direct", exchange)
        self.w.bind(1, queue, exchange, "k")
        self.w.bind(1, queue, exchange, "k")
        self.w.bind(1, queue, exchange, "other")
        self.w.publish(1, exchange, "k")
        self.assertTrue(self.routed(queue))
        self.assertFalse(self.routed(queue))
        self.w.call(1, "queue.unbind", 0, queue, exchange, "k", {})
        self.w.publish(1, exchange, "k")
        self.assertFalse(self.routed(queue))

    def test_queue_with_two_matching_bindings_gets_one_copy(self):
        exchange, queue = self.exchange("topic"), self.queue()
        for pattern in ("a.*", "#", "*.b", "a.b"):
            self.w.bind(1, queue, exchange, pattern)
        self.w.publish(1, exchange, "a.b")
        self.assertTrue(self.routed(queue))
        self.assertFalse(self.routed(queue))

    def test_headers_exchange(self):
        one, other = {"format": "pdf", "type": "report", "n": 5}, {"format": "pdf", "n": "5"}
        for arguments, headers, expected in (
                ({"x-match": "all", "format": "pdf", "type": "report"}, one, True),
                ({"x-match": "all", "format": "pdf", "type": "report"}, other, False),
                ({"format": "pdf", "type": "report"}, one, True),
                ({"x-match": "any", "format": "pdf", "type": "log"}, other, True),
                ({"x-match": "any", "format": "zip", "type": "log"}, one, False),
                ({"x-match": "all", "n": Typed("l", (5).to_bytes(8, "big"))}, one, True),
                ({"x-match": "all", "n": 5}, other, False),
                ({"x-match": "all", "type": None}, one, True),
                ({"x-match": "all", "type": None}, other, False),
                ({"x-match": "all"}, {}, True),
                ({"x-match": "any"}, one, False)):
            with self.subTest(arguments=str(arguments), headers=headers):
                exchange, queue = self.exchange("headers"), self.queue()
                self.w.bind(1, queue, exchange, "ignored", arguments)
                self.w.publish(1, exchange, "", b"", properties=b"\x20\x00" + table(headers))
                self.assertEqual(self.routed(queue), expected)

    def test_wrong_x_match_is_406(self):
        self.channel_error(
            406, "PRECONDITION_FAILED - Invalid x-match field value <<\"foo\">>; expected all, "
            "any, all-with-x, or any-with-x", "queue.bind", 0, self.queue(), "amq.headers", "",
            False, {"x-match": "foo"})

    def test_exchange_to_exchange_bindings_and_cycles(self):
        first, second, third = (self.exchange(kind) for kind in ("topic", "fanout", "direct"))
        queue = self.queue()
        self.w.bind(1, queue, second)
        for destination, source, key in ((second, first, "a.#"), (third, second, ""),
                                         (second, third, "a.b"), (first, second, "")):
            self.w.call(1, "exchange.bind", 0, destination, source, key, False, {})
        self.w.publish(1, first, "a.b", b"once")
        _, _, exchange, key, _, _, body = self.w.get(1, queue)
        self.assertEqual((exchange, key, body), (first, "a.b", b"once"))
        self.assertFalse(self.routed(queue))
        self.w.call(1, "exchange.unbind", 0, second, first, "a.#", False, {})

    def test_alternate_exchange_takes_what_is_unroutable(self):
        other, queue = self.exchange("fanout"), self.queue()
        self.w.bind(1, queue, other)
        exchange = self.exchange("direct", arguments={"alternate-exchange": other})
        mine = self.queue()
        self.w.bind(1, mine, exchange, "known")
        self.w.publish(1, exchange, "known")
        self.assertFalse(self.routed(queue))
        self.w.publish(1, exchange, "unknown", b"caught", mandatory=True)
        got = self.w.get(1, queue)
        self.assertEqual((got[2], got[3], got[-1]), (exchange, "unknown", b"caught"))
        self.assertTrue(self.routed(mine))

    def test_carbon_copies(self):
        queues = [self.queue() for _ in range(3)]
        headers = {"CC": [queues[1]], "BCC": [queues[2]], "mine": "kept"}
        self.w.publish(1, "", queues[0], b"x", properties=b"\x20\x00" + table(headers))
        for queue in queues:
            got = self.w.get(1, queue)
            self.assertEqual(got[3], queues[0])
            self.assertEqual(got[5], b"\x20\x00" + table({"CC": [queues[1]], "mine": "kept"}))


class Publishing(WireTest):
    def test_missing_exchange_closes_the_channel_later(self):
        missing = self.name("x")
        self.w.open(9)
        self.w.publish(9, missing, "k")
        self.closes_channel(9, 404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'",
                            "basic.publish")

    def test_unroutable_mandatory_message_is_returned_then_confirmed(self):
        self.w.call(1, "confirm.select", False)
        properties = b"\x90\x00" + shortstr("text/plain") + b"\x02"
        self.w.publish(1, "amq.direct", "nowhere", b"body" * 50_000, True, properties)

        code, text, exchange, key = self.w.expect(1, "basic.return")
        self.assertEqual((code, text, exchange, key), (312, "NO_ROUTE", "amq.direct", "nowhere"))
        self.assertEqual(self.w.read_content(1), (properties, b"body" * 50_000))
        self.assertEqual(self.w.expect(1, "basic.ack"), [1, False])
        # Without the flag nobody hears of it but the confirm.
        self.w.publish(1, "amq.direct", "nowhere", b"body")
        self.assertEqual(self.w.expect(1, "basic.ack"), [2, False])

    def test_immediate_is_540(self):
        wire = self.wire()
        wire.open(1)
        wire.raw(wire.method_octets(1, "basic.publish", 0, "", "k", False, True)
                 + wire.content_octets(1, b""))
        self.assertEqual(wire.closed_connection(), self.expected(
            540, "basic.publish", "NOT_IMPLEMENTED - immediate=true"))

    def refused_properties(self, properties, text):
        self.w.open(9)
        self.w.publish(9, "", "k", b"", properties=properties)
        self.closes_channel(9, 406, "PRECONDITION_FAILED - " + text, "basic.publish")

    def test_expiration_must_be_a_decimal_number(self):
        for value, why in (("abc", "no_integer"), ("", "no_integer"), (" 5", "no_integer"),
                           ("1.5", '{leftover_string,".5"}'), ("-1", "{value_negative,-1}"),
                           ("315360000001", "{value_too_large,315360000001}")):
            with self.subTest(value=value):
                self.refused_properties(b"\x01\x00" + shortstr(value),
                                        f"invalid expiration '{value}': {why}")

    def test_user_id_must_be_the_own(self):
        self.refused_properties(b"\x00\x10" + shortstr("mallory"), "user_id property set to "
                                "'mallory' but authenticated user was 'guest'")
        queue = self.queue()
        self.w.publish(1, "", queue, b"", properties=b"\x00\x10" + shortstr("guest"))
        self.assertIsNotNone(self.w.get(1, queue))

    def test_properties_pass_through_octet_for_octet(self):
        headers = b"".join(shortstr(name) + letter + octets for name, letter, octets in (
            ("zebra", b"S", longstr("ζ")), ("b", b"b", b"\xff"), ("B", b"B", b"\xff"),
            ("s", b"s", b"\x80\x00"), ("u", b"u", b"\xff\xff"), ("I", b"I", b"\x80\0\0\0"),
            ("i", b"i", b"\xff" * 4), ("l", b"l", b"\x80" + bytes(7)), ("L", b"L", b"\x7f" * 8),
            ("f", b"f", b"\x3f\x80\0\0"), ("d", b"d", struct.pack(">d", -0.1)),
            ("D", b"D", b"\x02\0\0\x01\x00"), ("S", b"S", longstr(b"\xff\x00 not utf8")),
            ("x", b"x", longstr(bytes(range(256)))), ("T", b"T", struct.pack(">Q", 2**40)),
            ("V", b"V", b""), ("t", b"t", b"\x01"),
            ("A", b"A", longstr(b"I\0\0\0\x01" + b"A" + longstr(b"V") + b"F" + longstr(b""))),
            ("F", b"F", longstr(shortstr("") + b"V" + shortstr("z") + b"t\x00")),
            ("twice", b"t", b"\x00"), ("twice", b"t", b"\x01")))
        everything = b"\xff\xfc" + b"".join((
            shortstr("application/x-ω"), shortstr("gzip"), longstr(headers), b"\x02", b"\x09",
            shortstr("correlation"), shortstr("reply.to"), shortstr("600000"),
            shortstr("message-id"), struct.pack(">Q", 2**63 + 5), shortstr("type"),
            shortstr("guest"), shortstr("app"), shortstr("cluster")))
        queue = self.queue()
        body = bytes(range(256))
        self.w.publish(1, "", queue, body, properties=everything)

        got = self.w.get(1, queue)

        self.assertEqual(got[-2:], (everything, body))

    def test_empty_body_and_no_properties(self):
        queue = self.queue()
        self.w.publish(1, "", queue)
        got = self.w.get(1, queue)
        self.assertEqual((got[-2:], self.w.body_frames), ((b"\x00\x00", b""), []))

    def test_large_bodies(self):
        channel = self.channel()
        queue = channel.queue_declare(self.name(), exclusive=True).method.queue
        channel.confirm_delivery()
        bodies = [bytes([number]) * (5 * 1024 * 1024 + number) for number in range(3)]
        for body in bodies:
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
        self.assertTrue([body for _, _, body in self.gets(channel, queue, 3)] == bodies)

    def test_many_headers(self):
        queue = self.queue()
        headers = {f"header-{number}": number for number in range(5000)}
        properties = b"\x20\x00" + table(headers)
        self.w.publish(1, "", queue, b"x", properties=properties)
        self.assertEqual(self.w.get(1, queue)[-2], properties)


class Expiry(WireTest):
    def mortal(self, **arguments):
        """A queue, and the one where what expires in it arrives."""
        dead = self.queue()
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        return self.queue(arguments={"x-dead-letter-exchange": "",
                                     "x-dead-letter-routing-key": dead, **arguments}), dead

    def expired(self, dead):
        return harness.wait_for(lambda: self.w.get(1, dead), what="the message expires")[-1]

    def test_the_smaller_of_queue_and_message_time_counts(self):
        for ttl, expiration in ((600_000, "50"), (50, "600000")):
            queue, dead = self.mortal(x_message_ttl=ttl)
            self.w.publish(1, "", queue, b"short", properties=b"\x01\x00" + shortstr(expiration))
            self.assertEqual(self.expired(dead), b"short")
            self.assertIsNone(self.w.get(1, queue))

    def test_expiration_is_delivered_unchanged(self):
        queue = self.queue()
        properties = b"\x01\x00" + shortstr("0600000")
        self.w.publish(1, "", queue, b"x", properties=properties)
        self.assertEqual(self.w.get(1, queue)[-2], properties)

    def test_expiration_0_reaches_a_waiting_consumer_only(self):
        queue, dead = self.mortal()
        properties = b"\x01\x00" + shortstr("0")
        self.w.publish(1, "", queue, b"nobody waits", properties=properties)
        self.assertEqual(self.expired(dead), b"nobody waits")
        self.w.consume(1, queue, no_ack=True)
        self.w.publish(1, "", queue, b"waited for", properties=properties)
        self.assertEqual(self.w.delivery(1)[-1], b"waited for")

    def test_queue_expires_when_unused(self):
        name = self.name()
        self.w.declare(1, name, arguments={"x-expires": 100})

        def gone():
            time.sleep(0.3)  # asking too often would keep it alive
            self.w.open(9)
            self.w.send(9, "queue.declare", 0, name, True, False, False, False, False, {})
            _, method, arguments = self.w.read()
            if method == "channel.close":
                self.w.send(9, "channel.close_ok")
                self.assertEqual(arguments[0], 404)
                return True
            self.w.call(9, "channel.close", 200, "", 0, 0)
            return False

        harness.wait_for(gone, what="the queue expires")


class Limits(WireTest):
    def bodies(self, queue):
        taken = []
        while got := self.w.get(1, queue):
            taken.append(got[-1])
        return taken

    def test_max_length_drops_the_oldest(self):
        queue = self.queue(arguments={"x-max-length": 3})
        for number in range(5):
            self.w.publish(1, "", queue, str(number).encode())
        self.assertEqual(self.bodies(queue), [b"2", b"3", b"4"])

    def test_max_length_bytes_counts_bodies(self):
        queue = self.queue(arguments={"x-max-length-bytes": 10})
        for body in (b"aaaa", b"bbbb", b"cccc", b"x" * 11, b"dd"):
            self.w.publish(1, "", queue, body)
        self.assertIn(self.bodies(queue), ([b"bbbb", b"cccc", b"dd"], [b"dd"]))

    def test_reject_publish_refuses_the_newest_with_nack(self):
        queue = self.queue(arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
        self.w.call(1, "confirm.select", False)
        settled = []
        for number in range(4):
            self.w.publish(1, "", queue, str(number).encode())
            settled.append(self.w.read()[1])
        self.assertEqual(settled, ["basic.ack", "basic.ack", "basic.nack", "basic.nack"])
        self.assertEqual(self.bodies(queue), [b"0", b"1"])

    def test_priorities(self):
        queue = self.queue(arguments={"x-max-priority": 5})
        for priority in (0, 3, None, 5, 9, 1):
            properties = b"\x00\x00" if priority is None else b"\x08\x00" + bytes([priority])
            self.w.publish(1, "", queue, repr(priority).encode(), properties=properties)
        self.assertEqual(self.bodies(queue), [b"5", b"9", b"3", b"1", b"0", b"None"])


class DeadLetters(WireTest):
    def queues(self, **arguments):
        dead = self.queue()
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        queue = self.queue(arguments={"x-dead-letter-exchange": "",
                                      "x-dead-letter-routing-key": dead, **arguments})
        return queue, dead

    def headers_of(self, got):
        """The headers that stand first in the properties of a dead letter."""
        from wire import Reader

        reader = Reader(got[-2])
        flags = reader.number(2)
        self.assertTrue(flags & 0x2000)
        if flags & 0x8000:
            reader.shortstr()
        if flags & 0x4000:
            reader.shortstr()
        return reader.table()

    def dead_letter(self, dead):
        return harness.wait_for(lambda: self.w.get(1, dead), what="the dead letter")

    def test_rejected_message_tells_its_death(self):
        queue, dead = self.queues()
        self.w.publish(1, "", queue, b"poison", properties=b"\x20\x00" + table({"mine": "kept"}))
        tag = self.w.get(1, queue, no_ack=False)[0]
        self.w.send(1, "basic.reject", tag, False)

        got = self.dead_letter(dead)

        self.assertEqual((got[1], got[2], got[3], got[-1]), (False, "", dead, b"poison"))
        headers = self.headers_of(got)
        self.assertEqual(headers["mine"], b"kept")
        death, = headers["x-death"]
        self.assertEqual((death["count"], death["reason"], death["queue"], death["exchange"],
                          death["routing-keys"]),
                         (1, b"rejected", queue.encode(), b"", [queue.encode()]))
        self.assertLess(abs(death["time"] - time.time()), 60)
        self.assertEqual((headers["x-first-death-reason"], headers["x-first-death-queue"],
                          headers["x-first-death-exchange"]), (b"rejected", queue.encode(), b""))

    def test_expired_message_loses_its_expiration(self):
        queue, dead = self.queues()
        self.w.publish(1, "", queue, b"late", properties=b"\x01\x00" + shortstr("30"))

        got = self.dead_letter(dead)

        self.assertEqual(int.from_bytes(got[-2][:2], "big") & 0x0100, 0)
        death, = self.headers_of(got)["x-death"]
        self.assertEqual((death["reason"], death["original-expiration"]), (b"expired", b"30"))

    def test_overflowing_message_dies_of_maxlen(self):
        queue, dead = self.queues(x_max_length=1)
        self.w.publish(1, "", queue, b"first")
        self.w.publish(1, "", queue, b"second")

        got = self.dead_letter(dead)

        self.assertEqual(got[-1], b"first")
        self.assertEqual(self.headers_of(got)["x-death"][0]["reason"], b"maxlen")

    def test_retry_queue_counts_its_rounds(self):
        work, wait = self.name("work"), self.name("wait")
        self.w.declare(1, work, exclusive=True, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
        self.w.declare(1, wait, exclusive=True, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": work,
            "x-message-ttl": 20})
        self.w.publish(1, "", work, b"again")
        for round_number in range(4):
            got = harness.wait_for(lambda: self.w.get(1, work, no_ack=False), what="the message")
            if round_number:
                deaths = {(d["queue"], d["reason"]): d["count"]
                          for d in self.headers_of(got)["x-death"]}
                self.assertEqual(deaths, {(work.encode(), b"rejected"): round_number,
                                          (wait.encode(), b"expired"): round_number})
            self.w.send(1, "basic.nack", got[0], False, False)

    def test_cycle_without_rejection_is_cut(self):
        name = self.name("loop")
        self.w.declare(1, name, exclusive=True, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name, "x-message-ttl": 0})
        self.w.call(1, "confirm.select", False)
        self.w.publish(1, "", name, b"round and round")
        self.w.expect(1, "basic.ack")
        harness.wait_for(lambda: self.w.declare(1, name, passive=True)[1] == 0,
                         what="the loop ends")
        self.w.consume(1, name, no_ack=True)
        self.assertTrue(self.w.silent(0.2))
