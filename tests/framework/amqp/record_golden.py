#!/usr/bin/python3
"""Records golden/*.hex: what pika and py-amqp say to RabbitMQ and what it answers.

Run by hand when a scenario is added: /usr/bin/python3 tests/framework/amqp/record_golden.py
It needs what `scripts/bootstrap --peers` installs. A proxy stands between client and broker and
notes every frame. Each line of a file is one frame as hex text, `C` from the client, `S` from the
server. The broker's cluster name, the only text that would name the recording machine, is replaced.
"""

import datetime
import decimal
import pathlib
import socket
import struct
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "interop"))

import amqp  # noqa: E402
import pika  # noqa: E402

import harness  # noqa: E402

NEUTRAL_CLUSTER_NAME = b"rabbit@golden"


def with_neutral_cluster_name(frame):
    """connection.start with another cluster_name: the value and three lengths around it change."""
    key = b"\x0ccluster_nameS"
    at = frame.find(key)
    if at < 0:
        return frame
    at += len(key)
    (size,) = struct.unpack_from(">I", frame, at)
    changed = (frame[:at] + struct.pack(">I", len(NEUTRAL_CLUSTER_NAME)) + NEUTRAL_CLUSTER_NAME
               + frame[at + 4 + size:])
    grown = len(changed) - len(frame)
    out = bytearray(changed)
    for place in (3, 13):  # the frame's payload size; the length of server-properties
        struct.pack_into(">I", out, place, struct.unpack_from(">I", out, place)[0] + grown)
    return bytes(out)


class Recorder:
    """One proxied connection at a time; `lines` has its frames in the order they passed."""

    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.lines = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            broker = socket.create_connection(("127.0.0.1", self.broker_port))
            for source, target, who in ((client, broker, "C"), (broker, client, "S")):
                threading.Thread(target=self.pump, args=(source, target, who), daemon=True).start()

    def pump(self, source, target, who):
        pending = b""
        while True:
            try:
                data = source.recv(65536)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                pending = self.note(pending + data, who)
                target.sendall(data)
            except OSError:
                return

    def note(self, pending, who):
        while True:
            if pending[:4] == b"AMQP":
                size = 8
            elif len(pending) < 7:
                return pending
            else:
                size = struct.unpack_from(">I", pending, 3)[0] + 8
            if len(pending) < size:
                return pending
            with self.lock:
                self.lines.append(f"{who} {with_neutral_cluster_name(pending[:size]).hex()}")
            pending = pending[size:]

    def save(self, name, comment):
        time.sleep(0.3)  # the last close-ok of the client is on its way
        with self.lock:
            lines, self.lines = self.lines, []
        text = f"# {comment}\n# Made by record_golden.py; cluster_name replaced.\n"
        (HERE / "golden" / f"{name}.hex").write_text(text + "\n".join(lines) + "\n", "ascii")
        print(f"{name}: {len(lines)} frames")


def connect(port, **extra):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, **extra))


def declare(port):
    connection = connect(port)
    channel = connection.channel()
    channel.exchange_declare("golden.topic", "topic", durable=True, auto_delete=True,
                             arguments={"alternate-exchange": "golden.other"})
    channel.exchange_declare("golden.other", "fanout", internal=True)
    channel.exchange_declare("golden.other", passive=True)
    channel.exchange_bind("golden.other", "golden.topic", "a.#", arguments={"x": 1})
    channel.queue_declare("golden", durable=True, arguments={
        "x-message-ttl": 60000, "x-max-length": 10, "x-dead-letter-exchange": "golden.other",
        "x-single-active-consumer": False})
    channel.queue_declare("", exclusive=True, auto_delete=True)
    channel.queue_declare("golden", passive=True)
    channel.queue_bind("golden", "golden.topic", "a.*.c", arguments={"x-match": "all", "n": -5})
    channel.queue_unbind("golden", "golden.topic", "a.*.c", arguments={"x-match": "all", "n": -5})
    channel.queue_purge("golden")
    channel.exchange_unbind("golden.other", "golden.topic", "a.#", arguments={"x": 1})
    channel.queue_delete("golden", if_unused=True, if_empty=True)
    channel.exchange_delete("golden.topic", if_unused=True)
    channel.exchange_delete("golden.other")
    channel.flow(True)
    channel.close()
    connection.close()


def every_property():
    nested = {"list": [1, "two", None, [True, False]], "table": {"deep": {"er": "ä€"}}}
    headers = {
        "bool": True, "small": 1, "large": 1 << 40, "negative": -7, "text": "täxt",
        "octets": b"\x00\xff", "decimal": decimal.Decimal("3.14"), "nothing": None,
        "time": datetime.datetime(2020, 1, 2, 3, 4, 5), **nested}
    return pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", headers=headers,
        delivery_mode=2, priority=3, correlation_id="correlation", reply_to="reply",
        expiration="60000", message_id="message", timestamp=1577934245, type="type",
        user_id="guest", app_id="application", cluster_id="cluster")


