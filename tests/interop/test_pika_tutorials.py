"""What RabbitMQ's well-known tutorials teach, as programs of our own with pika: a queue, a work
queue, publish/subscribe, routing, topics, RPC, publisher confirms."""

import threading

import pika
import pika.exceptions

import harness


class HelloWorld(harness.BrokerTest):
    def test_what_is_sent_arrives(self):
        queue = self.name("hello")
        sender = self.channel()
        sender.queue_declare(queue)
        sender.basic_publish(exchange="", routing_key=queue, body="Hello World! Grüße ✓".encode())

        receiver = self.channel()
        receiver.queue_declare(queue)
        method, properties, body = next(receiver.consume(queue, auto_ack=True,
                                                         inactivity_timeout=10))

        self.assertEqual(body.decode(), "Hello World! Grüße ✓")
        self.assertEqual((method.exchange, method.routing_key), ("", queue))
        self.assertFalse(method.redelivered)
        self.assertIsNone(properties.delivery_mode)

    def test_messages_keep_their_order(self):
        queue = self.name("hello")
        channel = self.channel()
        channel.queue_declare(queue)
        for number in range(500):
            channel.basic_publish("", queue, str(number).encode())

        taken = [int(body) for _, _, body in self.gets(channel, queue, 500)]

        self.assertEqual(taken, list(range(500)))


class WorkQueue(harness.BrokerTest):
    PERSISTENT = pika.BasicProperties(delivery_mode=2)

    def fill(self, queue, count):
        channel = self.channel()
        channel.queue_declare(queue, durable=True)
        channel.confirm_delivery()
        for number in range(count):
            channel.basic_publish("", queue, f"task {number}".encode(), self.PERSISTENT)
        return channel

    def worker(self, queue, prefetch=1):
        """A channel that consumes; deliveries are in the list, nothing is acknowledged."""
        connection = self.connect()
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
        channel.basic_qos(prefetch_count=prefetch)
        taken = []
        channel.basic_consume(queue, lambda ch, method, props, body:
                              taken.append((method, props, body)))
        return connection, channel, taken

    def pump(self, connection, condition, what):
        def step():
            connection.process_data_events(0.01)
            return condition()

        harness.wait_for(step, what=what)

    def test_prefetch_one_gives_each_worker_one_task_at_a_time(self):
        queue = self.name("task_queue")
        self.fill(queue, 6)
        workers = [self.worker(queue), self.worker(queue)]
        for connection, _, taken in workers:
            self.pump(connection, lambda taken=taken: len(taken) == 1, "one task each")
        for connection, _, taken in workers:
            connection.process_data_events(0.1)
            self.assertEqual(len(taken), 1)

        # The quick worker gets all that is left while the slow one holds its task.
        connection, channel, taken = workers[1]
        for done in range(1, 6):
            channel.basic_ack(taken[-1][0].delivery_tag)
            if done < 5:
                self.pump(connection, lambda: len(taken) == done + 1, "the next task")

        bodies = {body for _, _, work in workers for _, _, body in work}
        self.assertEqual(bodies, {f"task {number}".encode() for number in range(6)})
        self.assertEqual(len(workers[0][2]), 1)

    def test_two_workers_share_fairly(self):
        queue = self.name("task_queue")
        workers = [self.worker(queue, prefetch=100), self.worker(queue, prefetch=100)]
        for connection, _, _ in workers:
            connection.process_data_events(0.05)
        self.fill(queue, 40)

        for connection, _, taken in workers:
            self.pump(connection, lambda taken=taken: len(taken) == 20, "half of the tasks")

        self.assertEqual({props.delivery_mode for _, props, _ in workers[0][2]}, {2})

    def test_task_of_a_killed_worker_goes_to_another(self):
        queue = self.name("task_queue")
        self.fill(queue, 1)
        killed = self.wire()
        killed.open()
        killed.call(1, "basic.qos", 0, 1, False)
        killed.call(1, "basic.consume", 0, queue, "w", False, False, False, False, {})
        _, _, redelivered, _, _ = killed.expect(1, "basic.deliver")
        self.assertFalse(redelivered)
        # Nothing is said: the socket just ends, as when the process is killed.
        killed.close()

        connection, channel, again = self.worker(queue)
        self.pump(connection, lambda: again, "the task again")
        self.assertEqual(again[0][2], b"task 0")
        self.assertTrue(again[0][0].redelivered)
        channel.basic_ack(again[0][0].delivery_tag)
        self.wait_count(channel, queue, 0)

    def test_unacknowledged_tasks_come_back_in_order_when_the_channel_closes(self):
        queue = self.name("task_queue")
        self.fill(queue, 5)
        connection, channel, taken = self.worker(queue, prefetch=5)
        self.pump(connection, lambda: len(taken) == 5, "all tasks")
        channel.basic_ack(taken[1][0].delivery_tag)
        channel.close()

        back = self.gets(self.channel(), queue, 4)

        self.assertEqual([body for _, _, body in back],
                         [f"task {number}".encode() for number in (0, 2, 3, 4)])
        self.assertTrue(all(method.redelivered for method, _, _ in back))


