"""Tutorial 4, who tells: direct_emit.py EXCHANGE SEVERITY TEXT"""

import sys

from tutorial import connect

exchange, key, text = sys.argv[1:]
connection = connect()
channel = connection.channel()
channel.exchange_declare(exchange, "direct")
channel.basic_publish(exchange, key, text.encode())
connection.close()
print(f"sent: {key}: {text}")
