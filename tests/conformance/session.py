"""One AMQP connection as the player sees it: frames sorted by channel, contents put together, the
same over a socket and over the pipe of the engine in memory. It checks what is true of every frame
that a broker sends: sizes, ends, no body frame for an empty body."""

import collections
import dataclasses
import struct
import time

import wire
from matching import decode_method, shown
from values import Mismatch

HEARTBEAT = "heartbeat"


@dataclasses.dataclass
class Event:
    """A method with its content, or a heartbeat."""

    name: str
    arguments: dict = dataclasses.field(default_factory=dict)
    properties: bytes = b""
    body: bytes = b""
    body_frames: list = dataclasses.field(default_factory=list)

    def __repr__(self):
        values = " ".join(f"{key}={value!r}" for key, value in self.arguments.items())
        content = f" properties={self.properties!r} body={shown(self.body)}" \
            if self.name in wire_contents else ""
        return f"{self.name} {values}{content}"


wire_contents = ("basic.deliver", "basic.return", "basic.get_ok")


class Ended(Mismatch):
    """The broker closed the socket."""


class Session:
    """Sends octets and hands out events channel by channel. `link` has send(octets),
    receive(seconds) -> octets, b"" at the end, None if nothing came in time; and close()."""

    def __init__(self, link, name):
        self.link, self.name = link, name
        self.input = b""
        self.events = collections.defaultdict(collections.deque)
        self.contents = {}  # channel -> [event, octets that are missing, or None before the header]
        self.open_channels = set()
        self.frame_max = wire.FRAME_MAX
        self.ended = False     # the socket is closed by the broker
        self.finished = False  # closed by the scenario
        self.refused = False   # by connection.close
        self.dirty = False     # frames were made by hand: no round trips of ours in between
        self.other_octets = b""  # the answer to a foreign protocol header
        self.clock = time.monotonic
        self.sent_at = self.clock()

    # Sending

    def send(self, octets):
        self.sent_at = self.clock()
        self.link.send(octets)

    def send_method(self, channel, name, *arguments):
        self.send(wire.Wire.method_octets(channel, name, *arguments))

    # Receiving

    def pump(self, seconds):
        """Takes in what comes within that time; False if nothing did."""
        if self.ended:
            return False
        piece = self.link.receive(seconds)
        if piece is None:
            return False
        if not piece:
            self.ended = True
            return False
        self.input += piece
        self.parse()
        return True

    def parse(self):
        if self.input.startswith(b"AMQP"):
            self.other_octets, self.input = self.input[:8], self.input[8:]
        while len(self.input) >= 7:
            kind, channel, size = struct.unpack(">BHI", self.input[:7])
            if size > self.frame_max - 8:
                raise Mismatch(f"a frame of {size} octets from the broker")
            if len(self.input) < size + 8:
                return
            payload, end = self.input[7:7 + size], self.input[7 + size]
            self.input = self.input[8 + size:]
            if end != wire.FRAME_END:
                raise Mismatch("the broker's frame has a wrong end")
            self.take_frame(kind, channel, payload)

    def take_frame(self, kind, channel, payload):
        if kind == wire.HEARTBEAT:
            if channel or payload:
                raise Mismatch("a heartbeat with a channel or a payload")
            self.events[0].append(Event(HEARTBEAT))
        elif kind == wire.METHOD:
            if channel in self.contents:
                raise Mismatch("a method amid a content")
            event = Event(*decode_method(payload))
            if event.name in wire_contents:
                self.contents[channel] = [event, None]
            else:
                self.add(channel, event)
        elif channel not in self.contents:
            raise Mismatch(f"a frame of type {kind} without a method")
        elif kind == wire.HEADER:
            self.take_header(channel, payload)
        else:
            self.take_body(channel, payload)

    def take_header(self, channel, payload):
        event, missing = self.contents[channel]
        class_id, weight, size = struct.unpack(">HHQ", payload[:12])
        if missing is not None or (class_id, weight) != (60, 0):
            raise Mismatch(f"a wrong content header {payload!r}")
        event.properties = payload[12:]
        self.contents[channel][1] = size
        self.finish_content(channel)

    def take_body(self, channel, payload):
        event, missing = self.contents[channel]
        if missing is None or not payload or len(payload) > missing:
            raise Mismatch("a body frame out of place")
        event.body += payload
        event.body_frames.append(len(payload))
        self.contents[channel][1] = missing - len(payload)
        self.finish_content(channel)

    def finish_content(self, channel):
        if self.contents[channel][1] == 0:
            self.add(channel, self.contents.pop(channel)[0])

    def add(self, channel, event):
        self.events[channel].append(event)
        if event.name == "channel.open_ok":
            self.open_channels.add(channel)
        elif event.name in ("channel.close_ok", "channel.close"):
            self.open_channels.discard(channel)
        elif event.name in ("connection.close", "connection.close_ok"):
            self.open_channels.clear()

    def next(self, channel, seconds):
        """The next event of that channel."""
        deadline = time.monotonic() + seconds
        while not self.events[channel]:
            if channel and self.events[0] and self.events[0][0].name == "connection.close":
                raise Mismatch(f"{self.name} is closed: {self.events[0][0]}")
            left = deadline - time.monotonic()
            if not self.pump(max(left, 0)):
                if self.ended:
                    raise Ended(f"{self.name}: the socket is closed")
                if left <= 0 or self.link.is_instant:
                    raise Mismatch(f"{self.name}.{channel}: nothing came")
        return self.events[channel].popleft()

    def next_named(self, channel, name, seconds):
        """The next event of that channel with that name; what stands before it stays."""
        passed = []
        try:
            while True:
                event = self.next(channel, seconds)
                if event.name == name:
                    return event
                passed.append(event)
        finally:
            self.events[channel].extendleft(reversed(passed))

    def round_trip(self, seconds):
        """On every open channel; what the broker has sent before is in events afterwards."""
        channels = sorted(self.open_channels)
        for channel in channels:
            self.send_method(channel, "channel.flow", True)
        for channel in channels:
            self.until_flow_ok(channel, seconds)

    def until_flow_ok(self, channel, seconds):
        """Takes it out; a channel or connection that is being closed does not send it any more."""
        deadline = time.monotonic() + seconds
        while channel in self.open_channels and not self.ended:
            for event in self.events[channel]:
                if event.name == "channel.flow_ok":
                    self.events[channel].remove(event)
                    return
            left = deadline - time.monotonic()
            if not self.pump(max(left, 0)) and (left <= 0 or self.link.is_instant):
                raise Mismatch(f"{self.name}.{channel} does not answer")

    def waiting(self):
        """[(channel, event)] that no step has asked for."""
        return [(channel, event) for channel, events in sorted(self.events.items())
                for event in events]

    # Whole conversations

    def log_in(self, seconds, user="guest", password="guest", vhost="/", frame_max=wire.FRAME_MAX,
               channel_max=2047, heartbeat=0, capabilities=None, product=None):
        self.send(wire.PROTOCOL_HEADER)
        self.expect(0, "connection.start", seconds)
        properties = dict(wire.CAPABILITIES if capabilities is None else
                          {"capabilities": capabilities})
        if product:
            properties["product"] = product
        self.send_method(0, "connection.start_ok", properties, "PLAIN", f"\0{user}\0{password}",
                         "en_US")
        self.expect(0, "connection.tune", seconds)
        self.send(wire.Wire.method_octets(0, "connection.tune_ok", channel_max, frame_max,
                                          heartbeat)
                  + wire.Wire.method_octets(0, "connection.open", vhost, "", False))
        self.expect(0, "connection.open_ok", seconds)
        self.frame_max = frame_max

    def open_channel(self, channel, seconds):
        self.send_method(channel, "channel.open", "")
        self.expect(channel, "channel.open_ok", seconds)

    def expect(self, channel, name, seconds):
        event = self.next(channel, seconds)
        if event.name != name:
            raise Mismatch(f"{self.name}.{channel}: expected {name}, got {event}")
        return event

    def close(self):
        """In order, as far as the broker still listens; what is under way is dropped."""
        if not self.ended and not self.finished:
            self.send_method(0, "connection.close", 200, "bye", 0, 0)
            while self.expect_anything().name != "connection.close_ok":
                pass
        self.vanish()

    def expect_anything(self, seconds=wire.READ_SECONDS):
        return self.next(0, seconds)

    def vanish(self):
        self.finished = True
        self.link.close()
