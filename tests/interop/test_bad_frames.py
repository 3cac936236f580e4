"""Frames and contents that lie about their size, come in the wrong place or are no frames at all."""

import contextlib
import random
import struct

from badinput import BadInput
from wire import BODY, FRAME_MAX, HEADER, HEARTBEAT, METHOD, Closed, Wire


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


class Content(BadInput):
    most_kib = 400 * 1024  # twice the largest message may be unfinished on one connection

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

    def test_message_over_the_largest_size(self):
        self.twice(self.message_over_the_largest_size)

    def message_over_the_largest_size(self):
        """RabbitMQ takes it all in before it says so."""
        size, largest = 128 * 2**20 + 1, 128 * 2**20
        wire = self.opened()
        wire.raw(self.PUBLISH + Wire.frame_octets(HEADER, 1, Wire.header_octets(size)))
        piece = Wire.frame_octets(BODY, 1, bytes(FRAME_MAX - 8))
        left = size
        while left > 0 and wire.silent(0):
            left -= FRAME_MAX - 8
            self.feed(wire, piece if left >= 0 else Wire.frame_octets(
                BODY, 1, bytes(left + FRAME_MAX - 8)))
        self.assertEqual(wire.closed_channel(1), (
            406, f"PRECONDITION_FAILED - message size {size} is larger than configured max size "
            f"{largest}", 60, 40))

    def test_2047_channels_with_open_bodies(self):
        """They count together: what one connection may leave unfinished is bounded."""
        self.twice(self.open_bodies)

    def open_bodies(self):
        channels = range(1, 2048)
        wire = self.wire()
        wire.raw(b"".join(Wire.method_octets(ch, "channel.open", "") for ch in channels))
        self.assertEqual({wire.read()[:2] for _ in channels},
                         {(channel, "channel.open_ok") for channel in channels})
        body = bytes(FRAME_MAX - 8)
        for channel in channels:
            self.feed(wire, Wire.method_octets(channel, "basic.publish", 0, "", "x", False, False)
                      + Wire.frame_octets(HEADER, channel, Wire.header_octets(16 * 2**20))
                      + Wire.frame_octets(BODY, channel, body))
        self.healthy()
        # Nearly twice the largest message by now; the next ones are too many.
        for channel in channels:
            self.feed(wire, Wire.frame_octets(BODY, channel, body))
            if not wire.silent(0):
                break
        self.assertEqual(self.close_code(wire), 506)

    def test_body_in_frames_of_one_octet(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        size = 300_000
        wire.raw(Wire.method_octets(1, "basic.publish", 0, "", queue, False, False)
                 + Wire.frame_octets(HEADER, 1, Wire.header_octets(size))
                 + Wire.frame_octets(BODY, 1, b"1") * size)
        self.assertEqual(wire.get(1, queue)[-1], b"1" * size)

    def test_heartbeats_without_end(self):
        wire = self.opened()
        wire.raw(Wire.frame_octets(HEARTBEAT, 0, b"") * 500_000)
        wire.call(1, "basic.qos", 0, 0, False)

    def test_frames_after_connection_close_are_passed_over(self):
        wire = self.opened()
        wire.send(0, "connection.close", 200, "", 0, 0)
        self.feed(wire, random.Random(2).randbytes(10_000_000))
        self.assertEqual(wire.read()[:2], (0, "connection.close_ok"))
