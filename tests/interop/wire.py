"""A tiny AMQP 0-9-1 peer on a plain socket, for what client libraries hide: exact codes, class and
method ids, frame boundaries, wrong input. It checks nothing that it sends.

A method is named like `queue.declare`; its arguments come in the order of the specification.
Format letters: B octet, H short, I long, Q longlong, s short string, S long string, b bit, F table.
"""

import socket
import struct
import time

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_MAX = 131072
READ_SECONDS = 15

SPEC = {
    "connection.start": (10, 10, "BBFSS"), "connection.start_ok": (10, 11, "FsSs"),
    "connection.tune": (10, 30, "HIH"), "connection.tune_ok": (10, 31, "HIH"),
    "connection.open": (10, 40, "ssb"), "connection.open_ok": (10, 41, "s"),
    "connection.close": (10, 50, "HsHH"), "connection.close_ok": (10, 51, ""),
    "connection.blocked": (10, 60, "s"), "connection.unblocked": (10, 61, ""),
    "connection.update_secret": (10, 70, "Ss"), "connection.update_secret_ok": (10, 71, ""),
    "channel.open": (20, 10, "s"), "channel.open_ok": (20, 11, "S"),
    "channel.flow": (20, 20, "b"), "channel.flow_ok": (20, 21, "b"),
    "channel.close": (20, 40, "HsHH"), "channel.close_ok": (20, 41, ""),
    "access.request": (30, 10, "sbbbbb"), "access.request_ok": (30, 11, "H"),
    "exchange.declare": (40, 10, "HssbbbbbF"), "exchange.declare_ok": (40, 11, ""),
    "exchange.delete": (40, 20, "Hsbb"), "exchange.delete_ok": (40, 21, ""),
    "exchange.bind": (40, 30, "HsssbF"), "exchange.bind_ok": (40, 31, ""),
    "exchange.unbind": (40, 40, "HsssbF"), "exchange.unbind_ok": (40, 51, ""),
    "queue.declare": (50, 10, "HsbbbbbF"), "queue.declare_ok": (50, 11, "sII"),
    "queue.bind": (50, 20, "HsssbF"), "queue.bind_ok": (50, 21, ""),
    "queue.purge": (50, 30, "Hsb"), "queue.purge_ok": (50, 31, "I"),
    "queue.delete": (50, 40, "Hsbbb"), "queue.delete_ok": (50, 41, "I"),
    "queue.unbind": (50, 50, "HsssF"), "queue.unbind_ok": (50, 51, ""),
    "basic.qos": (60, 10, "IHb"), "basic.qos_ok": (60, 11, ""),
    "basic.consume": (60, 20, "HssbbbbF"), "basic.consume_ok": (60, 21, "s"),
    "basic.cancel": (60, 30, "sb"), "basic.cancel_ok": (60, 31, "s"),
    "basic.publish": (60, 40, "Hssbb"), "basic.return": (60, 50, "Hsss"),
    "basic.deliver": (60, 60, "sQbss"), "basic.get": (60, 70, "Hsb"),
    "basic.get_ok": (60, 71, "QbssI"), "basic.get_empty": (60, 72, "s"),
    "basic.ack": (60, 80, "Qb"), "basic.reject": (60, 90, "Qb"),
    "basic.recover_async": (60, 100, "b"), "basic.recover": (60, 110, "b"),
    "basic.recover_ok": (60, 111, ""), "basic.nack": (60, 120, "Qbb"),
    "confirm.select": (85, 10, "b"), "confirm.select_ok": (85, 11, ""),
    "tx.select": (90, 10, ""), "tx.select_ok": (90, 11, ""),
    "tx.commit": (90, 20, ""), "tx.commit_ok": (90, 21, ""),
    "tx.rollback": (90, 30, ""), "tx.rollback_ok": (90, 31, ""),
}
NAMES = {(cls, mid): name for name, (cls, mid, _) in SPEC.items()}
SIZES = {"B": 1, "H": 2, "I": 4, "Q": 8}

# Client capabilities that make the broker tell what went wrong.
CAPABILITIES = {"capabilities": {"authentication_failure_close": True,
                                 "consumer_cancel_notify": True, "connection.blocked": True,
                                 "basic.nack": True, "publisher_confirms": True}}


class Typed:
    """A field value with an explicit type letter; `octets` is what stands after the letter."""

    def __init__(self, letter, octets):
        self.letter, self.octets = letter.encode(), octets


def shortstr(text):
    octets = text if isinstance(text, bytes) else text.encode()
    return bytes([len(octets)]) + octets


def longstr(text):
    octets = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(octets)) + octets


def field(value):
    if isinstance(value, Typed):
        return value.letter + value.octets
    if isinstance(value, bool):
        return b"t" + bytes([value])
    if isinstance(value, int):
        small = -(2**31) <= value < 2**31
        return b"I" + struct.pack(">i", value) if small else b"l" + struct.pack(">q", value)
    if isinstance(value, (str, bytes)):
        return b"S" + longstr(value)
    if isinstance(value, dict):
        return b"F" + table(value)
    if isinstance(value, list):
        return b"A" + longstr(b"".join(map(field, value)))
    if value is None:
        return b"V"
    raise TypeError(value)


