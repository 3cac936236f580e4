"""Field tables and arguments that lie, nest, multiply or make no sense."""

import contextlib
import struct

from badinput import BadInput
from wire import HEADER, Closed, Typed, Wire, longstr, shortstr, table

TEN_YEARS_MS = 315360000000
PRIORITIES_KIB = 10  # of one queue with all of them
# Arguments that are numbers: the least and the most that RabbitMQ takes.
NUMBERS = {"x-message-ttl": (0, TEN_YEARS_MS), "x-expires": (1, TEN_YEARS_MS),
           "x-max-length": (0, None), "x-max-length-bytes": (0, None), "x-max-priority": (0, 255)}


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

    def declared(self, wire, arguments):
        """None, or the code that the channel was closed with; it is open again then."""
        wire.send(1, "queue.declare", 0, "", False, False, True, False, False, arguments)
        channel, name, answer = wire.read()
        if name == "queue.declare_ok":
            wire.call(1, "queue.delete", 0, answer[0], False, False, False)
            return None
        self.assertEqual((channel, name, answer[2:]), (1, "channel.close", [50, 10]))
        wire.send(1, "channel.close_ok")
        wire.open(1)
        return answer[0]

    def test_numbers_at_their_edges(self):
        wire = self.opened()
        for name, (least, most) in NUMBERS.items():
            for value in (-2**63, -2**31, -1, 0, 1, 255, 256, 2**31, TEN_YEARS_MS,
                          TEN_YEARS_MS + 1, 2**63 - 1):
                good = value >= least and (most is None or value <= most)
                with self.subTest(argument=name, value=value):
                    self.assertEqual(self.declared(wire, {name: value}), None if good else 406)

    def test_numbers_of_every_width(self):
        wire = self.opened()
        for name in NUMBERS:
            for letter, size in (("b", 1), ("B", 1), ("s", 2), ("u", 2), ("I", 4), ("i", 4),
                                 ("l", 8), ("L", 8)):
                with self.subTest(argument=name, letter=letter):
                    self.assertIsNone(self.declared(wire, {
                        name: Typed(letter, (5).to_bytes(size, "big"))}))
            for letter in "bsIl":
                negative = Typed(letter, b"\xff" * {"b": 1, "s": 2, "I": 4, "l": 8}[letter])
                with self.subTest(argument=name, negative=letter):
                    self.assertEqual(self.declared(wire, {name: negative}), 406)

    def test_other_types_instead_of_numbers(self):
        wire = self.opened()
        others = ["5", "", b"\xff", True, None, [], [5], {}, {"a": 5},
                  Typed("f", b"\x7f\xc0\0\0"), Typed("d", b"\x7f\xf0" + bytes(6)),
                  Typed("d", struct.pack(">d", 1.0)), Typed("D", b"\xff\xff\xff\xff\xff"),
                  Typed("D", b"\0\0\0\0\5"), Typed("T", (5).to_bytes(8, "big")),
                  Typed("x", longstr(b"5"))]
        for name in NUMBERS:
            for value in others:
                shown = value.letter + value.octets if isinstance(value, Typed) else value
                with self.subTest(argument=name, value=shown):
                    self.assertEqual(self.declared(wire, {name: value}), 406)

    def test_values_of_the_other_arguments(self):
        wire = self.opened()
        for name, value, code in (
                ("x-overflow", "drop", 406), ("x-overflow", "", 406), ("x-overflow", 1, 406),
                ("x-overflow", "reject-publish", None), ("x-queue-type", "", 406),
                ("x-queue-type", "CLASSIC", 406), ("x-queue-type", None, 406),
                ("x-queue-type", [], 406), ("x-queue-mode", "", 406), ("x-queue-mode", "lazy", None),
                ("x-dead-letter-routing-key", "k", 406), ("x-dead-letter-exchange", 5, 406),
                ("x-dead-letter-exchange", {}, 406), ("x-dead-letter-exchange", "x" * 255, None),
                ("x-single-active-consumer", 1, 406), ("x-single-active-consumer", "true", 406),
                ("x-nobody-knows-this", [[{"a": None}]], None)):
            with self.subTest(argument=name, value=value):
                self.assertEqual(self.declared(wire, {name: value}), code)

    def test_expirations(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        for text, good in ((b"-1", False), (b"1e9", False), (b" 5", False), (b"5 ", False),
                           (b"", False), (b"9" * 20, False), (b"9" * 255, False), (b"0x5", False),
                           (b"5\0", False), (b"\xff\xff", False), (b"1.0", False),
                           (b"315360000001", False), (b"315360000000", True), (b"+5000", True),
                           (b"0" * 250 + b"9000", True)):
            with self.subTest(text=text):
                wire.publish(1, "", queue, b"x", properties=b"\x01\x00" + shortstr(text))
                if good:
                    self.assertEqual(wire.get(1, queue)[-1], b"x")
                else:
                    self.assertEqual(wire.closed_channel(1)[0], 406)
                    wire.open(1)

    def test_delays(self):
        """Whatever x-delay says, the publish is confirmed; what makes no sense does not wait."""
        wire = self.opened()
        wire.exchange(1, "delayed.edges", "x-delayed-message", auto_delete=True,
                      arguments={"x-delayed-type": "fanout"})
        queue = wire.declare(1, exclusive=True)[0]
        wire.bind(1, queue, "delayed.edges")
        wire.call(1, "confirm.select", False)
        values = [-1, 0, -2**63, "", "soon", "-5", [], {}, None, True,
                  Typed("d", b"\x7f\xf8" + bytes(6)), Typed("d", b"\xff\xf0" + bytes(6)),
                  Typed("D", b"\xff\x80\0\0\0")]
        later = [2**31, 2**32 + 1, 2**63 - 1]
        # Infinite, beyond every number, and -1 where a type has no sign: now or never.
        either = [Typed("d", b"\x7f\xf0" + bytes(6)), "9" * 30, Typed("L", b"\xff" * 8)]
        for tag, value in enumerate([*values, *later, *either], start=1):
            wire.publish(1, "delayed.edges", "", str(tag).encode(),
                         properties=b"\x20\x00" + table({"x-delay": value}))
            with self.subTest(value=str(value)):
                self.assertEqual(wire.expect(1, "basic.ack"), [tag, False])
        come = wire.declare(1, queue, passive=True)[1]
        self.assertIn(come, range(len(values), len(values) + len(either) + 1))

    def test_all_priorities_cost_little(self):
        wire = self.opened()
        wire.raw(b"".join(Wire.method_octets(
            1, "queue.declare", 0, f"levels.{number}", False, False, True, False, True,
            {"x-max-priority": 255}) for number in range(5000)))
        wire.call(1, "basic.qos", 0, 0, False)
        self.assertLess(self.broker.rss_kib() - self.before_kib, 5000 * PRIORITIES_KIB)

    def test_headers_with_wrong_tables(self):
        publish = Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
        self.assert_closes([
            publish + Wire.frame_octets(HEADER, 1, Wire.header_octets(0, properties))
            for properties in (
                b"\x20\x00" + struct.pack(">I", 2**32 - 1), b"\x20\x00\0\0\0\x05ab",
                b"\x20\x00" + longstr(shortstr("k") + b"Z"), b"\xff\xfc", b"\x00",
                b"\x00\x01", b"\x00\x01" * 1000, b"\x80\x00\x05ab", b"\x00\x00 stray octets")],
            (None, 501, 502, 541))

    def test_many_values_in_headers_that_are_looked_at(self):
        """A headers exchange compares them, dead-lettering writes them anew: both at the size of the
        message, not of what its values could be."""
        wire = self.opened()
        wire.exchange(1, "compares", "headers", auto_delete=True)
        dead = wire.declare(1, exclusive=True)[0]
        queue = wire.declare(1, exclusive=True, arguments={
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})[0]
        wire.bind(1, queue, "compares", arguments={"x-match": "any", "wanted": None})
        wire.call(1, "confirm.select", False)
        values = longstr(shortstr("a") + b"A" + longstr(b"V" * 60_000) + shortstr("wanted") + b"V")
        for tag in range(1, 101):
            wire.publish(1, "compares", "", b"", properties=b"\x20\x00" + values)
            self.assertEqual(wire.expect(1, "basic.ack"), [tag, False])
        for _ in range(100):
            tag = wire.get(1, queue, no_ack=False)[0]
            wire.send(1, "basic.reject", tag, False)
        wire.call(1, "basic.qos", 0, 0, False)
        self.assertEqual(wire.declare(1, dead, passive=True)[1], 100)
        self.healthy()

    def test_property_flags_that_go_on(self):
        publish = Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
        self.assert_closes([
            publish + Wire.frame_octets(HEADER, 1, Wire.header_octets(0, b"\x00\x01" * pairs))
            for pairs in (1, 2, 60_000)], (501, 541))
