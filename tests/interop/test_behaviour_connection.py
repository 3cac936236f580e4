"""Handshake, login, tuning, heartbeats, frames, channels, closing: sections 1 to 8 of what
RabbitMQ 3.10.8 was seen to do, as far as clients meet them."""

import time

import pika
import pika.exceptions

import harness
from wire import BODY, HEADER, HEARTBEAT, METHOD, Closed, Wire
from wire_test import WireTest


class Handshake(harness.BrokerTest):
    def raw_wire(self):
        wire = Wire(self.broker.port)
        self.addCleanup(wire.close)
        return wire

    def test_start_names_mechanisms_locales_and_capabilities(self):
        major, minor, properties, mechanisms, locales = self.raw_wire().start()

        self.assertEqual((major, minor), (0, 9))
        self.assertLessEqual({b"PLAIN", b"AMQPLAIN"}, set(mechanisms.split(b" ")))
        self.assertEqual(locales, b"en_US")
        self.assertIn("product", properties)
        self.assertIn("version", properties)
        for name in ("publisher_confirms", "basic.nack", "consumer_cancel_notify",
                     "connection.blocked", "authentication_failure_close", "per_consumer_qos"):
            self.assertIs(properties["capabilities"][name], True, name)

    def test_start_names_the_further_capabilities(self):
        capabilities = self.raw_wire().start()[2]["capabilities"]
        for name in ("exchange_exchange_bindings", "consumer_priorities", "direct_reply_to"):
            self.assertIs(capabilities.get(name), True, name)

    def test_foreign_protocol_header_is_answered_with_ours(self):
        for header in (b"AMQP\x00\x00\x09\x02", b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00",
                       b"GET / HT", b"\x16\x03\x01\x02\x00\x01\x00\x01"):
            with self.subTest(header=header):
                wire = self.raw_wire()
                wire.raw(header)
                self.assertEqual(wire.socket.recv(8), b"AMQP\x00\x00\x09\x01")
                self.assertIsNotNone(wire.gone(5))

    def test_old_protocol_header_of_0_9_is_accepted(self):
        wire = self.raw_wire()
        wire.raw(b"AMQP\x01\x01\x00\x09")
        self.assertEqual(wire.expect(0, "connection.start")[:2], [0, 9])

    def test_tune_offers_the_usual_limits(self):
        self.assertEqual(self.wire().tune, [2047, 131072, 60])

    def test_smaller_limits_are_accepted(self):
        wire = self.wire(frame_max=4096, channel_max=5, heartbeat=65535)
        wire.open(5)

    def test_amqplain_login(self):
        self.wire(mechanism="AMQPLAIN").open(1)

    def test_empty_client_properties_are_accepted(self):
        self.wire(properties={}).open(1)

    def test_open_may_be_pipelined_with_tune_ok(self):
        wire = self.raw_wire()
        wire.start()
        wire.start_ok()
        wire.expect(0, "connection.tune")
        wire.raw(Wire.method_octets(0, "connection.tune_ok", 2047, 131072, 0)
                 + Wire.method_octets(0, "connection.open", "/", "", False)
                 + Wire.method_octets(1, "channel.open", ""))
        wire.expect(0, "connection.open_ok")
        wire.expect(1, "channel.open_ok")

    def test_channel_open_before_connection_open_is_unexpected(self):
        wire = self.raw_wire()
        wire.start()
        wire.start_ok()
        wire.expect(0, "connection.tune")
        wire.send(0, "connection.tune_ok", 2047, 131072, 0)
        wire.send(1, "channel.open", "")
        self.assertEqual(wire.closed_connection()[0], 505)


