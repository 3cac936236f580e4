#!/usr/bin/python3
"""Makes a data directory with the broker of some version of the store's format, once per version:

    make.py LOVAGE_BROKER tests/broker/store/data/v2

Whatever the version, the same things are in it; tests/interop/test_upgrade.py checks them, and
tests/broker/store/upgrade_test.cpp has a list of the versions. Needs pika.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import pika

LOGIN = "Basic " + base64.b64encode(b"guest:guest").decode()
DUE_MS = 4_102_444_800_000  # the year 2100
ZEROS_KEPT = 64  # of those that are written ahead


def start(program, folder):
    broker = subprocess.Popen([program, "--port", "0", "--management-port", "0", "--data-dir",
                               folder], stdout=subprocess.PIPE, text=True)
    ready = next(line for line in broker.stdout if line.startswith("ready "))
    words = dict(word.split("=", 1) for word in ready.split()[1:])
    ports = [int(words[name].rsplit(":", 1)[1]) for name in ("amqp", "management")]
    return broker, *ports


def operate(port):
    def put(path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/{path}", method="PUT", data=json.dumps(body).encode(),
            headers={"Authorization": LOGIN, "Content-Type": "application/json"})
        urllib.request.urlopen(request).close()

    put("users/alice", {"password": "wonderland", "tags": "monitoring"})
    put("vhosts/garden", {"description": "of an older version"})
    put("permissions/%2F/alice", {"configure": "^alice-", "write": ".*", "read": ".*"})
    put("permissions/garden/guest", {"configure": ".*", "write": ".*", "read": ".*"})
    put("policies/%2F/short", {"pattern": "^limited$", "apply-to": "queues", "priority": 3,
                               "definition": {"max-length": 2}})
    return put


def persistent(**more):
    return pika.BasicProperties(delivery_mode=2, **more)


def channel(port, vhost="/"):
    connection = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", port, vhost, heartbeat=0))
    opened = connection.channel()
    opened.confirm_delivery()
    return connection, opened


def define(ch):
    ch.exchange_declare("topics", "topic", durable=True)
    ch.exchange_declare("heads", "headers", durable=True,
                        arguments={"alternate-exchange": "topics"})
    ch.exchange_declare("late", "x-delayed-message", durable=True,
                        arguments={"x-delayed-type": "direct"})
    ch.exchange_bind("topics", "heads", "to.topics")
    for name in ("plain", "limited", "dead", "paused", "gone"):
        ch.queue_declare(name, durable=True)
    ch.queue_declare("ranked", durable=True, arguments={
        "x-max-priority": 5, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    ch.queue_declare("transient")
    ch.queue_bind("plain", "topics", "a.#")
    ch.queue_bind("plain", "heads", "", {"x-match": "all", "kind": "x"})
    ch.queue_bind("plain", "late", "soon")
    ch.queue_bind("plain", "amq.fanout")
    ch.queue_bind("dead", "amq.fanout")
    ch.queue_bind("paused", "amq.direct", "p", {"n": 1})


def fill(ch):
    def take(queue, count):
        return [ch.basic_get(queue)[0].delivery_tag for _ in range(count)]

    for n in range(1, 7):
        ch.basic_publish("topics", "a.b", f"plain {n}".encode(),
                         persistent(message_id=f"id-{n}", headers={"n": n}))
    one, two, three, four = take("plain", 4)
    ch.basic_ack(one)
    ch.basic_ack(three)
    ch.basic_nack(two)
    ch.basic_nack(four)
    ch.basic_nack(*take("plain", 1))  # the second one again
    for n in range(1, 4):
        ch.basic_publish("", "limited", f"limited {n}".encode(), persistent())
    for n, priority in ((1, 0), (2, 5), (3, 1)):
        ch.basic_publish("", "ranked", f"ranked {n}".encode(), persistent(priority=priority))
    ch.basic_nack(*take("ranked", 1), requeue=False)  # the second one, to the dead
    ch.basic_publish("", "paused", b"kept back", persistent())
    ch.basic_publish("amq.fanout", "", b"in two queues", persistent())
    rank, both = take("dead", 2)
    ch.basic_ack(both)
    ch.basic_nack(rank)
    ch.basic_publish("late", "soon", b"in a hundred years",
                     persistent(headers={"x-lovage-due": DUE_MS}))
    ch.basic_publish("", "plain", b"transient")
    ch.basic_publish("", "gone", b"x", persistent())
    ch.queue_delete("gone")


def main():
    program, target = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        broker, port, management = start(program, folder)
        put = operate(management)
        connection, ch = channel(port)
        define(ch)
        fill(ch)
        put("queues/%2F/paused/pause", {})
        connection.close()
        connection, ch = channel(port, "garden")
        ch.queue_declare("rose", durable=True)
        ch.basic_publish("", "rose", b"red", persistent())
        connection.close()
        broker.terminate()
        if broker.wait() != 0:
            sys.exit("the broker did not end well")
        target.mkdir()
        for file in pathlib.Path(folder).iterdir():
            # Spares mean nothing, the lock is the broker's.
            if file.name == "lovage.format":
                (target / file.name).write_bytes(file.read_bytes())
            elif file.name.startswith(("log-", "segment-")):
                content = file.read_bytes().rstrip(b"\0")
                (target / file.name).write_bytes(content + bytes(ZEROS_KEPT))


main()
