"""Random scripts for the differential test: lists of steps in the scenarios' language, made from a
seed. `{tag:7}` stands for one of the deliveries that are outstanding when the step is played, or
for one that is not."""

import random

CONNECTIONS, CHANNELS = "abc", (1, 2)
QUEUES = ["q0", "q1", "q2", "q3"]
EXCHANGES = ["x0", "x1", "x2"]
TYPES = ["direct", "fanout", "topic", "headers"]
KEYS = ["a", "a.b", "b", "#", "a.*", '""', *QUEUES]
CONSUMERS = ["c0", "c1", "c2"]
DEAD = ["x-dead-letter-exchange: x0", 'x-dead-letter-exchange: "", x-dead-letter-routing-key: q0',
        'x-dead-letter-exchange: "", x-dead-letter-routing-key: q1', "x-dead-letter-exchange: nox"]
# Not: priorities with a maximal length, and times to live of single messages. Those differ on
# purpose (docs/compatibility.md).
LIMITS = ["x-max-length: 2", "x-max-length: 1, x-overflow: reject-publish", "x-message-ttl: 0",
          "x-max-length: 1, x-overflow: reject-publish-dlx", "x-max-length-bytes: 3",
          "x-max-priority: 3", "x-single-active-consumer: true", "x-max-length: 0",
          "x-message-ttl: 600000", "x-message-ttl: -1", "x-overflow: what"]
BINDINGS = ["{}", "{}", "{x-match: any, h: 1, k: v}", "{x-match: all, h: 1}", "{h: 2}",
            "{x-match: wrong}", "{h: void}"]
PROPERTIES = ["{}", "{}", "{}", "{delivery_mode: 2}", "{priority: 1}", "{priority: 3}",
              "{headers: {h: 1}}", "{headers: {h: 2, k: v}}", "{headers: {CC: [q1]}}",
              "{headers: {BCC: [q2, a], k: v}, message_id: m}", "{expiration: 600000}",
              "{expiration: x}", "{headers: {CC: wrong}}", "{user_id: guest}", "{user_id: other}"]


