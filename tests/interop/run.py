#!/usr/bin/python3
"""Runs interoperability tests against one broker.

    run.py [--target lovage|rabbitmq] [--bin-dir build/release/bin] [-k WORD] MODULE...

Exit status: 0 passed, 1 failed, 77 skipped for want of a peer. With LOVAGE_REQUIRE_PEERS=1 in the
environment nothing is skipped: what is missing fails.
"""

import argparse
import importlib
import os
import pathlib
import sys
import time
import unittest

SLOW_SECONDS = 2
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402  (its folder is known only now)


def required():
    return os.environ.get("LOVAGE_REQUIRE_PEERS") == "1"


def skip(reason):
    print(f"{'FAILED' if required() else 'skipped'}: {reason}", flush=True)
    return 1 if required() else harness.SKIPPED


class Result(unittest.TextTestResult):
    """Tells the tests that took long."""

    def startTest(self, test):
        self._started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        seconds = time.monotonic() - self._started
        if seconds > SLOW_SECONDS:
            self.stream.writeln(f"    took {seconds:.1f} s")
        super().stopTest(test)


def load(modules, words):
    loader = unittest.TestLoader()
    if words:
        loader.testNamePatterns = [f"*{word}*" for word in words]
    suite = unittest.TestSuite()
    for module in modules:
        suite.addTests(loader.loadTestsFromModule(importlib.import_module(module)))
    expect_failures(suite, not_yet("not_yet_workers.txt"))
    if harness.Options.target == "lovage":
        expect_failures(suite, not_yet("not_yet.txt"))
    return suite


def not_yet(name):
    """{test id: reason}: what we are known to lack. Such a test must fail; when it passes, the run
    fails until its line is taken out."""
    listed = {}
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            listed[name] = reason.strip()
    return listed


def expect_failures(suite, listed):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            expect_failures(test, listed)
        elif test.id() in listed:
            test.__unittest_expecting_failure__ = True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=["lovage", "rabbitmq"],
                        default=os.environ.get("LOVAGE_INTEROP_TARGET", "lovage"))
    parser.add_argument("--bin-dir", default=os.environ.get("LOVAGE_BIN_DIR"))
    parser.add_argument("-k", dest="words", action="append", default=[],
                        help="only tests whose name has this word")
    parser.add_argument("-f", "--failfast", action="store_true")
    parser.add_argument("modules", nargs="+")
    options = parser.parse_args()
    harness.Options.target = options.target
    harness.Options.bin_dir = options.bin_dir

    try:
        suite = load(options.modules, options.words)
    except harness.PeerMissing as missing:
        return skip(missing)
    except ModuleNotFoundError as missing:
        if missing.name not in ("pika", "celery", "kombu", "amqp"):
            raise
        return skip(f"Python's {missing.name} is not installed (scripts/bootstrap --peers)")
    try:
        harness.shared_broker()
        result = unittest.TextTestRunner(
            verbosity=2, failfast=options.failfast, resultclass=Result).run(suite)
    except harness.PeerMissing as missing:
        return skip(missing)
    finally:
        harness.close_shared()
    if result.skipped and required():
        print("FAILED: nothing may be skipped with LOVAGE_REQUIRE_PEERS=1")
        return 1
    if result.testsRun == 0:
        print("FAILED: no test ran")
        return 1
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
