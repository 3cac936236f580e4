"""What every interoperability test stands on: a broker of its own, connections, waiting.

The target is chosen once per run (see run.py): our broker, or Debian's RabbitMQ as an ordinary
process on free ports with a temporary data folder, which proves that the tests themselves are
right. Every process started here is ended here, by its own id.
"""

import contextlib
import ctypes
import glob
import os
import pathlib
import queue
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

START_SECONDS = 60
STOP_SECONDS = 15
WAIT_SECONDS = 20
# Of RabbitMQ: small enough for any machine, and what it starts with.
DISK_FREE_LIMIT, CONSUMER_TIMEOUT_MS, CHANNEL_TICK_MS = "1MB", 1_800_000, 60_000

# Exit status that ctest takes for "skipped" (SKIP_RETURN_CODE in CMakeLists.txt).
SKIPPED = 77


class Options:
    """Set by run.py before any test module is loaded."""

    target = "lovage"
    bin_dir = None
    management = False  # RabbitMQ with its management plugin; a module that needs it says so


class PeerMissing(Exception):
    """Something that is not part of lovage is not installed; run.py says so and skips."""


def missing(what):
    """Skips the test for want of a peer, or fails it where nothing may be skipped."""
    reason = f"{what} is not installed (scripts/bootstrap --peers)"
    if os.environ.get("LOVAGE_REQUIRE_PEERS") == "1":
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


def need(name):
    """A program of a peer."""
    if not shutil.which(name):
        missing(name)


def program(name):
    path = pathlib.Path(Options.bin_dir or "build/release/bin") / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=WAIT_SECONDS, what="condition"):
    """Asks until the answer is true and returns it; for states that no event announces."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def _die_with_parent():
    """A test that is killed by its time limit must leave no broker behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def need_files(count):
    """Lets this process have so many files open, as far as the machine does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        missing(f"a limit of {count} open files (ulimit -Hn tells {hard}), which")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def spawn(arguments, limit_files=None, **kwargs):
    def prepare():
        _die_with_parent()
        if limit_files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit_files, limit_files))

    return subprocess.Popen(arguments, preexec_fn=prepare, **kwargs)


def end(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class LovageBroker:
    """lovage-broker on a free port. The data folder outlives restarts of the same object."""

    def __init__(self, data_dir=None, extra=("--log-level", "info"), limit_files=None):
        self._own_dir = None if data_dir else tempfile.mkdtemp(prefix="lovage-interop-")
        self.data_dir = data_dir or self._own_dir
        self.extra = list(extra)
        self.limit_files = limit_files  # hard limit of open files; None: this process's
        self.process = None
        self.port = None
        self.tls_port = None
        self.management = None
        self.log = tempfile.TemporaryFile()

    def command(self, port=0):
        return [program("lovage-broker"), "--port", str(port), "--management-port", "0",
                "--data-dir", self.data_dir, *self.extra]

    def start(self):
        self.process = spawn(self.command(), self.limit_files, stdout=subprocess.PIPE,
                             stderr=self.log)
        line = self._ready_line()
        words = dict(word.split("=", 1) for word in line.split()[1:])
        self.port = int(words["amqp"].rsplit(":", 1)[1])
        if "amqps" in words:
            self.tls_port = int(words["amqps"].rsplit(":", 1)[1])
        if "management" in words:
            self.management = int(words["management"].rsplit(":", 1)[1])
        # Whatever else it prints on stdout must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def _ready_line(self):
        deadline = time.monotonic() + START_SECONDS
        text = b""
        while b"\n" not in text or not text.startswith(b"ready "):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no ready line in {START_SECONDS} s; got {text!r}")
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                raise AssertionError(f"lovage-broker ended: {text!r} {self.log_text()}")
            text += piece
            while b"\n" in text and not text.startswith(b"ready "):
                text = text.split(b"\n", 1)[1]
        return text.split(b"\n", 1)[0].decode()

    def log_text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def _memory_kib(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))

    def rss_kib(self):
        return self._memory_kib("VmRSS")

    def peak_kib(self):
        """The most that it had in memory since forget_peak()."""
        return self._memory_kib("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        end(self.process, signal.SIGKILL)

    def stop(self):
        """Ends it in order; returns its exit status."""
        return end(self.process)

    def restart(self):
        """In order, on the same data; its ports are others afterwards."""
        self.stop()
        self.start()

    def close(self):
        if self.process:
            self.stop()
        if self._own_dir:
            shutil.rmtree(self._own_dir, ignore_errors=True)


class RabbitNode:
    """A RabbitMQ node that shares nothing with one the machine may run: own port mapper, cookie,
    folders and ports, no plugins but management where it is asked for. It can be ended and started
    again on the same data."""

    def __init__(self, with_management=False):
        scripts = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        self.epmd_program = shutil.which("epmd")
        if not scripts or not self.epmd_program:
            raise PeerMissing("rabbitmq-server is not installed (scripts/bootstrap --peers)")
        self.script = scripts[-1]
        self.home = tempfile.mkdtemp(prefix="lovage-rabbit-")
        self.port = free_port()
        wanted = with_management or Options.management
        self.management = free_port() if wanted else None
        self.epmd = None
        self.process = None

    def start(self):
        home = pathlib.Path(self.home)
        epmd_port = free_port()
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT}\nlog.file.level = info\n"
            + (f"management.tcp.port = {self.management}\nmanagement.tcp.ip = 127.0.0.1\n"
               if self.management else ""), encoding="ascii")
        (home / "env.conf").write_text("", encoding="ascii")
        plugins = "[rabbitmq_management]" if self.management else "[]"
        (home / "plugins").write_text(plugins + ".\n", encoding="ascii")
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.home, "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"lovagetest-{os.getpid()}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"), "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none",
        }
        self.epmd = spawn([self.epmd_program, "-port", str(epmd_port), "-address", "127.0.0.1"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.output = open(home / "output", "wb")
        self.process = spawn([self.script], env=self.environment, cwd=self.home,
                             stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
                             start_new_session=True)
        # The script does not become the node but waits for it, so the end of this process would
        # not reach the node: a guard that sees its input end takes the whole session along.
        self.guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read _; kill -s KILL -- -{self.process.pid} 2>/dev/null"],
            stdin=subprocess.PIPE, start_new_session=True)
        wait_for(self._answers, START_SECONDS, "RabbitMQ answers")
        return self

    def ctl(self, *arguments):
        """rabbitmqctl on this node; its output. An error is raised with what it printed."""
        done = subprocess.run([str(pathlib.Path(self.script).with_name("rabbitmqctl")), "-q",
                               *arguments], env=self.environment, cwd=self.home,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=START_SECONDS)
        if done.returncode:
            raise AssertionError(f"rabbitmqctl {arguments}: {done.stdout} {done.stderr}")
        return done.stdout

    def _answers(self):
        if self.process.poll() is not None:
            text = (pathlib.Path(self.home) / "output").read_text(errors="replace")
            raise AssertionError(f"rabbitmq-server ended: {text[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                if probe.recv(1) != b"\x01":
                    return False
            if self.management:
                socket.create_connection(("127.0.0.1", self.management), 5).close()
            return True
        except OSError:
            return False

    def restart(self):
        """The broker, not the virtual machine that it runs in."""
        self.ctl("stop_app")
        self.ctl("start_app")
        wait_for(self._answers, START_SECONDS, "RabbitMQ answers")

    def disk_alarm(self, on):
        self.ctl("set_disk_free_limit", "1000000GB" if on else DISK_FREE_LIMIT)

    def consumer_timeout(self, ms, tick_ms=None):
        """For channels that are opened from now on; looked at every `tick_ms`."""
        self.ctl("eval", f"application:set_env(rabbit, consumer_timeout, {ms}), "
                     f"application:set_env(rabbit, channel_tick_interval, {tick_ms or ms // 10}).")

    def undisturb(self):
        """As it was started."""
        self.disk_alarm(False)
        self.consumer_timeout(CONSUMER_TIMEOUT_MS, CHANNEL_TICK_MS)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends the node in order; start() goes on with its data."""
        if self.process:
            # The node's session is its own: the shell, the virtual machine and its helpers.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.output.close()
            self.guard.kill()
            self.guard.wait()
            self.guard.stdin.close()
            self.process = None
        if self.epmd:
            end(self.epmd, signal.SIGKILL)
            self.epmd = None

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


