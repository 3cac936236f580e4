"""What the modules of wrong input share: sending it, and what must hold afterwards. The broker answers
with a close or drops the connection, keeps its memory bounded, lives on and serves the next client."""

import contextlib

import harness
from wire import Closed, Wire

# What one test may leave in the broker's memory, and what it may take meanwhile; the sanitizer
# builds need more.
GROWTH_KIB = 64 * 1024
PEAK_KIB = 256 * 1024
# What the same may add when it is done once more.
AGAIN_KIB = 16 * 1024
DROP_SECONDS = 15


class BadInput(harness.BrokerTest):
    most_kib = PEAK_KIB

    @classmethod
    def setUpClass(cls):
        # Holes that earlier tests left in the heap would change what is measured.
        harness.close_shared()

    def setUp(self):
        super().setUp()
        self.left_kib = GROWTH_KIB
        self.before_kib = self.broker.rss_kib()
        self.broker.forget_peak()

    def tearDown(self):
        super().tearDown()
        self.gives_back(self.before_kib + self.left_kib)
        most = self.broker.peak_kib() - self.before_kib
        self.assertLess(most, self.most_kib, f"memory grew by {most} KiB meanwhile")
        self.healthy()

    def twice(self, attack):
        """For what takes a lot of memory on purpose. It need not go back to the system, where one
        small thing above it in the heap is in use; but it must serve the second time."""
        self.left_kib = self.most_kib
        attack()
        self.healthy()
        once_kib = self.broker.rss_kib()
        attack()
        self.healthy()
        self.gives_back(once_kib + AGAIN_KIB)

    def gives_back(self, most_kib):
        """The system gets memory back some tenths of a second after it was let go of."""
        harness.wait_for(lambda: self.broker.rss_kib() < most_kib,
                         what=f"less than {most_kib} KiB in memory")

    def own_broker(self):
        """For what would keep the shared one from serving the next test; a channel to it."""
        broker = harness.LovageBroker()
        self.addCleanup(broker.close)
        self.addCleanup(broker.kill)
        broker.start()
        wire = Wire(broker.port)
        self.addCleanup(wire.close)
        wire.login()
        wire.open(1)
        return broker, wire

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
