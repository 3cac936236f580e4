"""What Debian's RabbitMQ has no plugins for, on lovage only: exchanges of type x-delayed-message and
deduplication of publishes."""

import time

import pika
import pika.exceptions

import harness

EARLY_SECONDS = 0.02  # clocks of two processes
PERSISTENT = 2


class DelayedExchange(harness.BrokerTest):
    def setUp(self):
        super().setUp()
        self.ch = self.channel()
        self.ch.confirm_delivery()

    def declare(self, kind="direct", key="k", channel=None):
        channel = channel or self.ch
        exchange, queue = self.name("x"), self.name("q")
        channel.exchange_declare(exchange, "x-delayed-message", durable=True,
                                 arguments={"x-delayed-type": kind})
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange, key)
        return exchange, queue

    def send(self, exchange, body, headers, key="k", channel=None):
        (channel or self.ch).basic_publish(
            exchange, key, body,
            pika.BasicProperties(headers=headers, delivery_mode=PERSISTENT), mandatory=True)

    def take(self, queue):
        _, properties, body = next(self.ch.consume(
            queue, auto_ack=True, inactivity_timeout=harness.WAIT_SECONDS))
        return properties, body

    def test_messages_come_in_the_order_of_their_due_times(self):
        exchange, queue = self.declare()
        begin = time.monotonic()
        now_ms = int(time.time() * 1000)
        self.send(exchange, b"second", {"x-delay": 400})
        self.send(exchange, b"first", {"x-delay": "200"})
        self.send(exchange, b"third", {"x-lovage-due": now_ms + 600})
        self.send(exchange, b"at once", {"x-delay": 0})

        seen = []
        for seconds in (0, 0.2, 0.4, 0.6):
            properties, body = self.take(queue)
            seen.append(body)
            self.assertGreaterEqual(time.monotonic() - begin, seconds - EARLY_SECONDS)
            if body == b"second":
                self.assertEqual(properties.headers["x-delay"], -400)

        self.assertEqual(seen, [b"at once", b"first", b"second", b"third"])

    def test_topic_keys_and_unroutable_messages(self):
        exchange, queue = self.declare("topic", "a.*")
        self.send(exchange, b"yes", {"x-delay": 50}, "a.b")
        self.send(exchange, b"dropped when it is due", {"x-delay": 50}, "b.a")
        with self.assertRaises(pika.exceptions.UnroutableError):
            self.send(exchange, b"no", {}, "b.a")
        self.assertEqual(self.take(queue)[1], b"yes")

    def test_type_is_checked(self):
        for arguments in ({}, {"x-delayed-type": 1}, {"x-delayed-type": "x-delayed-message"}):
            with self.subTest(arguments=arguments):
                with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
                    self.channel().exchange_declare(self.name("x"), "x-delayed-message",
                                                    arguments=arguments)
                self.assertEqual(closed.exception.reply_code, 406)

    def test_what_waits_survives_kill(self):
        broker = harness.LovageBroker().start()
        self.addCleanup(broker.close)
        channel = self.channel(port=broker.port)
        channel.confirm_delivery()
        exchange, queue = self.declare(channel=channel)
        begin = time.monotonic()
        due_ms = int(time.time() * 1000) + 3000
        for number in range(100):
            self.send(exchange, str(number).encode(), {"x-lovage-due": due_ms - 5 * number},
                      channel=channel)
        self.send(exchange, b"years", {"x-delay": 20 * 365 * 86400 * 1000}, channel=channel)

        broker.kill()
        broker.start()

        self.ch = self.channel(port=broker.port)
        bodies = [int(self.take(queue)[1]) for _ in range(100)]
        self.assertGreaterEqual(time.monotonic() - begin, 3 - EARLY_SECONDS)
        self.assertEqual(bodies, sorted(bodies, reverse=True))


class Deduplication(harness.BrokerTest):
    @staticmethod
    def send(channel, queue, key, exchange="", mandatory=False):
        channel.basic_publish(
            exchange, queue, b"m",
            pika.BasicProperties(headers={"x-deduplication-header": key},
                                 delivery_mode=PERSISTENT), mandatory=mandatory)

    def test_duplicates_are_confirmed_and_told_to_who_asks(self):
        channel, queue = self.channel(), self.name()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True, arguments={"x-message-deduplication": True})
        for _ in range(5):
            self.send(channel, queue, "key")
        with self.assertRaises(pika.exceptions.UnroutableError) as told:
            self.send(channel, queue, "key", mandatory=True)
        self.assertEqual(told.exception.messages[0].method.reply_code, 208)
        self.assertEqual(told.exception.messages[0].method.reply_text, "DUPLICATE")
        self.send(channel, queue, "other", mandatory=True)
        self.assertEqual(channel.queue_declare(queue, passive=True).method.message_count, 2)

    def test_keys_survive_kill(self):
        broker = harness.LovageBroker().start()
        self.addCleanup(broker.close)
        queue, exchange = self.name(), self.name("x")
        for expected in (1, 2):
            channel = self.channel(port=broker.port)
            channel.confirm_delivery()
            channel.exchange_declare(exchange, "x-message-deduplication", durable=True,
                                     arguments={"x-cache-size": "5"})
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, exchange)
            self.send(channel, "", 1, exchange)
            self.send(channel, "", expected, exchange)
            broker.kill()
            broker.start()
        channel = self.channel(port=broker.port)
        self.assertEqual(channel.queue_declare(queue, passive=True).method.message_count, 2)