def content(port):
    connection = connect(port, frame_max=4096)
    channel = connection.channel()
    channel.queue_declare("golden", exclusive=True)
    channel.basic_publish("", "golden", b"", pika.BasicProperties())
    channel.basic_publish("", "golden", b"one frame", every_property())
    channel.basic_publish("", "golden", bytes(range(256)) * 20, pika.BasicProperties(priority=0))
    for again in (True, False):
        method, _, _ = channel.basic_get("golden")
        channel.basic_nack(method.delivery_tag, multiple=True, requeue=again)
    method, _, _ = channel.basic_get("golden")
    channel.basic_reject(method.delivery_tag, requeue=True)
    channel.basic_qos(prefetch_count=1, global_qos=False)
    seen = []

    def on_message(at, delivered, _properties, _body):
        seen.append(delivered.delivery_tag)
        at.basic_ack(delivered.delivery_tag, multiple=len(seen) == 2)

    tag = channel.basic_consume("golden", on_message, consumer_tag="golden.tag",
                                arguments={"x-priority": 5})
    while len(seen) < 2:
        connection.process_data_events(0.1)
    channel.basic_recover(requeue=True)
    channel.basic_cancel(tag)
    while channel.basic_get("golden", auto_ack=True)[0]:
        pass
    # The broker cancels a consumer whose queue is deleted.
    channel.basic_consume("golden", on_message, consumer_tag="golden.cancelled")
    channel.queue_delete("golden")
    connection.process_data_events(0.2)
    connection.close()


def dead_letter(port):
    """x-death: an array of tables with timestamps, made by the broker."""
    connection = connect(port)
    channel = connection.channel()
    channel.queue_declare("golden.dead", exclusive=True)
    channel.queue_declare("golden", exclusive=True, arguments={
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "golden.dead"})
    for _ in range(2):
        channel.basic_publish("", "golden", b"dies", pika.BasicProperties(
            headers={"CC": ["golden.nowhere"]}))
        method, _, _ = channel.basic_get("golden")
        channel.basic_reject(method.delivery_tag, requeue=False)
        harness.wait_for(lambda: channel.basic_get("golden.dead", auto_ack=True)[0], 5)
    connection.close()


def confirm(port):
    connection = connect(port)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("golden", exclusive=True, arguments={
        "x-max-length": 1, "x-overflow": "reject-publish"})
    channel.basic_publish("", "golden", b"confirmed", mandatory=True)
    for key in ("golden", "golden.nowhere"):
        try:
            channel.basic_publish("", key, b"refused", mandatory=True)
        except (pika.exceptions.NackError, pika.exceptions.UnroutableError):
            pass
    connection.close()


def transaction(port):
    connection = connect(port)
    channel = connection.channel()
    channel.tx_select()
    channel.queue_declare("golden", exclusive=True)
    channel.basic_publish("", "golden", b"kept")
    channel.tx_commit()
    channel.basic_publish("", "golden", b"dropped")
    channel.tx_rollback()
    connection.close()


def errors(port):
    connection = connect(port)
    for wrong in (lambda c: c.queue_declare("missing", passive=True),
                  lambda c: c.exchange_declare("amq.direct", "topic"),
                  lambda c: c.basic_ack(77) or connection.process_data_events(0.2)
                  or c.queue_declare("never", passive=True)):
        channel = connection.channel()
        try:
            wrong(channel)
        except pika.exceptions.AMQPChannelError:
            pass
    channel = connection.channel()
    try:
        channel.flow(False)
    except pika.exceptions.AMQPConnectionError:
        pass


def py_amqp(port):
    connection = amqp.Connection(f"127.0.0.1:{port}", "guest", "guest", login_method="AMQPLAIN",
                                 heartbeat=1)
    connection.connect()
    channel = connection.channel()
    channel.queue_declare("golden", exclusive=True, auto_delete=False)
    headers = {
        "none": None, "true": True, "int": 1, "long": 1 << 35, "huge": 1 << 62, "float": 1.5,
        "decimal": decimal.Decimal("-12.5"), "time": datetime.datetime(2001, 2, 3, 4, 5, 6),
        "list": [1, 1 << 33, {"a": "b"}, []], "table": {}}
    channel.basic_publish(amqp.Message("tëxt", content_type="text/plain", delivery_mode=1,
                                       application_headers=headers), "", "golden")
    channel.basic_get("golden", no_ack=True)
    connection.send_heartbeat()
    connection.blocking_read(timeout=3)  # the broker's heartbeat comes within the second
    channel.basic_recover(requeue=True)
    channel.close()
    connection.close()


SCENARIOS = (
    (declare, "pika 1.2.0 and RabbitMQ 3.10.8: exchanges, queues, bindings."),
    (content, "pika 1.2.0 and RabbitMQ 3.10.8: publish, get, consume, settle; frame_max 4096."),
    (dead_letter, "pika 1.2.0 and RabbitMQ 3.10.8: rejected messages with x-death headers."),
    (confirm, "pika 1.2.0 and RabbitMQ 3.10.8: confirms, a nack, a returned message."),
    (transaction, "pika 1.2.0 and RabbitMQ 3.10.8: tx."),
    (errors, "pika 1.2.0 and RabbitMQ 3.10.8: three channel closes and a connection close."),
    (py_amqp, "py-amqp 5.1.1 and RabbitMQ 3.10.8: AMQPLAIN, every table type, heartbeats."))


def main():
    node = harness.RabbitNode()
    try:
        node.start()
        recorder = Recorder(node.port)
        for scenario, comment in SCENARIOS:
            scenario(recorder.port)
            recorder.save(scenario.__name__, comment)
    finally:
        node.close()


if __name__ == "__main__":
    main()
