"""Tutorial 5, who tells: topic_emit.py EXCHANGE KEY TEXT"""

import sys

from tutorial import connect

exchange, key, text = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.exchange_declare(exchange, "topic")
channel.basic_publish(exchange, key, text.encode())
connection.close()
print(f"sent: {key}: {text}")
