"""Celery's ladder of queues with a time to live, as kombu builds it for Celery 5.5: level n keeps a
message for 2^n seconds. Plain AMQP, so the same on both brokers."""

import time

import pika

import harness

LEVELS = range(27, -1, -1)
ENTRY = "celery_delayed_27"
EXIT = "celery_delayed_delivery"
EARLY_SECONDS = 0.02  # clocks of two processes
PERSISTENT = 2


class Ladder(harness.BrokerTest):
    """Level n keeps for 2^n seconds what has bit n in its routing key; the other passes at once."""

    def setUp(self):
        super().setUp()
        self.ch = self.channel()
        self.addCleanup(self.take_down)

    def take_down(self):
        channel = self.channel()
        for level in LEVELS:
            channel.queue_delete(f"celery_delayed_{level}")
            channel.exchange_delete(f"celery_delayed_{level}")
        channel.exchange_delete(EXIT)

    def build(self, queue_type):
        self.ch.exchange_declare(EXIT, "topic", durable=True)
        for level in LEVELS:
            name = f"celery_delayed_{level}"
            below = f"celery_delayed_{level - 1}" if level else EXIT
            arguments = {"x-queue-type": queue_type, "x-overflow": "reject-publish",
                         "x-message-ttl": 2 ** level * 1000, "x-dead-letter-exchange": below}
            if queue_type == "quorum":
                arguments["x-dead-letter-strategy"] = "at-least-once"
            self.ch.exchange_declare(name, "topic", durable=True)
            self.ch.queue_declare(name, durable=True, arguments=arguments)
            self.ch.queue_bind(name, name, "*." * (27 - level) + "1.#")
        for level in LEVELS:
            below = f"celery_delayed_{level - 1}" if level else EXIT
            self.ch.exchange_bind(below, f"celery_delayed_{level}", "*." * (27 - level) + "0.#")

    def work_queue(self):
        name = self.name("work")
        self.ch.exchange_declare(name, "topic", durable=True)
        self.ch.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
        self.ch.queue_bind(name, name, f"#.{name}")
        self.ch.exchange_bind(name, EXIT, f"#.{name}")
        self.addCleanup(self.drop, name)
        return name

    def drop(self, name):
        channel = self.channel()
        channel.queue_delete(name)
        channel.exchange_delete(name)

    @staticmethod
    def key(seconds, queue):
        return ".".join(f"{seconds:028b}") + "." + queue

    def send(self, seconds, queue):
        self.ch.basic_publish(ENTRY, self.key(seconds, queue), str(seconds).encode(),
                              pika.BasicProperties(delivery_mode=PERSISTENT), mandatory=True)
        return time.monotonic() + seconds

    def test_messages_come_when_their_bits_say(self):
        for queue_type in ("classic", "quorum"):
            with self.subTest(queue_type=queue_type):
                self.build(queue_type)
                queue = self.work_queue()
                self.ch.confirm_delivery()
                due = {seconds: self.send(seconds, queue) for seconds in (3, 1, 0, 2)}
                for expected in (0, 1, 2, 3):
                    method, properties, body = next(self.ch.consume(
                        queue, auto_ack=True, inactivity_timeout=harness.WAIT_SECONDS))
                    self.assertEqual(int(body), expected)
                    self.assertGreaterEqual(time.monotonic(), due[expected] - EARLY_SECONDS)
                    self.assertEqual(method.routing_key, self.key(expected, queue))
                    deaths = (properties.headers or {}).get("x-death", [])
                    self.assertEqual([death["queue"] for death in deaths],
                                     [f"celery_delayed_{bit}" for bit in range(2)
                                      if expected >> bit & 1])
                    self.assertTrue(all(death["reason"] == "expired" for death in deaths))
                self.ch.cancel()
                self.take_down()
                self.ch = self.channel()

    def test_longest_delays_wait_in_the_upper_levels(self):
        self.build("classic")
        queue = self.work_queue()
        self.ch.confirm_delivery()
        self.send(2 ** 28 - 1, queue)
        self.send(2 ** 20, queue)
        for level, count in ((27, 1), (20, 1), (26, 0), (0, 0)):
            waiting = self.ch.queue_declare(f"celery_delayed_{level}", passive=True)
            self.assertEqual(waiting.method.message_count, count, level)
