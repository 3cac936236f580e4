"""Bindings, keys and dead letters made to cost time: cycles end, patterns do not multiply, and the
connection is answered as any other."""

from badinput import BadInput
from wire import Wire, shortstr

BINDINGS = 100_000


class Topics(BadInput):
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

    def test_many_patterns_of_wildcards_at_once(self):
        wire = self.opened()
        wire.exchange(1, "storm", "topic", auto_delete=True)
        queue = wire.declare(1, exclusive=True)[0]
        for number in range(127):
            words = ["#"] * 127
            words[number] = "a"
            wire.bind(1, queue, "storm", ".".join(words))
        wire.call(1, "confirm.select", False)
        for number in range(1, 51):
            wire.publish(1, "storm", ".".join(["b"] * 126 + ["a"]))
        settled = 0
        while settled < 50:
            settled = wire.expect(1, "basic.ack")[0]
        self.assertEqual(wire.declare(1, queue, passive=True)[1], 50)


class Cycles(BadInput):
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

    def test_alternate_exchanges_in_a_ring(self):
        """Nothing is bound, so each hands the message on to the next; then it is unroutable."""
        wire = self.opened()
        names = [f"alternate-{number}" for number in range(50)]
        for number, name in enumerate(names):
            wire.exchange(1, name, "direct", arguments={
                "alternate-exchange": names[(number + 1) % len(names)]})
        wire.exchange(1, "alternate-self", "direct",
                      arguments={"alternate-exchange": "alternate-self"})
        for name in (names[0], "alternate-self"):
            wire.publish(1, name, "k", b"lost", mandatory=True)
            self.assertEqual(wire.expect(1, "basic.return"), [312, "NO_ROUTE", name, "k"])
            self.assertEqual(wire.read_content(1)[1], b"lost")
        for name in [*names, "alternate-self"]:
            wire.call(1, "exchange.delete", 0, name, False, False)

    def test_dead_letters_in_rings_of_expired_messages(self):
        """Each queue is the next one's dead letter queue, and every message has expired on its
        arrival. The rule against cycles drops it when it comes to a queue again."""
        wire = self.opened()
        for length in (1, 2, 10):
            names = [f"ring.{length}.{number}" for number in range(length)]
            for number, name in enumerate(names):
                wire.declare(1, name, exclusive=True, arguments={
                    "x-dead-letter-exchange": "", "x-message-ttl": 0,
                    "x-dead-letter-routing-key": names[(number + 1) % length]})
            for _ in range(200):
                wire.publish(1, "", names[0], b"round", properties=b"\x01\x00" + shortstr("0"))
            wire.call(1, "basic.qos", 0, 0, False)
            # Each get comes after everything that was due when it was asked for.
            for name in names:
                self.assertIsNone(wire.get(1, name))
                self.assertEqual(wire.declare(1, name, passive=True)[1:], [0, 0])

    def test_dead_letters_that_meet_again(self):
        """A fanout of dead letters to all queues: each message reaches each queue once a way."""
        wire = self.opened()
        wire.exchange(1, "graves", "fanout", auto_delete=True)
        names = [wire.declare(1, exclusive=True, arguments={
            "x-dead-letter-exchange": "graves", "x-message-ttl": 0})[0] for _ in range(4)]
        for name in names:
            wire.bind(1, name, "graves")
        wire.publish(1, "graves", "", b"many")
        wire.call(1, "basic.qos", 0, 0, False)
        self.healthy()
        for name in names:
            self.assertIsNone(wire.get(1, name))


    def test_dead_letters_do_not_multiply(self):
        """The same with 12 queues has a thousand million ways; one message may not walk them all."""
        broker, wire = self.own_broker()
        before_kib = broker.rss_kib()
        wire.exchange(1, "graves", "fanout")
        for _ in range(12):
            queue = wire.declare(1, exclusive=True, arguments={
                "x-dead-letter-exchange": "graves", "x-message-ttl": 0})[0]
            wire.bind(1, queue, "graves")
        wire.publish(1, "graves", "", bytes(1000))
        # With every answer the broker has had its time for some of it.
        for _ in range(1000):
            wire.call(1, "basic.qos", 0, 0, False)
            self.assertLess(broker.peak_kib() - before_kib, self.most_kib)


class Bindings(BadInput):
    most_kib = 400 * 1024

    def bind_many(self, exchange, kind, keys):
        wire = self.opened()
        wire.exchange(1, exchange, kind, auto_delete=True)
        queue = wire.declare(1, exclusive=True)[0]
        for at in range(0, len(keys), 1000):
            wire.raw(b"".join(Wire.method_octets(1, "queue.bind", 0, queue, exchange, key, True, {})
                              for key in keys[at:at + 1000]))
        wire.call(1, "confirm.select", False)
        for key in (keys[0], keys[-1], "nothing.like.it"):
            wire.publish(1, exchange, key.replace("#", "x").replace("*", "x"))
        settled = 0
        while settled < 3:
            settled = wire.expect(1, "basic.ack")[0]
        self.assertEqual(wire.declare(1, queue, passive=True)[1], 2)
        self.healthy()
        wire.call(1, "queue.delete", 0, queue, False, False, False)
        wire.call(0, "connection.close", 200, "", 0, 0)

    def test_100000_keys_of_one_queue(self):
        self.twice(lambda: self.bind_many(
            "many", "direct", [f"key.{number}" for number in range(BINDINGS)]))

    def test_100000_patterns_of_one_queue(self):
        self.twice(lambda: self.bind_many(
            "many", "topic", [f"{number}.*.#.end" for number in range(BINDINGS)]))
