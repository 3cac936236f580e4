"""Celery and lovage on one broker, both ways: unmodified Celery clients call C++ tasks, C++
programs call Python tasks, chains cross, `celery inspect` sees the C++ worker."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import celery
import celery.exceptions

import harness
from wire import Wire

TASK_SECONDS = 30
CPP, PY = "demo", "pyq"
HERE = pathlib.Path(__file__).resolve().parent

VALUES = [0, -1, 2**53, 2**62, 1.5, -0.1, 1e300, True, None, "", "Grüße, 世界 👋🏽", 'a "b" \\ \n\t',
          [], {}, [1, [2, [3, {"a": [None]}]]], {"ключ": {"nested": [1.25, "x"]}, "": 0}]


class Workers:
    """One Python worker and one C++ worker for all tests of the run, started when first needed."""

    processes = {}
    logs = {}

    @classmethod
    def start(cls, queue, command):
        if queue in cls.processes:
            return
        log = tempfile.NamedTemporaryFile(prefix=f"lovage-worker-{queue}-")
        cls.logs[queue] = log
        broker = harness.shared_broker()
        environment = {**os.environ, "LOVAGE_BROKER_URL": url(), "LOVAGE_CELERY_QUEUE": PY,
                       "PYTHONDONTWRITEBYTECODE": "1", "C_FORCE_ROOT": "1"}
        cls.processes[queue] = harness.spawn(
            command, env=environment, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_for(lambda: cls.consumers(broker, queue), 30, f"a worker on {queue}")

    @classmethod
    def consumers(cls, broker, queue):
        if cls.processes[queue].poll() is not None:
            raise AssertionError(f"the worker of {queue} ended: {cls.log(queue)}")
        wire = Wire(broker.port)
        try:
            wire.login()
            wire.open(1)
            wire.send(1, "queue.declare", 0, queue, True, False, False, False, False, {})
            _, name, arguments = wire.read()
            return name == "queue.declare_ok" and arguments[2] > 0
        finally:
            wire.close()

    @classmethod
    def log(cls, queue):
        with open(cls.logs[queue].name, encoding="utf-8", errors="replace") as text:
            return text.read()[-3000:]

    @classmethod
    def stop(cls):
        for process in cls.processes.values():
            harness.end(process)
        cls.processes.clear()


def url():
    return f"amqp://guest:guest@127.0.0.1:{harness.shared_broker().port}//"


def tearDownModule():
    Workers.stop()


class CeleryTest(harness.BrokerTest):
    python = cpp = False

    def setUp(self):
        super().setUp()
        self.app = celery.Celery("client", broker=url(), backend="rpc://")
        self.app.conf.broker_transport_options = {"confirm_publish": True}
        self.addCleanup(self.app.close)
        if self.python:
            Workers.start(PY, [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-Q",
                               PY, "-c", "2", "-n", "py@interop", "-l", "info"])
        if self.cpp:
            Workers.start(CPP, [harness.program("demo_tasks"), "worker", "-Q", CPP, "-c", "2",
                                "-n", "cpp@interop", "-l", "info"])

    def signature(self, name, *args, **options):
        queue = PY if name.startswith("py.") else CPP
        return self.app.signature(name, args=args, options={"queue": queue, **options})

    def call(self, name, *args, **options):
        queue = PY if name.startswith("py.") else CPP
        return self.app.send_task(name, args, queue=queue, **options)

    def value(self, result, seconds=TASK_SECONDS):
        try:
            return result.get(timeout=seconds)
        except celery.exceptions.TimeoutError:
            logs = "\n".join(f"{queue}: {Workers.log(queue)}" for queue in Workers.processes)
            self.fail(f"no result in {seconds} s; {logs}")


class TaskCases:
    """What a worker must do for a Celery client, whatever it is written in."""

    prefix = None

    def test_result_comes_back(self):
        self.assertEqual(self.value(self.call(f"{self.prefix}.add", 2, 3)), 5)

    def test_values_travel_unchanged(self):
        for value in VALUES:
            with self.subTest(value=value):
                got = self.value(self.call(f"{self.prefix}.echo", value))
                self.assertEqual((got, type(got)), (value, type(value)))

    def test_failure_raises_with_its_message(self):
        with self.assertRaises(Exception) as raised:
            self.value(self.call(f"{self.prefix}.fail", "boom äöü"))
        self.assertNotIsInstance(raised.exception, AssertionError)
        self.assertIn("boom äöü", str(raised.exception))

    def test_failure_state_and_traceback_are_visible(self):
        result = self.call(f"{self.prefix}.fail", "seen")
        with contextlib.suppress(Exception):
            result.get(timeout=TASK_SECONDS)
        self.assertEqual(result.state, "FAILURE")
        self.assertIn("seen", repr(result.result))

    def test_retries_end_in_success(self):
        # Celery tells the retries, our demo task its attempts.
        self.assertIn(self.value(self.call(f"{self.prefix}.flaky", 2), 60), (2, 3))

    def test_countdown(self):
        started = time.monotonic()
        result = self.call(f"{self.prefix}.add", 1, 1, countdown=1)
        self.assertEqual(self.value(result), 2)
        self.assertGreater(time.monotonic() - started, 0.9)

    def test_many_tasks_each_get_their_own_answer(self):
        results = [(n, self.call(f"{self.prefix}.add", n, 1)) for n in range(200)]
        for number, result in results:
            self.assertEqual(self.value(result), number + 1)

    def test_group(self):
        group = celery.group([self.signature(f"{self.prefix}.add", n, n) for n in range(20)],
                             app=self.app)
        self.assertEqual(group.apply_async().get(timeout=TASK_SECONDS),
                         [2 * n for n in range(20)])

    def test_chain(self):
        chain = celery.chain(self.signature(f"{self.prefix}.add", 1, 2),
                             self.signature(f"{self.prefix}.add", 10),
                             self.signature(f"{self.prefix}.add", 100), app=self.app)
        self.assertEqual(self.value(chain.apply_async()), 113)

    def test_worker_answers_ping_and_inspect(self):
        node = {"py": "py@interop", "demo": "cpp@interop"}[self.prefix]
        inspect = self.app.control.inspect([node], timeout=5)
        self.assertEqual(inspect.ping(), {node: {"ok": "pong"}})
        self.assertIn(f"{self.prefix}.add", inspect.registered()[node])
        self.assertIn({"py": PY, "demo": CPP}[self.prefix],
                      [queue["name"] for queue in inspect.active_queues()[node]])
        self.assertIn("total", inspect.stats()[node])


class PythonAlone(TaskCases, CeleryTest):
    """Celery's own worker on this broker: shows that the broker is good enough for Celery, and that
    the cases are right."""

    python, prefix = True, "py"


class PythonCallsCpp(TaskCases, CeleryTest):
    cpp, prefix = True, "demo"


class ChainsAcross(CeleryTest):
    python = cpp = True

    def test_chain_crosses_both_ways(self):
        chain = celery.chain(self.signature("demo.add", 1, 2), self.signature("py.add", 10),
                             self.signature("demo.add", 100), self.signature("py.echo"),
                             app=self.app)
        self.assertEqual(self.value(chain.apply_async()), 113)

    def test_failure_in_the_middle_stops_the_chain(self):
        chain = celery.chain(self.signature("py.echo", "stop here"), self.signature("demo.fail"),
                             self.signature("py.echo"), app=self.app)
        last = chain.apply_async()
        with self.assertRaises(Exception) as raised:
            last.parent.get(timeout=TASK_SECONDS)
        self.assertIn("stop here", str(raised.exception))

    def test_link_is_sent_with_the_result_in_front_of_its_arguments(self):
        # With the rpc backend nobody hears the callback's result, so its message is looked at. The
        # queue is made as Celery makes one.
        name = self.name("linked")
        channel = self.channel()
        channel.exchange_declare(name, "direct", durable=True)
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, name, name)
        after = self.app.signature("py.add", args=(1000,), options={"queue": name})

        result = self.call("demo.add", 1, 2, link=after)

        self.assertEqual(self.value(result), 3)
        _, properties, body = self.gets(channel, name)[0]
        self.assertEqual(properties.headers["task"], "py.add")
        self.assertEqual(json.loads(body)[0], [3, 1000])
        self.assertEqual((properties.headers["parent_id"], properties.headers["root_id"]),
                         (result.id, result.id))
        channel.queue_delete(name)
        channel.exchange_delete(name)


class CppCallsPython(CeleryTest):
    python = True

    def lovage(self, *arguments, seconds=60):
        environment = {**os.environ, "LOVAGE_BROKER_URL": url()}
        return subprocess.run([harness.program("lovage"), *arguments], env=environment,
                              capture_output=True, timeout=seconds, check=False)

    def called(self, name, args, *options):
        return self.lovage("call", name, "--args", json.dumps(args), "--queue", PY, "--timeout",
                           str(TASK_SECONDS), *options)

    def test_result_is_one_line_of_json(self):
        done = self.called("py.add", [2, 3])
        self.assertEqual((done.returncode, done.stdout), (0, b"5\n"), done.stderr)

    def test_values_travel_unchanged(self):
        for value in VALUES:
            with self.subTest(value=value):
                done = self.called("py.echo", [value])
                self.assertEqual(done.returncode, 0, done.stderr)
                got = json.loads(done.stdout)
                self.assertEqual((got, type(got)), (value, type(value)))
                self.assertEqual(done.stdout.count(b"\n"), 1)

    def test_keyword_arguments(self):
        done = self.called("py.named", ["a"], "--kwargs", '{"third": "c"}')
        self.assertEqual((done.returncode, json.loads(done.stdout or b"null")),
                         (0, ["a", "default", "c"]), done.stderr)

    def test_failed_task_is_exit_1_with_its_error(self):
        done = self.called("py.fail", ["boom äöü"])
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn("boom äöü", done.stderr.decode())

    def test_python_retries_are_waited_for(self):
        done = self.called("py.flaky", [2])
        self.assertEqual((done.returncode, done.stdout), (0, b"2\n"), done.stderr)

    def test_no_answer_in_time_is_exit_2(self):
        done = self.lovage("call", "py.add", "--args", "[1,2]", "--queue", "nobody.works.here",
                           "--timeout", "1")
        self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)


class Prefetch(CeleryTest):
    """A Celery worker raises and lowers its prefetch count while it consumes; how it asks for that
    depends on what the broker calls itself."""

    COUNT = 4

    def setUp(self):
        super().setUp()
        self.queues = [self.name("prefetch") for _ in range(2)]

    def start_worker(self):
        """One process, so that it can be killed while a task sleeps."""
        environment = {**os.environ, "LOVAGE_BROKER_URL": url(),
                       "LOVAGE_CELERY_QUEUE": self.queues[0], "LOVAGE_CELERY_PREFIX": "prefetch",
                       "PYTHONDONTWRITEBYTECODE": "1", "C_FORCE_ROOT": "1"}
        process = harness.spawn(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "solo", "-Q",
             ",".join(self.queues), "-n", "prefetch@interop", "-c", "1", "--prefetch-multiplier",
             str(self.COUNT), "--without-gossip", "--without-mingle"],
            env=environment, cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end, process, signal.SIGKILL)

    def send(self, name, *args, queue=0, **options):
        return self.app.send_task(f"prefetch.{name}", args, queue=self.queues[queue], **options)

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
        self.start_worker()
        self.assertEqual(self.value(prompt), 3)
        harness.wait_for(lambda: self.ready() == 0, what="the worker holds what waits")
        self.assertEqual(self.value(self.send("add", 2, 3)), 5)

    def test_count_holds_for_all_queues_of_a_worker_together(self):
        first = self.send("add", 1, 2)
        others = 5 * self.COUNT
        for number in range(others):
            self.send("sleep", 3600, queue=number % 2)
        self.start_worker()
        self.assertEqual(self.value(first), 3)
        # The first one may still count: its worker acknowledges when it next looks at its socket.
        harness.wait_for(lambda: self.ready() <= others + 1 - self.COUNT, what="a full prefetch")
        self.assertGreaterEqual(self.ready(), others - self.COUNT)
