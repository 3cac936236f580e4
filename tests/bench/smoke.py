#!/usr/bin/env python3
"""Runs each workload of lovage_bench with very few messages and looks at what it prints.

    smoke.py PATH/lovage_bench [workload...]

No figure is compared with anything: how fast it is depends on the machine.
"""

import json
import subprocess
import sys
import unittest

BENCH = None
ONLY = []
RUN_SECONDS = 60

STREAM = {"n", "messages/s", "CPU s/M"}
PERCENTILES = {"p50 us", "p95 us", "p99 us"}
# Workload: its arguments, and the figures that each of its rows has.
WORKLOADS = {
    "publish_confirm": (["--count", "500"], STREAM),
    "transient": (["--count", "500"], STREAM),
    "fair_work": (["--count", "200"], STREAM),
    "fanout": (["--count", "200"], STREAM),
    "topic": (["--count", "1500"], STREAM),
    "many_queues": (["--count", "300", "--queues", "50"], STREAM),
    "many_connections": (["--count", "200", "--connections", "20"], STREAM),
    "rpc": (["--count", "100"], {"n", "requests/s", "CPU s/M"} | PERCENTILES),
    "latency": (["--count", "100"], {"n", "CPU s/M"} | PERCENTILES),
    "sync_batches": (["--count", "130"],
                     STREAM | {"records/sync", "octets/sync", "syncs"} | PERCENTILES),
    "churn": (["--count", "300", "--rate", "2000"],
              STREAM | {"written/octet", "kernel written/octet"}),
    "backlog": (["--count", "3000", "--size", "512"],
                {"n", "published/s", "published/s at 0%", "published/s at 100%", "peak MiB",
                 "resting MiB", "resting file MiB", "ready ms", "first delivery ms", "drained/s",
                 "drained/s at 100%", "drained/s at 0%", "drain peak MiB"}),
    "tasks": (["--count", "50"], {"n", "tasks/s", "CPU ms/task", "get p50 us"}),
    "start": ([], {"ready ms", "memory MiB"}),
    "idle": (["--connections", "20"], {"n", "KiB/connection"}),
}


def bench(*arguments):
    done = subprocess.run([BENCH, *arguments], capture_output=True, text=True,
                          timeout=RUN_SECONDS, check=False)
    return done.returncode, done.stdout, done.stderr


class Smoke(unittest.TestCase):
    def result(self, *arguments):
        status, out, error = bench("--json", "--runs", "1", *arguments)
        self.assertEqual(status, 0, error)
        return json.loads(out)["workloads"]

    def test_each_workload_prints_its_figures(self):
        for name, (arguments, wanted) in WORKLOADS.items():
            if ONLY and name not in ONLY:
                continue
            with self.subTest(name):
                for result in self.result(name, *arguments):
                    self.assertEqual(result["workload"], name)
                    (side,) = result["sides"]
                    self.assertIn("lovage", side["broker"])
                    self.assertLessEqual(wanted, set(side["median"]))
                    self.assertEqual(len(side["runs"]), 1)

    def test_every_message_of_a_count_is_counted_once(self):
        both = self.result("publish_confirm", "--count", "1234")

        self.assertEqual([one["sides"][0]["median"]["n"] for one in both], [1234, 1234])

    def test_a_backlog_survives_kill_9(self):
        (result,) = self.result("publish_confirm", "--backlog", "2000", "--kill")

        figures = result["sides"][0]["median"]
        self.assertEqual(figures["n"], 2000)
        self.assertLessEqual({"published/s", "drained/s", "ready ms", "peak MiB"}, set(figures))

    def test_a_sync_makes_no_more_durable_than_there_are_publishers(self):
        results = self.result("sync_batches", "--count", "640", "--size", "200")

        self.assertEqual([one["conditions"].split("publishers=")[1].split()[0] for one in results],
                         ["1", "2", "4", "8", "16", "32", "64"])
        for publishers, one in zip((1, 2, 4, 8, 16, 32, 64), results):
            figures = one["sides"][0]["median"]
            self.assertEqual(figures["n"], 640)
            self.assertLessEqual(figures["records/sync"], publishers + 1)
            self.assertGreater(figures["octets/sync"], 200)

    def test_churn_writes_what_it_publishes(self):
        (result,) = self.result("churn", "--count", "1000", "--rate", "5000")

        self.assertGreaterEqual(result["sides"][0]["median"]["written/octet"], 1)

    def test_a_table_has_a_heading_and_one_row_a_broker(self):
        status, out, error = bench("--runs", "1", "--count", "200", "--size", "100",
                                   "publish_confirm")

        self.assertEqual(status, 0, error)
        conditions, heading, row = out.strip().split("\n")
        self.assertTrue(conditions.startswith("# publish_confirm: size=100 "))
        self.assertEqual(heading.split()[:2], ["workload", "broker"])
        self.assertEqual(row.split()[:2], ["publish_confirm", "lovage"])

    def test_a_wrong_command_line_is_one_line_of_error(self):
        for arguments in (["nonsense"], [], ["rpc", "--against", "celery"], ["rpc", "--runs", "0"]):
            with self.subTest(arguments):
                status, out, error = bench(*arguments)

                self.assertEqual((status, out), (1, ""))
                self.assertRegex(error, r"\Alovage_bench: [^\n]+\n\Z")


if __name__ == "__main__":
    BENCH = sys.argv[1]
    ONLY = sys.argv[2:]
    unittest.main(argv=sys.argv[:1])
