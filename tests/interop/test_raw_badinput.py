"""Wrong input on the wire, against lovage only: the broker answers with a close or drops the
connection, keeps its memory bounded, lives on and serves the next client."""

import contextlib
import random
import socket
import struct

import harness
from wire import (BODY, FRAME_MAX, HEADER, HEARTBEAT, METHOD, PROTOCOL_HEADER, Closed, Typed, Wire,
                  encode, longstr, shortstr, table)

# What one hostile connection may add to the broker's memory; the sanitizer builds need more.
GROWTH_KIB = 64 * 1024
DROP_SECONDS = 15


class BadInput(harness.BrokerTest):
    def setUp(self):
        super().setUp()
        self.before_kib = self.broker.rss_kib()

    def tearDown(self):
        super().tearDown()
        grown = self.broker.rss_kib() - self.before_kib
        self.assertLess(grown, GROWTH_KIB, f"memory grew by {grown} KiB")
        self.healthy()

    def healthy(self):
        wire = self.wire()
        wire.open(1)
        queue = wire.declare(1, exclusive=True)[0]
        wire.call(1, "confirm.select", False)
        wire.publish(1, "", queue, b"alive")
        self.assertEqual(wire.expect(1, "basic.ack"), [1, False])
        self.assertEqual(wire.get(1, queue)[-1], b"alive")
        wire.call(0, "connection.close", 200, "", 0, 0)
        wire.close()

    def raw_wire(self):
        wire = Wire(self.broker.port)
        self.addCleanup(wire.close)
        return wire

    def opened(self, **login):
        wire = self.wire(**login)
        wire.open(1)
        return wire

    def feed(self, wire, octets):
        """Sends what the broker may stop reading at any octet."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            wire.raw(octets)

    def close_code(self, wire):
        """The code of the connection.close, or None if the connection just ends."""
        try:
            code = wire.closed_connection()[0]
        except (Closed, ConnectionError):
            return None
        self.assertIsNotNone(wire.gone(DROP_SECONDS), "the socket closes after close-ok")
        return code

    def assert_closes(self, cases, codes):
        """Each of the octets is answered with a close of one of the codes, or for None with the end
        of the connection. All at once: after some errors the broker takes seconds to let go."""
        wires = []
        for octets in cases:
            wires.append(self.opened())
            self.feed(wires[-1], octets)
        for octets, wire in zip(cases, wires):
            with self.subTest(octets=octets[:40]):
                self.assertIn(self.close_code(wire), codes)

    def assert_close(self, octets, *codes):
        self.assert_closes([octets], codes)

    def assert_dropped(self, cases, wires):
        """Before the login: fed one wire each, all are let go without a word or with one."""
        for octets, wire in zip(cases, wires):
            self.feed(wire, octets)
        for octets, wire in zip(cases, wires):
            with self.subTest(octets=octets[:40]):
                self.assertIsNotNone(wire.gone(DROP_SECONDS))

    def started(self):
        wire = self.raw_wire()
        wire.start()
        return wire


class BeforeLogin(BadInput):
    def test_rubbish_instead_of_a_protocol_header(self):
        cases = [bytes(8), b"\xff" * 8, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
                 random.Random(1).randbytes(100_000), b"AMQP\x00\x01\x00\x00"]
        self.assert_dropped(cases, [self.raw_wire() for _ in cases])

    def test_frames_that_are_too_large_or_too_early(self):
        cases = [struct.pack(">BHI", METHOD, 0, size) + bytes(100_000)
                 for size in (0xFFFFFFFF, 0x7FFFFFFF, 5_000_000)]
        cases += [
            Wire.method_octets(0, "connection.start_ok", {"x": "y" * 100_000}, "PLAIN",
                               "\0guest\0guest", "en_US"),
            Wire.method_octets(0, "connection.tune_ok", 2047, 131072, 0),
            Wire.method_octets(0, "connection.open", "/", "", False),
            Wire.method_octets(1, "basic.publish", 0, "", "x", False, False),
            Wire.frame_octets(METHOD, 0, b""), Wire.frame_octets(METHOD, 0, b"\0\x0a")]
        self.assert_dropped(cases, [self.started() for _ in cases])

    def test_wrong_limits_in_tune_ok(self):
        cases, wires = [], []
        for channel_max, frame_max in ((2047, 1), (2047, 4095), (2047, 2**32 - 1),
                                       (65535, 131072)):
            wires.append(self.started())
            wires[-1].start_ok()
            wires[-1].expect(0, "connection.tune")
            cases.append(Wire.method_octets(0, "connection.tune_ok", channel_max, frame_max, 0)
                         + Wire.method_octets(0, "connection.open", "/", "", False))
        self.assert_dropped(cases, wires)

    def test_wrong_login_responses(self):
        nested = table({"LOGIN": {"a": "b"}, "PASSWORD": "guest"})[4:]
        cases = [Wire.method_octets(0, "connection.start_ok", {}, mechanism, response, "en_US")
                 for mechanism, response in (
                     ("PLAIN", b""), ("PLAIN", b"\0"), ("PLAIN", b"guest"), ("PLAIN", b"\0" * 50),
                     ("PLAIN", b"\0" + b"u" * 3000 + b"\0p"), ("AMQPLAIN", b""),
                     ("AMQPLAIN", b"\xff" * 40), ("AMQPLAIN", nested), ("AMQPLAIN", b"\x05LOGIN"),
                     ("", b"\0guest\0guest"), ("plain", b"\0guest\0guest"))]
        self.assert_dropped(cases, [self.started() for _ in cases])

    def test_many_half_open_connections(self):
        wires = [self.raw_wire() for _ in range(300)]
        for number, wire in enumerate(wires):
            self.feed(wire, PROTOCOL_HEADER[:number % 9])
        self.healthy()
        for wire in wires:
            wire.close()

    def test_silent_connection_is_dropped(self):
        wire = self.raw_wire()
        wire.start()
        self.assertIsNotNone(wire.gone(20))


class Frames(BadInput):
    def test_sizes_and_ends(self):
        self.assert_closes([
            struct.pack(">BHI", BODY, 1, 0xFFFFFFFF) + bytes(1000),
            struct.pack(">BHI", METHOD, 1, FRAME_MAX + 1), Wire.frame_octets(METHOD, 1, b""),
            Wire.frame_octets(METHOD, 1, b"\0\x3c\0"),
            Wire.frame_octets(METHOD, 1, b"\0\x3c\0\x0a", end=0xCD)], (501,))
        self.assert_close(Wire.frame_octets(HEADER, 1, b"\0\x3c"), 501, 505)

    def test_types(self):
        self.assert_closes([Wire.frame_octets(kind, 1, b"x") for kind in (0, 4, 5, 6, 7, 9, 255)],
                           (501,))
        self.assert_close(Wire.frame_octets(HEARTBEAT, 1, b""), 505)
        self.assert_close(Wire.frame_octets(HEARTBEAT, 0, b"x" * 1000), 501)

    def test_unknown_methods(self):
        self.assert_closes(
            [Wire.frame_octets(METHOD, 1, struct.pack(">HH", *ids) + bytes(20)) for ids in
             ((0, 0), (60, 0), (60, 999), (10, 12), (65535, 65535), (100, 10))],
            (None, 501, 502, 503, 540))

    def test_channels(self):
        wire = self.opened(channel_max=10)
        for channel in range(2, 11):
            wire.open(channel)
        wire.send(65535, "channel.open", "")
        self.assertEqual(self.close_code(wire), 530)
        self.assert_close(Wire.method_octets(7, "queue.purge", 0, "q", False), 504)
        self.assert_close(Wire.method_octets(1, "channel.open", ""), 504)

    def test_random_octets_after_login(self):
        self.assert_closes([random.Random(seed).randbytes(20_000) for seed in range(30)],
                           (None, 501, 502, 503, 504, 505, 541))

    def test_valid_method_with_every_octet_damaged(self):
        good = Wire.method_octets(1, "queue.declare", 0, "damaged", False, False, True, False,
                                  False, {"x-max-length": 5, "t": {"a": [1, "b"]}})
        bye = Wire.method_octets(0, "connection.close", 200, "", 0, 0)
        for value in (lambda octet: 0x00, lambda octet: 0xFF, lambda octet: octet ^ 0x80):
            wires = []
            for at in range(7, len(good) - 1):
                octets = bytearray(good)
                octets[at] = value(octets[at])
                wires.append(self.opened())
                self.feed(wires[-1], bytes(octets) + bye)
            for at, wire in enumerate(wires, start=7):
                self.assertIsNotNone(self.end_of(wire), f"octet {at}")
                wire.close()

    def end_of(self, wire):
        """Reads until the broker has answered the connection.close or closed by itself."""
        with contextlib.suppress(Closed, ConnectionError):
            while True:
                _, channel, payload = wire.read_frame()
                if channel == 0 and payload[:4] == b"\0\x0a\0\x33":
                    return "close-ok"
                if channel == 0 and payload[:4] == b"\0\x0a\0\x32":
                    wire.send(0, "connection.close_ok")
                    return "close"
        return "end"


class Tables(BadInput):
    def declare_with(self, octets):
        """queue.declare whose arguments are these octets, length included."""
        return Wire.method_octets(1, "queue.declare", 0, "", False, False, True, False, False,
                                  octets)

    def survives(self, octets):
        """Whatever the broker makes of it, the connection answers or ends."""
        wire = self.opened()
        self.feed(wire, octets + Wire.method_octets(0, "connection.close", 200, "", 0, 0))
        with contextlib.suppress(Closed, ConnectionError):
            while True:
                _, channel, payload = wire.read_frame()
                if channel == 0 and payload[:3] == b"\0\x0a\0":
                    return

    def nested(self, letter, depth):
        inner = b"V"
        for _ in range(depth):
            if letter == b"A":
                inner = b"A" + longstr(inner)
            else:
                inner = b"F" + longstr(shortstr("k") + inner)
        return longstr(shortstr("deep") + inner)

    def test_deep_nesting(self):
        for letter in (b"A", b"F"):
            for depth in (64, 1000, 16_000):
                self.survives(self.declare_with(self.nested(letter, depth)))
                octets = self.nested(letter, depth)
                self.survives(Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
                              + Wire.content_octets(1, b"", b"\x20\x00" + octets))

    def test_many_small_values(self):
        self.survives(self.declare_with(longstr(shortstr("a") + b"A" + longstr(b"V" * 130_000))))
        self.survives(self.declare_with(longstr(b"\0V" * 60_000)))
        self.survives(self.declare_with(longstr(b"".join(
            shortstr(str(n)) + b"V" for n in range(18_000)))))

    def test_lengths_that_lie(self):
        self.assert_closes([self.declare_with(octets) for octets in (
            struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 100) + b"\x01a",
            longstr(b"\xffshort"), longstr(shortstr("k") + b"S" + struct.pack(">I", 2**32 - 1)),
            longstr(shortstr("k") + b"A" + struct.pack(">I", 2**31)),
            longstr(shortstr("k") + b"F" + struct.pack(">I", 50) + b"\x01a"),
            longstr(shortstr("k") + b"I\0\0"), longstr(shortstr("k")), longstr(b"\x05"))],
            (None, 501, 502))

    def test_unknown_types_and_odd_names(self):
        self.assert_closes([self.declare_with(longstr(shortstr("k") + bytes([letter])))
                            for letter in b"\x00UCZ\xff"], (None, 501, 502))
        self.survives(self.declare_with(table({"": 1})))
        self.survives(self.declare_with(table({"n" * 255: 1})))
        self.survives(self.declare_with(longstr(shortstr(b"\x00\xff") + b"t\x01")))
        self.survives(self.declare_with(table({"d": Typed("D", b"\xff\xff\xff\xff\xff")})))
        self.survives(self.declare_with(table({"x-max-priority": Typed("f", b"\x7f\xc0\0\0")})))

    def test_argument_values_at_the_edges(self):
        for name in ("x-max-priority", "x-message-ttl", "x-expires", "x-max-length",
                     "x-max-length-bytes", "x-delivery-limit"):
            for value in (-1, 0, 256, 2**31, 2**63 - 1, -2**63, "5", 1.0.hex(), [], {}, None, True):
                self.survives(self.declare_with(table({name: value})))

    def test_headers_with_wrong_tables(self):
        publish = Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
        self.assert_closes([
            publish + Wire.frame_octets(HEADER, 1, Wire.header_octets(0, properties))
            for properties in (
                b"\x20\x00" + struct.pack(">I", 2**32 - 1), b"\x20\x00\0\0\0\x05ab",
                b"\x20\x00" + longstr(shortstr("k") + b"Z"), b"\xff\xfc", b"\x00",
                b"\x00\x01", b"\x00\x01" * 1000, b"\x80\x00\x05ab", b"\x00\x00 stray octets")],
            (None, 501, 502, 541))


class Content(BadInput):
    PUBLISH = Wire.method_octets(1, "basic.publish", 0, "", "nowhere", False, False)

    def test_body_sizes_that_lie(self):
        for size in (2**63, 2**64 - 1, 2**63 - 1):
            wire = self.opened()
            self.feed(wire, self.PUBLISH + Wire.frame_octets(HEADER, 1, Wire.header_octets(size)))
            self.feed(wire, Wire.frame_octets(BODY, 1, b"x" * 1000)
                      + Wire.method_octets(0, "connection.close", 200, "", 0, 0))
            with contextlib.suppress(Closed, ConnectionError):
                while wire.read_frame()[1] != 0:
                    pass

    def test_body_over_the_announced_size(self):
        header = Wire.frame_octets(HEADER, 1, Wire.header_octets(3))
        self.assert_close(self.PUBLISH + header + Wire.frame_octets(BODY, 1, b"abc")
                          + Wire.frame_octets(BODY, 1, b"d"), 505)
        # RabbitMQ 3.10 does not notice these octets; nothing of them may reach a queue.
        self.assert_close(self.PUBLISH + header + Wire.frame_octets(BODY, 1, b"abcdef")
                          + Wire.method_octets(1, "basic.qos", 0, 1, False), 501, 505)

    def test_empty_body_frames_without_end(self):
        wire = self.opened()
        wire.raw(self.PUBLISH + Wire.frame_octets(HEADER, 1, Wire.header_octets(5)))
        self.feed(wire, Wire.frame_octets(BODY, 1, b"") * 200_000)
        self.feed(wire, Wire.frame_octets(BODY, 1, b"12345"))
        wire.call(1, "basic.qos", 0, 0, False)

    def test_many_channels_with_large_bodies_announced(self):
        wire = self.opened()
        wire.raw(b"".join(Wire.method_octets(ch, "channel.open", "") for ch in range(2, 2001)))
        self.assertEqual({wire.read()[:2] for _ in range(2, 2001)},
                         {(channel, "channel.open_ok") for channel in range(2, 2001)})
        wire.raw(b"".join(
            Wire.method_octets(ch, "basic.publish", 0, "", "x", False, False)
            + Wire.frame_octets(HEADER, ch, Wire.header_octets(16 * 2**20))
            + Wire.frame_octets(BODY, ch, b"x") for ch in range(2, 2001)))
        wire.call(0, "connection.close", 200, "", 0, 0)

    def test_content_in_the_wrong_place(self):
        header = Wire.frame_octets(HEADER, 1, Wire.header_octets(3))
        self.assert_closes([
            header, Wire.frame_octets(BODY, 1, b"abc"), self.PUBLISH * 2,
            self.PUBLISH + header * 2, Wire.method_octets(1, "basic.qos", 0, 1, False) + header,
            self.PUBLISH + Wire.frame_octets(HEADER, 1, Wire.header_octets(3, weight=9)),
            Wire.frame_octets(HEADER, 0, Wire.header_octets(3)),
            Wire.frame_octets(BODY, 0, b"abc"),
            self.PUBLISH + Wire.frame_octets(HEADER, 1, Wire.header_octets(3, class_id=10))],
            (505,))


class Behaviour(BadInput):
    def test_topic_keys_made_of_wildcards_cost_little_time(self):
        wire = self.opened()
        wire.exchange(1, "storm", "topic", auto_delete=True)
        queue = wire.declare(1, exclusive=True)[0]
        for pattern in (".".join(["#"] * 127), ".".join(["#", "a"] * 60 + ["b"]),
                        ".".join(["*", "#"] * 63), "." * 255):
            wire.bind(1, queue, "storm", pattern)
        for key in (".".join(["a"] * 127), "." * 255, "a" * 255, ""):
            wire.publish(1, "storm", key)
        # Trying every way to match would take longer than any client waits for an answer.
        wire.call(1, "basic.qos", 0, 0, False)

    def test_exchange_cycles_end(self):
        wire = self.opened()
        names = [f"ring-{number}" for number in range(20)]
        for name in names:
            wire.exchange(1, name, "fanout", arguments={"alternate-exchange": names[0]})
        for source in names:
            for destination in names:
                wire.call(1, "exchange.bind", 0, destination, source, "", False, {})
        for _ in range(100):
            wire.publish(1, names[0], "")
        wire.call(1, "basic.qos", 0, 0, False)
        for name in names:
            wire.call(1, "exchange.delete", 0, name, False, False)

    def test_many_consumers(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        layout = "HssbbbbF"
        wire.raw(b"".join(Wire.frame_octets(METHOD, 1, struct.pack(">HH", 60, 20) + encode(
            layout, (0, queue, f"c{number}", False, True, False, True, {})))
            for number in range(20_000)))
        self.assertEqual(wire.declare(1, queue, passive=True), [queue, 0, 20_000])

    def flooded(self, slow_reader):
        """Puts 150 MB on a queue; returns what the broker's memory has grown by then."""
        before_kib = self.broker.rss_kib()
        publisher = self.opened()
        queue = publisher.declare(1, "unread", durable=True)[0]
        slow = Wire(self.broker.port, receive_buffer=4096)
        self.addCleanup(slow.close)
        slow.login()
        slow.open(1)
        if slow_reader:
            slow.consume(1, queue, no_ack=True)
        publisher.call(1, "confirm.select", False)
        body = b"x" * 100_000
        for number in range(1, 1501):
            publisher.publish(1, "", queue, body, properties=b"\x10\x00\x02")
            if number % 50 == 0:
                settled = 0
                while settled < number:
                    settled = publisher.expect(1, "basic.ack")[0]
        grown_kib = self.broker.rss_kib() - before_kib
        slow.close()
        publisher.call(1, "queue.delete", 0, queue, False, False, False)
        publisher.close()
        return grown_kib

    def test_client_that_does_not_read_does_not_fill_the_memory(self):
        """The queue keeps the messages; the way to a slow reader must not keep them once more, and
        what they took is given back with the queue (tearDown)."""
        unread_kib = self.flooded(slow_reader=False)
        slow_kib = self.flooded(slow_reader=True)
        self.assertLess(slow_kib, unread_kib + 10 * 1024)

    def test_connections_leave_descriptors_for_the_log(self):
        """Idle strangers must not be able to end the broker, which opens files as it goes."""
        limit = 256
        broker = harness.LovageBroker(limit_files=limit)
        self.addCleanup(broker.close)
        broker.start()
        strangers = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(limit)]
        for stranger in strangers:
            self.addCleanup(stranger.close)
        self.assertTrue(broker.alive())
        harness.wait_for(lambda: "accept_failed" in broker.log_text(), what="a line in the log")
        for stranger in strangers:
            stranger.close()
        wire = Wire(broker.port)
        self.addCleanup(wire.close)
        wire.login()
        wire.open(1)
        queue = wire.declare(1, "log", durable=True)[0]
        wire.call(1, "confirm.select", False)
        wire.publish(1, "", queue, b"x", properties=b"\x10\x00\x02")
        self.assertEqual(wire.expect(1, "basic.ack"), [1, False])

    def test_names_that_hurt_logs_and_pages(self):
        wire = self.opened()
        for name in ("<img src=x onerror=alert(1)>", "new\nline", "\u202eltr", '"quoted"\\',
                     "%s%n%x", "\x00nul", "../../etc/passwd", "a" * 255):
            wire.declare(1, name, exclusive=True)
            wire.consume(1, name, name, no_ack=True)
            wire.call(1, "basic.cancel", name, False)
            wire.call(1, "queue.delete", 0, name, False, False, False)
