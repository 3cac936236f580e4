"""kill -9 of the real broker in a loop under load, and a total-queue checker (queue_checker.py).

    LOVAGE_BIN_DIR=build/release/bin LOVAGE_KILLS=500 tests/integration/kill_loop_test.py

Publishers with confirms, some of their messages transient and some large, one to each queue and one
through a fanout exchange to two; a consumer for each queue with manual acks, single and multiple,
messages given back, acks in transactions in one queue, and one queue that is left to grow in two
lives of three. Between 0.2 and 2 s after each start the broker is killed. When the last life has
drained all queues, nothing may be wrong, and after a start in order nothing may be left.

LOVAGE_KILLS (10), LOVAGE_KILL_SEED (printed; not given: by the time) and LOVAGE_KILL_BROKER, further
arguments of the broker, e.g. "--memory-limit 50000000".
"""

import os
import random
import select
import struct
import sys
import threading
import time
import unittest

import support  # noqa: F401  finds harness and wire
import harness
from queue_checker import KINDS, QueueChecker
from queue_checker_test import Checker  # noqa: F401  run first
from wire import Closed, Wire

KILLS = int(os.environ.get("LOVAGE_KILLS", "10"))
SEED = int(os.environ.get("LOVAGE_KILL_SEED", str(time.time_ns() % 1_000_000_007)))
BROKER_ARGUMENTS = os.environ.get("LOVAGE_KILL_BROKER", "").split()
SHORTEST_LIFE, LONGEST_LIFE = 0.2, 2.0
UNCONFIRMED = 200
PER_WRITE = 20
PREFETCH = 60
# What nothing may take longer than; a stall is a failure.
STALL_SECONDS = 60
PERSISTENT, TRANSIENT = b"\x10\x00\x02", b"\x10\x00\x01"


def body_of(number):
    size = 60_000 if number % 997 == 0 else number * 37 % 900
    return struct.pack(">Q", number) + bytes([number % 251]) * size


class Stopped(Exception):
    """The run ends."""


class Lives:
    """Which life it is, on which port, and what has gone wrong in any thread."""

    def __init__(self, broker):
        self.broker = broker
        self.number = -1
        self.up = threading.Event()
        self.failures = []
        self.ending = threading.Event()  # publishers end
        self.over = threading.Event()  # all end

    def begin(self):
        self.broker.start()
        self.number += 1
        self.up.set()

    def end(self):
        self.up.clear()
        if not self.broker.alive():
            self.failures.append(f"the broker has ended by itself: {self.broker.log_text()}")
        self.broker.kill()

    def wait_for(self, number):
        """Returns when a later life than that has begun."""
        while self.number == number or not self.up.wait(0.05):
            if self.over.wait(0.01):
                raise Stopped
        return self.number


class Client(threading.Thread):
    """One connection in each life; subclasses say what it does there."""

    def __init__(self, lives, seed):
        super().__init__(daemon=True)
        self.lives = lives
        self.random = random.Random(seed)
        self.life = -1
        self.wire = None

    def run(self):
        try:
            while True:
                self.life = self.lives.wait_for(self.life)
                self.one_life()
        except Stopped:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.lives.failures.append(f"{self.name}: {type(error).__name__}: {error}")
            self.lives.over.set()

    def one_life(self):
        try:
            self.wire = Wire(self.lives.broker.port)
            self.wire.login().open(1)
            self.work()
        except (OSError, Closed) as lost:
            # Killed; or, if the same life goes on, something is wrong.
            time.sleep(0.05)
            if self.lives.up.is_set() and self.lives.number == self.life:
                raise AssertionError(f"the connection was lost: {lost!r}") from lost
        finally:
            if self.wire:
                self.wire.close()

    def there(self, seconds=0.0):
        """Is there something to read?"""
        return bool(self.wire.buffer) or bool(select.select([self.wire.socket], [], [], seconds)[0])


