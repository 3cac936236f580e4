#!/usr/bin/env python3
"""lovage as its users get it: installed into a folder, found by find_package, built into another
project, run. Nothing of the source tree may be needed.

Arguments: the build folder to install from, the C++ compiler, and the build's linker flags.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import support
from support import harness

BUILD, COMPILER, FLAGS = "", "", ""
CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"
BUILD_SECONDS = 600


def command(*arguments, **options):
    done = subprocess.run(arguments, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=support.environment(), check=False,
                          timeout=BUILD_SECONDS, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}\n{done.stdout[-6000:]}")
    return done.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lovage-package-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.prefix, cls.build = folder / "prefix", folder / "build"
        command("cmake", "--install", BUILD, "--prefix", cls.prefix)
        # A copy, so that nothing is found by accident relative to the source tree.
        shutil.copytree(CONSUMER, folder / "consumer")
        command("cmake", "-S", folder / "consumer", "-B", cls.build, "-G", "Ninja",
                f"-DCMAKE_CXX_COMPILER={COMPILER}", f"-DCMAKE_PREFIX_PATH={cls.prefix}",
                f"-DCMAKE_CXX_FLAGS={FLAGS}", "-DCMAKE_BUILD_TYPE=Debug")
        command("cmake", "--build", cls.build)
        cls.consumer = cls.build / "consumer"

    def test_the_consumer_runs(self):
        self.assertEqual(command(self.consumer), "all is well\n")

    def test_the_consumers_worker_runs_its_tasks(self):
        broker = support.Broker()
        self.addCleanup(broker.close)
        broker.start()
        worker = harness.spawn([self.consumer, "worker", "-Q", "shop", "-c", "1", "-l", "error",
                                "--broker", broker.url()], stdout=subprocess.DEVNULL)
        self.addCleanup(harness.end, worker)
        # The queue is made by whoever comes first; the call waits for the worker.
        self.assertEqual(
            command(self.consumer, "call", "shop.price", "--broker", broker.url(),
                    "--args", '[{"sku": "tea", "quantity": 4}]'),
            "10.0\n")

    def test_the_installed_programs_run(self):
        for name in ["lovage", "lovage-broker"]:
            self.assertIn("lovage", command(self.prefix / "bin" / name, "--version"))

    def test_nothing_of_the_source_tree_is_named(self):
        source = os.fsencode(CONSUMER.parents[2])
        files = list(self.prefix.rglob("lovage*.cmake"))
        self.assertTrue(files)
        for file in files:
            self.assertNotIn(source, file.read_bytes(), file.name)

    def test_only_public_headers_are_installed(self):
        self.assertEqual([entry.name for entry in (self.prefix / "include").iterdir()],
                         ["lovage"])


if __name__ == "__main__":
    BUILD, COMPILER, FLAGS = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], warnings="ignore")
