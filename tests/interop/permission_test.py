"""Base of the tests about users and permissions: the management API, which is RabbitMQ's in paths
and JSON, and a user who may do what the test says."""

import base64
import http.client
import json
import urllib.parse

import harness
from wire import SPEC

harness.Options.management = True


class Api:
    """The management API of the broker under test, as one user."""

    def __init__(self, broker, user="guest", password="guest"):
        self.broker = broker
        self.login = base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, verb, *path, body=None):
        """(status, decoded body or None)."""
        target = "/api/" + "/".join(urllib.parse.quote(part, safe="") for part in path)
        connection = http.client.HTTPConnection("127.0.0.1", self.broker.management, timeout=15)
        try:
            connection.request(verb, target, None if body is None else json.dumps(body), {
                "Authorization": "Basic " + self.login, "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def do(self, verb, *path, body=None):
        status, answer = self.ask(verb, *path, body=body)
        if status not in (200, 201, 204):
            raise AssertionError(f"{verb} {path}: {status} {answer}")
        return answer


class PermissionTest(harness.BrokerTest):
    """self.w: guest's channel 1; self.joe: the channel 1 of a user who may do what allow() says."""

    def setUp(self):
        super().setUp()
        self._wire = None
        self.api = Api(self.broker)
        self.user = self.name("joe")
        self.put_user()
        self.allow()
        self.joe = self.as_user()

    @property
    def w(self):
        """A new connection if a failed sub-test has lost the last."""
        if self._wire is None or self._wire.dead:
            self._wire = self.wire()
            self._wire.open(1)
        return self._wire

    def put_user(self, tags="", password="secret"):
        self.api.do("PUT", "users", self.user, body={"password": password, "tags": tags})
        self.addCleanup(self.api.ask, "DELETE", "users", self.user)

    def allow(self, configure="", write="", read="", vhost="/"):
        self.api.do("PUT", "permissions", vhost, self.user,
                    body={"configure": configure, "write": write, "read": read})

    def as_user(self, vhost="/"):
        wire = self.wire(user=self.user, password="secret", vhost=vhost)
        wire.open(1)
        return wire

    def new_session(self):
        """RabbitMQ remembers what a channel was allowed; a new one asks again."""
        self.joe = self.as_user()

    def queue(self, name=None):
        name = name or self.name("q")
        self.w.declare(1, name)
        self.addCleanup(lambda: self.w.call(1, "queue.delete", 0, name, False, False, False))
        return name

    def refused(self, method, kind, name, *arguments):
        """The method is sent with the arguments and refused for that resource."""
        if method == "basic.publish":
            self.joe.publish(1, *arguments)
        else:
            self.joe.send(1, method, *arguments)
        self.refused_already(method, kind, name)

    def refused_already(self, method, kind, name):
        text = (f"ACCESS_REFUSED - access to {kind} '{name}' in vhost '/' refused for user "
                f"'{self.user}'")
        if len(text) > 255:
            text = text[:252] + "..."
        self.assertEqual(self.joe.closed_channel(1), (403, text, *SPEC[method][:2]))
        self.joe.open(1)

    def topic_refused(self, method, key, exchange="amq.topic"):
        text = (f"ACCESS_REFUSED - access to topic '{key}' in exchange '{exchange}' in vhost '/' "
                f"refused for user '{self.user}'")
        self.assertEqual(self.joe.closed_channel(1), (403, text, *SPEC[method][:2]))
        self.joe.open(1)


def declare_queue(name, passive=False, arguments=None):
    return (0, name, passive, False, False, False, False, arguments or {})


def declare_exchange(name, kind="direct", passive=False, arguments=None):
    return (0, name, kind, passive, False, False, False, False, arguments or {})