class Login(harness.BrokerTest):
    def refused(self, **login):
        wire = Wire(self.broker.port)
        self.addCleanup(wire.close)
        wire.start()
        wire.start_ok(**login)
        return wire

    def test_wrong_password_is_403_for_clients_that_can_hear_it(self):
        for login in ({"password": "wrong"}, {"user": "nobody"}, {"user": "", "password": ""},
                      {"password": "wrong", "mechanism": "AMQPLAIN"}):
            with self.subTest(**login):
                code, text, *ids = self.refused(**login).closed_connection()
                self.assertEqual((code, ids), (403, [0, 0]))
                mechanism = login.get("mechanism", "PLAIN")
                self.assertEqual(text, "ACCESS_REFUSED - Login was refused using authentication "
                                 f"mechanism {mechanism}. For details see the broker logfile.")

    def test_wrong_password_ends_in_silence_for_others(self):
        wire = self.refused(password="wrong", properties={})
        with self.assertRaises(Closed):
            wire.read_frame()

    def test_unknown_mechanism_ends_in_silence(self):
        with self.assertRaises(Closed):
            self.refused(mechanism="EXTERNAL").read_frame()

    def test_pika_says_so(self):
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            self.connect(credentials=pika.PlainCredentials("guest", "wrong"))

    def test_unknown_vhost_is_530(self):
        for vhost in ("nosuch", "", "/nosuch"):
            with self.subTest(vhost=vhost):
                wire = Wire(self.broker.port)
                self.addCleanup(wire.close)
                wire.start()
                wire.start_ok()
                wire.expect(0, "connection.tune")
                wire.send(0, "connection.tune_ok", 2047, 131072, 0)
                wire.send(0, "connection.open", vhost, "", False)
                self.assertEqual(wire.closed_connection(),
                                 (530, f"NOT_ALLOWED - vhost {vhost} not found", 10, 40))


class Heartbeats(harness.BrokerTest):
    def test_broker_sends_and_expects_them(self):
        wire = self.wire(heartbeat=1)
        started = time.monotonic()
        beats = 0
        with self.assertRaises(Closed):
            while True:
                kind, channel, payload = wire.read_frame()
                self.assertEqual((kind, channel, payload), (HEARTBEAT, 0, b""))
                beats += 1
        self.assertGreaterEqual(beats, 2)
        self.assertTrue(1.8 < time.monotonic() - started < 6)

    def test_heartbeats_alone_keep_a_connection(self):
        connection = self.connect(heartbeat=1)
        connection.sleep(5)
        connection.channel()


