"""10,000 connections with a channel, a durable queue and a consumer each, all of them in use."""

import struct

import harness
from wire import CAPABILITIES, PROTOCOL_HEADER, Wire

COUNT = 10_000
# What one connection, its channel, queue, consumer and message may take.
EACH_KIB = 16


class Capacity(harness.BrokerTest):
    def setUp(self):
        files = COUNT + 1000
        harness.need_files(files)
        self.broker = harness.LovageBroker(limit_files=files)
        self.addCleanup(self.broker.close)
        self.broker.start()
        self.before_kib = self.broker.rss_kib()
        self.wires = []

    def tearDown(self):
        super().tearDown()
        for wire in self.wires:
            wire.close()

    def step(self, what, octets_of, answer):
        """Sends each connection its octets, and only then reads an answer of each."""
        for number, wire in enumerate(self.wires):
            wire.raw(octets_of(number))
        for wire in self.wires:
            while wire.read()[1] != answer:
                pass
        kib = self.broker.rss_kib() - self.before_kib
        print(f"    {len(self.wires)} {what}: {kib} KiB", flush=True)
        return kib

    def test_10000_connections_channels_and_queues(self):
        login = (PROTOCOL_HEADER
                 + Wire.method_octets(0, "connection.start_ok", CAPABILITIES, "PLAIN",
                                      b"\0guest\0guest", "en_US")
                 + Wire.method_octets(0, "connection.tune_ok", 2047, 131072, 0)
                 + Wire.method_octets(0, "connection.open", "/", "", False)
                 + Wire.method_octets(1, "channel.open", ""))
        self.wires = [Wire(self.broker.port) for _ in range(COUNT)]
        self.step("connections with a channel", lambda number: login, "channel.open_ok")
        self.step("durable queues", lambda number: Wire.method_octets(
            1, "queue.declare", 0, f"capacity.{number}", False, True, False, False, False, {}),
            "queue.declare_ok")
        self.step("consumers", lambda number: Wire.method_octets(
            1, "basic.consume", 0, f"capacity.{number}", "c", False, False, False, False, {}),
            "basic.consume_ok")

        # Each sends to another one's queue; each gets one message, and acknowledges it.
        for number, wire in enumerate(self.wires):
            wire.publish(1, "", f"capacity.{(number * 7 + 1) % COUNT}", struct.pack(">I", number),
                         properties=b"\x10\x00\x02")
        senders = set()
        for number, wire in enumerate(self.wires):
            tag, _, _, key, _, body = wire.delivery(1)
            sender, = struct.unpack(">I", body)
            self.assertEqual(key, f"capacity.{number}")
            self.assertEqual((sender * 7 + 1) % COUNT, number)
            senders.add(sender)
            wire.send(1, "basic.ack", tag, False)
        self.assertEqual(len(senders), COUNT)
        kib = self.step("messages each way", lambda number: Wire.method_octets(
            1, "basic.qos", 0, 1, False), "basic.qos_ok")
        self.assertLess(kib, COUNT * EACH_KIB)

        # Nothing is left over, and a newcomer is served like anyone.
        with self.subTest("newcomer"):
            newcomer = Wire(self.broker.port)
            self.wires.append(newcomer)
            newcomer.login()
            newcomer.open(1)
            for number in (0, 1, COUNT // 2, COUNT - 1):
                self.assertEqual(newcomer.declare(1, f"capacity.{number}", passive=True),
                                 [f"capacity.{number}", 0, 1])
