"""Ordinary sessions of other people's clients: py-amqp, kombu, aio-pika, Ruby's bunny, PHP's
php-amqplib, the tools of librabbitmq. Each is used as its manual says, nothing is adapted."""

import asyncio
import pathlib
import socket
import subprocess

import harness

HERE = pathlib.Path(__file__).resolve().parent


class OtherLanguages(harness.BrokerTest):
    def session(self, *command):
        harness.need(command[0])
        done = subprocess.run([*command, str(self.broker.port), self.name()], cwd=HERE,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (0, "ok\n"),
                         done.stderr.decode())

    def test_bunny(self):
        self.session("ruby", "bunny_session.rb")

    def test_php_amqplib(self):
        self.session("php", "amqplib_session.php")


class LibrabbitmqTools(harness.BrokerTest):
    def tool(self, name, *arguments, given=b""):
        harness.need(name)
        done = subprocess.run(
            [name, f"--url=amqp://guest:guest@127.0.0.1:{self.broker.port}", *arguments],
            input=given, capture_output=True, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_publish_get_consume_delete(self):
        queue = self.name()
        self.assertEqual(self.tool("amqp-declare-queue", "-q", queue, "-d")[:2],
                         (0, queue.encode() + b"\n"))
        for body in (b"first", b"second", b"third"):
            code, _, error = self.tool("amqp-publish", "-r", queue, "-p", "-C", "text/plain",
                                       given=body)
            self.assertEqual(code, 0, error)
        channel = self.channel()
        self.wait_count(channel, queue, 3)
        self.assertEqual(self.tool("amqp-get", "-q", queue)[:2], (0, b"first"))
        self.assertEqual(self.tool("amqp-consume", "-q", queue, "-c", "2", "cat")[:2],
                         (0, b"secondthird"))
        self.assertEqual(self.tool("amqp-get", "-q", queue)[0], 2)
        self.assertEqual(self.tool("amqp-delete-queue", "-q", queue)[:2], (0, b"0\n"))

    def test_error_is_told(self):
        code, _, error = self.tool("amqp-get", "-q", self.name("missing"))
        self.assertNotEqual(code, 0)
        self.assertIn(b"NOT_FOUND - no queue", error)


class PyAmqp(harness.BrokerTest):
    def amqp(self, **options):
        import amqp

        connection = amqp.Connection(host=f"127.0.0.1:{self.broker.port}", userid="guest",
                                     password="guest", **options)
        connection.connect()
        self.addCleanup(connection.close)
        return connection

    def test_confirms_and_gets(self):
        import amqp

        channel = self.amqp(confirm_publish=True).channel()
        queue = channel.queue_declare("", exclusive=True).queue
        for number in range(20):
            channel.basic_publish(amqp.Message(str(number), delivery_mode=2,
                                               application_headers={"n": number}),
                                  routing_key=queue)
        for number in range(20):
            message = channel.basic_get(queue)
            self.assertEqual((message.body, message.headers), (str(number), {"n": number}))
            channel.basic_ack(message.delivery_tag)
        self.assertIsNone(channel.basic_get(queue))

    def test_channel_error_has_its_own_exception(self):
        import amqp

        with self.assertRaises(amqp.exceptions.NotFound) as missing:
            self.amqp().channel().queue_declare(self.name("missing"), passive=True)
        self.assertEqual(missing.exception.reply_code, 404)

    def test_heartbeats_keep_a_connection_that_only_listens(self):
        import amqp

        connection = self.amqp(heartbeat=2)
        channel = connection.channel()
        taken = []
        queue = channel.queue_declare("", exclusive=True).queue
        channel.basic_consume(queue, callback=lambda message: taken.append(message.body))
        for _ in range(12):
            try:
                connection.drain_events(timeout=0.5)
            except socket.timeout:
                connection.heartbeat_tick()
        channel.basic_publish(amqp.Message("still there?"), routing_key=queue)
        connection.drain_events(timeout=5)
        self.assertEqual([str(body) for body in taken], ["still there?"])


class Kombu(harness.BrokerTest):
    def test_producer_and_consumer(self):
        import kombu

        exchange = kombu.Exchange(self.name("media"), "direct", durable=True, auto_delete=True)
        queue = kombu.Queue(self.name("video"), exchange=exchange, routing_key="video",
                            message_ttl=60, expires=60)
        got = []
        with kombu.Connection(f"amqp://guest:guest@127.0.0.1:{self.broker.port}//") as connection:
            producer = connection.Producer(serializer="json")
            producer.publish({"name": "/tmp/lolcat1.avi", "size": 1301013}, exchange=exchange,
                             routing_key="video", declare=[queue], compression="zlib", retry=True)
            with connection.Consumer(queue, callbacks=[lambda body, message: (
                    got.append(body), message.ack())]):
                connection.drain_events(timeout=10)
            simple_name = self.name("simple")
            simple = connection.SimpleQueue(simple_name)
            simple.put({"n": [1, None]})
            message = simple.get(timeout=5)
            message.ack()
            self.assertEqual(message.payload, {"n": [1, None]})
            simple.close()
            connection.channel().queue_delete(simple_name)
            queue.bind(connection.channel()).delete()
        self.assertEqual(got, [{"name": "/tmp/lolcat1.avi", "size": 1301013}])


class AioPika(harness.BrokerTest):
    def test_robust_connection(self):
        import aio_pika

        async def session():
            connection = await aio_pika.connect_robust(
                f"amqp://guest:guest@127.0.0.1:{self.broker.port}/")
            async with connection:
                channel = await connection.channel(publisher_confirms=True,
                                                   on_return_raises=True)
                await channel.set_qos(prefetch_count=3)
                exchange = await channel.declare_exchange(self.name("x"), "topic",
                                                          auto_delete=True)
                queue = await channel.declare_queue(self.name(), exclusive=True)
                await queue.bind(exchange, "a.#")
                for number in range(50):
                    await exchange.publish(aio_pika.Message(
                        str(number).encode(), headers={"n": number, "ü": [1, {"x": None}]},
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT), f"a.{number}")
                taken = []
                async with queue.iterator() as messages:
                    async for message in messages:
                        async with message.process():
                            taken.append((int(message.body), message.headers["n"]))
                        if len(taken) == 50:
                            break
                with self.assertRaises(aio_pika.exceptions.DeliveryError):
                    await exchange.publish(aio_pika.Message(b"lost"), "b.nowhere")
                return taken

        self.assertEqual(asyncio.run(asyncio.wait_for(session(), 30)),
                         [(n, n) for n in range(50)])
