"""The Celery side of the workload `tasks`: the same no-op task with the same guarantees that lovage
gives by default: publisher confirms, acknowledgement after the result, one task at a time.

Started by lovage_bench as worker and imported by celery_client.py; the broker's address is in
LOVAGE_BENCH_BROKER.
"""

import os

from celery import Celery

app = Celery("lovage_bench", broker=os.environ["LOVAGE_BENCH_BROKER"], backend="rpc://")
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_default_queue="bench",
    worker_prefetch_multiplier=1,
)


@app.task(name="demo.add")
def add(a, b):
    return a + b
