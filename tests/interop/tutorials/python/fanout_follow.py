"""Tutorial 3, one of those who listen: fanout_follow.py EXCHANGE"""

import sys

from tutorial import connect, consume_until_stopped

exchange, = sys.argv[1:]
channel = connect().channel()
channel.exchange_declare(exchange, "fanout")
# A queue of our own with a name of the broker's choice; it goes when this program goes.
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, exchange)
channel.basic_consume(
    queue, lambda channel, method, properties, body: print(body.decode(), flush=True),
    auto_ack=True)
consume_until_stopped(channel)
