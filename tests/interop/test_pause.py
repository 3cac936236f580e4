"""Queues that are paused and resumed over the HTTP API, which RabbitMQ does not know."""

import json

import harness
from test_policies import PolicyTest


class Paused(PolicyTest):
    def set_paused(self, queue, verb):
        self.assertEqual(self.http("PUT", f"/api/queues/%2F/{queue}/{verb}")[0], 204)

    def state(self, queue):
        shown = json.loads(self.http("GET", "/api/queues/%2F")[1])
        return next(each["state"] for each in shown if each["name"] == queue)

    def test_consumer_stays_and_gets_everything_afterwards(self):
        queue, got = self.queue(), []
        self.c.basic_consume(queue, lambda c, m, p, body: got.append(body), auto_ack=True)
        self.set_paused(queue, "pause")
        self.assertEqual(self.publish(queue, b"a", b"b"), 2)
        self.assertEqual(self.state(queue), "paused")
        self.assert_empty(self.channel(), queue)
        self.assertEqual((self.count(self.c, queue), got), (2, []))
        self.set_paused(queue, "resume")
        self.assertEqual(self.state(queue), "running")
        harness.wait_for(lambda: self.c.connection.process_data_events(0.1) or len(got) == 2,
                         what="deliveries go on")
        self.assertEqual(got, [b"a", b"b"])