class Script:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.serial = 0

    def one(self, *values):
        return self.random.choice(values)

    def chance(self, share):
        return self.random.random() < share

    def flag(self, name, share):
        return f" +{name}" if self.chance(share) else ""

    def queue(self):
        return self.random.choice(QUEUES) if self.chance(0.97) else "noq"

    def exchange(self):
        if self.chance(0.15):
            return self.one("amq.direct", "amq.fanout", "amq.topic", "amq.headers")
        return self.random.choice(EXCHANGES) if self.chance(0.96) else self.one("nox", '""')

    def key(self):
        return self.random.choice(KEYS)

    # One step each, without its channel

    def declare_queue(self):
        arguments = [self.random.choice(LIMITS)] if self.chance(0.4) else []
        if self.chance(0.35):
            arguments.append(self.random.choice(DEAD))
        return (f"queue.declare {self.queue()}" + self.flag("durable", 0.3)
                + self.flag("exclusive", 0.07) + self.flag("auto_delete", 0.1)
                + self.flag("passive", 0.1) + f" arguments={{{', '.join(arguments)}}}")

    def declare_exchange(self):
        arguments = f"alternate-exchange: {self.exchange()}" if self.chance(0.25) else ""
        return (f"exchange.declare {self.exchange()} {self.random.choice(TYPES)}"
                + self.flag("durable", 0.1) + self.flag("auto_delete", 0.15)
                + self.flag("internal", 0.05) + self.flag("passive", 0.1)
                + f" arguments={{{arguments}}}")

    def bind(self):
        return (f"queue.{self.one('bind', 'bind', 'bind', 'unbind')} {self.queue()} "
                f"{self.exchange()} {self.key()} arguments={self.random.choice(BINDINGS)}")

    def bind_exchange(self):
        return (f"exchange.{self.one('bind', 'bind', 'unbind')} {self.exchange()} "
                f"{self.exchange()} {self.key()} arguments={self.random.choice(BINDINGS[:4])}")

    def delete(self):
        if self.chance(0.5):
            return (f"queue.delete {self.queue()}" + self.flag("if_unused", 0.3)
                    + self.flag("if_empty", 0.3))
        return f"exchange.delete {self.exchange()}" + self.flag("if_unused", 0.4)

    def purge(self):
        return f"queue.purge {self.queue()}"

    def publish(self):
        self.serial += 1
        where = f'"" {self.queue()}' if self.chance(0.6) else f"{self.exchange()} {self.key()}"
        return (f"basic.publish {where}" + self.flag("mandatory", 0.2)
                + f" properties={self.random.choice(PROPERTIES)} body={self.serial}")

    def get(self):
        return f"basic.get {self.queue()}" + self.flag("no_ack", 0.3)

    def consume(self):
        arguments = self.one("", "", "", "x-priority: 1", "x-priority: -1", "x-priority: no")
        return (f"basic.consume {self.queue()} {self.random.choice(CONSUMERS)}"
                + self.flag("no_ack", 0.3) + self.flag("exclusive", 0.05)
                + f" arguments={{{arguments}}}")

    def cancel(self):
        return f"basic.cancel {self.random.choice(CONSUMERS)}"

    def settle(self):
        method = self.one("basic.ack", "basic.ack", "basic.nack", "basic.nack", "basic.reject")
        more = "" if method == "basic.reject" else self.flag("multiple", 0.3)
        more += "" if method == "basic.ack" else self.flag("requeue", 0.6)
        return f"{method} {{tag:{self.random.randrange(100)}}}{more}"

    def recover(self):
        return "basic.recover" + (" +requeue" if self.chance(0.97) else "")

    def qos(self):
        return f"basic.qos 0 {self.one(0, 1, 1, 2, 3)}" + self.flag("global", 0.3)

    def confirm(self):
        return "confirm.select"

    def steps(self):
        """One operation, mostly a single step."""
        connection = self.random.choice(CONNECTIONS)
        if self.chance(0.015):
            return [*self.without_consumers(connection, *CHANNELS),
                    f"{connection} {self.one('closes', 'vanishes')}"]
        if self.chance(0.02):
            return self.transaction(f"{connection}.3")
        peer = f"{connection}.{self.random.choice(CHANNELS)}"
        if self.chance(0.015):
            return [*self.without_consumers(connection, int(peer[-1])),
                    f"{peer} channel.close 200 bye"]
        kinds = {self.publish: 30, self.settle: 14, self.get: 10, self.declare_queue: 10,
                 self.declare_exchange: 4, self.bind: 9, self.bind_exchange: 3, self.delete: 3,
                 self.purge: 1, self.consume: 7, self.cancel: 3, self.recover: 1, self.qos: 3,
                 self.confirm: 1}
        made = self.random.choices(list(kinds), list(kinds.values()))[0]
        return [f"{peer} {made()}"]

    @staticmethod
    def without_consumers(connection, *channels):
        """A channel that goes with consumers: RabbitMQ may send them what it gives back itself."""
        return [f"{connection}.{channel} basic.cancel {tag}"
                for channel in channels for tag in CONSUMERS]

    def transaction(self, peer):
        """On a channel of its own, without a step of others in between: lovage routes at the
        commit."""
        steps = [f"{peer} channel.open", f"{peer} tx.select"]
        for _ in range(self.random.randrange(1, 5)):
            made = self.random.choice([self.publish, self.publish, self.settle, self.get])
            steps.append(f"{peer} {made()}")
        steps.append(f"{peer} {self.one('tx.commit', 'tx.commit', 'tx.rollback', 'basic.qos')}")
        return [*steps, f"{peer} channel.close 200 bye"]

    def operations(self, count):
        return [self.steps() for _ in range(count)]
