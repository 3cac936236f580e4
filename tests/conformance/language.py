"""Reads scenario files (the language is described in README.md) into scenarios of parsed steps, so
that a wrong line is found before anything is played."""

import dataclasses
import pathlib
import re

import spec
from values import Scanner, Word

TARGETS = ("memory", "lovage", "rabbitmq")
# Which targets a step `lovage: ...` is for: the engine in memory is lovage as well.
GROUPS = {"lovage": ("memory", "lovage"), "rabbitmq": ("rabbitmq",), "memory": ("memory",),
          "sockets": ("lovage", "rabbitmq"), "broker": ("lovage",)}
STEP = re.compile(r"(?:(?P<group>lovage|rabbitmq|memory|sockets|broker):\s+)?"
                  r"(?P<eventually>eventually\s+)?(?P<rest>.*)", re.S)
WHO = re.compile(r"(?P<name>[a-z]\w*)(?:\.(?P<channel>\d+))?\s+(?P<rest>.*)", re.S)
CLOSES = re.compile(r"\s*(?P<what>channel|connection)\s+(?P<code>\d+)\s*"
                    r"(?:\((?P<class>\d+),\s*(?P<method>\d+)\)\s*)?(?P<text>.*)", re.S)
TIME = re.compile(r"(\d+)\s*(ms|s)$")


@dataclasses.dataclass
class Method:
    """A method as it is sent or expected."""

    name: str
    arguments: dict = dataclasses.field(default_factory=dict)
    rest: bool = False  # what is not named does not matter
    body: object = None
    properties: object = None
    flags: set = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Close:
    what: str
    code: int
    ids: tuple | None
    text: str


@dataclasses.dataclass
class Step:
    line: int
    text: str
    verb: str
    group: str | None = None
    eventually: bool = False
    who: str | None = None
    channel: int | None = None
    method: Method | None = None
    answer: Method | None = None
    close: Close | None = None
    values: list = dataclasses.field(default_factory=list)
    options: dict = dataclasses.field(default_factory=dict)
    flags: set = dataclasses.field(default_factory=set)
    ms: int = 0

    def for_target(self, target):
        return self.group is None or target in GROUPS[self.group]


@dataclasses.dataclass
class Scenario:
    file: str
    name: str
    line: int
    rows: list = dataclasses.field(default_factory=list)
    differs: str | None = None
    pending: str | None = None
    targets: tuple = TARGETS
    slow: bool = False
    steps: list = dataclasses.field(default_factory=list)

    def steps_for(self, target):
        return [step for step in self.steps if step.for_target(target)]


def milliseconds(text):
    found = TIME.match(text.strip())
    if not found:
        raise SyntaxError(f"`{text}` is no time")
    return int(found[1]) * (1000 if found[2] == "s" else 1)


def items(scanner, until=()):
    """Positional values, name=value pairs and +flags up to one of the words `until`, which is
    returned as well (or None at the end)."""
    values, named, flags = [], {}, set()
    while scanner.skip():
        for word in until:
            if re.compile(re.escape(word) + r"(\s|$)").match(scanner.text, scanner.at):
                scanner.at += len(word)
                return values, named, flags, word
        if found := scanner.match(r"\+([a-z_]+)(?=\s|$)"):
            flags.add(found[1])
        elif found := scanner.match(r"([a-z][a-z_]*)="):
            named[found[1]] = Word("") if scanner.at >= len(scanner.text) or \
                scanner.text[scanner.at] in " \t" else scanner.value()
        else:
            values.append(scanner.value())
    return values, named, flags, None


def method_of(name, values, named, flags):
    if name == "heartbeat":
        return Method(name)
    if name not in spec.SPEC:
        raise SyntaxError(f"there is no method {name}")
    made = Method(name)
    if values and isinstance(values[-1], Word) and values[-1].text == "...":
        made.rest = True
        values = values[:-1]
    places = spec.positional(name)
    if len(values) > len(places):
        raise SyntaxError(f"{name} has only {[place for place, _ in places]} without their names")
    for (place, _), value in zip(places, values):
        made.arguments[place] = value
    known = {place for place, _ in spec.arguments_of(name)}
    for flag in flags:
        named = {**named, flag: Word("1")}
    for key, value in named.items():
        if key == "body" and name in spec.WITH_CONTENT:
            made.body = value
        elif key == "properties" and name in spec.WITH_CONTENT:
            made.properties = value
        elif key in known:
            made.arguments[key] = value
        else:
            raise SyntaxError(f"{name} has no argument {key}")
    return made


def close_of(text, method):
    found = CLOSES.fullmatch(text)
    if not found:
        raise SyntaxError("after `closes`: channel or connection, code, (class,method), text")
    ids = (int(found["class"]), int(found["method"])) if found["class"] else None
    if ids is None and method is None:
        raise SyntaxError("(class,method) must be named here")
    return Close(found["what"], int(found["code"]), ids or spec.SPEC[method][:2], found["text"])


