"""What the tests with Celery share: a Python worker, a C++ worker, a client that calls both."""

import os
import pathlib
import subprocess
import sys
import tempfile

import celery
import celery.exceptions

import harness
from wire import Wire

TASK_SECONDS = 30
CPP, PY = "demo", "pyq"
HERE = pathlib.Path(__file__).resolve().parent


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
