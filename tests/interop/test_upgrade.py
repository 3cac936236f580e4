"""Data directories of earlier versions of the store's format, opened by this broker: all that was
in them is there, and stays. tests/broker/store/data/make.py has made them."""

import base64
import json
import pathlib
import shutil
import tempfile
import urllib.request

import pika
import pika.exceptions

import harness

STORED = pathlib.Path(__file__).resolve().parents[1] / "broker" / "store" / "data"
LOGIN = "Basic " + base64.b64encode(b"guest:guest").decode()
PLAIN = [(b"plain 2", True, 2), (b"plain 4", True, 1), (b"plain 5", False, None),
         (b"plain 6", False, None), (b"in two queues", False, None)]


class Upgrade(harness.BrokerTest):
    def test_everything_of_each_version_is_there(self):
        versions = sorted(path for path in STORED.iterdir() if path.is_dir())
        self.assertGreater(len(versions), 0)
        for path in versions:
            with self.subTest(version=path.name):
                self.open_and_check(path)

    def open_and_check(self, stored):
        folder = tempfile.mkdtemp(prefix="lovage-interop-")
        self.addCleanup(shutil.rmtree, folder, True)
        shutil.copytree(stored, folder, dirs_exist_ok=True)
        self.broker = harness.LovageBroker(data_dir=folder)
        self.addCleanup(self.broker.close)
        # The second start reads what the first one has made of it.
        for end in (self.broker.kill, self.broker.stop):
            self.broker.start()
            self.check_definitions()
            self.check_what_is_there()
            end()
        self.broker.start()
        self.check_messages()
        # Answered when it is on disk, and with it the acknowledgements before it.
        self.channel().queue_declare("end", durable=True)
        self.broker.kill()
        self.broker.start()
        for name in ("plain", "limited", "dead", "ranked"):
            self.assertEqual(self.count(self.channel(), name), 0)

    def get(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.broker.management}/api/{path}",
                                         headers={"Authorization": LOGIN})
        with urllib.request.urlopen(request, timeout=harness.WAIT_SECONDS) as answer:
            return json.load(answer)

    def check_definitions(self):
        self.assertEqual({user["name"]: user["tags"] for user in self.get("users")},
                         {"guest": ["administrator"], "alice": ["monitoring"]})
        self.assertEqual({vhost["name"]: vhost["description"] for vhost in self.get("vhosts")
                          if vhost["name"] != "/"}, {"garden": "of an older version"})
        self.assertEqual(
            {(p["vhost"], p["user"]): p["configure"] for p in self.get("permissions")},
            {("/", "guest"): ".*", ("/", "alice"): "^alice-", ("garden", "guest"): ".*"})
        policy, = self.get("policies")
        self.assertEqual((policy["name"], policy["pattern"], policy["priority"],
                          policy["apply-to"], policy["definition"]),
                         ("short", "^limited$", 3, "queues", {"max-length": 2}))
        exchanges = {x["name"]: x["type"] for x in self.get("exchanges")
                     if x["vhost"] == "/" and x["name"] and not x["name"].startswith("amq.")}
        self.assertEqual(exchanges, {"topics": "topic", "heads": "headers",
                                     "late": "x-delayed-message"})
        self.assertEqual(sum(x.get("messages_delayed", 0) for x in self.get("exchanges")), 1)
        with self.assertRaises(pika.exceptions.ProbableAccessDeniedError):
            # The right password: refused for want of permission in that virtual host.
            self.connect(credentials=pika.PlainCredentials("alice", "wonderland"),
                         virtual_host="garden")

    def check_what_is_there(self):
        queues = {(q["vhost"], q["name"]): (q["messages"], q["arguments"], q["state"])
                  for q in self.get("queues")}
        ranked = {"x-max-priority": 5, "x-dead-letter-exchange": "",
                  "x-dead-letter-routing-key": "dead"}
        self.assertEqual(queues, {
            ("/", "plain"): (5, {}, "running"), ("/", "limited"): (2, {}, "running"),
            ("/", "dead"): (1, {}, "running"), ("/", "ranked"): (2, ranked, "running"),
            ("/", "paused"): (1, {}, "paused"), ("garden", "rose"): (1, {}, "running")})

    def take_all(self, channel, queue):
        count = self.count(channel, queue)
        taken = [channel.basic_get(queue, auto_ack=True) for _ in range(count)]
        return [(body, frame.redelivered, (properties.headers or {}).get("x-delivery-count"))
                for frame, properties, body in taken]

    def check_messages(self):
        self.connect(credentials=pika.PlainCredentials("alice", "wonderland")).close()
        channel = self.channel()
        frame, properties, _ = channel.basic_get("plain")
        self.assertEqual((properties.message_id, properties.headers["n"], frame.routing_key,
                          frame.exchange), ("id-2", 2, "a.b", "topics"))
        channel.basic_nack(frame.delivery_tag)
        plain = [(PLAIN[0][0], True, PLAIN[0][2] + 1), *PLAIN[1:]]
        self.assertEqual(self.take_all(channel, "plain"), plain)
        self.assertEqual(self.take_all(channel, "limited"),
                         [(b"limited 2", False, None), (b"limited 3", False, None)])
        # The second of them was delivered: after a restart the first counts as passed over.
        self.assertEqual(self.take_all(channel, "ranked"),
                         [(b"ranked 3", False, None), (b"ranked 1", True, None)])
        dead, = self.take_all(channel, "dead")
        self.assertEqual(dead, (b"ranked 2", True, 1))
        self.assertEqual(self.take_all(self.channel(virtual_host="garden"), "rose"),
                         [(b"red", False, None)])
        self.check_routes(channel)

    def check_routes(self, channel):
        """Every binding leads where it did."""
        def publish(exchange, key, **headers):
            channel.basic_publish(exchange, key, f"{exchange} {key}".encode(),
                                  pika.BasicProperties(headers=headers))

        publish("topics", "a.c.d")
        publish("heads", "", kind="x")
        publish("heads", "a.other")  # unroutable there, so by the alternate exchange
        publish("late", "soon")
        publish("amq.fanout", "")
        self.wait_count(channel, "plain", 5)
        self.assertEqual({body for body, _, _ in self.take_all(channel, "plain")},
                         {b"topics a.c.d", b"heads ", b"heads a.other", b"late soon",
                          b"amq.fanout "})
        self.wait_count(channel, "dead", 1)
        self.take_all(channel, "dead")
