"""The same policies set with rabbitmqctl on RabbitMQ and over the HTTP API on lovage-broker: queues
and exchanges then behave alike."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request

import pika.exceptions

import harness

LOGIN = "Basic " + base64.b64encode(b"guest:guest").decode()


class PolicyTest(harness.BrokerTest):
    def setUp(self):
        super().setUp()
        self.c = self.channel()
        self.c.confirm_delivery()

    def http(self, method, path, body=None):
        """Status and text of the answer."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.broker.management}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": LOGIN, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=harness.WAIT_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @staticmethod
    def path(operators, name):
        kind = "operator-policies" if operators else "policies"
        return f"/api/{kind}/%2F/{urllib.parse.quote(name, safe='')}"

    def try_policy(self, name, pattern, definition, priority=0, apply_to="all", operators=False):
        """None, or the error's text."""
        if harness.Options.target == "rabbitmq":
            verb = "set_operator_policy" if operators else "set_policy"
            try:
                self.broker.ctl(verb, "--priority", str(priority), "--apply-to", apply_to, name,
                                pattern, json.dumps(definition))
            except AssertionError as refused:
                return str(refused)
            return None
        status, text = self.http("PUT", self.path(operators, name), {
            "pattern": pattern, "definition": definition, "priority": priority,
            "apply-to": apply_to})
        return None if status in (201, 204) else text

    def policy(self, pattern, definition, **more):
        """Sets one that is cleared after the test; returns its name."""
        name = self.name("policy")
        self.assertIsNone(self.try_policy(name, pattern, definition, **more))
        operators = more.get("operators", False)
        self.addCleanup(self.clear, name, operators, True)
        return name

    def clear(self, name, operators=False, may_be_gone=False):
        if harness.Options.target == "rabbitmq":
            try:
                self.broker.ctl("clear_operator_policy" if operators else "clear_policy", name)
            except AssertionError:
                if not may_be_gone:
                    raise
            return
        status, text = self.http("DELETE", self.path(operators, name))
        self.assertIn(status, (204, 404) if may_be_gone else (204,), text)

    def queue(self, arguments=None, **flags):
        name = self.name("pq")
        flags = flags or {"durable": True}
        self.c.queue_declare(name, arguments=arguments, **flags)
        if not flags.get("exclusive"):
            self.addCleanup(lambda: self.channel().queue_delete(name))
        return name

    def publish(self, queue, *bodies, exchange=""):
        """How many were accepted."""
        accepted = 0
        for body in bodies:
            try:
                self.c.basic_publish(exchange, queue, body,
                                     pika.BasicProperties(delivery_mode=2))
                accepted += 1
            except pika.exceptions.NackError:
                pass
        return accepted

    def queue_names(self):
        if harness.Options.target == "rabbitmq":
            return self.broker.ctl("list_queues", "name").split()
        return [each["name"] for each in json.loads(self.http("GET", "/api/queues/%2F")[1])]

    def bodies(self, queue, count):
        self.wait_count(self.c, queue, count)
        return [body for _, _, body in self.gets(self.c, queue, count)] if count else []


class LivingQueues(PolicyTest):
    def test_shorter_queue_drops_its_head_and_removal_lets_it_grow(self):
        queue = self.queue()
        self.publish(queue, b"a", b"b", b"c", b"d")
        name = self.policy(f"^{queue}$", {"max-length": 2})
        self.wait_count(self.c, queue, 2)
        self.clear(name)
        self.publish(queue, b"e")
        self.assertEqual(self.bodies(queue, 3), [b"c", b"d", b"e"])

    def test_what_is_dropped_is_dead_lettered_by_the_same_policy(self):
        queue, dead = self.queue(), self.queue()
        self.publish(queue, b"a", b"b", b"c")
        self.policy(f"^{queue}$", {"max-length": 1, "dead-letter-exchange": "",
                                   "dead-letter-routing-key": dead})
        self.assertEqual(self.bodies(dead, 2), [b"a", b"b"])
        self.assertEqual(self.bodies(queue, 1), [b"c"])

    def test_rejecting_queue_keeps_what_it_has_and_takes_no_more(self):
        queue = self.queue({"x-overflow": "reject-publish"})
        self.publish(queue, b"a", b"b", b"c")
        self.policy(f"^{queue}$", {"max-length": 1})
        self.assertEqual(self.publish(queue, b"d", b"e"), 0)
        self.assertEqual(self.bodies(queue, 3), [b"a", b"b", b"c"])

    def test_time_to_live_holds_for_what_comes(self):
        queue = self.queue()
        self.policy(f"^{queue}$", {"message-ttl": 1})
        self.publish(queue, b"a", b"b")
        self.wait_count(self.c, queue, 0)

    def test_unused_queue_goes(self):
        queue = self.queue()
        self.policy(f"^{queue}$", {"expires": 300})
        # Looked for from outside: declaring it passively would be using it.
        harness.wait_for(lambda: queue not in self.queue_names(), what="the queue expires")

    def test_exclusive_and_server_named_queues_obey_too(self):
        own = self.queue(exclusive=True)
        named = self.c.queue_declare("", exclusive=True).method.queue
        self.policy(f"^({own}|{named})$", {"max-length": 1})
        for queue in (own, named):
            self.publish(queue, b"a", b"b")
            self.assertEqual(self.bodies(queue, 1), [b"b"])


