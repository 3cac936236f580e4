"""Consuming, getting, acknowledging, prefetch, confirms, transactions, direct reply-to, single
active consumer: sections 14 to 16, 19, 22 and 23 of what RabbitMQ 3.10.8 was seen to do."""

import harness
from wire import shortstr
from wire_test import WireTest

SILENT_SECONDS = 0.3


class DeliveryTest(WireTest):
    def fill(self, queue, count, start=0):
        """Publishes bodies "0", "1", ... and waits until they are counted."""
        for number in range(start, start + count):
            self.w.publish(1, "", queue, str(number).encode())
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] >= count,
                         what="the messages are there")

    def deliveries(self, wire, channel, count):
        return [wire.delivery(channel) for _ in range(count)]

    def shared_queue(self, count, **arguments):
        """A filled queue that any connection may use."""
        name = self.name()
        arguments = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.w.declare(1, name, arguments=arguments)
        self.addCleanup(lambda: self.w.call(1, "queue.delete", 0, name, False, False, False))
        if count:
            self.fill(name, count)
        return name

    def drain(self, queue):
        """(redelivered, number) of all ready messages, in order."""
        taken = []
        while got := self.w.get(1, queue):
            taken.append((got[1], int(got[-1])))
        return taken


class Consuming(DeliveryTest):
    def test_tags(self):
        queue = self.queue()
        self.assertEqual(self.w.consume(1, queue, "mine"), "mine")
        self.assertRegex(self.w.consume(1, queue), r"^amq\.ctag-[A-Za-z0-9_-]{22}$")
        self.w.open(2)
        self.assertEqual(self.w.consume(2, queue, "mine"), "mine")

    def test_tag_in_use_closes_the_connection_with_530(self):
        wire = self.wire()
        wire.open(1)
        queue = wire.declare(1, exclusive=True)[0]
        wire.consume(1, queue, "mine")
        wire.send(1, "basic.consume", 0, queue, "mine", False, False, False, False, {})
        self.assertEqual(wire.closed_connection(), self.expected(
            530, "basic.consume", "NOT_ALLOWED - attempt to reuse consumer tag 'mine'"))

    def test_missing_queue_is_404(self):
        missing = self.name()
        text = f"NOT_FOUND - no queue '{missing}' in vhost '/'"
        self.channel_error(404, text, "basic.consume", 0, missing, "", False, False, False, False,
                           {})
        self.channel_error(404, text, "basic.get", 0, missing, True)

    def test_exclusive_consumer_refuses_others(self):
        queue = self.queue()
        text = f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"
        self.w.consume(1, queue, "a")
        self.channel_error(403, text, "basic.consume", 0, queue, "b", False, False, True, False,
                           {})
        self.w.call(1, "basic.cancel", "a", False)
        self.w.consume(1, queue, "a", exclusive=True)
        self.channel_error(403, text, "basic.consume", 0, queue, "b", False, False, False, False,
                           {})
        self.assertIsNone(self.w.get(1, queue))

    def test_consume_ok_comes_before_the_first_delivery(self):
        queue = self.queue()
        self.fill(queue, 1)
        self.w.consume(1, queue, "c", no_ack=True)
        tag, redelivered, exchange, key, _, body = self.w.delivery(1)
        self.assertEqual((tag, redelivered, exchange, key, body), (1, False, "", queue, b"0"))

    def test_cancel(self):
        queue = self.queue()
        self.fill(queue, 1)
        self.w.consume(1, queue, "c")
        tag = self.w.delivery(1)[0]
        self.assertEqual(self.w.call(1, "basic.cancel", "c", False), ["c"])
        self.assertEqual(self.w.call(1, "basic.cancel", "never", False), ["never"])
        self.fill(queue, 1, start=1)
        self.assertTrue(self.w.silent(0.1))
        # What was delivered before is still the channel's to settle.
        self.w.send(1, "basic.ack", tag, False)
        self.assertEqual(self.drain(queue), [(False, 1)])

    def test_client_hears_that_its_queue_was_deleted(self):
        queue = self.shared_queue(1)
        other = self.wire()
        other.open(1)
        other.consume(1, queue, "c")
        tag = other.delivery(1)[0]
        self.w.call(1, "queue.delete", 0, queue, False, False, False)
        self.assertEqual(other.expect(1, "basic.cancel"), ["c", True])
        other.send(1, "basic.ack", tag, False)
        other.call(1, "basic.qos", 0, 0, False)

    def test_client_that_cannot_hear_it_is_not_told(self):
        queue = self.shared_queue(0)
        other = self.wire(properties={})
        other.open(1)
        other.consume(1, queue, "c")
        self.w.call(1, "queue.delete", 0, queue, False, False, False)
        self.assertTrue(other.silent(0.2))

    def test_consumer_priority(self):
        queue = self.queue()
        self.w.call(1, "basic.qos", 0, 2, False)
        self.w.consume(1, queue, "low", arguments={"x-priority": -1})
        self.w.consume(1, queue, "high", arguments={"x-priority": 5})
        for number in range(3):
            self.w.publish(1, "", queue, str(number).encode())
        tags = []
        for _ in range(3):
            tags.append(self.w.expect(1, "basic.deliver")[0])
            self.w.read_content(1)
        self.assertEqual(tags, ["high", "high", "low"])
        self.channel_error(406, f"PRECONDITION_FAILED - invalid arg 'x-priority' for queue "
                           f"'{queue}' in vhost '/': \"expected integer, got longstr\"",
                           "basic.consume", 0, queue, "", False, False, False, False,
                           {"x-priority": "5"})

    def test_single_active_consumer(self):
        queue = self.queue(arguments={"x-single-active-consumer": True})
        self.w.consume(1, queue, "first")
        self.w.consume(1, queue, "second")
        for _ in range(2):
            self.w.publish(1, "", queue, b"0")
        for _ in range(2):
            self.assertEqual(self.w.expect(1, "basic.deliver")[0], "first")
            self.w.read_content(1)
        self.w.call(1, "basic.cancel", "first", False)
        self.w.publish(1, "", queue, b"1")
        self.assertEqual(self.w.expect(1, "basic.deliver")[0], "second")
        self.w.read_content(1)