class PublishSubscribe(harness.BrokerTest):
    def test_every_subscriber_gets_its_own_copy(self):
        exchange = self.name("logs")
        emitter = self.channel()
        emitter.exchange_declare(exchange, "fanout")
        emitter.basic_publish(exchange, "", b"nobody listens yet")
        subscribers = []
        for _ in range(3):
            channel = self.channel()
            channel.exchange_declare(exchange, "fanout")
            queue = channel.queue_declare("", exclusive=True).method.queue
            self.assertRegex(queue, r"^amq\.gen-")
            channel.queue_bind(queue, exchange)
            subscribers.append((channel, queue))

        for number in range(10):
            emitter.basic_publish(exchange, "any key is ignored", str(number).encode())

        for channel, queue in subscribers:
            bodies = [body for _, _, body in self.gets(channel, queue, 10)]
            self.assertEqual(bodies, [str(number).encode() for number in range(10)])
            self.assert_empty(channel, queue)
        self.assertEqual(len({queue for _, queue in subscribers}), 3)

    def test_a_subscribers_queue_goes_with_its_connection(self):
        connection = self.connect()
        queue = connection.channel().queue_declare("", exclusive=True).method.queue
        connection.close()

        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
            self.channel().queue_declare(queue, passive=True)

        self.assertEqual(closed.exception.reply_code, 404)


class Routing(harness.BrokerTest):
    def test_direct_exchange_selects_by_key(self):
        exchange = self.name("direct_logs")
        channel = self.channel()
        channel.exchange_declare(exchange, "direct")
        errors = channel.queue_declare("", exclusive=True).method.queue
        everything = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(errors, exchange, "error")
        for severity in ("info", "warning", "error"):
            channel.queue_bind(everything, exchange, severity)

        for severity in ("info", "error", "debug", "warning", "error", "Error", ""):
            channel.basic_publish(exchange, severity, severity.encode())

        self.assertEqual([b for _, _, b in self.gets(channel, errors, 2)], [b"error"] * 2)
        self.assertEqual([b for _, _, b in self.gets(channel, everything, 4)],
                         [b"info", b"error", b"warning", b"error"])
        self.assert_empty(channel, errors)
        self.assert_empty(channel, everything)


class Topics(harness.BrokerTest):
    ANIMALS = ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox",
               "lazy.brown.fox", "lazy.pink.rabbit", "quick.brown.fox", "orange",
               "quick.orange.new.rabbit", "lazy.orange.new.rabbit", "lazy"]

    def received(self, *patterns):
        exchange = self.name("topic_logs")
        channel = self.channel()
        channel.exchange_declare(exchange, "topic")
        queue = channel.queue_declare("", exclusive=True).method.queue
        for pattern in patterns:
            channel.queue_bind(queue, exchange, pattern)
        channel.confirm_delivery()
        for animal in self.ANIMALS:
            channel.basic_publish(exchange, animal, animal.encode())
        count = self.count(channel, queue)
        return [body.decode() for _, _, body in self.gets(channel, queue, count)] if count else []

    def test_star_is_one_word(self):
        self.assertEqual(self.received("*.orange.*"), self.ANIMALS[:3])

    def test_hash_is_any_number_of_words(self):
        self.assertEqual(self.received("lazy.#"),
                         ["lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit",
                          "lazy.orange.new.rabbit", "lazy"])

    def test_two_patterns_give_one_copy(self):
        self.assertEqual(self.received("*.*.rabbit", "lazy.#"),
                         [animal for animal in self.ANIMALS if animal in
                          ("quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox",
                           "lazy.pink.rabbit", "lazy.orange.new.rabbit", "lazy")])

    def test_hash_alone_is_like_fanout(self):
        self.assertEqual(self.received("#"), self.ANIMALS)

    def test_without_wildcards_is_like_direct(self):
        self.assertEqual(self.received("quick.brown.fox"), ["quick.brown.fox"])


