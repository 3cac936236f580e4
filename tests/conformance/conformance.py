#!/usr/bin/python3
"""Plays the scenarios to one target and says how many agree.

    conformance.py --target memory|lovage|rabbitmq [--bin-dir build/dev/bin] [-k WORD] [--cuts N]

Exit status: 0 all agree, 1 a difference, 77 skipped for want of a peer (with LOVAGE_REQUIRE_PEERS=1
that is a failure, too). --write-differences renews the list in docs/compatibility.md.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import spec  # noqa: E402  (finds the interoperability tests' modules)
import harness  # noqa: E402
from cutting import cut_and_compare, may_be_cut  # noqa: E402
from language import read_folder  # noqa: E402
from player import Player  # noqa: E402
from targets import make_target  # noqa: E402
from values import Mismatch  # noqa: E402

SCENARIOS = HERE / "scenarios"
COMPATIBILITY = HERE.parents[1] / "docs" / "compatibility.md"
BEGIN, END = "<!-- differences: begin -->", "<!-- differences: end -->"
LAST_ROW = 268  # of what was observed of RabbitMQ (README.md)
SLOW_SECONDS = 3
# RabbitMQ needs a while to take everything back; the seed makes the choice of a run the same.
CUTS_ON_RABBITMQ, SEED = 120, 1


def differences(scenarios):
    """The deliberate ones, as lines of Markdown."""
    lines = ["| Rows of the table | Scenario | lovage |", "|---|---|---|"]
    for scenario in scenarios:
        if scenario.differs:
            rows = ", ".join(map(str, scenario.rows))
            lines.append(f"| {rows} | {scenario.name} | {scenario.differs} |")
    return "\n".join(lines)


def documented():
    text = COMPATIBILITY.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        return text, None
    return text, text.split(BEGIN)[1].split(END)[0].strip()


def write_differences(scenarios):
    text, _ = documented()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    COMPATIBILITY.write_text(f"{before}{BEGIN}\n{differences(scenarios)}\n{END}{after}",
                             encoding="utf-8")


def rows_missing(scenarios):
    """Rows without a scenario and without a reason, or with both."""
    all_rows = set(range(1, LAST_ROW + 1))
    excused = {int(row) for row in re.findall(
        r"^(\d+) ", (HERE / "uncovered.txt").read_text(encoding="utf-8"), re.M)}
    shown = {row for scenario in scenarios for row in scenario.rows}
    return sorted(all_rows - shown - excused), sorted(shown & excused | shown - all_rows)


def only_waits(scenario):
    """Takes long and touches nothing that others use: it may be played beside them."""
    text = " ".join(step.text for step in scenario.steps)
    return re.search(r"dropped after|heartbeat", text) and ".declare" not in text


def disturbs_others(scenario):
    """Stops the broker or changes how it treats everybody: played alone, at the end."""
    return any(step.verb in ("restart", "alarm", "consumer_timeout") for step in scenario.steps)


class Run:
    def __init__(self, target, scenarios):
        self.target, self.scenarios = target, scenarios
        self.failures = []
        self.agreed = []  # scenarios; only these are cut

    def attempt(self, what, action):
        started = time.monotonic()
        try:
            action()
            agrees = True
        except (AssertionError, SyntaxError) as wrong:  # a Mismatch is the former
            self.failures.append(f"{what}\n    {wrong}")
            agrees = False
        if time.monotonic() - started > SLOW_SECONDS:
            print(f"    {what}: {time.monotonic() - started:.1f} s", flush=True)
        return agrees

    def play(self):
        """Scenarios that agree, and that are not for this target or wait for something."""
        played = [scenario for scenario in self.scenarios
                  if self.target.name in scenario.targets
                  and not (scenario.pending and self.target.name != "rabbitmq")]
        played.sort(key=disturbs_others)
        with concurrent.futures.ThreadPoolExecutor(len(played) or 1) as pool:
            waits = {}
            if self.target.name != "memory":
                waits = {id(scenario): pool.submit(self.play_one, scenario, self.target.twin())
                         for scenario in played if only_waits(scenario)}
            for scenario in played:
                def play(scenario=scenario):
                    if id(scenario) in waits:
                        return waits[id(scenario)].result()
                    return self.play_one(scenario, self.target)
                if self.attempt(f"{scenario.file}: {scenario.name}", play):
                    self.agreed.append(scenario)
        return len(self.agreed), len(self.scenarios) - len(played)

    @staticmethod
    def play_one(scenario, target):
        player = Player(target, scenario)
        try:
            player.play()
        finally:
            player.clean()

    def cut(self, memory, most):
        """Cuts that agree; those that are too slow for this target are left out."""
        places = [(scenario, count) for scenario in self.agreed
                  if not scenario.pending and {"memory", self.target.name} <= set(scenario.targets)
                  and may_be_cut(scenario, self.target.name)
                  and (self.target.name != "rabbitmq" or not scenario.differs)
                  for count in range(1, len(scenario.steps_for(self.target.name)) + 1)]
        if most is not None and most < len(places):
            places = sorted(random.Random(SEED).sample(places, most),
                            key=lambda place: (place[0].file, place[0].line, place[1]))
        return sum(self.attempt(
            f"{scenario.file}: {scenario.name}, cut after {count} steps",
            lambda scenario=scenario, count=count: cut_and_compare(
                self.target, memory, scenario, count)) for scenario, count in places), len(places)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=["memory", "lovage", "rabbitmq"], default="memory")
    parser.add_argument("--bin-dir", default=os.environ.get("LOVAGE_BIN_DIR"))
    parser.add_argument("-k", dest="words", action="append", default=[],
                        help="only scenarios whose file or name has this word")
    parser.add_argument("--cuts", type=int, default=None, help="so many cuts at most")
    parser.add_argument("--write-differences", action="store_true")
    return parser.parse_args()


def chosen(scenarios, words):
    return [each for each in scenarios
            if not words or any(word in f"{each.file} {each.name}" for word in words)]


def skip(reason):
    required = os.environ.get("LOVAGE_REQUIRE_PEERS") == "1"
    print(f"{'FAILED' if required else 'skipped'}: {reason}", flush=True)
    return 1 if required else harness.SKIPPED


def main():
    options = parse()
    harness.Options.bin_dir = options.bin_dir
    scenarios = read_folder(SCENARIOS)
    if options.write_differences:
        write_differences(scenarios)
        return 0
    memory = make_target("memory")
    try:
        target = memory if options.target == "memory" else make_target(options.target)
    except harness.PeerMissing as missing:
        return skip(missing)
    run = Run(target, chosen(scenarios, options.words))
    if not run.scenarios:
        print("FAILED: no scenario of that name")
        return 1
    try:
        memory.start()
        if target is not memory:
            target.start()
        agree, left_out = run.play()
        cuts = options.cuts
        if cuts is None and target.name == "rabbitmq":
            cuts = CUTS_ON_RABBITMQ
        good_cuts, all_cuts = run.cut(memory, cuts)
    finally:
        memory.close()
        if target is not memory:
            target.close()
    if target is memory and documented()[1] != differences(scenarios):
        run.failures.append("docs/compatibility.md does not list what the scenarios call different; "
                            "run conformance.py --write-differences")
    if target is memory:
        missing, wrong = rows_missing(scenarios)
        if missing or wrong:
            run.failures.append(f"rows without a scenario: {missing}; wrongly named: {wrong}")
    for failure in run.failures:
        print(f"FAILED {failure}", flush=True)
    print(f"{target.name}: {agree} of {len(run.scenarios) - left_out} scenarios agree, "
          f"{good_cuts} of {all_cuts} cuts, {left_out} left out")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