class Publisher(Client):
    def __init__(self, lives, seed, exchange, key, queues, pause):
        super().__init__(lives, seed)
        self.name = f"publisher of {key or exchange}"
        self.exchange, self.key, self.queues, self.pause = exchange, key, queues, pause

    def work(self):
        self.wire.call(1, "confirm.select", False)
        for queue in self.queues:
            queue.publisher_begins(self.life)
        tag = 0
        self.waiting = {}  # tag: (number, when it was sent); every number is of all queues
        while not self.lives.ending.is_set():
            octets = b""
            for _ in range(self.random.randint(1, PER_WRITE)):
                tag += 1
                transient = self.random.random() < 0.05
                number = [queue.published(transient) for queue in self.queues][0]
                self.waiting[tag] = number
                octets += self.wire.method_octets(
                    1, "basic.publish", 0, self.exchange, self.key, False, False)
                octets += self.wire.content_octets(
                    1, body_of(number), TRANSIENT if transient else PERSISTENT)
            self.wire.raw(octets)
            while len(self.waiting) > UNCONFIRMED or self.there():
                self.hear()
            self.lives.over.wait(self.pause)
        while self.waiting:
            self.hear()
        raise Stopped

    def hear(self):
        channel, method, arguments = self.wire.read()
        if channel == 0 and method in ("connection.blocked", "connection.unblocked"):
            return
        if method != "basic.ack":
            raise AssertionError(f"instead of a confirm came {method} {arguments}")
        tag, multiple = arguments
        tags = [t for t in self.waiting if t <= tag] if multiple else [tag]
        for each in tags:
            number = self.waiting.pop(each)
            for queue in self.queues:
                queue.confirmed(number)


class Consumer(Client):
    """Settles in all ways; `lives_of_three` says in how many it consumes before the end."""

    def __init__(self, lives, seed, queue, lives_of_three=3):
        super().__init__(lives, seed)
        self.name = f"consumer of {queue.name}"
        self.queue = queue
        self.lives_of_three = lives_of_three
        self.hands = {}  # number by tag, in the order of deliveries
        self.idle = False  # has nothing in its hands and nothing comes

    def work(self):
        while self.life % 3 >= self.lives_of_three and not self.lives.ending.is_set():
            if not self.lives.up.is_set() or self.lives.number != self.life:
                return
            self.lives.over.wait(0.02)
        self.queue.consumer_begins(self.life)
        self.hands.clear()
        self.wire.call(1, "basic.qos", 0, PREFETCH, False)
        self.begin()
        self.wire.consume(1, self.queue.name, "c")
        while not self.lives.over.is_set():
            if self.there(0.05):
                self.idle = False
                self.take(self.wire.read())
            else:
                self.settle_all()
                self.idle = not self.hands
        raise Stopped

    def begin(self):
        pass

    def take(self, read):
        _, method, arguments = read
        if method != "basic.deliver":
            raise AssertionError(f"instead of a delivery came {method} {arguments}")
        tag, redelivered = arguments[1:3]
        _, body = self.wire.read_content(1)
        number = struct.unpack(">Q", body[:8])[0] if len(body) >= 8 else -1
        self.queue.delivered(number, redelivered, body == body_of(number))
        self.hands[tag] = number
        self.settle_some()

    def settle_some(self):
        luck = self.random.random()
        if luck < 0.1:
            self.settle_all()
        elif luck < 0.6:
            tag = self.random.choice(list(self.hands))
            self.queue.acked(self.hands.pop(tag))
            self.wire.send(1, "basic.ack", tag, False)
        elif luck < 0.65:
            tag = self.random.choice(list(self.hands))
            self.queue.returned(self.hands.pop(tag))
            self.wire.send(1, "basic.nack", tag, False, True)

    def settle_all(self):
        if self.hands:
            for number in self.hands.values():
                self.queue.acked(number)
            self.wire.send(1, "basic.ack", max(self.hands), True)
            self.hands.clear()


class TransactingConsumer(Consumer):
    """Its acks are on disk when the commit is answered."""

    def begin(self):
        self.wire.call(1, "tx.select")
        self.committing = []  # numbers, for each commit that is not answered

    def take(self, read):
        if read[1] == "tx.commit_ok":
            for number in self.committing.pop(0):
                self.queue.ack_durable(number)
        else:
            super().take(read)

    def settle_some(self):
        if len(self.hands) > PREFETCH // 3:
            self.settle_all()

    def settle_all(self):
        if self.hands:
            self.committing.append(list(self.hands.values()))
            super().settle_all()
            self.wire.send(1, "tx.commit")


