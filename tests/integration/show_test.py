#!/usr/bin/env python3
"""What a newcomer tries first: a broker, a worker, calls on the command line, plain and over TLS.

What each verb says in each case is tested in tests/workers/run/command_line_test.cpp; here the
three programs meet as they are installed, with nothing but an address in common.
"""

import json
import shutil
import socket
import tempfile
import unittest

import support
from support import harness


class Show(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("openssl") is None:
            raise unittest.SkipTest("the openssl command is not installed")
        cls.folder = tempfile.mkdtemp(prefix="lovage-show-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        support.make_certificates(cls.folder)
        cls.broker = support.Broker(extra=[
            "--log-level", "error", "--tls-port", "0",
            "--tls-cert", f"{cls.folder}/server.pem", "--tls-key", f"{cls.folder}/server.key"])
        cls.addClassCleanup(cls.broker.close)
        cls.broker.start()
        cls.worker = support.Worker(cls.broker.url(), "-c", "2")
        cls.addClassCleanup(cls.worker.stop)

    def call(self, name, *arguments, url=None):
        return support.run("lovage", "call", name, "-Q", "demo", *arguments,
                           url=url or self.broker.url())

    def tls_url(self, query, host="localhost"):
        port = self.broker.addresses["amqps"].rsplit(":", 1)[1]
        return f"amqps://guest:guest@{host}:{port}//?{query}"

    def test_a_call_prints_the_result(self):
        self.assertEqual(self.call("demo.add", "--args", "[2,3]"), (0, "5\n", ""))

    def test_the_applications_own_command_line_knows_the_queue(self):
        self.assertEqual(
            support.run("demo_tasks", "call", "demo.add", "--args", "[2,3]",
                        url=self.broker.url()),
            (0, "5\n", ""))

    def test_any_json_comes_back_as_it_went(self):
        value = {"text": "caf\u00e9 \u65e5\u672c\u8a9e \U0001f375", "escaped": "\u0000\"\\/",
                 "list": [1, -2.5, None, True, {}], "big": 9007199254740993}
        status, out, _ = self.call("demo.echo", "--args", json.dumps([value]))
        self.assertEqual((status, json.loads(out)), (0, value))
        self.assertEqual(out.count("\n"), 1)

    def test_a_large_result_comes_back_whole(self):
        text = "x" * 100_000
        status, out, _ = self.call("demo.echo", "--args", json.dumps([text]))
        self.assertEqual((status, json.loads(out)), (0, text))

    def test_retried_tasks_succeed_in_the_end(self):
        self.assertEqual(self.call("demo.flaky", "--args", "[2]"), (0, "3\n", ""))

    def test_exit_statuses(self):
        for status, said, arguments in [
                (1, "boom", ["demo.fail", "--args", '["boom"]']),
                (1, "demo.nothing", ["demo.nothing"]),
                (1, "expected integer", ["demo.add", "--args", '["two",3]']),
                (1, "argument", ["demo.add", "--args", "[2]"]),
                (2, "no result", ["demo.sleep", "--args", "[30]", "--timeout", "0.2"]),
                (64, "not JSON", ["demo.add", "--args", "[2,3"]),
                (64, "list", ["demo.add", "--args", "{}"])]:
            with self.subTest(arguments=arguments):
                got, out, err = self.call(*arguments)
                self.assertEqual((got, out), (status, ""), err)
                self.assertIn(said, err)

    def test_wrong_password(self):
        status, out, err = self.call("demo.add", url=self.broker.url(password="wrong"))
        self.assertEqual((status, out), (69, ""))
        self.assertIn("refused the login", err)
        self.assertNotIn("wrong", err)

    def test_no_broker(self):
        url = f"amqp://127.0.0.1:{harness.free_port()}//"
        status, out, err = self.call("demo.add", url=url)
        self.assertEqual((status, out), (69, ""))
        self.assertIn("is the broker running?", err)

    def test_over_tls(self):
        url = self.tls_url(f"cacertfile={self.folder}/ca.pem")
        self.assertEqual(self.call("demo.add", "--args", "[2,3]", url=url), (0, "5\n", ""))

    def test_a_worker_over_tls(self):
        self.worker.stop()
        secure = support.Worker(self.tls_url(f"cacertfile={self.folder}/ca.pem"), "-c", "1")
        try:
            self.assertEqual(self.call("demo.add", "--args", "[20,3]"), (0, "23\n", ""))
        finally:
            self.assertEqual(secure.stop(), 0)
            type(self).worker = support.Worker(self.broker.url(), "-c", "2")
            self.addClassCleanup(self.worker.stop)

    def test_tls_with_an_authority_that_is_not_known(self):
        for query in ["heartbeat=10",
                      f"cacertfile={self.folder}/ca.pem&server_name_indication=other.example"]:
            with self.subTest(query=query):
                status, out, err = self.call("demo.add", url=self.tls_url(query))
                self.assertEqual((status, out), (69, ""))
                self.assertIn("certificate", err)

    def test_status_shows_the_queue_and_its_consumers(self):
        status, out, err = support.run(
            "lovage", "status", "--management-url",
            f"http://{self.broker.addresses['management']}", url=self.broker.url())
        self.assertEqual(status, 0, err)
        rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
        self.assertEqual(rows["queue"], ["ready", "unacked", "consumers"])
        self.assertEqual(int(rows["demo"][2]), 2)

    def test_purge_drops_what_waits(self):
        broker = support.Broker()
        self.addCleanup(broker.close)
        broker.start()
        support.Worker(broker.url()).stop()  # has made the queue
        for _ in range(2):
            self.assertEqual(
                support.run("lovage", "call", "demo.add", "-Q", "demo", "--timeout", "0.05",
                            url=broker.url())[0], 2)
        self.assertEqual(support.run("lovage", "purge", "-f", "-Q", "demo", url=broker.url()),
                         (0, "dropped 2 messages of demo\n", ""))
        self.assertEqual(support.run("lovage", "purge", "-f", "-Q", "demo", url=broker.url()),
                         (0, "dropped 0 messages of demo\n", ""))

    def test_the_management_api_may_have_an_address_of_its_own(self):
        broker = support.Broker(extra=["--log-level", "error", "--bind", "127.0.0.2",
                                       "--management-bind", "127.0.0.1"])
        self.addCleanup(broker.close)
        broker.start()
        self.assertEqual({name: address.rsplit(":", 1)[0]
                          for name, address in broker.addresses.items()},
                         {"amqp": "127.0.0.2", "management": "127.0.0.1"})
        for name, other in (("amqp", "127.0.0.1"), ("management", "127.0.0.2")):
            host, port = broker.addresses[name].rsplit(":", 1)
            socket.create_connection((host, int(port)), 5).close()
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((other, int(port)), 5)

    def test_programs_end_cleanly(self):
        broker = support.Broker()
        self.addCleanup(broker.close)
        broker.start()
        self.assertEqual(support.Worker(broker.url()).stop(), 0)
        self.assertEqual(broker.stop(), 0)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