def table(values):
    if isinstance(values, bytes):
        return values  # made by hand, length included
    return longstr(b"".join(shortstr(key) + field(value) for key, value in values.items()))


def encode(layout, arguments):
    out, bits = bytearray(), []

    def flush():
        if bits:
            out.append(sum(bool(bit) << place for place, bit in enumerate(bits)))
            bits.clear()

    if len(layout) != len(arguments):
        raise TypeError(f"{layout!r} needs {len(layout)} arguments, not {len(arguments)}")
    for letter, value in zip(layout, arguments):
        if letter == "b":
            bits.append(value)
            continue
        flush()
        if letter in SIZES:
            out += value.to_bytes(SIZES[letter], "big")
        else:
            out += {"s": shortstr, "S": longstr, "F": table}[letter](value)
    flush()
    return bytes(out)


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        piece = self.octets[self.at:self.at + count]
        if len(piece) != count:
            raise ValueError("the broker sent a value that is cut short")
        self.at += count
        return piece

    def number(self, count, signed=False):
        return int.from_bytes(self.take(count), "big", signed=signed)

    def shortstr(self):
        return self.take(self.number(1)).decode("utf-8", "surrogateescape")

    def longstr(self):
        return self.take(self.number(4))

    def table(self):
        inner, values = Reader(self.longstr()), {}
        while inner.at < len(inner.octets):
            key = inner.shortstr()
            values[key] = inner.value()
        return values

    def value(self):
        letter = self.take(1).decode()
        if letter == "t":
            return bool(self.number(1))
        if letter in "bBsuIilLT":
            size = {"b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4}.get(letter, 8)
            return self.number(size, signed=letter in "bsIlL")
        if letter in "Sx":
            return self.longstr()
        if letter == "F":
            return self.table()
        if letter == "A":
            inner, values = Reader(self.longstr()), []
            while inner.at < len(inner.octets):
                values.append(inner.value())
            return values
        if letter == "V":
            return None
        return self.take({"f": 4, "d": 8, "D": 5}[letter])

    def arguments(self, layout):
        values, bit, octet = [], 8, 0
        for letter in layout:
            if letter == "b":
                if bit == 8:
                    bit, octet = 0, self.number(1)
                values.append(bool(octet >> bit & 1))
                bit += 1
                continue
            bit = 8
            values.append(self.number(SIZES[letter]) if letter in SIZES else
                          {"s": self.shortstr, "S": self.longstr, "F": self.table}[letter]())
        return values


class Closed(Exception):
    """The broker ended the connection without a word."""


class Wire:
    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(READ_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.server_properties = None
        self.tune = None
        self.dead = False  # the broker has closed the connection

    def close(self):
        self.socket.close()

    # Sending

    def raw(self, octets):
        self.socket.sendall(octets)

    @staticmethod
    def frame_octets(kind, channel, payload, end=FRAME_END):
        return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])

    def frame(self, kind, channel, payload, end=FRAME_END):
        self.raw(self.frame_octets(kind, channel, payload, end))

    @classmethod
    def method_octets(cls, channel, name, *arguments):
        class_id, method_id, layout = SPEC[name]
        payload = struct.pack(">HH", class_id, method_id) + encode(layout, arguments)
        return cls.frame_octets(METHOD, channel, payload)

    def send(self, channel, name, *arguments):
        self.raw(self.method_octets(channel, name, *arguments))

    @staticmethod
    def header_octets(size, properties=b"\x00\x00", class_id=60, weight=0):
        return struct.pack(">HHQ", class_id, weight, size) + properties

    @classmethod
    def content_octets(cls, channel, body, properties=b"\x00\x00", frame_max=FRAME_MAX):
        step = frame_max - 8
        pieces = [body[at:at + step] for at in range(0, len(body), step)]
        return (cls.frame_octets(HEADER, channel, cls.header_octets(len(body), properties))
                + b"".join(cls.frame_octets(BODY, channel, piece) for piece in pieces))

    def publish(self, channel, exchange, key, body=b"", mandatory=False, properties=b"\x00\x00"):
        self.raw(self.method_octets(channel, "basic.publish", 0, exchange, key, mandatory, False)
                 + self.content_octets(channel, body, properties))

    # Receiving

    def _fill(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(65536)
            if not piece:
                self.dead = True
                raise Closed(self.buffer)
            self.buffer += piece

    def read_frame(self):
        """(type, channel, payload); raises Closed at the end and TimeoutError when none comes."""
        try:
            self._fill(7)
            kind, channel, size = struct.unpack(">BHI", self.buffer[:7])
            self._fill(8 + size)
        except ConnectionResetError as reset:
            raise Closed(b"reset") from reset
        payload, last = self.buffer[7:7 + size], self.buffer[7 + size]
        if last != FRAME_END:
            raise ValueError("the broker's own frame has a wrong end")
        self.buffer = self.buffer[8 + size:]
        return kind, channel, payload

    def read(self):
        """The next method as (channel, name, arguments); heartbeats are passed over."""
        while True:
            kind, channel, payload = self.read_frame()
            if kind == HEARTBEAT:
                continue
            if kind != METHOD:
                raise ValueError(f"expected a method, got a frame of type {kind}")
            reader = Reader(payload)
            name = NAMES[reader.number(2), reader.number(2)]
            self.dead |= name == "connection.close"
            return channel, name, reader.arguments(SPEC[name][2])

    def expect(self, channel, name):
        got = self.read()
        if got[:2] != (channel, name):
            raise AssertionError(f"expected {name} on channel {channel}, got {got}")
        return got[2]

    def call(self, channel, name, *arguments):
        """Sends it and returns the arguments of its -ok."""
        self.send(channel, name, *arguments)
        return self.expect(channel, name + "_ok")

    def read_content(self, channel):
        """(property octets, body) that follow a deliver, return or get-ok."""
        kind, at, payload = self.read_frame()
        if (kind, at) != (HEADER, channel):
            raise AssertionError(f"expected a content header, got type {kind} on {at}")
        size = struct.unpack(">Q", payload[4:12])[0]
        properties, body, frames = payload[12:], b"", []
        while len(body) < size:
            kind, at, piece = self.read_frame()
            if (kind, at) != (BODY, channel):
                raise AssertionError(f"expected a body frame, got type {kind} on {at}")
            body += piece
            frames.append(len(piece))
        self.body_frames = frames
        return properties, body

    def gone(self, seconds=READ_SECONDS):
        """Reads off what is left; seconds until the broker closed the socket, or None."""
        started = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                if time.monotonic() - started > seconds:
                    return None
        except TimeoutError:
            return None
        except ConnectionError:
            pass
        return time.monotonic() - started

    # Sessions

    def start(self):
        self.raw(PROTOCOL_HEADER)
        arguments = self.expect(0, "connection.start")
        self.server_properties = arguments[2]
        return arguments

    def start_ok(self, user="guest", password="guest", properties=None, mechanism="PLAIN"):
        response = f"\0{user}\0{password}"
        if mechanism == "AMQPLAIN":
            response = table({"LOGIN": user, "PASSWORD": password})[4:]
        self.send(0, "connection.start_ok", CAPABILITIES if properties is None else properties,
                  mechanism, response, "en_US")

    def login(self, vhost="/", frame_max=FRAME_MAX, channel_max=2047, heartbeat=0, **credentials):
        self.start()
        self.start_ok(**credentials)
        self.tune = self.expect(0, "connection.tune")
        self.send(0, "connection.tune_ok", channel_max, frame_max, heartbeat)
        self.send(0, "connection.open", vhost, "", False)
        self.expect(0, "connection.open_ok")
        return self

    def open(self, channel=1):
        self.call(channel, "channel.open", "")
        return channel

    def declare(self, channel, name="", durable=False, exclusive=False, auto_delete=False,
                passive=False, arguments=None):
        return self.call(channel, "queue.declare", 0, name, passive, durable, exclusive,
                         auto_delete, False, arguments or {})

    def exchange(self, channel, name, kind="direct", passive=False, durable=False,
                 auto_delete=False, internal=False, arguments=None):
        return self.call(channel, "exchange.declare", 0, name, kind, passive, durable,
                         auto_delete, internal, False, arguments or {})

    def bind(self, channel, queue, exchange, key="", arguments=None):
        return self.call(channel, "queue.bind", 0, queue, exchange, key, False, arguments or {})

    def consume(self, channel, queue, tag="", no_ack=False, exclusive=False, arguments=None):
        return self.call(channel, "basic.consume", 0, queue, tag, False, no_ack, exclusive, False,
                         arguments or {})[0]

    def get(self, channel, queue, no_ack=True):
        """(tag, redelivered, exchange, key, ready messages left, properties, body) or None."""
        self.send(channel, "basic.get", 0, queue, no_ack)
        got = self.read()
        if got[:2] == (channel, "basic.get_empty"):
            return None
        if got[:2] != (channel, "basic.get_ok"):
            raise AssertionError(f"expected get-ok, got {got}")
        return (*got[2], *self.read_content(channel))

    def closed_channel(self, channel):
        """(code, text, class, method) of the channel.close that must come now; answers it."""
        code, text, class_id, method_id = self.expect(channel, "channel.close")
        self.send(channel, "channel.close_ok")
        return code, text, class_id, method_id

    def closed_connection(self, answer=True):
        """The same for connection.close; what the broker had still to say on channels is passed."""
        while True:
            kind, channel, payload = self.read_frame()
            if kind == METHOD and channel == 0:
                reader = Reader(payload)
                name = NAMES[reader.number(2), reader.number(2)]
                if name != "connection.close":
                    raise AssertionError(f"expected connection.close, got {name}")
                code, text, class_id, method_id = reader.arguments("HsHH")
                if answer:
                    self.send(0, "connection.close_ok")
                return code, text, class_id, method_id
