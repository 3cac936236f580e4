"""What lovage-broker keeps over kill -9 and restarts, and how it refuses to start."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import harness
from wire import Closed, Wire

PERSISTENT = b"\x10\x00\x02"
QUEUES = 5
MESSAGES = 5000
ROUNDS = 3
ACKED = 1200  # per round
LARGE = 1 << 20  # octets from which bodies that wait on disk have a file of their own
LARGE_MESSAGES = 40
FILES_GO_SECONDS = 10


class Durability(harness.BrokerTest):
    """Each test has its own broker; the shared one of the run is only the neighbour."""

    def own(self, **kwargs):
        broker = harness.LovageBroker(**kwargs)
        self.addCleanup(broker.close)
        return broker

    def login(self, broker):
        wire = Wire(broker.port)
        self.addCleanup(wire.close)
        wire.login()
        wire.open(1)
        return wire

    @staticmethod
    def hear(wire, unsettled):
        """Takes the tags of the next confirm out of the set."""
        tag, multiple = wire.expect(1, "basic.ack")
        unsettled -= {t for t in unsettled if t <= tag} if multiple else {tag}

    def settle(self, wire, count):
        """Reads confirms until the channel's first `count` tags are settled."""
        unsettled = set(range(1, count + 1))
        while unsettled:
            self.hear(wire, unsettled)

    def test_confirmed_messages_survive_kill_and_acknowledged_ones_do_not(self):
        broker = self.own().start()
        model = {f"durable-{number}": [] for number in range(QUEUES)}
        delivered = set()
        next_number = 0
        for round_number in range(ROUNDS):
            wire = self.login(broker)
            for name in model:
                wire.declare(1, name, durable=True)
            wire.call(1, "confirm.select", False)
            octets = []
            for _ in range(MESSAGES):
                name = f"durable-{next_number % QUEUES}"
                body = f"{next_number}:".encode() + b"x" * (next_number * 37 % 700)
                octets.append(wire.method_octets(1, "basic.publish", 0, "", name, False, False)
                              + wire.content_octets(1, body, PERSISTENT))
                model[name].append((next_number, body))
                next_number += 1
            wire.raw(b"".join(octets))
            self.settle(wire, MESSAGES)
            self.take(wire, model, delivered)
            broker.kill()
            with self.assertRaises((Closed, ConnectionError)):
                while True:
                    wire.read_frame()
            broker.start()
            with self.subTest(round=round_number):
                self.compare(broker, model, delivered)

    def take(self, wire, model, delivered):
        """Acknowledges some from the head of each queue, leaves others unacknowledged."""
        wire.open(2)
        for name, messages in model.items():
            for number in range(ACKED // QUEUES + 20):
                got = wire.get(2, name, no_ack=False)
                self.assertEqual(got[-1], messages[number][1])
                delivered.add(messages[number][0])
                # The last twenty stay open; of the others the even ones are settled one by one.
                if number < ACKED // QUEUES:
                    wire.send(2, "basic.ack", got[0], False)
            del messages[:ACKED // QUEUES]
        # A confirmed publish is synced after the acks before it on the same log; so they are too.
        wire.publish(1, "", "nowhere-in-particular", b"")
        wire.expect(1, "basic.ack")
        wire.declare(1, "barrier", durable=True)
        wire.publish(1, "", "barrier", b"", properties=PERSISTENT)
        wire.expect(1, "basic.ack")
        wire.call(1, "queue.delete", 0, "barrier", False, False, False)

    def compare(self, broker, model, delivered):
        wire = self.login(broker)
        for name, messages in model.items():
            self.assertEqual(wire.declare(1, name, durable=True, passive=True)[1], len(messages))
            wire.open(3)
            for number, body in messages:
                _, redelivered, _, key, _, properties, got = wire.get(3, name, no_ack=False)
                self.assertEqual((got, key), (body, name))
                # A message that came back tells how often: a header that RabbitMQ adds only on
                # quorum queues.
                if not redelivered or b"x-delivery-count" not in properties:
                    self.assertEqual(properties, PERSISTENT)
                # The deliveries were noted before the last sync; see take().
                self.assertEqual(redelivered, number in delivered)
                delivered.add(number)
            self.assertIsNone(wire.get(3, name))
            wire.call(3, "channel.close", 200, "", 0, 0)
        wire.close()

    @staticmethod
    def sizes(broker, kind):
        """Of the data folder's files of that kind."""
        return [path.stat().st_size for path in pathlib.Path(broker.data_dir).glob(f"{kind}-*")]

    def test_large_bodies_are_on_disk_once_and_go_with_the_last_queue(self):
        broker = self.own().start()
        wire = self.login(broker)
        for name in ("one", "two"):
            wire.declare(1, name, durable=True)
            wire.bind(1, name, "amq.fanout")
        wire.call(1, "confirm.select", False)
        bodies = [os.urandom(LARGE) for _ in range(LARGE_MESSAGES)]
        for body in bodies:
            wire.publish(1, "amq.fanout", "", body, properties=PERSISTENT)
        self.settle(wire, LARGE_MESSAGES)
        broker.kill()
        self.assertGreater(len(self.sizes(broker, "blob")), LARGE_MESSAGES // 2)
        # Two queues, yet hardly more than each body once.
        paged = sum(self.sizes(broker, "blob")) + sum(self.sizes(broker, "segment"))
        self.assertLess(paged, LARGE_MESSAGES * LARGE * 1.1)
        verified = subprocess.run([harness.program("lovage-broker"), "--verify", broker.data_dir],
                                  stdout=subprocess.DEVNULL, check=False)
        self.assertEqual(verified.returncode, 0)

        broker.start()
        wire = self.login(broker)
        for name in ("one", "two"):
            self.assertTrue(all(wire.get(1, name)[-1] == body for body in bodies), name)
        deadline = time.monotonic() + FILES_GO_SECONDS
        while self.sizes(broker, "blob") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.sizes(broker, "blob"), [])

    def test_unacknowledged_deliveries_come_back_redelivered_after_an_orderly_stop(self):
        broker = self.own().start()
        wire = self.login(broker)
        wire.declare(1, "orderly", durable=True)
        wire.call(1, "confirm.select", False)
        for body in (b"first", b"second"):
            wire.publish(1, "", "orderly", body, properties=PERSISTENT)
        self.settle(wire, 2)
        wire.get(1, "orderly", no_ack=False)
        self.assertEqual(broker.stop(), 0)

        broker.start()
        wire = self.login(broker)

        came = [wire.get(1, "orderly") for _ in range(2)]
        self.assertEqual([(got[1], got[-1]) for got in came],
                         [(True, b"first"), (False, b"second")])

    def test_definitions_survive_and_transient_things_do_not(self):
        broker = self.own().start()
        wire = self.login(broker)
        wire.exchange(1, "kept.x", "topic", durable=True)
        wire.exchange(1, "lost.x", "fanout")
        arguments = {"x-message-ttl": 3_600_000, "x-dead-letter-exchange": "kept.x"}
        wire.declare(1, "kept.q", durable=True, arguments=arguments)
        wire.declare(1, "lost.q")
        wire.bind(1, "kept.q", "kept.x", "a.#")
        wire.bind(1, "kept.q", "lost.x", "")
        wire.call(1, "confirm.select", False)
        wire.publish(1, "kept.x", "a.b", b"persistent", properties=PERSISTENT)
        wire.publish(1, "kept.x", "a.b", b"transient")
        self.settle(wire, 2)
        broker.kill()

        broker.start()
        wire = self.login(broker)

        self.assertEqual(wire.declare(1, "kept.q", durable=True, arguments=arguments),
                         ["kept.q", 1, 0])
        self.assertEqual(wire.get(1, "kept.q")[-1], b"persistent")
        wire.publish(1, "kept.x", "a.c", b"still bound")
        self.assertEqual(wire.get(1, "kept.q")[-1], b"still bound")
        for call in (("queue.declare", 0, "lost.q", True, False, False, False, False, {}),
                     ("exchange.declare", 0, "lost.x", "fanout", True, False, False, False, False,
                      {})):
            wire.open(2)
            wire.send(2, *call)
            self.assertEqual(wire.closed_channel(2)[0], 404)

    def test_purged_and_deleted_messages_stay_gone(self):
        broker = self.own().start()
        wire = self.login(broker)
        for name in ("purged", "deleted"):
            wire.declare(1, name, durable=True)
        wire.call(1, "confirm.select", False)
        for name in ("purged", "deleted"):
            for _ in range(100):
                wire.publish(1, "", name, b"x", properties=PERSISTENT)
        self.settle(wire, 200)
        self.assertEqual(wire.call(1, "queue.purge", 0, "purged", False), [100])
        self.assertEqual(wire.call(1, "queue.delete", 0, "deleted", False, False, False), [100])
        broker.kill()

        broker.start()
        wire = self.login(broker)

        self.assertEqual(wire.declare(1, "purged", durable=True), ["purged", 0, 0])
        self.assertEqual(wire.declare(1, "deleted", durable=True), ["deleted", 0, 0])

    def test_killed_under_load_again_and_again(self):
        """Publishing without waiting, killed in the middle: what was confirmed is there, in order,
        once; what was not may be."""
        broker = self.own().start()
        confirmed, number = set(), 0
        for _ in range(5):
            wire = self.login(broker)
            wire.declare(1, "load", durable=True)
            wire.call(1, "confirm.select", False)
            base, unsettled = number, set()
            for _ in range(40):
                unsettled |= set(range(number - base + 1, number - base + 51))
                wire.raw(b"".join(
                    wire.method_octets(1, "basic.publish", 0, "", "load", False, False)
                    + wire.content_octets(1, str(number + i).encode(), PERSISTENT)
                    for i in range(50)))
                number += 50
                while len(unsettled) > 150:
                    self.hear(wire, unsettled)
            broker.kill()
            with self.assertRaises((Closed, ConnectionError)):
                while True:
                    self.hear(wire, unsettled)
            confirmed |= {n for n in range(base, number) if n - base + 1 not in unsettled}
            broker.start()
        wire = self.login(broker)
        there = []
        while got := wire.get(1, "load"):
            there.append(int(got[-1]))
        self.assertEqual(there, sorted(set(there)), "in order, each once")
        self.assertLessEqual(confirmed, set(there))
        self.assertGreater(len(confirmed), 1000)


class Refusals(harness.BrokerTest):
    """A start that cannot be: one clear line on stderr, an exit status that is not 0."""

    def refused(self, command):
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        self.assertGreater(done.returncode, 0, done)
        self.assertNotIn(b"ready ", done.stdout)
        lines = [line for line in done.stderr.decode().splitlines() if line.strip()]
        self.assertEqual(len(lines), 1, done.stderr.decode())
        return lines[0]

    def folder(self):
        path = tempfile.mkdtemp(prefix="lovage-interop-")
        self.addCleanup(shutil.rmtree, path, True)
        return path

    def test_second_broker_on_the_same_folder(self):
        second = harness.LovageBroker(data_dir=self.broker.data_dir, extra=())
        self.assertIn(self.broker.data_dir, self.refused(second.command()))

    def test_port_in_use(self):
        other = harness.LovageBroker(data_dir=self.folder(), extra=())
        self.assertIn(str(self.broker.port), self.refused(other.command(self.broker.port)))

    def test_folder_that_is_no_folder(self):
        path = pathlib.Path(self.folder()) / "file"
        path.write_text("in the way", encoding="ascii")
        broker = harness.LovageBroker(data_dir=str(path / "data"), extra=())
        self.assertIn(str(path), self.refused(broker.command()))
        self.assertEqual(path.read_text(encoding="ascii"), "in the way")

    def test_folder_that_cannot_be_written(self):
        if os.geteuid() == 0:
            broker = harness.LovageBroker(data_dir="/proc/lovage-cannot-write-here", extra=())
        else:
            path = self.folder()
            os.chmod(path, 0o500)
            broker = harness.LovageBroker(data_dir=path, extra=())
        self.assertIn(broker.data_dir, self.refused(broker.command()))

    def test_folder_of_something_else_is_left_alone(self):
        path = pathlib.Path(self.folder())
        (path / "thesis.txt").write_text("years of work", encoding="ascii")
        (path / "photos").mkdir()
        broker = harness.LovageBroker(data_dir=str(path), extra=())
        self.assertIn(str(path), self.refused(broker.command()))
        self.assertEqual(sorted(p.name for p in path.iterdir()), ["photos", "thesis.txt"])

    def test_wrong_options(self):
        program = harness.program("lovage-broker")
        for options in (["--port", "70000"], ["--port", "x"], ["--no-such-option"],
                        ["--heartbeat", "soon"], ["--config", "/nosuch/file"]):
            with self.subTest(options=options):
                self.refused([program, "--data-dir", self.folder(), *options])

    def test_second_signal_ends_at_once(self):
        broker = harness.LovageBroker()
        self.addCleanup(broker.close)
        broker.start()
        silent = Wire(broker.port)  # does not answer the close, so that the broker waits for it
        self.addCleanup(silent.close)
        silent.login()
        broker.process.send_signal(signal.SIGTERM)
        self.assertEqual(silent.closed_connection(answer=False)[0], 320)
        broker.process.send_signal(signal.SIGTERM)
        self.assertEqual(broker.process.wait(harness.STOP_SECONDS), 1)

    def test_orderly_stop_by_signal(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            broker = harness.LovageBroker()
            self.addCleanup(broker.close)
            broker.start()
            wire = Wire(broker.port)
            self.addCleanup(wire.close)
            wire.login()
            self.assertEqual(harness.end(broker.process, how), 0)
            self.assertEqual(wire.closed_connection()[:1], (320,))
