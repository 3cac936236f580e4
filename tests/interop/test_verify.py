"""What an operator does with the data directory of a broker that is not running: --verify and
--salvage."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import pika

import harness

MESSAGES = 3000
TAKEN = 500
BODY = 600


def run(*arguments):
    done = subprocess.run([harness.program("lovage-broker"), *arguments], capture_output=True,
                          timeout=harness.WAIT_SECONDS, check=False, text=True)
    return done.returncode, done.stdout, done.stderr


def number(text, what):
    return int(re.search(rf"^{re.escape(what)}: (\d+)$", text, re.M).group(1))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir())}


class Verify(harness.BrokerTest):
    def folder(self):
        folder = tempfile.mkdtemp(prefix="lovage-interop-")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder

    def start(self, folder):
        self.broker = harness.LovageBroker(
            data_dir=folder, extra=("--log-level", "info", "--window-memory", "200000"))
        self.addCleanup(self.broker.close)
        return self.broker.start()

    def fill(self, folder):
        """A long queue of which much is in pages, delayed messages, bindings, a policy's queue."""
        self.start(folder)
        channel = self.channel()
        channel.confirm_delivery()
        channel.queue_declare("long", durable=True)
        channel.queue_declare("short", durable=True)
        channel.exchange_declare("topics", "topic", durable=True)
        channel.queue_bind("short", "topics", "a.#")
        channel.exchange_declare("late", "x-delayed-message", durable=True,
                                 arguments={"x-delayed-type": "fanout"})
        lasting = pika.BasicProperties(delivery_mode=2)
        for i in range(MESSAGES):
            channel.basic_publish("", "long", f"{i:06}".encode() * (BODY // 6), lasting)
        channel.basic_publish("topics", "a.b", b"short one", lasting)
        channel.basic_publish("late", "", b"late one", pika.BasicProperties(
            delivery_mode=2, headers={"x-delay": 3_600_000}))
        for _ in range(TAKEN):
            channel.basic_get("long", auto_ack=True)
        frame, _, _ = channel.basic_get("long")
        channel.basic_nack(frame.delivery_tag, requeue=True)
        self.count(channel, "long")

    def drain(self, channel):
        taken = []
        while True:
            frame, _, body = channel.basic_get("long", auto_ack=True)
            if not frame:
                return taken
            taken.append(int(body[:6]))

    def test_a_sound_directory_is_whole_after_a_stop_and_after_a_kill_and_not_changed(self):
        folder = self.folder()
        self.fill(folder)
        status, _, problem = run("--verify", folder)
        self.assertEqual(status, 2)
        self.assertIn("in use by another broker", problem)
        for end in ("stop", "kill"):
            getattr(self.broker, end)()
            before = contents(folder)
            status, text, problem = run("--verify", folder)
            self.assertEqual((status, problem), (0, ""), text)
            self.assertEqual(contents(folder), before)
            self.assertEqual(number(text, "faults"), 0)
            self.assertEqual(number(text, "queues"), 2)
            self.assertEqual(number(text, "delay lines"), 1)
            self.assertEqual(number(text, "messages in the log")
                             + number(text, "messages in pages"), MESSAGES - TAKEN + 2)
            self.assertGreater(number(text, "messages in pages"), MESSAGES // 2)
            self.assertEqual(number(text, "settings of kind user"), 1)
            self.start(folder)
            self.assertEqual(self.count(self.channel(), "long"), MESSAGES - TAKEN)

    def test_a_sound_directory_is_taken_over_whole(self):
        folder, into = self.folder(), self.folder()
        self.fill(folder)
        self.broker.stop()
        status, text, problem = run("--salvage", folder, "--into", into)
        self.assertEqual((status, problem), (0, ""), text)
        self.assertEqual(run("--verify", into)[0], 0)
        self.start(into)
        channel = self.channel()
        self.assertEqual(self.count(channel, "short"), 1)
        frame, _, _ = channel.basic_get("long")
        self.assertTrue(frame.redelivered)
        channel.basic_nack(frame.delivery_tag, requeue=True)
        self.assertEqual(self.drain(channel), list(range(TAKEN, MESSAGES)))

    def test_a_damaged_directory_refuses_is_listed_and_gives_the_rest(self):
        folder, into = self.folder(), self.folder()
        self.fill(folder)
        self.broker.stop()
        segment = sorted(pathlib.Path(folder).glob("segment-*"))[0]
        segment.unlink()
        # The place that refuses to start says what to do.
        status, _, problem = run("--port", "0", "--no-management", "--data-dir", folder)
        self.assertEqual(status, 1)
        for word in (segment.name, "--verify", "--salvage"):
            self.assertIn(word, problem)
        status, text, _ = run("--verify", folder)
        self.assertEqual(status, 1)
        self.assertIn(f"{segment.name} is missing", text)
        before = contents(folder)
        status, text, problem = run("--salvage", folder, "--into", into)
        self.assertEqual((status, problem), (3, ""), text)
        self.assertEqual(contents(folder), before)
        lost = sum(map(int, re.findall(rf"{segment.name}, page .*: (\d+) of \d+ messages", text)))
        self.assertGreater(lost, 0)
        self.assertEqual(run("--verify", into)[0], 0)
        self.start(into)
        channel = self.channel()
        taken = self.drain(channel)
        self.assertEqual(len(taken), MESSAGES - TAKEN - lost)
        self.assertEqual(taken, sorted(set(taken)))
        self.assertEqual(self.count(channel, "short"), 1)

    def test_a_virtual_host_whose_record_is_damaged_keeps_its_queues(self):
        """A start deletes all that is in a virtual host which the log does not know."""
        folder, into = self.folder(), self.folder()
        self.fill(folder)
        self.broker.stop()
        log = pathlib.Path(folder) / "log-0000000000000001"
        octets = bytearray(log.read_bytes())
        octets[octets.index(b"vhost\0\0\0\0\1/")] ^= 1
        log.write_bytes(octets)
        status, text, _ = run("--verify", folder)
        self.assertEqual(status, 1)
        self.assertRegex(text, f"{log.name} at offset [0-9]+ to [0-9]+ .*: no record")
        status, text, problem = run("--salvage", folder, "--into", into)
        self.assertEqual((status, problem), (3, ""), text)
        self.assertIn("the definition of virtual host '/'", text)
        self.assertEqual(run("--verify", into)[0], 0)
        self.start(into)
        channel = self.channel()
        self.assertEqual(self.count(channel, "short"), 1)
        self.assertEqual(self.drain(channel), list(range(TAKEN, MESSAGES)))

    def test_what_cannot_be_looked_at_is_said_with_status_2(self):
        nowhere = self.folder() + "/none"
        empty = self.folder()
        for arguments, word in (
                (("--verify", nowhere), "No such file"),
                (("--verify", empty), "not a lovage data directory"),
                (("--verify",), "argument"), (("--verify", ""), "directory"),
                (("--salvage", empty), "--into"), (("--into", empty), "--salvage"),
                (("--salvage", nowhere, "--into", empty), "No such file"),
                (("--verify", empty, "--salvage", empty, "--into", nowhere), "one of them")):
            with self.subTest(arguments=arguments):
                status, text, problem = run(*arguments)
                self.assertEqual((status, text), (2, ""))
                self.assertIn(word, problem)
        self.assertFalse(pathlib.Path(nowhere).exists())
        self.assertEqual(list(pathlib.Path(empty).iterdir()), [])
