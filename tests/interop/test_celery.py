"""Celery and lovage on one broker, both ways: unmodified Celery clients call C++ tasks, C++
programs call Python tasks, chains cross, `celery inspect` sees the C++ worker."""

import contextlib
import json
import os
import subprocess
import time

import celery

import harness
from celery_workers import CPP, PY, TASK_SECONDS, CeleryTest, Workers, url

VALUES = [0, -1, 2**53, 2**62, 1.5, -0.1, 1e300, True, None, "", "Grüße, 世界 👋🏽", 'a "b" \\ \n\t',
          [], {}, [1, [2, [3, {"a": [None]}]]], {"ключ": {"nested": [1.25, "x"]}, "": 0}]


def tearDownModule():
    Workers.stop()


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
