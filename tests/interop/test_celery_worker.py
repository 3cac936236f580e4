"""Celery's own worker, client and tools on one broker, as a Python team runs them: nothing of lovage
but the broker, nothing adapted. The cases that a C++ worker passes too are in test_celery."""

import datetime
import json
import os
import signal
import subprocess
import sys

import celery

import harness
from celery_workers import HERE, PY, TASK_SECONDS, CeleryTest, Workers, url
from running import Running

PREFIX = "own"
CELERY = [sys.executable, "-m", "celery"]


def tearDownModule():
    Workers.stop()


class OwnWorkerTest(CeleryTest):
    """Workers of one test, on queues of its own."""

    def setUp(self):
        super().setUp()
        self.queues = [self.name("celery") for _ in range(2)]
        # What Celery calls direct exchanges of the queues stay; queues and messages go.
        self.addCleanup(self.delete_queues)

    def delete_queues(self):
        channel = self.channel()
        for queue in self.queues:
            channel.queue_delete(queue)

    def start_worker(self, *options, queues=None, node="own", environment=None):
        """In a session of its own, so that it can be killed with its children."""
        queues = queues or self.queues
        process = harness.spawn(
            [*CELERY, "-A", "celery_app", "worker", "-Q", ",".join(queues), "-n",
             f"{node}@interop", "--without-gossip", "--without-mingle", *options],
            env={**os.environ, "LOVAGE_BROKER_URL": url(), "LOVAGE_CELERY_QUEUE": queues[0],
                 "LOVAGE_CELERY_PREFIX": PREFIX, "PYTHONDONTWRITEBYTECODE": "1",
                 "C_FORCE_ROOT": "1", **(environment or {})},
            cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(self.kill, process)
        return process

    @staticmethod
    def kill(process):
        """Kills the worker and its children, at once and without a word to the broker."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def send(self, name, *args, queue=0, **options):
        return self.app.send_task(f"{PREFIX}.{name}", args, queue=self.queues[queue], **options)


class Client(CeleryTest):
    """The calls that test_celery makes by name, as a client that knows the tasks writes them."""

    python = True

    def setUp(self):
        super().setUp()
        self.app.conf.task_default_queue = PY

        @self.app.task(name="py.add")
        def add(a, b):
            raise NotImplementedError("runs in the worker")

        self.add = add

    def test_delay_get(self):
        result = self.add.delay(2, 3)
        self.assertEqual(result.get(timeout=TASK_SECONDS), 5)
        self.assertTrue(result.successful())

    def test_group_of_signatures(self):
        group = celery.group(self.add.s(number, number) for number in range(50))
        self.assertEqual(group.apply_async().get(timeout=TASK_SECONDS),
                         [2 * number for number in range(50)])

    def test_countdown_and_expiry(self):
        kept = self.add.apply_async((1, 2), countdown=0.5, expires=60)
        gone = self.add.apply_async((1, 2), expires=datetime.datetime(2020, 1, 1))
        self.assertEqual(kept.get(timeout=TASK_SECONDS), 3)
        with self.assertRaises(celery.exceptions.TaskRevokedError):
            gone.get(timeout=TASK_SECONDS)


class Tools(CeleryTest):
    """The command line of Celery."""

    python = True

    def inspect(self, what):
        done = subprocess.run(
            [*CELERY, "-b", url(), "inspect", what, "-d", "py@interop", "-t", "10", "--json"],
            capture_output=True, timeout=60, check=False, cwd=HERE)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = json.loads(done.stdout)
        self.assertEqual(list(answers), ["py@interop"])
        return answers["py@interop"]

    def test_inspect_ping(self):
        self.assertEqual(self.inspect("ping"), {"ok": "pong"})

    def test_inspect_stats(self):
        self.value(self.call("py.add", 1, 2))
        stats = self.inspect("stats")
        self.assertGreaterEqual(stats["total"]["py.add"], 1)
        self.assertEqual(stats["broker"]["port"], self.broker.port)
        self.assertEqual(stats["pool"]["max-concurrency"], 2)

    def test_inspect_active_queues(self):
        queue, = self.inspect("active_queues")
        self.assertEqual((queue["name"], queue["routing_key"], queue["durable"]), (PY, PY, True))

    def test_events_dump(self):
        # The worker tells of its tasks when it is asked to, which `celery control` does.
        enabled = subprocess.run([*CELERY, "-b", url(), "control", "enable_events"],
                                 capture_output=True, timeout=60, check=False, cwd=HERE)
        self.assertEqual(enabled.returncode, 0, enabled.stderr)
        dump = Running([*CELERY, "-b", url(), "events", "--dump"],
                       {**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=HERE)
        self.addCleanup(harness.end, dump.process, signal.SIGKILL)
        # Heartbeats of the worker come every other second; the first says that the dump listens.
        dump.line_with("py@interop", "heartbeat")

        result = self.call("py.add", 20, 22)
        self.assertEqual(self.value(result), 42)

        for event in ("received", "started", "succeeded"):
            dump.line_with("py@interop", event, result.id)
        dump.end(signal.SIGINT, may_say_more=True)


class Priorities(OwnWorkerTest):
    LEVELS = 10

    def test_higher_priority_runs_first(self):
        self.app.conf.task_queue_max_priority = self.LEVELS
        given = [3, 0, 9, None, 5, 9, 10, 1, 200]
        results = [self.send("turn", priority=priority) for priority in given]
        self.start_worker("-P", "solo", "--prefetch-multiplier", "1",
                          environment={"LOVAGE_CELERY_MAX_PRIORITY": str(self.LEVELS)},
                          queues=self.queues[:1])

        turns = [self.value(result) for result in results]
        # More than there are counts as the most, none as zero; the same goes by age.
        rank = [min(priority or 0, self.LEVELS) for priority in given]
        expected = sorted(range(len(given)), key=lambda number: (-rank[number], number))
        self.assertEqual([turns[number] for number in expected], list(range(len(given))))


class KilledWorker(OwnWorkerTest):
    """acks_late: a task is acknowledged when it is done, so a killed worker loses none."""

    def who_runs(self, result, nodes):
        """The node that runs the task now, or None."""
        active = self.app.control.inspect(nodes, timeout=5).active() or {}
        return next((node for node, tasks in active.items()
                     if result.id in [task["id"] for task in tasks]), None)

    def test_task_is_done_by_another(self):
        workers = {f"{node}@interop": self.start_worker(
            "-c", "1", "--prefetch-multiplier", "1", node=node) for node in ("left", "right")}
        # Both are there when each has answered for itself.
        for node in workers:
            harness.wait_for(lambda node=node: self.app.control.inspect([node], timeout=1).ping(),
                             60, f"{node} answers")

        result = self.send("second_try")
        killed = harness.wait_for(lambda: self.who_runs(result, list(workers)), 60, "it runs")
        self.kill(workers.pop(killed))

        survivor, = workers
        self.assertEqual(self.value(result), [survivor, True])

    def test_all_tasks_of_a_killed_worker_are_done(self):
        """What it was given beyond the one it ran comes back as well."""
        results = [self.send("second_try")] + [self.send("add", n, 1) for n in range(7)]
        first = self.start_worker("-c", "1", "--prefetch-multiplier", "8", node="first")
        harness.wait_for(lambda: self.who_runs(results[0], ["first@interop"]), 60, "it runs")
        self.kill(first)
        self.start_worker("-c", "2", node="second")

        self.assertEqual(self.value(results[0]), ["second@interop", True])
        self.assertEqual([self.value(result) for result in results[1:]],
                         [number + 1 for number in range(7)])


class Prefetch(OwnWorkerTest):
    """A Celery worker raises and lowers its prefetch count while it consumes; how it asks for that
    depends on what the broker calls itself."""

    COUNT = 4

    def start_solo(self):
        """One process, which does not look at its socket while a task sleeps."""
        self.start_worker("-P", "solo", "-c", "1", "--prefetch-multiplier", str(self.COUNT))

    def ready(self):
        """Messages that are in no worker's hands."""
        wire = self.wire()
        wire.open(1)
        counts = [wire.declare(1, queue, durable=True, passive=True)[1] for queue in self.queues]
        wire.close()
        return sum(counts)

    def test_tasks_that_wait_for_their_time_do_not_stall_the_others(self):
        waiting = 3 * self.COUNT
        for number in range(waiting):
            self.send("add", number, 1, countdown=3600)
        prompt = self.send("add", 1, 2)
        self.start_solo()
        self.assertEqual(self.value(prompt), 3)
        harness.wait_for(lambda: self.ready() == 0, what="the worker holds what waits")
        self.assertEqual(self.value(self.send("add", 2, 3)), 5)

    def test_count_holds_for_all_queues_of_a_worker_together(self):
        first = self.send("add", 1, 2)
        others = 5 * self.COUNT
        for number in range(others):
            self.send("sleep", 3600, queue=number % 2)
        self.start_solo()
        self.assertEqual(self.value(first), 3)
        # The first one may still count: its worker acknowledges when it next looks at its socket.
        harness.wait_for(lambda: self.ready() <= others + 1 - self.COUNT, what="a full prefetch")
        self.assertGreaterEqual(self.ready(), others - self.COUNT)
