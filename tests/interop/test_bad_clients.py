"""Clients that follow the protocol and ask for too much, do not read, or wait for ever."""

import random
import select
import socket

import harness
from badinput import BadInput
from wire import Wire, shortstr

# What the broker may keep for a client that does not read, the system's buffers aside.
UNREAD_KIB = 64 * 1024


class Greedy(BadInput):
    most_kib = 400 * 1024

    def test_100000_consumers(self):
        broker, wire = self.own_broker()
        before_kib = broker.rss_kib()
        queue = wire.declare(1, exclusive=True)[0]
        wire.raw(b"".join(Wire.method_octets(1, "basic.consume", 0, queue, f"c{number}", False,
                                             True, False, True, {}) for number in range(100_000)))
        self.assertEqual(wire.declare(1, queue, passive=True), [queue, 0, 100_000])
        self.assertLess(broker.peak_kib() - before_kib, self.most_kib)

    def test_300000_consumers_that_go_at_once(self):
        """Nobody else may have to wait for their end longer than a client waits for an answer."""
        broker, wire = self.own_broker()
        queue = wire.declare(1)[0]
        for at in range(0, 300_000, 1000):
            wire.raw(b"".join(Wire.method_octets(1, "basic.consume", 0, queue, str(number), False,
                                                 True, False, True, {})
                              for number in range(at, at + 1000)))
        self.assertEqual(wire.declare(1, queue, passive=True), [queue, 0, 300_000])
        wire.close()
        other = Wire(broker.port)
        self.addCleanup(other.close)
        other.login()
        other.open(1)
        self.assertEqual(other.declare(1, queue, passive=True)[:2], [queue, 0])

    def test_800000_messages_that_expire_in_no_order(self):
        """All at nearly the same time, all over the queue, as tasks with expiry times do."""
        _, wire = self.own_broker()
        queue = wire.declare(1, exclusive=True)[0]
        chance = random.Random(5)
        publish = Wire.method_octets(1, "basic.publish", 0, "", queue, False, False)
        for _ in range(800):
            wire.raw(b"".join(publish + Wire.content_octets(1, b"", b"\x01\x00" + shortstr(
                str(chance.randrange(4000, 5000)))) for _ in range(1000)))
        harness.wait_for(lambda: wire.declare(1, queue, passive=True)[1] == 0, what="all expired")

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


