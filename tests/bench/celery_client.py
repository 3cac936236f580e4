"""The client of the Celery side of the workload `tasks`. lovage_bench talks to it over stdin and
stdout, one line a command and one JSON object an answer:

    run COUNT SECONDS OUTSTANDING    sends tasks until COUNT (0: until SECONDS have passed), with at
                                     most OUTSTANDING results missing, and waits for all results
    latency COUNT                    one delay().get() after the other
"""

import collections
import json
import sys
import time

from celery_app import add

RESULT_SECONDS = 60


def expect(value, wanted):
    if value != wanted:
        raise AssertionError(f"{value!r} instead of {wanted!r}")


def run(count, seconds, outstanding):
    waiting = collections.deque()
    sent = 0
    start = time.perf_counter()
    deadline = start + seconds
    while sent < count if count else time.perf_counter() < deadline:
        waiting.append((add.delay(sent, 1), sent + 1))
        sent += 1
        if len(waiting) >= outstanding:
            take(waiting)
    while waiting:
        take(waiting)
    return {"n": sent, "seconds": time.perf_counter() - start}


def take(waiting):
    result, wanted = waiting.popleft()
    expect(result.get(timeout=RESULT_SECONDS), wanted)


def latency(count):
    microseconds = []
    for i in range(count):
        start = time.perf_counter()
        expect(add.delay(i, 1).get(timeout=RESULT_SECONDS), i + 1)
        microseconds.append((time.perf_counter() - start) * 1e6)
    return {"microseconds": microseconds}


def main():
    for line in sys.stdin:
        words = line.split()
        if words[0] == "run":
            answer = run(int(words[1]), float(words[2]), int(words[3]))
        else:
            answer = latency(int(words[1]))
        print(json.dumps(answer), flush=True)


main()
