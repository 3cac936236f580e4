"""Wrong input before the login is through: whatever a stranger does, it costs little."""

import contextlib
import random
import select
import socket
import struct

import harness
from badinput import BadInput
from wire import CAPABILITIES, HEARTBEAT, METHOD, PROTOCOL_HEADER, Wire, longstr, shortstr, table

# What a connection that has said next to nothing may cost.
HALF_OPEN_KIB = 32
# RabbitMQ gives a handshake ten seconds; a client of one octet a second that is still there after
# so many has found a way to stay.
TRICKLED_MAX = 60


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
                                       (65535, 131072), (0, 131072), (2047, 0)):
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

    def test_frames_on_channels_that_nobody_opened(self):
        cases = [Wire.frame_octets(kind, 5, bytes(1000)) for kind in (1, 2, 3)]
        self.assert_dropped(cases, [self.started() for _ in cases])

    def test_heartbeats_before_start_ok_are_passed_over(self):
        wire = self.started()
        wire.raw(Wire.frame_octets(HEARTBEAT, 0, b"") * 1000)
        wire.start_ok()
        wire.expect(0, "connection.tune")

    def start_ok_with(self, properties):
        return Wire.method_octets(0, "connection.start_ok", properties, "PLAIN",
                                  b"\0guest\0guest", "en_US")

    def test_client_properties_that_cannot_be_decoded(self):
        nested = b"V"
        for _ in range(600):
            nested = b"A" + longstr(nested)
        cases = [self.start_ok_with(properties) for properties in (
            longstr(shortstr("k") + nested), longstr(shortstr("k") + b"Z"),
            struct.pack(">I", 0xFFFFFFFF), longstr(b"\xffshort"),
            longstr(shortstr("k") + b"S" + struct.pack(">I", 2**32 - 1)))]
        self.assert_dropped(cases, [self.started() for _ in cases])

    def test_client_properties_of_many_small_values(self):
        """One octet a value on the wire; what the broker makes of it must not add up."""
        wires = [self.started() for _ in range(500)]
        for wire in wires:
            wire.raw(self.start_ok_with(longstr(shortstr("a") + b"A" + longstr(b"V" * 3900))))
        for wire in wires:
            wire.expect(0, "connection.tune")
        self.healthy()

    def steps(self):
        """How far a handshake may have come: what was sent, and whether the broker answers."""
        start_ok = Wire.method_octets(0, "connection.start_ok", CAPABILITIES, "PLAIN",
                                      b"\0guest\0guest", "en_US")
        tune_ok = Wire.method_octets(0, "connection.tune_ok", 2047, 131072, 0)
        opening = Wire.method_octets(0, "connection.open", "/", "", False)
        return [b"", PROTOCOL_HEADER[:7], PROTOCOL_HEADER, PROTOCOL_HEADER + start_ok[:3],
                PROTOCOL_HEADER + Wire.frame_octets(HEARTBEAT, 0, b"") * 10_000,
                PROTOCOL_HEADER + start_ok[:-1], PROTOCOL_HEADER + start_ok,
                PROTOCOL_HEADER + start_ok + tune_ok[:9], PROTOCOL_HEADER + start_ok + tune_ok,
                PROTOCOL_HEADER + start_ok + tune_ok + opening[:-1]]

    def test_handshake_that_is_never_finished_is_dropped_at_every_step(self):
        wires = []
        for sent in self.steps():
            wires.append(self.raw_wire())
            self.feed(wires[-1], sent)
        self.healthy()
        for sent, wire in zip(self.steps(), wires):
            with self.subTest(octets=len(sent)):
                self.assertIsNotNone(wire.gone(20))

    def test_handshake_ended_by_the_client_at_every_step(self):
        for sent in self.steps():
            wire = self.raw_wire()
            self.feed(wire, sent)
            wire.socket.shutdown(socket.SHUT_WR)
            with self.subTest(octets=len(sent)):
                self.assertIsNotNone(wire.gone(20))

    def test_one_octet_a_second_is_not_enough(self):
        wires = [self.raw_wire() for _ in range(100)]
        alive = {wire.socket.fileno(): wire for wire in wires}
        words = (PROTOCOL_HEADER + self.start_ok_with(table(CAPABILITIES)))[:TRICKLED_MAX]
        for octet in words:
            for wire in alive.values():
                self.feed(wire, bytes([octet]))
            self.healthy()
            # The broker's start is read off; an end of the connection is what is waited for.
            ready = select.select(list(alive), [], [], 1)[0]
            for number in ready:
                if self.ended(alive[number]):
                    del alive[number]
            if not alive:
                return
        self.fail(f"{len(alive)} clients are still served")

    def ended(self, wire):
        try:
            return wire.socket.recv(65536) == b""
        except ConnectionError:
            return True

    def test_10000_half_open_connections(self):
        count = 10_000
        harness.need_files(count + 200)
        broker = harness.LovageBroker(limit_files=count + 200)
        self.addCleanup(broker.close)
        broker.start()
        before_kib = broker.rss_kib()
        strangers = []
        for number in range(count):
            strangers.append(socket.create_connection(("127.0.0.1", broker.port)))
            strangers[-1].sendall(PROTOCOL_HEADER[:number % 9])

        served = Wire(broker.port)
        self.addCleanup(served.close)
        served.login()
        served.open(1)
        held_kib = broker.rss_kib() - before_kib
        print(f"    {count} half-open connections: {held_kib} KiB", flush=True)
        self.assertLess(held_kib, count * HALF_OPEN_KIB)
        for stranger in strangers:
            stranger.settimeout(20)
            with contextlib.suppress(ConnectionError):
                while stranger.recv(4096):
                    pass
            stranger.close()
        served.call(1, "basic.qos", 0, 1, False)
