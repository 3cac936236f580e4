"""Tutorial 6, the server: square_serve.py QUEUE answers numbers with their squares."""

import sys

import pika

from tutorial import connect, consume_until_stopped


def answer(channel, method, properties, body):
    square = int(body) ** 2
    channel.basic_publish("", properties.reply_to, str(square).encode(),
                          pika.BasicProperties(correlation_id=properties.correlation_id))
    channel.basic_ack(method.delivery_tag)
    print(f"answered: {square}", flush=True)


queue, = sys.argv[1:]
channel = connect().channel()
channel.queue_declare(queue)
channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue, answer)
consume_until_stopped(channel)
