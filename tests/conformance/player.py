"""Plays one scenario to one target: sends what its steps say and compares every frame that comes
back. A scenario can be cut after any step; what is left in its queues is then read by another
connection."""

import struct
import time
from urllib.parse import quote

import spec
import wire
from matching import match_event, match_text, shown
from session import HEARTBEAT, Session
from targets import WAIT_SECONDS
from values import (Mismatch, Table, Word, encode_argument, encode_properties, fill_in, integer_of,
                    octets_of, raw_octets, text_of)

POLL_SECONDS = 0.01
ROUNDS = 2  # round trips after which nothing is under way any more: connection, queue, connection
COUNTED = "x-delivery-count"
HEARTBEAT_MS = 500  # half of the smallest interval
SLACK_SECONDS = 0.3  # clocks are read at other moments than the broker's
CAPABILITIES = {"none": {}, "all": None}


class Player:
    def __init__(self, target, scenario):
        self.target, self.scenario = target, scenario
        self.names = {}
        self.sessions = {}
        self.undo = []  # what was set up through the management API
        self.queues, self.exchanges = {}, {}  # declared by name, in that order
        # lovage counts on every queue. Only scenarios that name the header are about it.
        self.without = () if any(COUNTED in step.text for step in scenario.steps) or \
            target.name == "rabbitmq" else (COUNTED,)
        self.seconds = 0 if target.name == "memory" else WAIT_SECONDS

    # Whole scenarios

    def play(self):
        steps = self.scenario.steps_for(self.target.name)
        for step in steps:
            self.step(step)
        self.finish()
        return len(steps)

    def cut(self, count):
        """Plays the first `count` steps, then all connections are lost at once."""
        for step in self.scenario.steps_for(self.target.name)[:count]:
            self.step(step)
        self.settle()
        for session in self.sessions.values():
            session.vanish()

    def step(self, step):
        try:
            if step.eventually:
                self.eventually(step)
            else:
                getattr(self, "do_" + step.verb.replace("<~", "find").replace("<", "expect"))(step)
        except (Mismatch, SyntaxError) as wrong:
            raise type(wrong)(f"{self.scenario.file}:{step.line}: {step.text}\n      {wrong}") \
                from wrong

    def eventually(self, step):
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                return getattr(self, "do_" + step.verb)(step)
            except Mismatch:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(POLL_SECONDS)
                self.reopen(self.session(step), step.channel)

    def reopen(self, session, channel):
        if channel not in session.open_channels:
            session.send_method(channel, "channel.close_ok")
            session.open_channel(channel, self.seconds)

    def session(self, step):
        if step.who not in self.sessions:
            raise SyntaxError(f"{step.who} is not connected")
        return self.sessions[step.who]

    def finish(self):
        """Nothing may be left that the scenario does not tell of."""
        self.settle()
        for session in self.sessions.values():
            if not session.finished:
                session.pump(0)
                self.nothing_left(session)
        for session in self.sessions.values():
            if session.dirty or session.finished or session.refused or session.ended:
                session.vanish()
            else:
                session.close()

    @staticmethod
    def nothing_left(session):
        left = [(channel, event) for channel, event in session.waiting()
                if event.name != HEARTBEAT]
        if left:
            raise Mismatch(f"{session.name} got what no step names: {shown(left)}")

    def settle(self):
        """What was under way has arrived: round trips on all channels and through all queues."""
        for _ in range(ROUNDS):
            for session in self.sessions.values():
                if not (session.dirty or session.finished or session.ended):
                    session.round_trip(self.seconds)
            for name in self.queues:
                self.declared(name)

    def declared(self, name, method="queue.declare"):
        """The answer to a passive declare by another connection: an event."""
        control = self.target.control()
        if method == "queue.declare":
            control.send_method(1, method, 0, name, True, False, False, False, False, {})
        else:
            control.send_method(1, method, 0, name, "direct", True, False, False, False, False, {})
        event = control.next(1, self.seconds)
        if event.name == "channel.close":
            control.send_method(1, "channel.close_ok")
        return event

    def clean(self):
        """The target is as before the scenario."""
        for session in self.sessions.values():
            session.vanish()
        for path in reversed(self.undo):
            self.target.api("DELETE", path)
        self.target.reset(self.queues, self.exchanges)

    # Connections

    def do_connects(self, step):
        options = {key: fill_in(value.text, self.names) if isinstance(value, Word) else value
                   for key, value in step.options.items()}
        channels = int(options.pop("channels", 1))
        for name in ("frame_max", "channel_max", "heartbeat"):
            if name in options:
                options[name] = int(options[name])
        if "capabilities" in options:
            options["capabilities"] = CAPABILITIES[options["capabilities"]]
        session = self.add(step)
        session.log_in(self.seconds, **options)
        for channel in range(1, channels + 1):
            session.open_channel(channel, self.seconds)

    def add(self, step):
        if step.who in self.sessions:
            self.sessions[step.who].vanish()
        session = self.sessions[step.who] = Session(self.target.link(), step.who)
        session.clock = self.target.now
        session.sent_at = self.target.now()
        return session

    def do_opens(self, step):
        self.add(step).dirty = True

    def do_closes(self, step):
        session = self.session(step)
        session.send_method(0, "connection.close", 200, "bye", 0, 0)
        session.expect(0, "connection.close_ok", self.seconds)
        session.vanish()

    def do_vanishes(self, step):
        self.settle()
        self.session(step).vanish()

    def do_half_closes(self, step):
        self.session(step).link.half_close()

    # Sending

    def do_call(self, step):
        session, method = self.session(step), step.method
        self.remember(method.name, {key: value for key, value in method.arguments.items()})
        octets = self.method_octets(step.channel, method)
        if method.name == "basic.publish":
            octets += self.content_octets(session, step.channel, method)
        session.send(octets)
        if step.close:
            self.expect_close(session, step.channel, step.close)
        elif step.answer:
            event = session.next(step.channel, self.seconds)
            self.remember_event(event)
            match_event(event, step.answer, self.names, self.without)

    def remember(self, name, arguments):
        """Names that are to be deleted after the scenario."""
        for method, argument, store in (("queue.declare", "queue", self.queues),
                                        ("exchange.declare", "exchange", self.exchanges)):
            if name == method and argument in arguments:
                text = text_of(arguments[argument], self.names)
                if text.isprintable() and text and not text.startswith("amq."):
                    store[text] = True

    def remember_event(self, event):
        if event.name == "queue.declare_ok" and event.arguments["queue"].startswith("amq.gen-"):
            self.queues[event.arguments["queue"]] = False

    def method_octets(self, channel, method):
        values = []
        for name, letter in spec.arguments_of(method.name):
            given = method.arguments.get(name)
            if given is None:
                given = Table([]) if letter == "F" else Word("0" if letter not in "sS" else "")
            values.append(encode_argument(letter, given, self.names))
        return wire.Wire.method_octets(channel, method.name, *values)

    def content_octets(self, session, channel, method):
        body = octets_of(text_of(method.body, self.names)) if method.body else b""
        properties = encode_properties(method.properties or Table([]), self.names)
        return wire.Wire.content_octets(channel, body, properties, session.frame_max)

    def do_method(self, step):
        session = self.session(step)
        session.dirty = True
        session.send(self.method_octets(step.channel or 0, step.method))

    def do_raw(self, step):
        session = self.session(step)
        session.dirty = True
        session.send(raw_octets(step.values, self.names))

    def do_frame(self, step):
        session = self.session(step)
        session.dirty = True
        kind = integer_of(step.values[0], self.names)
        payload = raw_octets(step.values[1:], self.names)
        if "size" in step.options:  # announced; the frame's end does not come
            size = integer_of(step.options["size"], self.names)
            session.send(struct.pack(">BHI", kind, step.channel or 0, size) + payload)
            return
        end = integer_of(step.options.get("end", Word(str(wire.FRAME_END))), self.names)
        session.send(wire.Wire.frame_octets(kind, step.channel or 0, payload, end))

    def do_header(self, step):
        session, options = self.session(step), step.options
        session.dirty = True
        number = {key: integer_of(options.get(key, Word(default)), self.names)
                  for key, default in (("size", "0"), ("class", "60"), ("weight", "0"))}
        properties = encode_properties(options.get("properties", Table([])), self.names)
        session.send(wire.Wire.frame_octets(wire.HEADER, step.channel, wire.Wire.header_octets(
            number["size"], properties, number["class"], number["weight"])))

    def do_body(self, step):
        session = self.session(step)
        session.dirty = True
        session.send(wire.Wire.frame_octets(wire.BODY, step.channel,
                                            raw_octets(step.values, self.names)))

    # Expecting

    def do_expect(self, step):
        if step.method.name == HEARTBEAT and self.session(step).link.is_instant:
            self.target.wait(HEARTBEAT_MS)
        event = self.session(step).next(step.channel or 0, self.seconds)
        self.remember_event(event)
        match_event(event, step.method, self.names, self.without)

    def do_find(self, step):
        event = self.session(step).next_named(step.channel or 0, step.method.name, self.seconds)
        match_event(event, step.method, self.names, self.without)

    def do_closed(self, step):
        self.expect_close(self.session(step), step.channel, step.close)

    def expect_close(self, session, channel, close):
        at = channel if close.what == "channel" else 0
        event = session.next(at, self.seconds)
        if event.name != close.what + ".close":
            raise Mismatch(f"expected {close.what}.close, got {event}")
        got = event.arguments
        if (got["reply_code"], got["class_id"], got["method_id"]) != (close.code, *close.ids):
            raise Mismatch(f"expected {close.code} {close.ids}, got {event}")
        self.match_close_text(close, got["reply_text"])
        session.send_method(at, close.what + ".close_ok")
        if close.what == "channel":
            session.open_channel(channel, self.seconds)
            return
        session.refused = True
        if close.code != 501:  # after a wrong frame RabbitMQ reads no further for 3 s
            self.until_ended(session, self.seconds)

    def match_close_text(self, close, text):
        if close.text == "_":
            return
        if close.text.startswith("~"):
            pattern = Word(close.text[1:], True)
            start = f"{spec.CODES[close.code]} - "
            if not text.startswith(start):
                raise Mismatch(f"expected {start}, got {text!r}")
            from values import Pattern
            match_text("the text", Pattern(pattern), text[len(start):], self.names)
            return
        wanted = spec.close_text(close.code, fill_in(close.text, self.names))
        if text != wanted:
            raise Mismatch(f"the text is\n        {text!r}, expected\n        {wanted!r}")

    def until_ended(self, session, seconds):
        """Waits until the broker closes the socket; in memory time is moved."""
        started = self.target.now()
        while not session.ended:
            while session.pump(0.05):
                pass
            if session.ended:
                return
            if self.target.now() - started > seconds:
                raise Mismatch(f"{session.name} is still open after {seconds} s")
            if session.link.is_instant:
                self.target.wait(100)

    def do_dropped(self, step):
        """Closed without a word, after so long a time and not before."""
        session, wanted = self.session(step), step.ms / 1000
        self.until_ended(session, wanted * 2 + (self.seconds or 1))
        passed = self.target.now() - session.sent_at
        if passed < wanted - SLACK_SECONDS:
            raise Mismatch(f"dropped after {passed:.1f} s already")
        if step.ms and session.link.is_instant and passed > wanted + SLACK_SECONDS:
            raise Mismatch(f"dropped after {passed:.1f} s only")
        self.nothing_left(session)

    def do_refused(self, step):
        """A foreign protocol header is answered with ours."""
        session = self.session(step)
        self.until_ended(session, self.seconds)
        if session.other_octets != wire.PROTOCOL_HEADER:
            raise Mismatch(f"{session.other_octets!r} came")

    def do_silent(self, step):
        session = self.session(step)
        if step.ms:
            self.target.wait(step.ms)
        else:
            self.settle()
        while session.pump(0):
            pass
        if session.ended:
            raise Mismatch("the socket is closed")
        self.nothing_left(session)

    # Queues

    def count(self, session, channel, queue):
        session.send_method(channel, "queue.declare", 0, queue, True, False, False, False, False,
                            {})
        return session.expect(channel, "queue.declare_ok",
                              self.seconds).arguments["message_count"]

    def until_count(self, session, channel, queue, wanted):
        deadline = time.monotonic() + self.seconds
        while self.count(session, channel, queue) != wanted and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def do_fills(self, step):
        session = self.session(step)
        queue, *bodies = (text_of(value, self.names) for value in step.values)
        before = self.count(session, step.channel, queue)
        for body in bodies:
            session.send(wire.Wire.method_octets(step.channel, "basic.publish", 0, "", queue,
                                                 False, False)
                         + wire.Wire.content_octets(step.channel, octets_of(body)))
        self.until_count(session, step.channel, queue, before + len(bodies))

    def do_drains(self, step):
        session = self.session(step)
        queue, *wanted = (text_of(value, self.names) for value in step.values)
        self.until_count(session, step.channel, queue, len(wanted))
        got = [body + "!" * redelivered
               for redelivered, _, _, body in drained(session, step.channel, queue, self.seconds)]
        if got != wanted:
            raise Mismatch(f"{queue} holds {got}, expected {wanted}")

    def do_confirmed(self, step):
        session = self.session(step)
        wanted = {abs(int(value.text)): "basic.nack" if value.text[0] == "-" else "basic.ack"
                  for value in step.values}
        while wanted:
            event = session.next(step.channel, self.seconds)
            tag, multiple = (event.arguments.get(key) for key in ("delivery_tag", "multiple"))
            covered = {each for each in wanted if each == tag or multiple and each <= tag}
            if not covered or {wanted[each] for each in covered} != {event.name}:
                raise Mismatch(f"{event} settles none of {wanted}")
            for each in covered:
                del wanted[each]

    # Users, vhosts, limits: how the target is set up, and set back afterwards

    def texts(self, step):
        return [text_of(value, self.names) for value in step.values], {
            key: text_of(value, self.names) for key, value in step.options.items()}

    def api(self, path, body, undo=True):
        self.target.api("PUT", path, body)
        if undo:
            self.undo.append(path)

    def do_user(self, step):
        (name,), options = self.texts(step)
        self.api(f"users/{name}", {"password": options.get("password", name),
                                   "tags": options.get("tags", "")})
        self.permit(name, {"vhost": "/", **options})

    def permit(self, user, options):
        rights = {key: options[key] for key in ("configure", "write", "read") if key in options}
        if rights:
            self.target.api("PUT", f"permissions/{quote(options['vhost'], '')}/{user}",
                            {"configure": "", "write": "", "read": "", **rights})

    def do_permissions(self, step):
        (user,), options = self.texts(step)
        self.permit(user, {"vhost": "/", **options})

    def do_topic(self, step):
        (user, exchange), options = self.texts(step)
        self.target.api("PUT", f"topic-permissions/%2F/{user}", {
            "exchange": exchange, "write": options.get("write", ".*"),
            "read": options.get("read", ".*")})

    def do_vhost(self, step):
        self.api(f"vhosts/{quote(self.texts(step)[0][0], '')}", {})

    def do_limit(self, step):
        (kind, name, what, value), _ = self.texts(step)
        self.api(f"{kind}-limits/{quote(name, '')}/{what}", {"value": int(value)})

    def do_delete(self, step):
        (kind, name, *reason), _ = self.texts(step)
        path = {"user": "users/", "vhost": "vhosts/",
                "connections": "connections/username/"}[kind] + quote(name, "")
        self.target.api("DELETE", path, None, [("X-Reason", each) for each in reason])

    # Time and the broker itself

    def do_wait(self, step):
        self.target.wait(step.ms)

    def do_alarm(self, step):
        self.target.alarm(step.values[0].text == "on")

    def do_consumer_timeout(self, step):
        self.target.consumer_timeout(step.ms)

    def do_shutdown(self, _):
        self.target.shut_down()

    def do_restart(self, _):
        self.target.restart()


def drained(session, channel, queue, seconds):
    """Takes all ready messages: [(redelivered, exchange, key, body)]."""
    taken = []
    while True:
        session.send_method(channel, "basic.get", 0, queue, True)
        event = session.next(channel, seconds)
        if event.name == "basic.get_empty":
            return taken
        if event.name != "basic.get_ok":
            raise Mismatch(f"basic.get was answered with {event}")
        taken.append((event.arguments["redelivered"], event.arguments["exchange"],
                      event.arguments["routing_key"],
                      event.body.decode("utf-8", "surrogateescape")))
