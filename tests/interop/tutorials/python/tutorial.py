"""What the programs of this folder share: the broker's address, and how they wait and end."""

import os
import signal

import pika

# AMQP_URL in the environment names another broker.
ADDRESS = "amqp://guest:guest@127.0.0.1:5672/%2F"


def parameters():
    return pika.URLParameters(os.environ.get("AMQP_URL", ADDRESS))


def connect():
    return pika.BlockingConnection(parameters())


def consume_until_stopped(channel):
    """Says that the program listens and goes on until Control-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        print("waiting", flush=True)
        channel.start_consuming()
    except KeyboardInterrupt:
        channel.connection.close()
