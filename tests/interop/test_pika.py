"""What pika's users rely on beyond the tutorials: order, fairness, exceptions, confirms."""

import pika
import pika.exceptions

import harness


class Queues(harness.BrokerTest):
    def test_messages_keep_their_order(self):
        queue = self.name("hello")
        channel = self.channel()
        channel.queue_declare(queue)
        for number in range(500):
            channel.basic_publish("", queue, str(number).encode())

        taken = [int(body) for _, _, body in self.gets(channel, queue, 500)]

        self.assertEqual(taken, list(range(500)))

    def test_a_subscribers_queue_goes_with_its_connection(self):
        connection = self.connect()
        queue = connection.channel().queue_declare("", exclusive=True).method.queue
        connection.close()

        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as closed:
            self.channel().queue_declare(queue, passive=True)

        self.assertEqual(closed.exception.reply_code, 404)


class Workers(harness.BrokerTest):
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

    def test_two_workers_share_fairly(self):
        queue = self.name("task_queue")
        workers = [self.worker(queue, prefetch=100), self.worker(queue, prefetch=100)]
        for connection, _, _ in workers:
            connection.process_data_events(0.05)
        self.fill(queue, 40)

        for connection, _, taken in workers:
            self.pump(connection, lambda taken=taken: len(taken) == 20, "half of the tasks")

        self.assertEqual({props.delivery_mode for _, props, _ in workers[0][2]}, {2})

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


class PublisherConfirms(harness.BrokerTest):
    PERSISTENT = pika.BasicProperties(delivery_mode=2)

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


class Connections(harness.BrokerTest):
    def test_wrong_password_is_told(self):
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            self.connect(credentials=pika.PlainCredentials("guest", "wrong"))

    def test_heartbeats_alone_keep_a_connection(self):
        connection = self.connect(heartbeat=1)
        connection.sleep(5)
        connection.channel()

    def test_closing_is_clean(self):
        connection = self.connect()
        connection.channel()
        connection.close(reply_code=200, reply_text="Normal shutdown")
        self.assertTrue(connection.is_closed)

    def test_many_channels(self):
        connection = self.connect()
        channels = [connection.channel() for _ in range(200)]
        queue = channels[0].queue_declare("", exclusive=True).method.queue
        for number, channel in enumerate(channels):
            channel.basic_publish("", queue, str(number).encode())
        harness.wait_for(lambda: self.count(channels[0], queue) == 200, what="all 200")


class LargeMessages(harness.BrokerTest):
    def test_bodies_of_many_frames(self):
        channel = self.channel()
        queue = channel.queue_declare(self.name(), exclusive=True).method.queue
        channel.confirm_delivery()
        bodies = [bytes([number]) * (5 * 1024 * 1024 + number) for number in range(3)]
        for body in bodies:
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2))
        self.assertTrue([body for _, _, body in self.gets(channel, queue, 3)] == bodies)

    def test_thousands_of_headers(self):
        channel = self.channel()
        queue = channel.queue_declare(self.name(), exclusive=True).method.queue
        headers = {f"header-{number}": number for number in range(5000)}
        channel.basic_publish("", queue, b"x", pika.BasicProperties(headers=headers))
        (_, properties, _), = self.gets(channel, queue)
        self.assertEqual(properties.headers, headers)