class Getting(DeliveryTest):
    def test_get_tells_what_is_left_and_shares_the_delivery_tags(self):
        queue = self.queue()
        self.fill(queue, 3)
        self.assertEqual(self.w.get(1, queue)[:5], (1, False, "", queue, 2))
        self.w.consume(1, queue, "c", no_ack=True)
        self.assertEqual([d[0] for d in self.deliveries(self.w, 1, 2)], [2, 3])
        self.w.call(1, "basic.cancel", "c", False)
        self.fill(queue, 1)
        self.assertEqual(self.w.get(1, queue, no_ack=False)[0], 4)

    def test_get_empty(self):
        self.w.send(1, "basic.get", 0, self.queue(), True)
        self.assertEqual(self.w.expect(1, "basic.get_empty"), [""])

    def test_prefetch_does_not_limit_get(self):
        queue = self.queue()
        self.fill(queue, 3)
        self.w.call(1, "basic.qos", 0, 1, True)
        self.assertTrue(all(self.w.get(1, queue, no_ack=False) for _ in range(3)))


class Acknowledging(DeliveryTest):
    def test_unknown_delivery_tag_is_406(self):
        for method, arguments in (("basic.ack", (77, False)), ("basic.reject", (77, True)),
                                  ("basic.nack", (77, False, True)), ("basic.ack", (0, False))):
            with self.subTest(method, arguments=arguments):
                self.channel_error(406, "PRECONDITION_FAILED - unknown delivery tag "
                                   f"{arguments[0]}", method, *arguments)

    def test_settling_twice_is_406(self):
        queue = self.queue()
        self.fill(queue, 1)
        self.w.open(2)
        tag = self.w.get(2, queue, no_ack=False)[0]
        self.w.send(2, "basic.ack", tag, False)
        self.w.send(2, "basic.ack", tag, False)
        self.closes_channel(2, 406, f"PRECONDITION_FAILED - unknown delivery tag {tag}",
                            "basic.ack")

    def test_multiple(self):
        queue = self.queue()
        self.fill(queue, 5)
        self.w.open(2)
        tags = [self.w.get(2, queue, no_ack=False)[0] for _ in range(5)]
        self.w.send(2, "basic.ack", tags[2], True)
        self.w.send(2, "basic.nack", 0, True, True)
        self.w.send(2, "basic.ack", 0, True)  # fine when there is nothing to settle
        self.w.call(2, "basic.qos", 0, 0, False)
        self.wait_ready(queue, 2)
        self.assertEqual(self.drain(queue), [(True, 3), (True, 4)])

    def wait_ready(self, queue, count):
        harness.wait_for(lambda: self.w.declare(1, queue, passive=True)[1] == count,
                         what=f"{count} ready messages")

    def test_requeued_messages_return_to_their_place(self):
        queue = self.queue()
        self.fill(queue, 6)
        tags = [self.w.get(1, queue, no_ack=False)[0] for _ in range(4)]
        self.w.send(1, "basic.reject", tags[2], True)
        self.w.send(1, "basic.nack", tags[0], False, True)
        self.w.send(1, "basic.nack", tags[3], False, False)
        self.wait_ready(queue, 4)
        self.assertEqual(self.drain(queue), [(True, 0), (True, 2), (False, 4), (False, 5)])

    def test_lost_connection_gives_everything_back_in_order(self):
        queue = self.shared_queue(6)
        other = self.wire()
        other.open(1)
        other.consume(1, queue, "c")
        tag = self.deliveries(other, 1, 6)[1][0]
        other.send(1, "basic.ack", tag, False)
        other.call(1, "basic.qos", 0, 0, False)
        other.close()
        self.wait_ready(queue, 5)
        self.assertEqual(self.drain(queue), [(True, n) for n in (0, 2, 3, 4, 5)])

    def test_recover(self):
        queue = self.queue()
        self.fill(queue, 3)
        for _ in range(3):
            self.w.get(1, queue, no_ack=False)
        self.w.call(1, "basic.recover", True)
        self.wait_ready(queue, 3)
        self.assertEqual(self.drain(queue), [(True, n) for n in range(3)])
        for method in ("basic.recover", "basic.recover_async"):
            self.connection_error(540, "NOT_IMPLEMENTED - requeue=false", method, False)


