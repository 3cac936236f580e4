"""Tutorial 6, the client: square_ask.py QUEUE NUMBER...

The answers come to a queue of our own; correlation ids tell which question they answer.
"""

import sys
import uuid

import pika

from tutorial import connect

queue, *numbers = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.queue_declare(queue)
replies = channel.queue_declare("", exclusive=True).method.queue
questions, answers = {}, {}


def keep(channel, method, properties, body):
    number = questions.get(properties.correlation_id)
    if number is not None:
        answers[number] = body.decode()


channel.basic_consume(replies, keep, auto_ack=True)
for number in numbers:
    question = str(uuid.uuid4())
    questions[question] = number
    channel.basic_publish("", queue, number.encode(),
                          pika.BasicProperties(reply_to=replies, correlation_id=question))
while len(answers) < len(questions):
    connection.process_data_events(time_limit=None)
connection.close()
for number in numbers:
    print(f"{number} squared is {answers[number]}")
