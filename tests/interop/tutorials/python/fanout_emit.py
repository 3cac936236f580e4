"""Tutorial 3, who tells everybody: fanout_emit.py EXCHANGE TEXT"""

import sys

from tutorial import connect

exchange, text = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.exchange_declare(exchange, "fanout")
channel.basic_publish(exchange, "", text.encode())
connection.close()
print(f"sent: {text}")
