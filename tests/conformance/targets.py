"""The three brokers that scenarios are played to: the engine in memory behind a pipe, lovage-broker
and RabbitMQ over loopback. Each gives links (see session.Session), passes time, and can be made
clean again for the next scenario."""

import base64
import http.client
import json
import select
import socket
import subprocess
import time

import harness
import wire
from session import Session
from values import Mismatch

WAIT_SECONDS = 10
CLEAN_SECONDS = 10


class SocketLink:
    is_instant = False

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the broker has closed; the step that reads will say so

    def receive(self, seconds):
        if not select.select([self.socket], [], [], max(seconds, 0))[0]:
            return None
        try:
            return self.socket.recv(1 << 18)
        except ConnectionResetError:
            return b""

    def close(self):
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)


class MemoryLink:
    is_instant = True

    def __init__(self, target, number):
        self.target, self.number = target, number
        self.arrived, self.ended = b"", False

    def send(self, octets):
        if not self.ended:
            self.target.command(f"octets {self.number} {len(octets)}", octets)

    def receive(self, _):
        piece, self.arrived = self.arrived, b""
        return piece or (b"" if self.ended else None)

    def close(self):
        if not self.ended:
            self.ended = True
            self.target.command(f"gone {self.number}")

    half_close = close


class MemoryTarget:
    name = "memory"
    has_node = False

    def __init__(self):
        self.links, self.number, self.now_ms = {}, 0, 0
        self.process = None
        self._control = None
        self.replied = None  # status and body of the last request to the management API

    def start(self):
        self.process = subprocess.Popen([harness.program("engine_in_memory")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def command(self, line, octets=b""):
        try:
            self.process.stdin.write(line.encode() + b"\n" + octets)
            self.process.stdin.flush()
            while True:
                words = self.process.stdout.readline().split()
                if not words:
                    raise BrokenPipeError
                if words[0] == b"done":
                    self.now_ms = int(words[1])
                    return
                self.take(words)
        except BrokenPipeError:
            said = self.process.stderr.read().decode(errors="replace")
            self.process.wait()
            self.start()
            raise Mismatch(f"the engine ended: {said}") from None

    def take(self, words):
        if words[0] == b"fault":
            raise Mismatch("the journal: " + b" ".join(words[1:]).decode())
        if words[0] == b"reply":
            self.replied = int(words[1]), self.process.stdout.read(int(words[2]))
            return
        link = self.links.get(int(words[1]))
        if words[0] == b"closed":
            link.ended = True
        else:
            piece = self.process.stdout.read(int(words[2]))
            link.arrived += piece

    def link(self):
        self.number += 1
        made = self.links[self.number] = MemoryLink(self, self.number)
        self.command(f"connect {self.number}")
        return made

    def control(self):
        if self._control is None:
            self._control = Session(self.link(), "control")
            self._control.log_in(WAIT_SECONDS)
        if 1 not in self._control.open_channels:
            self._control.open_channel(1, WAIT_SECONDS)
        return self._control

    def wait(self, ms):
        self.command(f"advance {ms}")

    def now(self):
        return self.now_ms / 1000

    def reset(self, *_):
        self.links.clear()
        self._control = None
        self.command("reset")

    def shut_down(self):
        self.command("shut_down")

    def restart(self):
        raise SyntaxError("the engine in memory cannot be restarted")

    def alarm(self, on):
        self.command(f"disk_alarm {int(on)}")

    def api(self, method, path, body=None, headers=()):
        """As the other targets', with the broker's routes but without HTTP."""
        octets = b"" if body is None else json.dumps(body).encode()
        reason = dict(headers).get("X-Reason", "").encode()
        self.command(f"api {method} /api/{path} {len(octets)} {len(reason)}", octets + reason)
        check_reply(method, path, *self.replied)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()


class SocketTarget:
    """A broker over loopback. One control connection of ours stays and deletes what a scenario
    has left behind."""

    has_node = True

    def __init__(self, name, broker):
        self.name, self.broker = name, broker
        self._control = None
        self.disturbed = False  # by an alarm or a time limit of a scenario

    def start(self):
        self.broker.start()

    def twin(self):
        """The same broker with a control connection of its own, for another thread."""
        return SocketTarget(self.name, self.broker)

    def link(self):
        return SocketLink(self.broker.port)

    def control(self):
        if self._control is None or self._control.ended or self._control.finished:
            self._control = Session(self.link(), "control")
            self._control.log_in(WAIT_SECONDS)
        if 1 not in self._control.open_channels:
            self._control.open_channel(1, WAIT_SECONDS)
        return self._control

    def wait(self, ms):
        time.sleep(ms / 1000)

    def now(self):
        return time.monotonic()

    def restart(self):
        """In order; what is to outlive it does."""
        self.broker.restart()
        self._control = None

    def alarm(self, on):
        self.disturbed = True
        self.broker.disk_alarm(on)

    def consumer_timeout(self, ms):
        """For channels that are opened from now on."""
        self.disturbed = True
        self.broker.consumer_timeout(ms)

    def reset(self, queues=(), exchanges=()):
        """Queues and exchanges of these names are gone afterwards."""
        if self.disturbed:
            self.broker.undisturb()
            self.disturbed = False
        deadline = time.monotonic() + CLEAN_SECONDS
        for method, names, flags in (("queue.delete", queues, (False,) * 3),
                                     ("exchange.delete", exchanges, (False,) * 2)):
            for name in sorted(names):
                while not self.deleted(method, name, flags):
                    if time.monotonic() > deadline:
                        raise Mismatch(f"{name} cannot be deleted")
                    time.sleep(0.01)

    def deleted(self, method, name, flags):
        control = self.control()
        control.send_method(1, method, 0, name, *flags)
        event = control.next(1, WAIT_SECONDS)
        if event.name == "channel.close":  # locked by a connection that is not quite gone
            control.send_method(1, "channel.close_ok")
            return False
        return True

    def api(self, method, path, body=None, headers=()):
        """A request to the management API. RabbitMQ and lovage-broker have the same paths."""
        connection = http.client.HTTPConnection("127.0.0.1", self.broker.management, WAIT_SECONDS)
        connection.request(method, "/api/" + path, None if body is None else json.dumps(body), {
            "Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(),
            "Content-Type": "application/json", **dict(headers)})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        check_reply(method, path, answer.status, text)

    def close(self):
        self.broker.close()


def check_reply(method, path, status, text):
    """What is not there to be deleted is no error."""
    if status >= 300 and not (method == "DELETE" and status == 404):
        raise Mismatch(f"{method} {path}: {status} {text!r}")


def make_target(name):
    if name == "memory":
        return MemoryTarget()
    if name == "lovage":
        return SocketTarget(name, harness.LovageBroker())
    return SocketTarget(name, harness.RabbitNode(with_management=True))


__all__ = ["make_target", "wire"]
