#!/usr/bin/python3
"""The player must be able to fail: scenarios that are wrong in one place each, against the engine
in memory, and lines that are no steps."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import spec  # noqa: E402,F401  (finds the interoperability tests' modules)
import harness  # noqa: E402
from cutting import cut_at  # noqa: E402
from language import read_file  # noqa: E402
from player import Player  # noqa: E402
from targets import make_target  # noqa: E402
from values import Mismatch  # noqa: E402

START = """scenario planted
  rows 1
  a connects channels=2
  a.1 queue.declare q -> q 0 0
  a.1 fills q 0 1
"""


def scenario(steps, start=START):
    with tempfile.NamedTemporaryFile("w", suffix=".scenario", encoding="utf-8") as file:
        file.write(start + "\n".join(steps) + "\n")
        file.flush()
        return read_file(file.name)[0]


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.Options.bin_dir = os.environ.get("LOVAGE_BIN_DIR")
        cls.target = make_target("memory")
        cls.target.start()

    @classmethod
    def tearDownClass(cls):
        cls.target.close()

    def play(self, *steps):
        player = Player(self.target, scenario(steps))
        try:
            player.play()
        finally:
            player.clean()

    def fails(self, *steps):
        with self.assertRaises(Mismatch):
            self.play(*steps)

    def test_what_is_right_passes(self):
        self.play('a.1 basic.get q +no_ack -> 1 "" q 1 body=0', "a.1 drains q 1")

    def test_wrong_argument(self):
        self.fails('a.1 basic.get q +no_ack -> 2 "" q 1 body=0')

    def test_argument_that_is_not_named_must_be_empty(self):
        self.fails("a.1 basic.get q +no_ack -> 1 body=0")

    def test_wrong_body(self):
        self.fails("a.1 basic.get q +no_ack -> 1 ... body=1")

    def test_property_that_is_not_named(self):
        self.fails('a.1 basic.publish "" r +mandatory properties={type: x}',
                   'a.1 < basic.return 312 NO_ROUTE "" r')

    def test_type_of_a_header(self):
        self.fails('a.1 basic.publish "" r +mandatory properties={headers: {n: 1}}',
                   'a.1 < basic.return 312 NO_ROUTE "" r properties={headers: {n: l(1)}}')

    def test_order_of_headers(self):
        self.fails('a.1 basic.publish "" r +mandatory properties={headers: {a: 1, b: 2}}',
                   'a.1 < basic.return 312 NO_ROUTE "" r properties={headers: {b: 2, a: 1}}')

    def test_frame_that_no_step_names(self):
        self.fails("a.2 basic.consume q c", 'a.2 < basic.deliver c 1 "" q body=0')

    def test_silence(self):
        self.fails("a.2 basic.consume q c", "a silent")

    def test_order_and_redelivered_flag(self):
        self.fails("a.1 drains q 1 0")
        self.fails("a.1 drains q 0! 1")

    def test_codes_ids_and_texts_of_errors(self):
        right = "no queue 'r' in vhost '/'"
        self.play(f"a.1 basic.get r closes channel 404 {right}")
        self.fails(f"a.1 basic.get r closes channel 406 {right}")
        self.fails(f"a.1 basic.get r closes channel 404 (60,71) {right}")
        self.fails("a.1 basic.get r closes channel 404 no queue 'x' in vhost '/'")
        self.fails(f"a.1 basic.get r closes connection 404 {right}")

    def test_confirms(self):
        publish = ("a.1 confirm.select", 'a.1 basic.publish "" q')
        self.fails(*publish, "a.1 confirmed -1")
        self.fails(*publish, "a.1 confirmed 1 2")

    def test_dropped_too_early_or_too_late(self):
        self.fails("b opens", "b dropped after 3 s")
        self.fails("b opens", "b dropped after 20 s")
        self.play("b opens", "b dropped after 10 s")

    def test_users_and_what_they_may_do(self):
        bob = ('user bob configure="" write="" read="^q"', "b connects user=bob password=bob")
        self.play(*bob, "b.1 basic.get q -> 1 ... body=0")
        refused = "closes channel 403 access to queue 'q' in vhost '/' refused for user 'bob'"
        self.fails(*bob, f"b.1 basic.get q {refused}")
        self.fails(bob[1])  # as new after the scenario before
        self.fails("user bob password=secret", bob[1])
        self.play(*bob, "permissions bob read=r", f"b.1 basic.get q {refused}")

    def test_request_that_is_refused(self):
        self.fails("permissions nobody read=q")
        self.fails("limit user nobody max-channels 2")

    def test_cut_tells_what_is_left(self):
        wanted = [(False, "", "q", "0"), (False, "", "q", "1")]
        self.assertEqual(cut_at(self.target, scenario([]), 3)["queues"]["q"], wanted)
        taken = scenario(["a.1 basic.get q -> 1 ... body=0"])
        self.assertEqual(cut_at(self.target, taken, 4)["queues"]["q"],
                         [(True, *wanted[0][1:]), wanted[1]])


class Language(unittest.TestCase):
    def test_lines_that_are_no_steps(self):
        for line in ("a.1 queue.declared q", "a.1 queue.declare q r", "a.1 queue.declare que=q",
                     "a dances", "a.1 basic.ack 1 -> 1", 'a.1 queue.declare "q', "wait long",
                     "a.1 basic.get q closes channel", "a.1 queue.declare q arguments={a 1}"):
            with self.subTest(line=line), self.assertRaises(SyntaxError):
                scenario([line])

    def test_head_is_checked(self):
        for head in ("scenario x\n", "scenario x\n  rows 1\n  differs on purpose\n",
                     "scenario x\n  rows 1\n  targets mars\n", "a connects\n"):
            with self.subTest(head=head), self.assertRaises(SyntaxError):
                scenario(["a connects"], head)


if __name__ == "__main__":
    unittest.main()