class Frames(WireTest):
    def framing_error(self, octets):
        wire = self.wire()
        wire.open(1)
        wire.raw(octets)
        code, text, *ids = wire.closed_connection()
        return code, ids, text

    def test_wrong_frame_end_is_501(self):
        octets = Wire.method_octets(1, "basic.qos", 0, 1, False)[:-1] + b"\x00"
        code, ids, text = self.framing_error(octets)
        self.assertEqual((code, ids), (501, [0, 0]))
        self.assertTrue(text.startswith("FRAME_ERROR - type 1"), text)

    def test_frame_over_the_negotiated_maximum_is_501_before_it_arrives(self):
        code, ids, text = self.framing_error(b"\x03\x00\x01" + (200_000).to_bytes(4, "big"))
        self.assertEqual((code, ids), (501, [0, 0]))
        self.assertIn("frame_too_large", text)

    def test_unknown_frame_type_is_501(self):
        for kind in (0, 4, 9, 255):
            with self.subTest(kind=kind):
                code, ids, text = self.framing_error(Wire.frame_octets(kind, 1, b"ab"))
                self.assertEqual((code, ids, text), (
                    501, [0, 0], f'FRAME_ERROR - type {kind}, all octets = <<"ab">>: '
                                 "unknown_frame"))

    def test_method_arguments_cut_short_or_too_long_are_501(self):
        qos = Wire.method_octets(1, "basic.qos", 0, 1, False)[7:-1]
        for payload in (qos[:-1], qos + b"\x00"):
            code, ids, _ = self.framing_error(Wire.frame_octets(METHOD, 1, payload))
            self.assertEqual((code, ids), (501, [60, 10]))

    def test_name_that_is_not_utf8_is_501(self):
        code, ids, text = self.framing_error(Wire.method_octets(
            1, "queue.declare", 0, b"\xff\xfe", False, False, False, False, False, {}))
        self.assertEqual((code, text), (501, "FRAME_ERROR - Malformed UTF-8 in shortstr"))

    def test_heartbeat_on_a_channel_is_505(self):
        code, ids, _ = self.framing_error(Wire.frame_octets(HEARTBEAT, 1, b""))
        self.assertEqual((code, ids), (505, [0, 0]))

    def test_heartbeat_with_payload_is_501(self):
        code, ids, _ = self.framing_error(Wire.frame_octets(HEARTBEAT, 0, b"ab"))
        self.assertEqual((code, ids), (501, [0, 0]))

    def test_content_out_of_place_is_505(self):
        publish = Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
        header = Wire.frame_octets(HEADER, 1, Wire.header_octets(3))
        body = Wire.frame_octets(BODY, 1, b"abc")
        qos = Wire.method_octets(1, "basic.qos", 0, 1, False)
        no_method = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
        no_header = ("UNEXPECTED_FRAME - expected content header for class 60, "
                     "got non content header frame instead")
        no_body = ("UNEXPECTED_FRAME - expected content body, "
                   "got non content body frame instead")
        wrong_class = Wire.frame_octets(HEADER, 1, Wire.header_octets(3, class_id=50))
        weight = Wire.frame_octets(HEADER, 1, Wire.header_octets(3, weight=1))
        for what, octets, ids, text in (
                ("header alone", header, [0, 0], no_method),
                ("body alone", body, [0, 0], no_method),
                ("body after the last octet", publish + header + body + body, [0, 0], no_method),
                ("publish, body", publish + body, [60, 40], no_header),
                ("publish, method", publish + qos, [60, 40], no_header),
                ("header with weight", publish + weight, [60, 40], no_header),
                ("header of another class", publish + wrong_class, [60, 40],
                 "UNEXPECTED_FRAME - expected content header for class 60, "
                 "got one for class 50 instead"),
                ("method before the body", publish + header + qos, [60, 40], no_body),
                ("two headers", publish + header + header, [60, 40], no_body)):
            with self.subTest(what):
                self.assertEqual(self.framing_error(octets), (505, ids, text))

    def test_channels_may_interleave_content(self):
        queue = self.queue()
        self.w.open(2)
        first, second = (Wire.content_octets(ch, body, frame_max=16)
                         for ch, body in ((1, b"one" * 20), (2, b"two" * 20)))
        size = len(first) - 16
        pieces = [Wire.method_octets(ch, "basic.publish", 0, "", queue, False, False)
                  for ch in (1, 2)]
        # The header frame of 22 octets, then body frames of 16 in turn, heartbeats between.
        frames = [[c[:22], *[c[at:at + 16] for at in range(22, len(c), 16)]]
                  for c in (first, second)]
        self.assertGreater(size, 0)
        for pair in zip(*frames):
            pieces += [pair[0], Wire.frame_octets(HEARTBEAT, 0, b""), pair[1]]
        self.w.raw(b"".join(pieces))
        self.w.call(1, "basic.qos", 0, 0, False)
        self.w.call(2, "basic.qos", 0, 0, False)

        self.assertEqual({self.w.get(1, queue)[-1], self.w.get(1, queue)[-1]},
                         {b"one" * 20, b"two" * 20})

    def test_body_is_cut_to_the_receivers_frame_size(self):
        queue = self.queue()
        body = bytes(range(256)) * 100
        self.w.publish(1, "", queue, body)
        self.assertEqual(self.w.get(1, queue)[-1], body)
        small = self.wire(frame_max=4096)
        small.open(1)
        name = self.name()
        small.declare(1, name, auto_delete=False, exclusive=True)
        self.w.publish(1, "", name, body)
        got = harness.wait_for(lambda: small.get(1, name), what="the message")
        self.assertEqual(got[-1], body)
        self.assertLessEqual(max(small.body_frames), 4088)