class KillLoop(unittest.TestCase):
    def setUp(self):
        self.broker = harness.LovageBroker(extra=["--log-level", "error", *BROKER_ARGUMENTS])
        self.addCleanup(self.broker.close)
        self.lives = Lives(self.broker)
        self.addCleanup(self.lives.over.set)
        self.random = random.Random(SEED)
        self.queues = {name: QueueChecker(name)
                       for name in ("first", "second", "transactions", "pile", "left", "right")}

    def declare(self):
        wire = self.login()
        wire.exchange(1, "both", "fanout", durable=True)
        for name in self.queues:
            wire.declare(1, name, durable=True)
        for name in ("left", "right"):
            wire.bind(1, name, "both")
        wire.close()

    def login(self):
        wire = Wire(self.broker.port)
        wire.login().open(1)
        return wire

    def clients(self):
        q = self.queues
        return [
            *(Publisher(self.lives, self.random.random(), "", name, [q[name]], pause)
              for name, pause in (("first", 0.002), ("second", 0.01), ("transactions", 0.005),
                                  ("pile", 0.02))),
            Publisher(self.lives, self.random.random(), "both", "", [q["left"], q["right"]], 0.01),
            *(Consumer(self.lives, self.random.random(), q[name])
              for name in ("first", "second", "left", "right")),
            Consumer(self.lives, self.random.random(), q["pile"], lives_of_three=1),
            TransactingConsumer(self.lives, self.random.random(), q["transactions"])]

    def ready(self):
        """Messages that wait, by queue; without those that are delivered."""
        wire = self.login()
        left = {name: wire.declare(1, name, passive=True)[1] for name in self.queues}
        wire.close()
        return {name: count for name, count in left.items() if count}

    def drain(self, clients):
        """Until all publishers have ended and all queues and hands are empty."""
        self.lives.ending.set()
        publishers = [c for c in clients if isinstance(c, Publisher)]
        consumers = [c for c in clients if isinstance(c, Consumer)]

        def empty():
            if self.lives.failures:
                return True
            return (not any(p.is_alive() for p in publishers) and not self.ready()
                    and all(c.idle for c in consumers) and not self.ready())

        last, since = None, time.monotonic()
        while not empty():
            done = sum(queue.deliveries for queue in self.queues.values())
            if done != last:
                last, since = done, time.monotonic()
            self.assertLess(time.monotonic() - since, STALL_SECONDS,
                            f"nothing comes any more, but there is {self.ready()}")
            time.sleep(0.1)
        self.lives.over.set()
        for client in clients:
            client.join(STALL_SECONDS)
            self.assertFalse(client.is_alive(), f"{client.name} does not end")

    def report(self):
        for queue in self.queues.values():
            queue.finish()
        total = {kind: sum(q.wrong[kind] for q in self.queues.values()) for kind in KINDS}
        count = {name: sum(getattr(q, name) for q in self.queues.values())
                 for name in ("deliveries", "redeliveries", "repeats")}
        print(f"seed {SEED}: kills {self.lives.number}, "
              f"published {sum(len(q.out) for q in self.queues.values())}, "
              f"confirmed {sum(q.confirmed_count() for q in self.queues.values())}, "
              f"delivered {count['deliveries']}, again {count['redeliveries']}, "
              f"of these acked before {count['repeats']}; "
              + ", ".join(f"{kind} {number}" for kind, number in total.items()), flush=True)
        return total

    def kill_and_drain(self, kills, between=lambda: None):
        """What was wrong, by kind. `between` is called in each new life."""
        self.lives.begin()
        self.declare()
        clients = self.clients()
        for client in clients:
            client.start()
        for _ in range(kills):
            if self.lives.over.wait(self.random.uniform(SHORTEST_LIFE, LONGEST_LIFE)):
                break
            self.lives.end()
            self.lives.begin()
            between()
        self.drain(clients)
        total = self.report()
        self.assertEqual(self.lives.failures, [])
        return total

    def test_a_broker_that_loses_messages_is_found_out(self):
        def lose():
            wire = self.login()
            self.purged += wire.call(1, "queue.purge", 0, "pile", False)[0]
            wire.close()

        self.purged = 0
        total = self.kill_and_drain(2, lose)
        self.assertGreater(self.purged, 0)
        self.assertGreater(total.pop("lost"), 0)
        self.assertEqual(set(total.values()), {0})

    def test_nothing_confirmed_is_lost_or_repeated(self):
        total = self.kill_and_drain(KILLS)
        examples = [text for queue in self.queues.values() for text in queue.examples]
        self.assertEqual(total, {kind: 0 for kind in KINDS}, "\n".join(examples))
        self.assertEqual(self.broker.stop(), 0)
        self.broker.start()
        self.assertEqual(self.ready(), {})


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main()
