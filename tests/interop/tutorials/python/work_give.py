"""Tutorial 2, who has the work: work_give.py QUEUE TASK...

The tasks are to survive the broker, so the queue is durable and the messages are persistent.
"""

import sys

import pika

from tutorial import connect

queue, *tasks = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.queue_declare(queue, durable=True)
for task in tasks:
    channel.basic_publish("", queue, task.encode(),
                          pika.BasicProperties(delivery_mode=pika.spec.PERSISTENT_DELIVERY_MODE))
connection.close()
print(f"{len(tasks)} given")
