"""Names of the arguments and properties of AMQP 0-9-1, in the order of the specification; their
formats are in tests/interop/wire.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
sys.dont_write_bytecode = True

from wire import SPEC  # noqa: E402  (its folder is known only now)

ARGUMENTS = {
    "connection.start": "version_major version_minor server_properties mechanisms locales",
    "connection.start_ok": "client_properties mechanism response locale",
    "connection.tune": "channel_max frame_max heartbeat",
    "connection.tune_ok": "channel_max frame_max heartbeat",
    "connection.open": "virtual_host reserved insist",
    "connection.close": "reply_code reply_text class_id method_id",
    "connection.blocked": "reason",
    "connection.update_secret": "new_secret reason",
    "channel.flow": "active", "channel.flow_ok": "active",
    "channel.close": "reply_code reply_text class_id method_id",
    "access.request": "realm exclusive passive active write read",
    "access.request_ok": "ticket",
    "exchange.declare": "reserved exchange type passive durable auto_delete internal nowait arguments",
    "exchange.delete": "reserved exchange if_unused nowait",
    "exchange.bind": "reserved destination source routing_key nowait arguments",
    "exchange.unbind": "reserved destination source routing_key nowait arguments",
    "queue.declare": "reserved queue passive durable exclusive auto_delete nowait arguments",
    "queue.declare_ok": "queue message_count consumer_count",
    "queue.bind": "reserved queue exchange routing_key nowait arguments",
    "queue.unbind": "reserved queue exchange routing_key arguments",
    "queue.purge": "reserved queue nowait", "queue.purge_ok": "message_count",
    "queue.delete": "reserved queue if_unused if_empty nowait", "queue.delete_ok": "message_count",
    "basic.qos": "prefetch_size prefetch_count global",
    "basic.consume": "reserved queue consumer_tag no_local no_ack exclusive nowait arguments",
    "basic.consume_ok": "consumer_tag",
    "basic.cancel": "consumer_tag nowait", "basic.cancel_ok": "consumer_tag",
    "basic.publish": "reserved exchange routing_key mandatory immediate",
    "basic.return": "reply_code reply_text exchange routing_key",
    "basic.deliver": "consumer_tag delivery_tag redelivered exchange routing_key",
    "basic.get": "reserved queue no_ack",
    "basic.get_ok": "delivery_tag redelivered exchange routing_key message_count",
    "basic.ack": "delivery_tag multiple", "basic.reject": "delivery_tag requeue",
    "basic.nack": "delivery_tag multiple requeue",
    "basic.recover": "requeue", "basic.recover_async": "requeue",
    "confirm.select": "nowait",
}
# Arguments that some broker fills and no test is about.
UNNAMED = {"connection.open_ok": ["reserved"], "channel.open": ["reserved"],
           "channel.open_ok": ["reserved"], "basic.get_empty": ["reserved"]}

PROPERTIES = (("content_type", "s"), ("content_encoding", "s"), ("headers", "F"),
              ("delivery_mode", "B"), ("priority", "B"), ("correlation_id", "s"),
              ("reply_to", "s"), ("expiration", "s"), ("message_id", "s"), ("timestamp", "Q"),
              ("type", "s"), ("user_id", "s"), ("app_id", "s"), ("cluster_id", "s"))

WITH_CONTENT = ("basic.publish", "basic.deliver", "basic.return", "basic.get_ok")

CODES = {312: "NO_ROUTE", 320: "CONNECTION_FORCED", 403: "ACCESS_REFUSED", 404: "NOT_FOUND",
         405: "RESOURCE_LOCKED", 406: "PRECONDITION_FAILED", 501: "FRAME_ERROR",
         503: "COMMAND_INVALID", 504: "CHANNEL_ERROR", 505: "UNEXPECTED_FRAME",
         506: "RESOURCE_ERROR", 530: "NOT_ALLOWED", 540: "NOT_IMPLEMENTED"}


def arguments_of(method):
    """[(name, format letter)]."""
    names = ARGUMENTS.get(method, "").split() or UNNAMED.get(method, [])
    layout = SPEC[method][2]
    assert len(names) == len(layout), method
    return list(zip(names, layout))


def positional(method):
    """The arguments that a line may give without their names."""
    return [(name, letter) for name, letter in arguments_of(method)
            if letter != "b" and name not in ("reserved", "arguments")]


def answer_of(method):
    """The method that answers it, or None."""
    return method + "_ok" if method + "_ok" in SPEC else None


def close_text(code, text):
    """The reply text of an error, as it fits into a short string."""
    whole = text if code == 541 else f"{CODES[code]} - {text}"
    octets = whole.encode("utf-8", "surrogateescape")
    return (octets if len(octets) <= 255 else octets[:252] + b"...").decode(
        "utf-8", "surrogateescape")