class BesideDeclarations(PolicyTest):
    def test_smaller_number_counts(self):
        more, less = self.queue({"x-max-length": 3}), self.queue({"x-max-length": 1})
        self.policy(f"^({more}|{less})$", {"max-length": 2})
        for queue, expected in ((more, [b"b", b"c"]), (less, [b"c"])):
            self.publish(queue, b"a", b"b", b"c")
            self.assertEqual(self.bodies(queue, len(expected)), expected)

    def test_words_of_the_declaration_count(self):
        mine, theirs = self.queue(), self.queue()
        queue = self.queue({"x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "",
                            "x-dead-letter-routing-key": mine})
        self.policy(f"^{queue}$", {"max-length": 1, "overflow": "drop-head",
                                   "dead-letter-exchange": "", "dead-letter-routing-key": theirs})
        self.publish(queue, b"a", b"b")
        self.assertEqual(self.bodies(mine, 1), [b"b"])
        self.assertEqual(self.bodies(queue, 1), [b"a"])
        self.assert_empty(self.c, theirs)

    def test_declaring_again_compares_what_was_declared(self):
        queue = self.queue({"x-max-length": 3})
        self.policy(f"^{queue}$", {"max-length": 1, "message-ttl": 60000})
        self.c.queue_declare(queue, durable=True, arguments={"x-max-length": 3})
        other = self.channel()
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
            other.queue_declare(queue, durable=True, arguments={"x-max-length": 1})
        self.assertEqual(closed.exception.reply_text,
                         f"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue "
                         f"'{queue}' in vhost '/': received '1' but current is '3'")

    def test_alternate_exchange(self):
        queue, exchange, other = self.queue(), self.name("px"), self.name("px")
        for name in (exchange, other):
            self.c.exchange_declare(name, "fanout", auto_delete=False)
            self.addCleanup(lambda name=name: self.channel().exchange_delete(name))
        self.c.queue_bind(queue, other)
        name = self.policy(f"^{exchange}$", {"alternate-exchange": other})
        self.publish("k", b"a", exchange=exchange)
        self.assertEqual(self.bodies(queue, 1), [b"a"])
        self.clear(name)
        self.publish("k", b"b", exchange=exchange)
        self.assert_empty(self.c, queue)


class Several(PolicyTest):
    def test_highest_priority_applies_alone(self):
        queue = self.queue()
        high = self.policy(f"^{queue}$", {"max-length-bytes": 1000}, priority=2)
        self.policy(f"^{queue}$", {"max-length": 1}, priority=1)
        self.publish(queue, b"a", b"b", b"c")
        self.assertEqual(self.count(self.c, queue), 3)
        self.clear(high)
        self.assertEqual(self.bodies(queue, 1), [b"c"])

    def test_operators_policy_is_merged(self):
        queue = self.queue()
        self.policy(f"^{queue}$", {"max-length": 3, "overflow": "reject-publish"})
        operators = self.policy(f"^{queue}$", {"max-length": 2}, operators=True)
        self.assertEqual(self.publish(queue, b"a", b"b", b"c"), 2)
        self.clear(operators, operators=True)
        self.assertEqual(self.publish(queue, b"c", b"d"), 1)
        self.assertEqual(self.bodies(queue, 3), [b"a", b"b", b"c"])

    def test_policy_that_does_not_suit_the_type_of_queue_leaves_it_to_the_next(self):
        quorum, classic = self.queue({"x-queue-type": "quorum"}, durable=True), self.queue()
        pattern = f"^({quorum}|{classic})$"
        self.policy(pattern, {"queue-mode": "lazy", "max-length": 1}, priority=2)
        self.policy(pattern, {"max-length": 2}, priority=1)
        for queue, count in ((quorum, 2), (classic, 1)):
            self.publish(queue, b"a", b"b", b"c", b"d")
            self.wait_count(self.c, queue, count)


class Refused(PolicyTest):
    def test_what_no_policy_may_say(self):
        for pattern, definition, operators, text in (
                (".*", {}, False, "no policy provided"),
                (".*", {"max-priority": 3}, False, "are not recognised"),
                (".*", {"single-active-consumer": True}, False, "are not recognised"),
                (".*", {"max-length": "x"}, False, "is not a valid maximum length"),
                (".*", {"max-length-bytes": -1}, False, "is not a valid maximum length in bytes"),
                (".*", {"expires": 0}, False, "is not a valid queue expiry"),
                (".*", {"message-ttl": -1}, False, "is not a valid message TTL"),
                (".*", {"overflow": "x"}, False, "is not a valid overflow value"),
                (".*", {"dead-letter-exchange": 1}, False, "is not a valid dead letter exchange"),
                (".*", {"alternate-exchange": 1}, False, "is not a valid alternate exchange name"),
                (".*", {"overflow": "drop-head"}, True, "are not recognised"),
                ("(", {"max-length": 1}, False, "regular expression")):
            with self.subTest(definition=definition, operators=operators):
                name = self.name("policy")
                refused = self.try_policy(name, pattern, definition, operators=operators)
                self.assertIsNotNone(refused)
                self.assertIn(text, refused)