class Deaf(BadInput):
    """Clients that make the broker talk and do not listen."""

    def never_reads(self):
        wire = Wire(self.broker.port, receive_buffer=4096)
        self.addCleanup(wire.close)
        wire.login()
        wire.open(1)
        return wire

    def shout(self, wire, octets, total):
        """Sends the octets again and again until the broker no longer takes them, or so much was
        sent; tells what was sent."""
        sent = 0
        wire.socket.setblocking(False)
        while sent < total:
            if not select.select([], [wire.socket], [], 2)[1]:
                break
            at = sent % len(octets)
            sent += wire.socket.send(octets[at:at + 2**20])
        wire.socket.setblocking(True)
        return sent

    def assert_bounded(self, wire, request, total):
        sent = self.shout(wire, request, total)
        grown = self.broker.rss_kib() - self.before_kib
        self.assertLess(grown, UNREAD_KIB, f"grew by {grown} KiB for {sent} octets of requests")
        self.healthy()

    def test_answers_that_are_not_read(self):
        wire = self.never_reads()
        name = "n" * 250
        wire.declare(1, name, exclusive=True)
        asking = Wire.method_octets(1, "queue.declare", 0, name, True, False, False, False, False,
                                    {})
        self.assert_bounded(wire, asking * 4000, 200_000_000)

    def test_returns_that_are_not_read(self):
        wire = self.never_reads()
        lost = (Wire.method_octets(1, "basic.publish", 0, "", "nowhere", True, False)
                + Wire.content_octets(1, bytes(100_000)))
        self.assert_bounded(wire, lost * 20, 400_000_000)

    def test_gets_that_are_not_read(self):
        wire = self.never_reads()
        queue = wire.declare(1, exclusive=True)[0]
        wire.call(1, "confirm.select", False)
        wire.publish(1, "", queue, bytes(100_000))
        wire.expect(1, "basic.ack")
        # The message comes back each time, and is asked for again.
        again = (Wire.method_octets(1, "basic.get", 0, queue, False)
                 + Wire.method_octets(1, "basic.recover", True))
        self.assert_bounded(wire, again * 1000, 10_000_000)

    def test_confirms_that_are_not_read(self):
        wire = self.never_reads()
        wire.call(1, "confirm.select", False)
        lost = (Wire.method_octets(1, "basic.publish", 0, "", "nowhere", False, False)
                + Wire.content_octets(1, b""))
        self.assert_bounded(wire, lost * 10_000, 200_000_000)

    def test_deliveries_that_are_not_read_nor_acknowledged(self):
        """No prefetch: everything is on its way to the client, which takes nothing."""
        wire = self.never_reads()
        queue = wire.declare(1, exclusive=True)[0]
        wire.consume(1, queue)
        publisher = self.opened()
        publisher.call(1, "confirm.select", False)
        for _ in range(200):
            publisher.publish(1, "", queue, bytes(100_000))
        confirmed = 0
        while confirmed < 200:
            confirmed = publisher.expect(1, "basic.ack")[0]
        self.assertLess(self.broker.rss_kib() - self.before_kib, UNREAD_KIB)
        self.healthy()

    def test_publisher_that_does_not_hear_that_it_is_blocked(self):
        limit = 32 * 2**20
        # With a window that nothing leaves for the disk.
        broker = harness.LovageBroker(extra=["--memory-limit", str(limit),
                                             "--window-memory", str(2**40)])
        self.addCleanup(broker.close)
        broker.start()
        before_kib = broker.rss_kib()
        publisher = Wire(broker.port)
        self.addCleanup(publisher.close)
        publisher.login()
        publisher.open(1)
        publisher.declare(1, "filled", durable=True)
        message = (Wire.method_octets(1, "basic.publish", 0, "", "filled", False, False)
                   + Wire.content_octets(1, bytes(100_000)))
        sent = self.shout(publisher, message * 10, 400_000_000)
        self.assertLess(sent, 200_000_000, "the broker reads on")
        self.assertLess(broker.rss_kib() - before_kib, 4 * limit // 1024)

        # Others are served, and who takes the messages lets the publisher go on.
        consumer = Wire(broker.port)
        self.addCleanup(consumer.close)
        consumer.login()
        consumer.open(1)
        consumer.consume(1, "filled", no_ack=True)
        for _ in range(sent // len(message)):
            self.assertEqual(len(consumer.delivery(1)[-1]), 100_000)
        self.assertEqual(publisher.read()[:2], (0, "connection.blocked"))
        self.assertEqual(publisher.read()[:2], (0, "connection.unblocked"))


class ChannelState(BadInput):
    """Methods at the wrong time."""

    def channel_close(self, *octets):
        wire = self.opened()
        self.feed(wire, b"".join(octets))
        return wire.closed_channel(1)[0]

    def test_settling_what_is_not_there(self):
        ack, nack, reject = "basic.ack", "basic.nack", "basic.reject"
        for tag in (0, 1, 2**63, 2**64 - 1):
            for settled in (Wire.method_octets(1, ack, tag, False),
                            Wire.method_octets(1, nack, tag, False, True),
                            Wire.method_octets(1, reject, tag, True)):
                self.assertEqual(self.channel_close(settled), 406)
        for tag in (1, 2**64 - 1):
            self.assertEqual(self.channel_close(Wire.method_octets(1, ack, tag, True)), 406)
        wire = self.opened()
        wire.send(1, ack, 0, True)
        wire.send(1, nack, 0, True, True)
        wire.call(1, "basic.qos", 0, 65535, True)

    def test_recover_in_the_middle_of_deliveries(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        for number in range(500):
            wire.publish(1, "", queue, str(number).encode())
        wire.consume(1, queue, "c")
        for _ in range(20):
            wire.send(1, "basic.recover", True)
        wire.send(1, "basic.cancel", "c", False)
        # All come again; those of the last round are the last to be seen before the cancel-ok.
        taken = 0
        while True:
            channel, name, _ = wire.read()
            if name == "basic.deliver":
                wire.read_content(1)
                taken += 1
            elif name == "basic.cancel_ok":
                break
            else:
                self.assertEqual(name, "basic.recover_ok")
        self.assertGreaterEqual(taken, 500)
        wire.call(1, "basic.recover", True)
        got = [wire.get(1, queue) for _ in range(500)]
        self.assertEqual([int(message[-1]) for message in got], list(range(500)))
        self.assertIsNone(wire.get(1, queue))

    def test_methods_between_channel_close_and_close_ok(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        wire.send(1, "basic.ack", 9, False)
        wire.raw(Wire.method_octets(1, "queue.delete", 0, queue, False, False, False) * 1000
                 + Wire.method_octets(1, "basic.publish", 0, "", queue, False, False)
                 + Wire.content_octets(1, bytes(100_000)) * 50)
        self.assertEqual(wire.closed_channel(1)[0], 406)
        wire.open(1)
        self.assertEqual(wire.declare(1, queue, passive=True), [queue, 0, 0])

    def test_everything_without_waiting(self):
        wire = self.opened()
        queue, table = "nowait", {}
        steps = [
            ("exchange.declare", 0, "nowait.x", "topic", False, False, True, False, True, table),
            ("queue.declare", 0, queue, False, False, True, False, True, table),
            ("queue.bind", 0, queue, "nowait.x", "#", True, table),
            ("exchange.bind", 0, "nowait.x", "nowait.x", "a", True, table),
            ("basic.consume", 0, queue, "c", False, True, False, True, table),
            ("basic.cancel", "c", True), ("confirm.select", True),
            ("exchange.unbind", 0, "nowait.x", "nowait.x", "a", True, table),
            ("queue.purge", 0, queue, True), ("queue.delete", 0, queue, False, False, True),
            ("exchange.delete", 0, "nowait.x", False, True)]
        wire.raw(b"".join(Wire.method_octets(1, *step) for step in steps) * 500)
        self.assertEqual(wire.call(1, "basic.qos", 0, 0, False), [])

    def test_errors_without_waiting(self):
        for step, code in (
                (("queue.bind", 0, "missing.q", "amq.direct", "k", True, {}), 404),
                (("queue.delete", 0, "amq.x", False, False, True), None),
                (("exchange.declare", 0, "amq.mine", "direct", False, False, False, False, True,
                  {}), 403),
                (("basic.consume", 0, "missing.q", "c", False, False, False, True, {}), 404),
                (("queue.purge", 0, "missing.q", True), 404)):
            with self.subTest(step=step):
                wire = self.opened()
                wire.send(1, *step)
                if code:
                    self.assertEqual(wire.closed_channel(1)[0], code)
                else:
                    wire.call(1, "basic.qos", 0, 0, False)

    def test_tags_and_names_at_their_limits(self):
        wire = self.opened()
        queue = wire.declare(1, exclusive=True)[0]
        wire.call(1, "basic.qos", 0, 65535, False)
        self.assertEqual(wire.consume(1, queue, "t" * 255), "t" * 255)
        self.assertEqual(wire.call(1, "basic.cancel", "unknown", False), ["unknown"])
        wire.call(1, "basic.cancel", "t" * 255, False)

    def test_channels_queues_and_connections_that_come_and_go(self):
        wire = self.opened()
        for _ in range(20):
            wire.raw(b"".join(
                Wire.method_octets(2, "channel.open", "")
                + Wire.method_octets(2, "queue.declare", 0, f"come.{number}", False, False, True,
                                     False, True, {})
                + Wire.method_octets(2, "queue.bind", 0, f"come.{number}", "amq.topic",
                                     "*.#." + "k" * 200, True, {})
                + Wire.method_octets(2, "queue.delete", 0, f"come.{number}", False, False, True)
                + Wire.method_octets(2, "channel.close", 200, "", 0, 0) for number in range(500)))
            for _ in range(500):
                wire.expect(2, "channel.open_ok")
                wire.expect(2, "channel.close_ok")
        for number in range(1000):
            guest = Wire(self.broker.port)
            guest.login()
            guest.open(1)
            guest.declare(1, exclusive=True)
            guest.close()
        self.healthy()