_shared = None


def shared_broker():
    """The broker of this run, started on first use, ended by run.py."""
    global _shared
    if _shared is None:
        broker = LovageBroker() if Options.target == "lovage" else RabbitNode()
        _shared = broker
        broker.start()
    return _shared


def close_shared():
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None


_counter = iter(range(1, 1_000_000))


def unique(prefix):
    """A name that no other test of this run uses."""
    return f"{prefix}.{os.getpid()}.{next(_counter)}"


def in_thread(function, *arguments):
    """Runs it beside the test; join() hands on what it returned or raised."""
    outcome = queue.Queue()

    def body():
        try:
            outcome.put((True, function(*arguments)))
        except BaseException as error:  # handed on by join()
            outcome.put((False, error))

    threading.Thread(target=body, daemon=True).start()

    def join(seconds=WAIT_SECONDS):
        good, value = outcome.get(timeout=seconds)
        if not good:
            raise value
        return value

    return join


class BrokerTest(unittest.TestCase):
    """Base of all tests: self.broker, pika connections that are closed afterwards."""

    maxDiff = 2000

    def setUp(self):
        self.broker = shared_broker()

    def tearDown(self):
        if not self.broker.alive():
            text = getattr(self.broker, "log_text", str)()
            close_shared()
            self.fail(f"the broker died: {text[-3000:]}")

    def name(self, prefix="q"):
        return unique(prefix)

    def connect(self, **parameters):
        import pika

        values = {"host": "127.0.0.1", "port": self.broker.port, "heartbeat": 0,
                  "socket_timeout": 10, "blocked_connection_timeout": 30,
                  "credentials": pika.PlainCredentials("guest", "guest")}
        values.update(parameters)
        connection = pika.BlockingConnection(pika.ConnectionParameters(**values))
        self.addCleanup(self._close, connection)
        return connection

    def channel(self, **parameters):
        return self.connect(**parameters).channel()

    def wire(self, **login):
        from wire import Wire

        wire = Wire(self.broker.port)
        self.addCleanup(wire.close)
        wire.login(**login)
        return wire

    @staticmethod
    def _close(connection):
        try:
            if connection.is_open:
                connection.close()
        except Exception:  # a test may have left it in any state; the socket goes either way
            pass

    def gets(self, channel, name, count=1, auto_ack=True):
        """Takes `count` messages; waits for those that a close is still giving back."""
        taken = []

        def more():
            frame, properties, body = channel.basic_get(name, auto_ack=auto_ack)
            if frame:
                taken.append((frame, properties, body))
            return len(taken) >= count

        wait_for(more, what=f"{count} messages in {name}")
        return taken

    def assert_empty(self, channel, name):
        self.assertEqual(channel.basic_get(name, auto_ack=True), (None, None, None))

    def count(self, channel, name):
        return channel.queue_declare(name, passive=True).method.message_count

    def wait_count(self, channel, name, count):
        wait_for(lambda: self.count(channel, name) == count, what=f"{count} messages in {name}")
