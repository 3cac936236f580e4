"""A total-queue checker: what was published to one queue, what came out of it, what is wrong.

Messages have numbers that grow in the order of publishing. One publisher and one consumer at a time
call it, each from a thread of its own; what they write does not overlap. A *life* is the time
between two starts of the broker; every connection ends with its life.

Wrong is: a confirmed persistent message that never came or came and was not settled (lost), one
that comes again though nobody gave it back and its ack was durable or its life goes on
(duplicated), one that nobody published or that had to die with the broker (unexpected), one that
comes before an older one that waits (reordered), one that comes again unmarked (not marked).
"""

PUBLISHED, CONFIRMED, TRANSIENT = 1, 2, 4
DELIVERED, ACKED, DURABLE = 1, 2, 4

KINDS = ("lost", "duplicated", "unexpected", "reordered", "unmarked")
# Each further wrong message of a kind is only counted.
EXAMPLES = 5


class QueueChecker:
    def __init__(self, name):
        self.name = name
        self.out = bytearray()  # of the publisher, by number
        self.seen = bytearray()  # of the consumer, by number
        self.life_starts = []  # the first number of each life, from the life 0 on
        self.wrong = {kind: 0 for kind in KINDS}
        self.examples = []
        self.deliveries = self.redeliveries = self.repeats = 0
        self._life = -1  # of the consumer
        self._here = set()  # delivered in this life
        self._returned = set()  # of these, given back
        self._last = -1
        self._delivered_in = {}  # number: life, of messages whose ack may not be durable

    def _note(self, kind, number, text):
        self.wrong[kind] += 1
        if self.wrong[kind] <= EXAMPLES:
            self.examples.append(f"{kind}: {self.name} {number} in life {self._life}: {text}")

    # The publisher

    def publisher_begins(self, life):
        while len(self.life_starts) <= life:
            self.life_starts.append(len(self.out))

    def published(self, transient=False):
        """The next number. To be called before it is sent."""
        self.out.append(PUBLISHED | (TRANSIENT if transient else 0))
        return len(self.out) - 1

    def confirmed(self, number):
        self.out[number] |= CONFIRMED

    # The consumer

    def consumer_begins(self, life):
        # What was acked before the life that ends now, and did not come in it though younger ones
        # did, is gone for ever.
        for number in [n for n, life in self._delivered_in.items()
                       if life < self._life and n < self._last and self.seen[n] & ACKED]:
            del self._delivered_in[number]
        self._life = life
        self._here.clear()
        self._returned.clear()
        self._last = -1

    def delivered(self, number, redelivered, intact=True):
        self.deliveries += 1
        self.redeliveries += redelivered
        if not 0 <= number < len(self.out) or not intact:
            self._note("unexpected", number, "nobody has published that")
            return
        if self.out[number] & TRANSIENT and number < self.life_starts[self._life]:
            self._note("unexpected", number, "it is transient and of an earlier life")
        if len(self.seen) <= number:
            self.seen.extend(bytes(number + 1 - len(self.seen)))
        before = self.seen[number]
        if before & DURABLE:
            self._note("duplicated", number, "its ack was durable")
        if number in self._here and number not in self._returned:
            self._note("duplicated", number, "it was delivered in this life and not given back")
        elif before & ACKED and number not in self._here and not before & DURABLE:
            self.repeats += 1
            if number not in self._delivered_in:
                self._note("duplicated", number, "the queue has been without it since its ack")
        if number < self._last and number not in self._returned:
            self._note("reordered", number, f"it comes behind {self._last}")
        if before & DELIVERED and not redelivered:
            life = self._delivered_in.get(number, self._life)
            self._note("unmarked", number, f"it was delivered in life {life}")
        self.seen[number] = before | DELIVERED
        self._here.add(number)
        self._returned.discard(number)
        self._last = max(self._last, number)
        self._delivered_in[number] = self._life

    def acked(self, number):
        """An ack is about to be sent."""
        if 0 <= number < len(self.seen):  # else it was unexpected
            self.seen[number] |= ACKED

    def ack_durable(self, number):
        if 0 <= number < len(self.seen):
            self.seen[number] |= DURABLE
            self._delivered_in.pop(number, None)

    def returned(self, number):
        """A nack with requeue is about to be sent."""
        self._returned.add(number)

    # When the queue is empty and everybody has ended

    def finish(self):
        last_life = self.life_starts[-1] if self.life_starts else 0
        for number, out in enumerate(self.out):
            due = out & CONFIRMED and (not out & TRANSIENT or number >= last_life)
            seen = self.seen[number] if number < len(self.seen) else 0
            if due and not seen & ACKED:
                came = "came and was not settled" if seen & DELIVERED else "never came"
                self._note("lost", number, f"it is confirmed and {came}")

    def confirmed_count(self):
        return sum(1 for flags in self.out if flags & CONFIRMED)
