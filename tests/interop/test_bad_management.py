"""Wrong input for the management port: requests that lie, bombs, paths that climb, names that hurt.
Each connection is answered or let go; the broker's memory and its AMQP clients do not feel it."""

import base64
import contextlib
import json
import socket

import harness
from badinput import BadInput

LOGIN = "Authorization: Basic " + base64.b64encode(b"guest:guest").decode()
# What it takes from a request, twice over.
REQUEST_KIB = 256
# What the answer with 5,000 queues with long names may take until it is read or given up.
ANSWER_KIB = 8 * 1024


class Management(BadInput):
    def connect_http(self):
        client = socket.create_connection(("127.0.0.1", self.broker.management), 20)
        self.addCleanup(client.close)
        return client

    def ask(self, octets, client=None):
        """(status, headers, body) of what comes back, or None if the connection just ends."""
        client = client or self.connect_http()
        with contextlib.suppress(ConnectionError):
            client.sendall(octets if isinstance(octets, bytes) else octets.encode())
        return self.answer(client)

    @staticmethod
    def answer(client):
        text = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in text:
                piece = client.recv(65536)
                if not piece:
                    return None
                text += piece
            head, body = text.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, value in
                       (line.split(":", 1) for line in lines[1:])}
            while len(body) < int(headers.get("content-length", 0)):
                body += client.recv(65536)
            return int(lines[0].split()[1]), headers, body
        return None

    def get(self, path, *headers):
        return self.ask("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", LOGIN, *headers, "", ""]))

    def serves(self):
        self.assertEqual(self.get("/api/overview")[0], 200)

    def tearDown(self):
        self.serves()
        super().tearDown()

    def refused(self, octets):
        """Refused with an error of the client, or the end of the connection."""
        answer = self.ask(octets)
        if answer:
            self.assertIn(answer[0] // 100, (4, 5), answer)
            self.assertNotIn(answer[0], (500,), answer)

    def test_rubbish(self):
        for octets in (b"\r\n" * 1000, bytes(1000), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                       b"AMQP\0\0\x09\x01\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n" + bytes(500),
                       b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                       b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                       b"GET / HTTP/1.1\r\nContent-Length: 5x\r\n\r\n",
                       b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                       b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"):
            with self.subTest(octets=octets[:40]):
                self.refused(octets)

    def test_heads_without_end(self):
        for octets in (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
                       b"GET / HTTP/1.1\r\nX: " + b"a" * 1_000_000,
                       b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
                       b"GET / HTTP/1.1\r\nX: a\r\n" + b" more\r\n" * 100_000):
            with self.subTest(octets=octets[:40]):
                self.refused(octets)

    def test_bodies_that_lie_or_are_too_large(self):
        head = f"POST /api/queues HTTP/1.1\r\nHost: localhost\r\n{LOGIN}\r\n"
        deep = b"[" * 10_000 + b"]" * 10_000
        for octets in (head + f"Content-Length: {2**63}\r\n\r\n" + "x" * 1000,
                       head + "Content-Length: 1000000\r\n\r\n" + "[1," * 333_333,
                       head + f"Content-Length: {len(deep)}\r\n\r\n" + deep.decode(),
                       head + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx",
                       head + "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nx\r\n" * 200_000,
                       head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
                       head + "Transfer-Encoding: chunked\r\n\r\n5;" + "e" * 1_000_000):
            with self.subTest(octets=octets[80:160]):
                self.refused(octets)

    def test_body_that_never_comes_does_not_keep_others_waiting(self):
        waiting = [self.connect_http() for _ in range(500)]
        for client in waiting:
            client.sendall(f"POST /api/queues HTTP/1.1\r\n{LOGIN}\r\nContent-Length: 60000\r\n\r\n"
                           .encode() + b"x" * 10_000)
        self.serves()
        self.assertLess(self.broker.rss_kib() - self.before_kib, len(waiting) * REQUEST_KIB)

    def test_paths_that_climb_or_cannot_be_decoded(self):
        for path in ("/../../etc/passwd", "/api/../../../etc/passwd", "/api/queues/../overview",
                     "/api/%2e%2e/%2e%2e/etc/passwd", "/api/queues/%2f..%2f..%2fetc", "//etc/passwd",
                     "/api/queues/%00", "/api/queues/%ff%fe", "/api/queues/%", "/api/queues/%2",
                     "/api/queues/%zz", "/api/queues/" + "a" * 5000, "/api/queues/a/b/c",
                     "/api/queues?name=(a%2b)%2b%24&use_regex=true", "/api/overview?" + "x=1&" * 500,
                     "http://elsewhere/api/overview", "*", "/api/overview/", "/API/OVERVIEW"):
            with self.subTest(path=path[:60]):
                answer = self.get(path)
                self.assertIsNotNone(answer)
                self.assertIn(answer[0], (200, 400, 404))
                self.assertNotIn(b"root:", answer[2])
                if answer[0] == 200:
                    json.loads(answer[2])

    def test_logins_that_are_none(self):
        for login in ("Basic", "Basic ", "Basic !!!!", "Basic Zw==", "Basic " + "A" * 10_000,
                      "Basic Z3Vlc3Q6Z3Vlc3Q=x", "basic:" + "x" * 100, "Bearer abc",
                      "Basic " + base64.b64encode(b"guest:" + b"x" * 5000).decode(),
                      "Basic " + base64.b64encode(b"\xff\0:\0").decode(),
                      "Basic " + base64.b64encode(b"guest").decode(),
                      "Basic " + base64.b64encode(b"guest:wrong").decode()):
            with self.subTest(login=login[:40]):
                answer = self.ask(f"GET /api/overview HTTP/1.1\r\nHost: localhost\r\nAuthorization: {login}"
                                  "\r\n\r\n")
                self.assertIn(answer[0], (400, 401))
        self.assertEqual(self.ask("GET /api/overview HTTP/1.1\r\nHost: localhost\r\n\r\n")[0], 401)

    def test_other_sites_may_not_read_the_answers(self):
        """A page of somewhere else in the administrator's browser must not get at them."""
        for answer in (self.get("/api/overview", "Origin: https://evil.example"),
                       self.ask("OPTIONS /api/overview HTTP/1.1\r\nHost: localhost\r\n" + LOGIN
                                + "\r\nOrigin: https://evil.example\r\n"
                                "Access-Control-Request-Method: DELETE\r\n\r\n")):
            self.assertFalse([name for name in answer[1] if name.startswith("access-control-")])
            self.assertNotIn("set-cookie", answer[1])

    def test_methods_that_change_nothing_here(self):
        for method in ("PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "MKCOL", "X" * 300):
            with self.subTest(method=method[:20]):
                answer = self.ask(f"{method} /api/queues/%2F/nothing HTTP/1.1\r\nHost: localhost\r\n{LOGIN}"
                                  "\r\nContent-Length: 0\r\n\r\n")
                if answer:
                    self.assertIn(answer[0], (400, 404, 405, 501))

    NAMES = ("<img src=x onerror=alert(1)>", "\u202eltr", '"quoted"\\', "%s%n%x", "\x00nul",
             "../../etc/passwd", "a" * 255, "</script><script>", "tab\tand\x1b[31m")

    def test_names_that_hurt_are_data(self):
        wire = self.opened()
        for name in self.NAMES:
            wire.declare(1, name, exclusive=True)
            wire.exchange(1, name, "fanout", auto_delete=True)
            wire.bind(1, name, name)
        for path in ("/api/queues", "/api/exchanges"):
            status, headers, body = self.get(path)
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith("application/json"))
            self.assertLessEqual(set(self.NAMES), {item["name"] for item in json.loads(body)})
        for name in self.NAMES:
            wire.call(1, "queue.delete", 0, name, False, False, False)

    def test_answer_that_is_not_read(self):
        """A list of 5,000 queues, asked for again and again by clients that take nothing."""
        wire = self.opened()
        wire.raw(b"".join(wire.method_octets(
            1, "queue.declare", 0, f"listed.{number}." + "n" * 200, False, False, True, False, True,
            {}) for number in range(5000)))
        wire.call(1, "basic.qos", 0, 0, False)
        request = f"GET /api/queues HTTP/1.1\r\nHost: localhost\r\n{LOGIN}\r\n\r\n".encode()
        self.left_kib = 20 * ANSWER_KIB  # one each, however many were asked for
        for _ in range(20):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", self.broker.management))
            client.sendall(request * 20)
        self.serves()

    def test_no_secret_in_the_log_or_in_answers(self):
        broker = harness.LovageBroker(extra=["--user", "ada:s3cr3t-of-ada", "--log-level", "trace"])
        self.addCleanup(broker.close)
        broker.start()
        good = base64.b64encode(b"ada:s3cr3t-of-ada").decode()
        bad = base64.b64encode(b"ada:wr0ng-of-ada").decode()
        seen = b""
        for login in (good, bad):
            for path in ("/api/overview", "/api/queues", "/api/users", "/nothing"):
                client = socket.create_connection(("127.0.0.1", broker.management), 20)
                answer = self.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}"
                                  "\r\n\r\n", client)
                client.close()
                seen += answer[2] + str(answer[1]).encode()
        for password in ("s3cr3t-of-ada", "wr0ng-of-ada"):
            with contextlib.suppress(Exception):
                self.login_to(broker, password)
        seen += broker.log_text().encode()
        for secret in (b"s3cr3t", b"wr0ng", good.encode(), bad.encode()):
            self.assertNotIn(secret, seen)

    def login_to(self, broker, password):
        from wire import Wire

        wire = Wire(broker.port)
        self.addCleanup(wire.close)
        wire.login(user="ada", password=password)