class Channels(WireTest):
    def test_opening_twice_is_504(self):
        wire = self.wire()
        wire.open(1)
        wire.send(1, "channel.open", "")
        self.assertEqual(wire.closed_connection(), self.expected(
            504, "channel.open", "CHANNEL_ERROR - second 'channel.open' seen"))

    def test_method_on_an_unopened_channel_is_504(self):
        wire = self.wire()
        wire.send(3, "basic.qos", 0, 1, False)
        self.assertEqual(wire.closed_connection(), self.expected(
            504, "basic.qos", "CHANNEL_ERROR - expected 'channel.open'"))

    def test_one_channel_more_than_negotiated_is_530(self):
        wire = self.wire(channel_max=2)
        wire.open(1)
        wire.open(2)
        wire.send(3, "channel.open", "")
        self.assertEqual(wire.closed_connection()[0], 530)

    def test_number_is_free_again_after_close(self):
        for _ in range(20):
            self.w.call(5, "channel.open", "")
            self.w.call(5, "channel.close", 200, "bye", 0, 0)

    def test_frames_are_dropped_until_the_client_answers_channel_close(self):
        queue = self.queue()
        self.w.open(2)
        self.w.send(2, "queue.declare", 0, self.name(), True, False, False, False, False, {})
        self.assertEqual(self.w.expect(2, "channel.close")[0], 404)

        self.w.publish(2, "", queue, b"lost")
        self.w.send(2, "queue.delete", 0, queue, False, False, False)
        self.w.send(2, "channel.close_ok")

        self.w.open(2)
        self.assertEqual(self.w.declare(2, queue, passive=True), [queue, 0, 0])

    def test_channel_flow(self):
        self.assertEqual(self.w.call(1, "channel.flow", True), [True])
        self.connection_error(540, "NOT_IMPLEMENTED - active=false", "channel.flow", False)

    def test_access_request_of_old_clients_is_answered(self):
        self.assertEqual(self.w.call(1, "access.request", "/data", *[True] * 5), [1])

    def test_method_that_only_a_broker_sends_is_503(self):
        self.connection_error(503, "COMMAND_INVALID - unimplemented method",
                              "queue.declare_ok", "x", 0, 0)

    def test_channel_method_on_channel_0_is_504(self):
        wire = self.wire()
        wire.send(0, "basic.qos", 0, 1, False)
        code, _, *ids = wire.closed_connection()
        self.assertEqual((code, ids), (504, [60, 10]))

    def test_many_channels(self):
        connection = self.connect()
        channels = [connection.channel() for _ in range(200)]
        queue = channels[0].queue_declare("", exclusive=True).method.queue
        for number, channel in enumerate(channels):
            channel.basic_publish("", queue, str(number).encode())
        harness.wait_for(lambda: self.count(channels[0], queue) == 200, what="all 200")


class Closing(harness.BrokerTest):
    def test_connection_close_is_answered_and_exclusive_queues_are_gone(self):
        wire = self.wire()
        wire.open(1)
        queue = wire.declare(1, self.name(), exclusive=True, durable=True)[0]
        wire.call(0, "connection.close", 200, "bye", 0, 0)

        other = self.wire()
        other.open(1)
        other.send(1, "queue.declare", 0, queue, True, False, False, False, False, {})
        self.assertEqual(other.closed_channel(1)[0], 404)

    def test_close_in_the_middle_of_content(self):
        wire = self.wire()
        wire.open(1)
        wire.raw(Wire.method_octets(1, "basic.publish", 0, "", "x", False, False)
                 + Wire.frame_octets(HEADER, 1, Wire.header_octets(100)))
        wire.call(0, "connection.close", 320, "enough", 60, 40)

    def test_update_secret_is_answered(self):
        self.wire().call(0, "connection.update_secret", b"new", "because")

    def test_pika_closes_cleanly(self):
        connection = self.connect()
        connection.channel()
        connection.close(reply_code=200, reply_text="Normal shutdown")
        self.assertTrue(connection.is_closed)
