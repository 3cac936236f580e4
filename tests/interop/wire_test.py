"""Base of the tests that compare exact close codes, class and method ids and texts."""

import harness
from wire import SPEC


class WireTest(harness.BrokerTest):
    def setUp(self):
        super().setUp()
        self._wire = None

    @property
    def w(self):
        """A connection with channel 1 open; a new one if a failed sub-test has lost the last."""
        if self._wire is None or self._wire.dead:
            self._wire = self.wire()
            self._wire.open(1)
        return self._wire

    def expected(self, code, name, text):
        ids = SPEC[name][:2] if name else (0, 0)
        text = text.encode()
        return code, (text if len(text) <= 255 else text[:252] + b"...").decode(
            "utf-8", "surrogateescape"), *ids

    def channel_error(self, code, text, name, *arguments, wire=None):
        """The method closes its channel like that; the connection lives on, so does channel 1."""
        wire = wire or self.w
        wire.open(9)
        wire.send(9, name, *arguments)
        self.assertEqual(wire.closed_channel(9), self.expected(code, name, text))
        wire.call(1, "basic.qos", 0, 0, False)

    def closes_channel(self, channel, code, text, name, wire=None):
        """The channel.close that is on its way says that."""
        closed = (wire or self.w).closed_channel(channel)
        self.assertEqual(closed, self.expected(code, name, text))

    def connection_error(self, code, text, name, *arguments, ids=True, channel=1):
        """The method closes a connection of its own like that."""
        wire = self.wire()
        if channel:
            wire.open(channel)
        wire.send(channel, name, *arguments)
        self.assertEqual(wire.closed_connection(), self.expected(code, name if ids else None, text))
        self.assertIsNotNone(wire.gone(5), "the socket closes after close-ok")

    def queue(self, channel=1, **kwargs):
        """A queue of this test's own connection."""
        return self.w.declare(channel, kwargs.pop("name", ""), exclusive=True, **kwargs)[0]
