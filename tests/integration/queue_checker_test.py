"""The checker of the kill loop finds what it is there to find."""

import unittest

from queue_checker import QueueChecker


class Checker(unittest.TestCase):
    def setUp(self):
        self.queue = QueueChecker("q")
        self.begin(0)

    def begin(self, life):
        self.life = life
        self.queue.publisher_begins(life)
        self.queue.consumer_begins(life)

    def publish(self, count=1, transient=False, confirm=True):
        for _ in range(count):
            number = self.queue.published(transient)
            if confirm:
                self.queue.confirmed(number)
        return number

    def take(self, *numbers, redelivered=False, ack=True):
        for number in numbers:
            self.queue.delivered(number, redelivered)
            if ack:
                self.queue.acked(number)

    def expect(self, **wrong):
        self.queue.finish()
        self.assertEqual({k: n for k, n in self.queue.wrong.items() if n}, wrong,
                         self.queue.examples)

    def test_all_is_well(self):
        self.publish(3)
        self.take(0, 1, 2)
        self.expect()

    def test_a_confirmed_message_that_never_comes_is_lost(self):
        self.publish(3)
        self.take(0, 2)
        self.expect(lost=1)

    def test_a_message_that_came_and_was_not_settled_is_lost(self):
        self.publish(2)
        self.take(0)
        self.take(1, ack=False)
        self.begin(1)
        self.expect(lost=1)

    def test_an_unconfirmed_or_old_transient_one_may_be_lost(self):
        self.publish(confirm=False)
        self.publish(transient=True)
        self.begin(1)
        self.expect()

    def test_a_transient_one_of_the_last_life_may_not(self):
        self.begin(1)
        self.publish(transient=True)
        self.expect(lost=1)

    def test_a_transient_one_dies_with_the_broker(self):
        self.publish(transient=True)
        self.begin(1)
        self.take(0)
        self.expect(unexpected=1)

    def test_twice_in_a_life_is_duplicated(self):
        self.publish()
        self.take(0)
        self.take(0, redelivered=True)
        self.expect(duplicated=1)

    def test_again_when_given_back_is_not(self):
        self.publish(3)
        self.take(0, 1, 2, ack=False)
        for number in (0, 1, 2):
            self.queue.returned(number)
        self.take(0, 1, 2, redelivered=True)
        self.expect()

    def test_again_in_the_next_life_is_not(self):
        self.publish(2)
        self.take(0, 1)
        self.begin(1)
        self.take(1, redelivered=True)
        self.expect()
        self.assertEqual(self.queue.repeats, 1)

    def test_again_after_a_durable_ack_is_duplicated(self):
        self.publish()
        self.take(0)
        self.queue.ack_durable(0)
        self.begin(1)
        self.take(0, redelivered=True)
        self.expect(duplicated=1)

    def test_again_when_the_queue_has_lived_on_without_it_is_duplicated(self):
        self.publish(2)
        self.take(0)
        self.begin(1)
        self.take(1)
        self.begin(2)
        self.take(0, 1, redelivered=True)
        self.expect(duplicated=1)

    def test_again_when_nobody_has_looked_meanwhile_is_not(self):
        self.publish(2)
        self.take(0)
        self.begin(1)
        self.begin(2)
        self.take(0, redelivered=True)
        self.take(1)
        self.expect()

    def test_what_nobody_published_is_unexpected(self):
        self.publish()
        self.take(0, 1)
        self.queue.delivered(0, True, intact=False)
        self.expect(unexpected=2)

    def test_an_older_one_behind_a_newer_one_is_reordered(self):
        self.publish(3)
        self.take(0, 2, 1)
        self.expect(reordered=1)

    def test_what_comes_back_comes_before_what_waits(self):
        self.publish(3)
        self.take(0, 1, ack=False)
        self.begin(1)
        self.take(2)
        self.take(0, 1, redelivered=True)
        self.expect(reordered=2)

    def test_a_second_delivery_in_one_life_is_marked(self):
        self.publish()
        self.take(0, ack=False)
        self.queue.returned(0)
        self.take(0)
        self.expect(unmarked=1)

    def test_a_mark_is_due_in_every_later_life(self):
        self.publish()
        self.take(0, ack=False)
        self.begin(1)
        self.take(0)
        self.expect(unmarked=1)
