#!/usr/bin/env python3
"""The order-processing demo comes to what expected.json says, also while its broker and its workers
are killed."""

import collections
import json
import pathlib
import re
import tempfile
import unittest

import support

SHOP = pathlib.Path(__file__).resolve().parents[2] / "examples" / "order_processing"

# What each order that was placed causes, whether or not it goes well.
TASKS_OF_AN_ORDER = ["orders.charge", "orders.coupon", "orders.email", "orders.invoice"]
# How often the payment gateway is unavailable before a charge of such a card goes through.
FAILURES_OF_A_RETRIED_CHARGE = 2


def numbers(report):
    """Every line of the report that is a name and numbers, as {name: [numbers]}."""
    rows = {}
    for line in report.splitlines():
        found = re.fullmatch(r"  +(\S+(?: \S+)*?)((?: +\d+)+)", line)
        if found:
            rows[found[1]] = [int(number) for number in found[2].split()]
    return rows


class OrderDemo(unittest.TestCase):
    def demo(self, *options):
        with tempfile.TemporaryDirectory(prefix="lovage-orders-") as folder:
            status, out, err = support.run("order_processing", "demo", *options, cwd=folder)
        self.assertEqual(status, 0, err + out)
        return out

    def check_totals(self, report):
        expected = json.loads((SHOP / "expected.json").read_text(encoding="utf-8"))
        rows = numbers(report)
        refused = collections.Counter(line["reason"] for line in expected["malformed_lines"])
        refused.update(duplicate=expected["duplicate"], card_declined=expected["declined"],
                       out_of_stock=expected["out_of_stock"])
        self.assertEqual(rows["lines read"], [expected["lines"]])
        self.assertEqual(rows["placed"], [expected["shipped"]])
        self.assertEqual(rows["refused"], [sum(refused.values())])
        self.assertEqual({reason: rows.get(reason) for reason in refused},
                         {reason: [count] for reason, count in refused.items()})
        self.assertEqual({currency: rows.get(currency) for currency in expected["revenue_minor"]},
                         {currency: [sum_] for currency, sum_
                          in expected["revenue_minor"].items()})
        for task in TASKS_OF_AN_ORDER:
            done, _, failed = rows[task]
            self.assertEqual((done, failed), (expected["shipped"], 0), task)
        return expected, rows

    def test_totals(self):
        expected, rows = self.check_totals(self.demo())
        self.assertEqual(rows["orders.charge"][1],
                         expected["retried_charges"] * FAILURES_OF_A_RETRIED_CHARGE)

    def test_totals_while_broker_and_workers_are_killed(self):
        report = self.demo("--chaos")
        self.check_totals(report)
        kills = re.search(r"were killed (\d+) times", report)
        # The broker while orders come in and while tasks run, and both workers.
        self.assertGreaterEqual(int(kills[1]), 4)

    def test_totals_with_one_slot(self):
        self.check_totals(self.demo("--workers", "1", "-c", "1"))

    def test_an_input_that_is_not_there_is_named(self):
        status, _, err = support.run("order_processing", "demo", "--orders", "/no/such/orders")
        self.assertEqual(status, 1)
        self.assertIn("/no/such/orders", err)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
