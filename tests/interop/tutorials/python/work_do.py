"""Tutorial 2, a worker: work_do.py QUEUE

The work is yours: press enter when a task is done. Only then it is acknowledged, so that a task
whose worker is killed goes to another one; and a worker has only one at a time.
"""

import sys

from tutorial import connect, consume_until_stopped


def work(channel, method, properties, body):
    print(f"task: {body.decode()}", flush=True)
    sys.stdin.readline()
    print(f"done: {body.decode()}", flush=True)
    channel.basic_ack(method.delivery_tag)


queue, = sys.argv[1:]
channel = connect().channel()
channel.queue_declare(queue, durable=True)
channel.basic_qos(prefetch_count=1)
channel.basic_consume(queue, work)
consume_until_stopped(channel)