class Prefetch(DeliveryTest):
    def test_limit_is_per_consumer_and_for_later_ones(self):
        queue = self.queue()
        self.w.call(1, "basic.qos", 0, 2, False)
        self.w.consume(1, queue, "a")
        self.w.call(1, "basic.qos", 0, 1, False)
        self.w.consume(1, queue, "b")
        for number in range(6):
            self.w.publish(1, "", queue, str(number).encode())
        tags = []
        for _ in range(3):
            tags.append(self.w.expect(1, "basic.deliver")[0])
            self.w.read_content(1)
        self.assertEqual(sorted(tags), ["a", "a", "b"])
        self.assertTrue(self.w.silent(0.1))
        self.w.send(1, "basic.ack", 0, True)
        self.deliveries(self.w, 1, 3)

    def test_global_limit_is_for_the_channel_and_at_once(self):
        queue = self.queue()
        self.w.call(1, "basic.qos", 0, 2, True)
        self.w.consume(1, queue, "a")
        self.w.consume(1, queue, "b")
        for number in range(6):
            self.w.publish(1, "", queue, str(number).encode())
        self.deliveries(self.w, 1, 2)
        self.assertTrue(self.w.silent(0.1))
        self.w.send(1, "basic.qos", 0, 3, True)
        kinds = set()
        for _ in range(2):
            method = self.w.read()[1]
            kinds.add(method)
            if method == "basic.deliver":
                self.w.read_content(1)
        self.assertEqual(kinds, {"basic.qos_ok", "basic.deliver"})
        self.assertTrue(self.w.silent(0.1))

    def test_no_ack_consumer_is_not_limited(self):
        queue = self.queue()
        self.fill(queue, 10)
        self.w.call(1, "basic.qos", 0, 1, False)
        self.w.consume(1, queue, "a", no_ack=True)
        self.assertEqual([int(d[-1]) for d in self.deliveries(self.w, 1, 10)], list(range(10)))

    def test_prefetch_size_is_540(self):
        self.connection_error(540, "NOT_IMPLEMENTED - prefetch_size!=0 (10)", "basic.qos", 10, 1,
                              False)


class Confirms(DeliveryTest):
    def confirmed(self, count):
        """Reads acks until tags 1 to count are settled, each once."""
        open_tags = set(range(1, count + 1))
        while open_tags:
            tag, multiple = self.w.expect(1, "basic.ack")
            covered = {t for t in open_tags if t <= tag} if multiple else {tag}
            self.assertTrue(covered and covered <= open_tags)
            open_tags -= covered

    def test_persistent_and_transient_messages_are_confirmed(self):
        name = self.name()
        self.w.declare(1, name, durable=True)
        self.w.call(1, "confirm.select", False)
        self.w.call(1, "confirm.select", False)
        for number in range(100):
            properties = b"\x10\x00" + bytes([1 + number % 2])
            self.w.publish(1, "", name, b"x", properties=properties)
        self.confirmed(100)
        self.assertEqual(self.w.call(1, "queue.delete", 0, name, False, False, False), [100])

    def test_tags_count_from_confirm_select_on(self):
        queue = self.queue()
        self.w.publish(1, "", queue)
        self.w.publish(1, "", queue)
        self.w.call(1, "confirm.select", False)
        self.w.publish(1, "", queue)
        self.assertEqual(self.w.expect(1, "basic.ack"), [1, False])

    def test_unroutable_message_is_confirmed(self):
        self.w.call(1, "confirm.select", False)
        self.w.publish(1, "", self.name())
        self.assertEqual(self.w.expect(1, "basic.ack"), [1, False])

    def test_no_confirm_for_a_publish_that_failed(self):
        self.w.open(2)
        self.w.call(2, "confirm.select", False)
        self.w.publish(2, self.name("x"), "k")
        self.assertEqual(self.w.closed_channel(2)[0], 404)
        self.assertTrue(self.w.silent(0.1))

    def test_confirms_and_transactions_exclude_each_other(self):
        self.w.open(2)
        self.w.call(2, "tx.select")
        self.w.send(2, "confirm.select", False)
        self.closes_channel(2, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode",
                            "confirm.select")
        self.w.open(2)
        self.w.call(2, "confirm.select", False)
        self.w.send(2, "tx.select")
        self.closes_channel(2, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode",
                            "tx.select")