def read_method_step(step, text):
    """METHOD arguments [-> arguments of its answer | closes ...]."""
    scanner = Scanner(text)
    name = scanner.word()
    values, named, flags, end = items(scanner, ("->", "closes"))
    step.method = method_of(name, values, named, flags)
    if end == "closes":
        step.close = close_of(scanner.rest(), name)
    elif end == "->":
        step.answer = answer_of(name, scanner)
    elif spec.answer_of(name) and not step.method.arguments.get("nowait"):
        step.answer = Method(spec.answer_of(name), rest=True)


def answer_of(name, scanner):
    scanner.skip()
    if scanner.match(r"empty\s*$"):
        return Method("basic.get_empty")
    values, named, flags, _ = items(scanner)
    answer = spec.answer_of(name)
    if answer is None:
        raise SyntaxError(f"{name} has no answer")
    return method_of(answer, values, named, flags)


def read_peer_step(step, text):
    verb, _, rest = text.partition(" ")
    step.verb = verb
    scanner = Scanner(rest)
    if "." in verb:
        step.verb = "call"
        read_method_step(step, text)
    elif verb in ("<", "<~", "method"):
        name = scanner.word()
        step.method = method_of(name, *items(scanner)[:3])
    elif verb == "closes":
        if rest:
            step.verb, step.close = "closed", close_of(rest, None)
    elif verb == "silent":
        step.ms = milliseconds(rest.removeprefix("for ")) if rest else 0
    elif verb == "dropped":
        step.ms = milliseconds(rest.removeprefix("after ")) if rest else 0
    elif verb in ("connects", "raw", "frame", "header", "body", "fills", "drains", "confirmed",
                  "vanishes", "opens", "half_closes", "refused"):
        step.values, step.options, step.flags, _ = items(scanner)
    else:
        raise SyntaxError(f"unknown step `{verb}`")


def read_step(line, text):
    found = STEP.fullmatch(text)
    step = Step(line, text, "", found["group"], bool(found["eventually"]))
    rest = found["rest"].strip()
    first, _, more = rest.partition(" ")
    if first in ("wait", "consumer_timeout"):
        step.verb, step.ms = first, milliseconds(more)
    elif first in ("restart", "shutdown", "user", "permissions", "topic", "vhost", "limit",
                   "delete", "alarm"):
        step.verb = first
        step.values, step.options, _, _ = items(Scanner(more))
    else:
        who = WHO.fullmatch(rest)
        if not who:
            raise SyntaxError("a step begins with a connection's name")
        step.who = who["name"]
        step.channel = int(who["channel"]) if who["channel"] else None
        read_peer_step(step, who["rest"].strip())
    return step


def read_head(scenario, word, rest):
    """True if the line belongs to the scenario's head."""
    if word == "rows":
        scenario.rows = [int(row) for row in rest.split()]
    elif word in ("differs", "pending"):
        setattr(scenario, word, rest)
    elif word == "targets":
        scenario.targets = tuple(rest.split())
        if set(scenario.targets) - set(TARGETS):
            raise SyntaxError("unknown target")
    elif word == "slow" and not rest:
        scenario.slow = True
    else:
        return False
    return True


def lines_of(text):
    """(number, text) with continued lines joined; comments and empty lines left out."""
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not joined and (not stripped or stripped.startswith("#")):
            continue
        first = first if joined else number
        joined += " " + stripped if joined else stripped
        if joined.endswith("\\"):
            joined = joined[:-1].rstrip()
            continue
        yield first, joined
        joined = ""


def read_file(path):
    scenarios = []
    for number, text in lines_of(pathlib.Path(path).read_text(encoding="utf-8")):
        word, _, rest = text.partition(" ")
        try:
            if word == "scenario":
                scenarios.append(Scenario(pathlib.Path(path).name, rest, number))
            elif not scenarios:
                raise SyntaxError("a file begins with a scenario")
            elif scenarios[-1].steps or not read_head(scenarios[-1], word, rest.strip()):
                scenarios[-1].steps.append(read_step(number, text))
        except (SyntaxError, KeyError, IndexError, ValueError) as wrong:
            raise SyntaxError(f"{pathlib.Path(path).name}:{number}: {wrong}\n    {text}") from wrong
    for scenario in scenarios:
        check(scenario)
    return scenarios


def check(scenario):
    """What is wrong with a scenario as a whole."""
    place = f"{scenario.file}:{scenario.line}: {scenario.name}: "
    if not scenario.rows:
        raise SyntaxError(place + "no row of the table is named")
    grouped = {step.group for step in scenario.steps} & {"lovage", "rabbitmq"}
    if bool(grouped) != bool(scenario.differs) and len(scenario.targets) == len(TARGETS):
        raise SyntaxError(place + "`differs` and steps of one broker belong together")


def read_folder(folder):
    """All scenarios, in the order of the table's sections."""
    return [scenario for path in sorted(pathlib.Path(folder).glob("*.scenario"))
            for scenario in read_file(path)]
