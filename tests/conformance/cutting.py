"""What is left in the queues of a scenario whose connections were all lost after one of its steps.
The engine in memory says how it must be; the other targets are compared with it."""

import re
import time

from player import POLL_SECONDS, Player, drained
from session import Session
from targets import WAIT_SECONDS
from values import Mismatch

SETTLE_SECONDS = 5
# What such a step leaves behind changes with time, which sockets cannot stop.
TIMED = re.compile(r"ttl|expir|\bwait\b|timeout|delay|restart|alarm|\bdropped after\b")


def may_be_cut(scenario, target):
    if any(step.verb in ("shutdown", "restart", "alarm") for step in scenario.steps):
        return False
    return target == "memory" or not (
        scenario.slow or any(TIMED.search(step.text) for step in scenario.steps))


def counts(player):
    """{queue: ready messages, or None if it is gone}, once no queue is locked any more."""
    found, deadline = {}, time.monotonic() + SETTLE_SECONDS
    for name, stays in player.queues.items():
        if not stays:
            continue  # a generated name is another one on every target
        while True:
            event = player.declared(name)
            if event.name == "queue.declare_ok":
                found[name] = event.arguments["message_count"]
                break
            if event.arguments["reply_code"] == 404:
                found[name] = None
                break
            if time.monotonic() > deadline or player.seconds == 0:
                raise Mismatch(f"{name} is locked by a connection that is gone")
            time.sleep(POLL_SECONDS)
    return found


def left_behind(player, expected=None):
    """{"queues": {name: messages or None}, "exchanges": {name: there?}}. Returning messages may
    take a moment: if what is to come is known, it is waited for."""
    deadline = time.monotonic() + SETTLE_SECONDS
    found = counts(player)
    while expected is not None and time.monotonic() < deadline:
        wanted = {name: None if messages is None else len(messages)
                  for name, messages in expected["queues"].items()}
        if found == wanted:
            break
        time.sleep(POLL_SECONDS)
        found = counts(player)
    session = Session(player.target.link(), "after the cut")
    session.log_in(WAIT_SECONDS)
    session.open_channel(1, WAIT_SECONDS)
    queues = {name: None if count is None else drained(session, 1, name, WAIT_SECONDS)
              for name, count in found.items()}
    session.close()
    exchanges = {name: player.declared(name, "exchange.declare").name == "exchange.declare_ok"
                 for name in player.exchanges}
    return {"queues": queues, "exchanges": exchanges}


def cut_at(target, scenario, count, expected=None):
    """What is left when the connections are lost after that many steps."""
    player = Player(target, scenario)
    try:
        player.cut(count)
        return left_behind(player, expected)
    finally:
        player.clean()


def cut_and_compare(target, memory, scenario, count):
    """After `count` steps of the target's; the engine in memory may have more or fewer until then."""
    step = scenario.steps_for(target.name)[count - 1]
    expected = cut_at(memory, scenario, sum(each.line <= step.line
                                            for each in scenario.steps_for(memory.name)))
    if target is memory:
        return
    found = cut_at(target, scenario, count, expected)
    if found != expected:
        raise Mismatch(f"{scenario.file}:{step.line}: cut after `{step.text}`: left behind\n"
                       f"        {found}, in memory\n        {expected}")
