"""One broker under a random script: connections that are always there again, what each channel was
told since the last step, and when everything has come to rest."""

import collections
import re

from language import Scenario, read_step
from matching import decode_properties
from player import COUNTED, Player
from session import Session
from targets import WAIT_SECONDS

QUIET_ROUNDS = 2
TRANSACTIONS = 3  # the channel for them
GENERATED = re.compile(r"amq\.(gen|ctag)-[\w-]{22}")
CONFIRMS = ("basic.ack", "basic.nack")


class World:
    def __init__(self, target, connections, channels, queues, exchanges):
        self.target, self.channels = target, channels
        self.queues, self.exchanges = queues, exchanges
        self.player = Player(target, Scenario("", "", 0))  # knows how steps become octets
        self.sessions = dict.fromkeys(connections)
        self.states = {}  # of the queues, as passive declares tell them
        self.journal = {}  # (connection, channel): what it was told since the last step
        self.unacked = collections.defaultdict(list)
        self.no_ack = {}  # (connection, channel): consumers that acknowledge nothing
        self.unconfirmed = {}  # (connection, channel): tags that wait for a confirm
        self.published = {}
        self.getting_no_ack = False
        self.refused = set()  # channels that the broker has closed

    def start(self):
        self.control = Session(self.target.link(), "control")
        self.control.log_in(WAIT_SECONDS)
        for name in self.sessions:
            self.connect(name)

    def connect(self, name):
        session = self.sessions[name] = Session(self.target.link(), name)
        session.log_in(WAIT_SECONDS)
        for channel in self.channels:
            session.open_channel(channel, WAIT_SECONDS)
        for store in (self.unacked, self.no_ack, self.unconfirmed, self.published):
            for place in [place for place in store if place[0] == name]:
                del store[place]

    def clean(self):
        for session in self.sessions.values():
            if session:
                session.vanish()
        self.control.vanish()
        self.target.reset(self.queues, self.exchanges)

    # Steps

    @staticmethod
    def place(text):
        name, _, channel = text.partition(".")
        return name, int(channel or 0)

    def outstanding(self, peer):
        return sorted(self.unacked[self.place(peer)])

    def can_play(self, text):
        """A step on a channel that an error has closed is left out."""
        name, channel = self.place(text.split(" ")[0])
        return channel == 0 or text.endswith("channel.open") or \
            channel in self.sessions[name].open_channels

    def play(self, text):
        step = read_step(0, text)
        session, place = self.sessions[step.who], (step.who, step.channel)
        if step.verb in ("closes", "vanishes"):
            if step.verb == "closes":
                session.close()
            session.vanish()
            self.connect(step.who)
            return
        self.expect_effects(place, step.method)
        octets = self.player.method_octets(step.channel, step.method)
        if step.method.name == "basic.publish":
            octets += self.player.content_octets(session, step.channel, step.method)
        session.send(octets)
        if step.method.name == "channel.close":
            session.open_channels.discard(step.channel)

    def expect_effects(self, place, method):
        """What the step does to the tags that later steps choose from."""
        given = {name: value.text for name, value in method.arguments.items()
                 if hasattr(value, "text")}
        if method.name == "basic.consume" and "no_ack" in given:
            self.no_ack.setdefault(place, set()).add(given["consumer_tag"])
        elif method.name == "basic.consume":
            self.no_ack.setdefault(place, set()).discard(given["consumer_tag"])
        elif method.name == "basic.get":
            self.getting_no_ack = "no_ack" in given
        elif method.name in ("basic.ack", "basic.nack", "basic.reject"):
            tag = int(given["delivery_tag"])
            self.unacked[place] = [each for each in self.unacked[place] if each != tag and
                                   not ("multiple" in given and each <= tag)]
        elif method.name in ("basic.recover", "channel.close"):
            self.unacked[place] = []
        elif method.name == "basic.publish" and place in self.published:
            self.published[place] += 1
            self.unconfirmed[place].add(self.published[place])

    # Coming to rest

    def rest(self):
        quiet, before = 0, None
        while quiet < QUIET_ROUNDS:
            for session in self.sessions.values():
                session.round_trip(WAIT_SECONDS)
            self.look_at_queues()
            self.collect()
            now = (dict(self.states), sum(map(len, self.journal.values())),
                   sum(map(len, self.unconfirmed.values())))
            quiet = quiet + 1 if now == before else 0
            before = now

    def look_at_queues(self):
        for channel, queue in enumerate(self.queues, 1):
            if channel not in self.control.open_channels:
                self.control.send_method(channel, "channel.open", "")
            self.control.send_method(channel, "queue.declare", 0, queue, True, False, False, False,
                                     False, {})
        for channel, queue in enumerate(self.queues, 1):
            event = self.control.next(channel, WAIT_SECONDS)
            if event.name == "channel.open_ok":
                event = self.control.next(channel, WAIT_SECONDS)
            if event.name == "channel.close":
                self.control.send_method(channel, "channel.close_ok")
                self.states[queue] = event.arguments["reply_code"]
            else:
                self.states[queue] = (event.arguments["message_count"],
                                      event.arguments["consumer_count"])

    def collect(self):
        """Moves what came into the journal, confirms apart."""
        for name, session in self.sessions.items():
            for channel, events in list(session.events.items()):
                place = (name, channel)
                while events:
                    self.take(place, events.popleft())

    def take(self, place, event):
        if event.name in CONFIRMS:
            tag = event.arguments["delivery_tag"]
            waiting = self.unconfirmed.get(place, set())
            settled = {each for each in waiting
                       if each == tag or event.arguments["multiple"] and each < tag}
            if not settled:
                self.journal.setdefault(place, []).append(f"confirm of nothing: {event}")
            waiting -= settled
            self.journal.setdefault((*place, "confirms"), set()).update(
                (each, event.name) for each in settled)
            return
        if event.name == "channel.flow_ok":
            return  # ours, which another channel's error has overtaken
        if event.name == "channel.close":
            self.refused.add(place)
        if event.name == "confirm.select_ok" and place not in self.published:
            self.published[place], self.unconfirmed[place] = 0, set()
        elif event.name == "basic.deliver" and \
                event.arguments["consumer_tag"] not in self.no_ack.get(place, ()):
            self.unacked[place].append(event.arguments["delivery_tag"])
        elif event.name == "basic.get_ok" and not self.getting_no_ack:
            self.unacked[place].append(event.arguments["delivery_tag"])
        self.journal.setdefault(place, []).append(shown(event))

    def told(self):
        """{where: what}, to be compared with another broker's."""
        found = {".".join(map(str, place)): what for place, what in self.journal.items() if what}
        found.update({queue: state for queue, state in self.states.items()})
        return found

    def answer(self):
        """Channels and connections that were closed are opened again; True if there were any."""
        answered = False
        for name, session in list(self.sessions.items()):
            if session.ended or not session.open_channels:
                if not session.ended:
                    session.send_method(0, "connection.close_ok")
                session.vanish()
                self.connect(name)
                answered = True
                continue
            for channel in (*self.channels, TRANSACTIONS):
                if (name, channel) in self.refused:
                    session.send_method(channel, "channel.close_ok")
                    answered = True
                if channel in session.open_channels:
                    continue
                if channel in self.channels:
                    session.open_channel(channel, WAIT_SECONDS)
                for store in (self.unacked, self.no_ack, self.unconfirmed, self.published):
                    store.pop((name, channel), None)
        self.refused.clear()
        return answered


# What differs on purpose or by chance, each in one place


def shown(event):
    """An event as text, without generated names, times, and lovage's count of deliveries."""
    text = f"{event.name} " + " ".join(f"{key}={value!r}"
                                       for key, value in event.arguments.items())
    if event.name in ("basic.deliver", "basic.return", "basic.get_ok"):
        properties = decode_properties(event.properties)
        if "headers" in properties:
            kept = [(key, timeless(value)) for key, value in properties["headers"]
                    if key != COUNTED]
            if kept or not properties["headers"]:
                properties["headers"] = kept
            else:
                del properties["headers"]
        text += f" {properties} {event.body!r}"
    return GENERATED.sub(r"amq.\1-", text)


def timeless(field):
    letter, value = field
    if letter == "A":
        return letter, [timeless(each) for each in value]
    if letter == "F":
        return letter, [(key, ("T", 0) if key == "time" else timeless(each))
                        for key, each in value]
    return field
