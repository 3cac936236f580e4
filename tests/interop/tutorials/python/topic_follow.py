"""Tutorial 5, who listens by pattern: topic_follow.py EXCHANGE PATTERN...

In a pattern * is one word, # any number of them.
"""

import sys

from tutorial import connect, consume_until_stopped


def show(channel, method, properties, body):
    print(f"{method.routing_key}: {body.decode()}", flush=True)


exchange, *keys = sys.argv[1:]
channel = connect().channel()
channel.exchange_declare(exchange, "topic")
queue = channel.queue_declare("", exclusive=True).method.queue
for key in keys:
    channel.queue_bind(queue, exchange, key)
channel.basic_consume(queue, show, auto_ack=True)
consume_until_stopped(channel)
