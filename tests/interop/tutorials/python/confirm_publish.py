"""Tutorial 7, publisher confirms: confirm_publish.py QUEUE COUNT

Publishes COUNT messages one by one, each confirmed before the next; COUNT more whose confirms come
while others are on their way; and two that the broker cannot keep, of which it tells.
"""

import sys

import pika
import pika.exceptions

from tutorial import connect, parameters

PERSISTENT = pika.BasicProperties(delivery_mode=pika.spec.PERSISTENT_DELIVERY_MODE)


def one_by_one(channel, queue, count):
    for number in range(count):
        channel.basic_publish("", queue, str(number).encode(), PERSISTENT)
    print(f"one by one: {count} confirmed")


class Asynchronous:
    """Publishes at once and crosses off what the broker confirms, one message or all up to one."""

    def __init__(self, queue, count):
        self.queue, self.open = queue, set(range(1, count + 1))
        self.count, self.confirmed = count, 0
        self.connection = pika.SelectConnection(parameters(), on_open_callback=self.opened)
        self.connection.ioloop.start()

    def opened(self, connection):
        connection.add_on_close_callback(lambda *_: connection.ioloop.stop())
        connection.channel(on_open_callback=self.publish)

    def publish(self, channel):
        channel.confirm_delivery(self.confirm)
        for number in range(self.count):
            channel.basic_publish("", self.queue, str(number).encode(), PERSISTENT)

    def confirm(self, frame):
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        settled = {open_tag for open_tag in self.open if open_tag <= tag} if multiple else {tag}
        self.open -= settled
        if isinstance(frame.method, pika.spec.Basic.Ack):
            self.confirmed += len(settled)
        if not self.open:
            self.connection.close()


def unroutable(channel, queue):
    try:
        channel.basic_publish("", queue + ".missing", b"lost", PERSISTENT, mandatory=True)
        print("unroutable: not told")
    except pika.exceptions.UnroutableError as error:
        method = error.messages[0].method
        print(f"unroutable: {method.reply_code} {method.reply_text}")


def refused(channel):
    full = channel.queue_declare("", exclusive=True, arguments={
        "x-max-length": 0, "x-overflow": "reject-publish"}).method.queue
    try:
        channel.basic_publish("", full, b"no room")
        print("full queue: not told")
    except pika.exceptions.NackError:
        print("full queue: refused")


def main():
    queue, count = sys.argv[1], int(sys.argv[2])
    connection = connect()
    channel = connection.channel()
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    one_by_one(channel, queue, count)
    print(f"asynchronously: {Asynchronous(queue, count).confirmed} confirmed")
    unroutable(channel, queue)
    refused(channel)
    connection.close()


main()
