"""A full disk: a file system of 256 MiB, mounted for the test. Publishers are blocked and told; all
else goes on; publishing goes on by itself; nothing that was confirmed is lost. And a failing disk,
which ends the broker."""

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

import pika
import pika.exceptions

import harness

FILE_SYSTEM = "256m"
BODY = os.urandom(64 * 1024)
PERSISTENT = pika.BasicProperties(delivery_mode=2)
# More than the file system has: publishing is stopped long before.
MESSAGES_MAX = 6000
QUEUES = ("work", "deleted", "purged")
LEAST_STORED = 100 * 1024 * 1024
# Of transient messages: more than the window for memory, less than the disk has free.
TRANSIENT_BODIES = 1600
WINDOW_AND_BUFFERS_KIB = 80 * 1024


class SmallDisk:
    """A tmpfs. Root mounts it as it is; others do it in a mount namespace of their own, where a
    process that sleeps keeps it alive: its root folder leads there through /proc."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="lovage-small-disk-")
        self.keeper = None
        mount = ["mount", "-t", "tmpfs", "-o", f"size={FILE_SYSTEM}", "lovage-test", self.folder]
        self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self.path = self.folder
        if not self.mounted:
            self._mount_in_a_namespace(mount)

    def _mount_in_a_namespace(self, mount):
        script = f"{' '.join(mount)} && echo mounted && exec sleep infinity"
        try:
            self.keeper = harness.spawn(["unshare", "-rm", "sh", "-c", script],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            done = self.keeper.stdout.readline() == b"mounted\n"
        except FileNotFoundError:
            done = False
        if not done:
            self.close()
            harness.missing("leave to mount a small file system (root, or unshare -rm), which")
        self.path = f"/proc/{self.keeper.pid}/root{self.folder}"

    def free(self):
        about = os.statvfs(self.path)
        return about.f_bavail * about.f_frsize

    def fill(self, leave=0):
        """By somebody else."""
        with open(pathlib.Path(self.path) / "others", "wb") as other, \
                contextlib.suppress(OSError):
            while self.free() > leave:
                other.write(bytes(min(65536, max(4096, self.free() - leave))))
                other.flush()

    def clear(self):
        (pathlib.Path(self.path) / "others").unlink()

    def close(self):
        if self.keeper:
            harness.end(self.keeper)
            self.keeper.stdout.close()
            self.keeper.stderr.close()
        if self.mounted:
            subprocess.run(["umount", self.folder], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Publisher:
    """Publishes with confirms until connection.blocked comes; knows what was confirmed."""

    def __init__(self, test, broker):
        self.blocked = False
        self.confirmed, self.sent = set(), 0
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", broker.port, heartbeat=0, blocked_connection_timeout=None))
        test.addCleanup(test._close, self.connection)
        test.addCleanup(broker.kill)  # first: a blocked connection does not get its close answered
        self.connection.add_on_connection_blocked_callback(self._on_blocked)
        self.connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self.channel = self.connection.channel()
        # As raw as pika allows: a publish that waits for its confirm would wait for the end of the
        # block as well.
        self.channel._impl.confirm_delivery(self._on_confirm)
        self.unconfirmed = {}
        self.published = 0

    def _on_blocked(self, _connection, _method):
        self.blocked = True

    def _on_unblocked(self, _connection, _method):
        self.blocked = False

    def _on_confirm(self, frame):
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        assert frame.method.NAME == "Basic.Ack", frame
        for each in [t for t in self.unconfirmed if t == tag or (multiple and t < tag)]:
            self.confirmed.add(self.unconfirmed.pop(each))

    def publish(self, queue, number):
        self.published += 1
        self.unconfirmed[self.published] = (queue, number)
        self.channel._impl.basic_publish("", queue, str(number).encode() + b":" + BODY, PERSISTENT)

    def publish_until_blocked(self, queues, first=0):
        number = first
        while not self.blocked and number < first + MESSAGES_MAX:
            if len(self.unconfirmed) < 20:
                self.publish(queues[number % len(queues)], number)
                number += 1
            self.connection.process_data_events(0 if len(self.unconfirmed) < 20 else 0.05)
        return number

    def wait(self, condition, what):
        def step():
            self.connection.process_data_events(0.02)
            return condition()

        harness.wait_for(step, what=what)


class FullDisk(harness.BrokerTest):
    def setUp(self):
        self.disk = SmallDisk()
        self.addCleanup(self.disk.close)
        self.broker = harness.LovageBroker(data_dir=f"{self.disk.path}/data")
        self.addCleanup(self.broker.close)
        self.broker.start()
        channel = self.channel()
        for queue in QUEUES:
            channel.queue_declare(queue, durable=True)

    def numbers(self, queue):
        """All that the queue has, taken and acknowledged one by one on a connection that does not
        publish."""
        channel = self.channel()
        numbers = []
        while True:
            frame, _, body = channel.basic_get(queue)
            if frame is None:
                return numbers
            number, _, rest = body.partition(b":")
            self.assertEqual(rest, BODY)
            numbers.append(int(number))
            channel.basic_ack(frame.delivery_tag)

    def assert_has_all(self, publisher, queue, numbers):
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLessEqual({n for q, n in publisher.confirmed if q == queue}, set(numbers))

    def test_publishers_wait_and_all_else_goes_on(self):
        publisher = Publisher(self, self.broker)
        sent = publisher.publish_until_blocked(QUEUES)
        self.assertTrue(publisher.blocked, f"not blocked after {sent} messages")
        self.assertGreater(len(publisher.confirmed) * len(BODY), LEAST_STORED)
        publisher.publish("work", sent)

        # Definitions come and go, a purge and a deletion, while publishers wait.
        channel = self.channel()
        channel.queue_declare("made.while.full", durable=True)
        channel.exchange_declare("made.while.full", "fanout", durable=True)
        channel.queue_bind("work", "made.while.full")
        channel.queue_unbind("work", "made.while.full")
        channel.exchange_delete("made.while.full")
        publisher.connection.process_data_events(0.05)
        self.assertTrue(publisher.blocked)
        self.assertIn(("work", sent), publisher.unconfirmed.values())

        # Acks go on and last: a third is taken, then the broker is killed.
        taken = []
        for _ in range(100):
            frame, _, body = channel.basic_get("work")
            taken.append(int(body.partition(b":")[0]))
            channel.basic_ack(frame.delivery_tag)
        channel.queue_declare("work", durable=True)
        self.wait_written()
        self.broker.kill()

        self.broker.start()
        self.assert_has_all(publisher, "work", taken + self.numbers("work"))
        self.assert_has_all(publisher, "deleted", self.numbers("deleted"))
        self.assert_has_all(publisher, "purged", self.numbers("purged"))

        again = Publisher(self, self.broker)
        more = again.publish_until_blocked(QUEUES)
        self.assertTrue(again.blocked)
        channel = self.channel()
        channel.queue_delete("deleted")
        channel.queue_purge("purged")
        again.wait(lambda: not again.blocked, "publishing goes on by itself")
        again.publish("work", more)
        again.wait(lambda: ("work", more) in again.confirmed, "a confirm")
        self.assertIn("disk_alarm", self.broker.log_text())
        self.assertNotIn("disk_full", self.broker.log_text())

    def wait_written(self):
        """A declaration that is new is answered when it is on disk, and all before it."""
        self.channel().queue_declare(self.name("written"), durable=True)

    def test_killed_while_publishers_wait_and_drained_to_the_end(self):
        publisher = Publisher(self, self.broker)
        publisher.publish_until_blocked(["work"])
        self.assertTrue(publisher.blocked)
        self.broker.kill()

        started = time.monotonic()
        self.broker.start()
        self.assertLess(time.monotonic() - started, harness.START_SECONDS)
        again = Publisher(self, self.broker)
        again.publish("work", MESSAGES_MAX)
        again.wait(lambda: again.blocked, "blocked again")
        numbers = self.numbers("work")
        again.wait(lambda: not again.blocked and not again.unconfirmed, "publishing goes on")

        numbers += self.numbers("work")
        self.assert_has_all(publisher, "work", numbers)
        self.assertIn(MESSAGES_MAX, numbers)
        self.assertNotIn("disk_full", self.broker.log_text())

    def test_filled_by_others(self):
        publisher = Publisher(self, self.broker)
        for number in range(300):
            publisher.publish("work", number)
        publisher.wait(lambda: not publisher.unconfirmed, "confirms")
        self.disk.fill()
        sent = publisher.publish_until_blocked(["work"], 300)
        self.assertTrue(publisher.blocked)

        numbers = self.numbers("work")
        self.wait_written()
        self.disk.clear()
        publisher.wait(lambda: not publisher.blocked, "publishing goes on by itself")
        publisher.publish("work", sent)
        publisher.wait(lambda: not publisher.unconfirmed, "confirms")

        numbers += self.numbers("work")
        self.assertEqual(numbers, list(range(sent + 1)))
        self.assertNotIn("disk_full", self.broker.log_text())


    def test_what_transient_messages_took_is_used_again(self):
        """They leave no batches of the log, which otherwise tell how much space there is."""
        before_kib = self.broker.rss_kib()
        channel = self.channel()
        channel.queue_declare("passing")
        for _ in range(4):
            for number in range(TRANSIENT_BODIES):
                channel.basic_publish("", "passing", str(number).encode() + b":" + BODY)
            harness.wait_for(lambda: self.count(channel, "passing") == TRANSIENT_BODIES)
            harness.wait_for(
                lambda: self.broker.rss_kib() - before_kib < WINDOW_AND_BUFFERS_KIB,
                what="messages leave the memory")
            self.assertEqual(self.numbers("passing"), list(range(TRANSIENT_BODIES)))


class FailingDisk(harness.BrokerTest):
    """Files must not become longer than a limit that is set while the broker runs: the write fails
    with an error that is not a lack of space."""

    LIMIT = 64 * 1024

    def test_ends_the_process_at_once_with_a_clear_line(self):
        self.broker = broker = harness.LovageBroker()
        self.addCleanup(broker.close)
        command = broker.command
        broker.command = lambda port=0: ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh",
                                         *command(port)]
        broker.start()
        channel = self.channel()
        channel.confirm_delivery()
        channel.queue_declare("q", durable=True)
        for number in range(8):
            channel.basic_publish("", "q", str(number).encode() + bytes(self.LIMIT // 4),
                                  PERSISTENT)

        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (self.LIMIT, self.LIMIT))
        with self.assertRaises(pika.exceptions.AMQPError):
            channel.basic_publish("", "q", b"never confirmed", PERSISTENT)

        self.assertEqual(broker.process.wait(harness.STOP_SECONDS), 1)
        text = broker.log_text()
        self.assertIn("the disk failed: cannot ", text)
        self.assertIn("File too large; ending", text)
        broker.command = command
        broker.start()
        channel = self.channel()
        self.assertIn(self.count(channel, "q"), (8, 9))
