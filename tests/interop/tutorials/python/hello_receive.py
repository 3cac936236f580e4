"""Tutorial 1, the receiver: hello_receive.py QUEUE"""

import sys

from tutorial import connect, consume_until_stopped

queue, = sys.argv[1:]
channel = connect().channel()
channel.queue_declare(queue)
channel.basic_consume(
    queue, lambda channel, method, properties, body: print(body.decode(), flush=True),
    auto_ack=True)
consume_until_stopped(channel)