class Rpc(harness.BrokerTest):
    def serve(self, queue, calls):
        connection = self.connect()
        channel = connection.channel()
        channel.queue_declare(queue)
        channel.basic_qos(prefetch_count=1)

        def answer(ch, method, properties, body):
            ch.basic_publish("", properties.reply_to, str(int(body) ** 2).encode(),
                             pika.BasicProperties(correlation_id=properties.correlation_id))
            ch.basic_ack(method.delivery_tag)
            calls.append(1)

        channel.basic_consume(queue, answer)
        stop = threading.Event()

        def run():
            while not stop.is_set():
                connection.process_data_events(0.05)
            connection.close()

        join = harness.in_thread(run)
        self.addCleanup(lambda: (stop.set(), join()))

    def ask(self, channel, replies_to, queue, numbers, consume_no_ack):
        answers = {}

        def on_reply(ch, method, properties, body):
            answers[properties.correlation_id] = int(body)

        channel.basic_consume(replies_to, on_reply, auto_ack=consume_no_ack)
        for number in numbers:
            channel.basic_publish("", queue, str(number).encode(), pika.BasicProperties(
                reply_to=replies_to, correlation_id=f"call-{number}"))

        def complete():
            channel.connection.process_data_events(0.02)
            return len(answers) == len(numbers)

        harness.wait_for(complete, what="all answers")
        return answers

    def test_answers_find_their_caller_by_correlation_id(self):
        queue, calls = self.name("rpc_queue"), []
        self.serve(queue, calls)
        callers = []
        for base in (10, 20):
            channel = self.channel()
            channel.queue_declare(queue)
            replies = channel.queue_declare("", exclusive=True).method.queue
            callers.append((channel, replies, range(base, base + 5)))

        for channel, replies, numbers in callers:
            answers = self.ask(channel, replies, queue, numbers, True)
            self.assertEqual(answers, {f"call-{n}": n * n for n in numbers})
        self.assertEqual(len(calls), 10)

    def test_direct_reply_to_needs_no_queue(self):
        queue, calls = self.name("rpc_queue"), []
        self.serve(queue, calls)
        channel = self.channel()
        channel.queue_declare(queue)

        answers = self.ask(channel, "amq.rabbitmq.reply-to", queue, range(5), True)

        self.assertEqual(answers, {f"call-{n}": n * n for n in range(5)})


class PublisherConfirms(harness.BrokerTest):
    PERSISTENT = pika.BasicProperties(delivery_mode=2)

    def test_each_publish_is_confirmed(self):
        queue = self.name("confirmed")
        channel = self.channel()
        channel.queue_declare(queue, durable=True)
        channel.confirm_delivery()

        for number in range(50):
            channel.basic_publish("", queue, str(number).encode(), self.PERSISTENT)

        self.assertEqual(self.count(channel, queue), 50)
        channel.queue_delete(queue)

    def test_unroutable_mandatory_message_raises(self):
        channel = self.channel()
        channel.confirm_delivery()

        with self.assertRaises(pika.exceptions.UnroutableError) as unroutable:
            channel.basic_publish("", self.name("nowhere"), b"body", self.PERSISTENT,
                                  mandatory=True)

        returned = unroutable.exception.messages[0]
        self.assertEqual((returned.method.reply_code, returned.method.reply_text),
                         (312, "NO_ROUTE"))
        self.assertEqual(returned.body, b"body")
        # The channel is as good as before.
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, b"routed", mandatory=True)

    def test_refused_message_raises_nack(self):
        queue = self.name("full")
        channel = self.channel()
        channel.queue_declare(queue, exclusive=True,
                              arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"fits")

        with self.assertRaises(pika.exceptions.NackError):
            for _ in range(3):
                channel.basic_publish("", queue, b"does not")

    def test_batches_and_asynchronous_confirms_cover_every_tag_once(self):
        queue = self.name("async")
        settled = []
        wire = self.wire()
        wire.open()
        wire.declare(1, queue, durable=True)
        wire.call(1, "confirm.select", False)
        persistent = b"\x10\x00\x02"  # only delivery-mode, 2
        batch = b"".join(
            wire.method_octets(1, "basic.publish", 0, "", queue, False, False)
            + wire.content_octets(1, b"x" * 100, persistent) for _ in range(1000))

        for _ in range(3):
            wire.raw(batch)
        open_tags = set(range(1, 3001))
        while open_tags:
            _, name, (tag, multiple, *_) = wire.read()
            self.assertEqual(name, "basic.ack")
            covered = {t for t in open_tags if t <= tag} if multiple else {tag}
            self.assertLessEqual(covered, open_tags)
            self.assertTrue(covered)
            open_tags -= covered
            settled.append(len(covered))

        self.assertEqual(sum(settled), 3000)
        self.assertEqual(wire.call(1, "queue.delete", 0, queue, False, False, False), [3000])