class Transactions(DeliveryTest):
    def test_commit_publishes_and_acknowledges(self):
        queue = self.queue()
        self.fill(queue, 1)
        self.w.open(2)
        self.w.call(2, "tx.select")
        self.w.call(2, "tx.select")
        self.w.send(2, "basic.ack", self.w.get(2, queue, no_ack=False)[0], False)
        self.w.publish(2, "", queue, b"7")
        self.w.call(2, "basic.qos", 0, 0, False)
        self.assertEqual(self.w.declare(1, queue, passive=True)[1], 0)
        self.w.call(2, "tx.commit")
        self.assertEqual(self.drain(queue), [(False, 7)])
        self.w.call(2, "channel.close", 200, "", 0, 0)
        self.assertEqual(self.w.declare(1, queue, passive=True)[1], 0)

    def test_rollback_forgets_but_requeues_nothing(self):
        queue = self.queue()
        self.fill(queue, 1)
        self.w.open(2)
        self.w.call(2, "tx.select")
        tag = self.w.get(2, queue, no_ack=False)[0]
        self.w.send(2, "basic.ack", tag, False)
        self.w.publish(2, "", queue, b"7")
        self.w.call(2, "tx.rollback")
        self.assertEqual(self.drain(queue), [])
        self.w.send(2, "basic.reject", tag, True)
        self.w.call(2, "tx.commit")
        harness.wait_for(lambda: self.drain(queue) == [(True, 0)], what="the message is back")

    def test_return_comes_before_commit_ok(self):
        self.w.call(1, "tx.select")
        self.w.publish(1, "", self.name(), b"x", mandatory=True)
        self.w.send(1, "tx.commit")
        self.assertEqual(self.w.expect(1, "basic.return")[0], 312)
        self.w.read_content(1)
        self.w.expect(1, "tx.commit_ok")

    def test_commit_without_select_is_406(self):
        text = "PRECONDITION_FAILED - channel is not transactional"
        self.channel_error(406, text, "tx.commit")
        self.channel_error(406, text, "tx.rollback")


class DirectReplyTo(DeliveryTest):
    NAME = "amq.rabbitmq.reply-to"

    def test_request_and_reply(self):
        queue = self.queue()
        self.w.consume(1, self.NAME, no_ack=True)
        self.w.publish(1, "", queue, b"question", properties=b"\x02\x00" + shortstr(self.NAME))
        properties = self.w.get(1, queue)[-2]
        token = properties[3:].decode()
        self.assertEqual(properties[:2], b"\x02\x00")
        self.assertTrue(token.startswith(self.NAME + "."), token)

        server = self.wire()
        server.open(1)
        self.assertEqual(server.declare(1, token, passive=True), [token, 0, 1])
        server.publish(1, "", token, b"answer")

        _, redelivered, exchange, key, _, body = self.w.delivery(1)
        self.assertEqual((redelivered, exchange, key, body), (False, "", token, b"answer"))

    def test_wrong_use_is_406(self):
        self.w.consume(1, self.NAME, no_ack=True)
        self.w.open(2)
        self.w.send(2, "basic.consume", 0, self.NAME, "", False, False, False, False, {})
        self.closes_channel(2, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge",
                            "basic.consume")
        self.w.open(2)
        self.w.publish(2, "", "k", b"", properties=b"\x02\x00" + shortstr(self.NAME))
        self.closes_channel(2, 406, "PRECONDITION_FAILED - fast reply consumer does not exist",
                            "basic.publish")

    def test_guessed_token_reaches_nobody(self):
        self.w.consume(1, self.NAME, no_ack=True)
        token = self.NAME + ".guessed"
        self.channel_error(404, f"NOT_FOUND - no queue '{token}' in vhost '/'", "queue.declare",
                           0, token, True, False, False, False, False, {})
        self.w.publish(1, "", token, b"forged")
        self.assertTrue(self.w.silent(SILENT_SECONDS))
