"""Tutorial 1, the sender: hello_send.py QUEUE TEXT"""

import sys

from tutorial import connect

queue, text = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.queue_declare(queue)
channel.basic_publish(exchange="", routing_key=queue, body=text.encode())
connection.close()
print(f"sent: {text}")
