#!/usr/bin/python3
"""Plays seeded random scripts to lovage-broker and to RabbitMQ and compares every frame.

    differential.py [--seeds N] [--first SEED] [--operations N] [--bin-dir build/dev/bin]

After each step both brokers come to rest: round trips on all channels and through all queues, until
two rounds bring nothing new. Then what each channel has got since the last step must be the same,
and the counts of all queues. A difference is shrunk by leaving out operations and printed as steps
of the scenario language. Exit status as conformance.py.
"""

import argparse
import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import spec  # noqa: E402  (finds the interoperability tests' modules)
import harness  # noqa: E402
from conformance import skip  # noqa: E402
from random_script import CHANNELS, CONNECTIONS, EXCHANGES, QUEUES, Script  # noqa: E402
from targets import make_target  # noqa: E402
from values import Mismatch  # noqa: E402
from world import World  # noqa: E402

PATIENCE_SECONDS = 1.5  # a difference that goes away within it was a matter of time
SHRINK_RUNS = 150
TAG = re.compile(r"\{tag:(\d+)\}")
WRONG_TAG = 999


class Difference(Exception):
    pass


class Pair:
    """lovage and RabbitMQ with the same script."""

    def __init__(self, targets):
        self.targets = targets
        self.played, self.at = [], 0

    def run(self, operations):
        """Plays it; raises Difference. Returns the number of steps."""
        self.worlds = [World(target, CONNECTIONS, CHANNELS, QUEUES, EXCHANGES)
                       for target in self.targets]
        self.played = []
        try:
            for world in self.worlds:
                world.start()
            for self.at, operation in enumerate(operations):
                for step in operation:
                    self.step(step)
        finally:
            for world in self.worlds:
                world.clean()
        return len(self.played)

    def step(self, text):
        # What is outstanding is the same on both, else there would have been a difference.
        text = TAG.sub(lambda match: str(self.tag(text, int(match[1]))), text)
        if any(not world.can_play(text) for world in self.worlds):
            return
        self.played.append(text)
        try:
            for world in self.worlds:
                world.play(text)
            self.compare()
        except Mismatch as wrong:
            raise Difference(str(wrong)) from wrong

    def tag(self, text, number):
        tags = self.worlds[0].outstanding(text.split(" ")[0])
        number %= max(len(tags), 4) if number < 97 else 100
        return tags[number] if number < len(tags) else WRONG_TAG

    def compare(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for world in self.worlds:
                world.rest()
            # Some of what an error gives back RabbitMQ gives back with the client's close-ok only.
            if any([world.answer() for world in self.worlds]):
                continue
            mine, theirs = (world.told() for world in self.worlds)
            if mine == theirs:
                for world in self.worlds:
                    world.journal.clear()
                return
            if time.monotonic() > deadline:
                raise Difference(describe(mine, theirs))


def describe(mine, theirs):
    lines = []
    for place in sorted(set(mine) | set(theirs)):
        if mine.get(place) != theirs.get(place):
            lines += [f"  {place}: lovage:   {mine.get(place)}", f"  {place}: RabbitMQ: "
                      f"{theirs.get(place)}"]
    return "\n".join(lines)


def fails(pair, operations):
    try:
        pair.run(operations)
    except Difference as difference:
        return str(difference)
    return None


def shrink(pair, operations):
    """Leaves out ever smaller pieces as long as it still fails."""
    runs, piece = 0, max(len(operations) // 2, 1)
    while True:
        at = 0
        while at < len(operations) and runs < SHRINK_RUNS:
            fewer = operations[:at] + operations[at + piece:]
            runs += 1
            if fewer and fails(pair, fewer):
                operations = fewer
            else:
                at += piece
        if piece == 1 or runs >= SHRINK_RUNS:
            return operations
        piece = max(piece // 2, 1)


def report(pair, seed, operations, difference):
    """False if it does not come again: then it was a race that RabbitMQ leaves open."""
    print(f"seed {seed}: a difference after {len(pair.played)} steps:\n{difference}", flush=True)
    operations = operations[:pair.at + 1]
    if not fails(pair, operations) or not fails(pair, operations):
        print("  that did not come again", flush=True)
        return False
    smallest = shrink(pair, operations)
    difference = fails(pair, smallest) or difference
    print("  the least that still differs:")
    for name in CONNECTIONS:
        print(f"    {name} connects channels={len(CHANNELS)}")
    for step in pair.played:
        print(f"    {step}")
    print(difference, flush=True)
    return True


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--operations", type=int, default=200)
    parser.add_argument("--bin-dir", default=os.environ.get("LOVAGE_BIN_DIR"))
    parser.add_argument("--itself", action="store_true",
                        help="lovage with lovage: says whether the test is at rest when it thinks so")
    return parser.parse_args()


def main():
    options = parse()
    harness.Options.bin_dir = options.bin_dir
    started = []
    steps = failed = 0
    try:
        names = ("lovage", "lovage" if options.itself else "rabbitmq")
        for name in names:
            started.append(make_target(name))
            started[-1].start()
        pair = Pair(started)
        for seed in range(options.first, options.first + options.seeds):
            operations = Script(seed).operations(options.operations)
            try:
                steps += pair.run(operations)
            except Difference as difference:
                failed += report(pair, seed, operations, str(difference))
    except harness.PeerMissing as missing:
        return skip(missing)
    finally:
        for target in started:
            target.close()
    print(f"{options.seeds} seeds, {steps} steps without a difference, {failed} seeds with one")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
