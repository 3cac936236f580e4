"""A Celery application as a Python team would have it; the peer of test_celery.py.

  LOVAGE_BROKER_URL      the broker
  LOVAGE_CELERY_QUEUE    its default queue (pyq)
  LOVAGE_CELERY_PREFIX   first part of the task names (py); with `demo` it stands in for demo_tasks
  LOVAGE_CELERY_MAX_PRIORITY   levels of its queues (none)

    python3 -m celery -A celery_app worker -Q pyq -c 2
"""

import itertools
import os
import time

from celery import Celery

PREFIX = os.environ.get("LOVAGE_CELERY_PREFIX", "py")

app = Celery(
    "interop", broker=os.environ.get("LOVAGE_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    backend="rpc://")
app.conf.update(
    task_default_queue=os.environ.get("LOVAGE_CELERY_QUEUE", "pyq"),
    task_acks_late=True, worker_prefetch_multiplier=1, task_track_started=False,
    broker_transport_options={"confirm_publish": True}, broker_connection_timeout=10)


if "LOVAGE_CELERY_MAX_PRIORITY" in os.environ:
    app.conf.task_queue_max_priority = int(os.environ["LOVAGE_CELERY_MAX_PRIORITY"])


@app.task(name=f"{PREFIX}.add")
def add(a, b):
    return a + b


@app.task(name=f"{PREFIX}.echo")
def echo(value):
    return value


@app.task(name=f"{PREFIX}.fail")
def fail(text):
    raise ValueError(text)


@app.task(name=f"{PREFIX}.sleep")
def sleep(seconds):
    time.sleep(seconds)
    return seconds


turns = itertools.count()


@app.task(name=f"{PREFIX}.turn")
def turn():
    """How many of these this process has run before."""
    return next(turns)


@app.task(name=f"{PREFIX}.second_try", bind=True)
def second_try(self):
    """Ends only if another worker had it before; tells who did it and whether it came again."""
    redelivered = self.request.delivery_info["redelivered"]
    if not redelivered:
        time.sleep(3600)
    return [self.request.hostname, redelivered]


@app.task(name=f"{PREFIX}.flaky", bind=True, max_retries=10, default_retry_delay=0.1)
def flaky(self, times):
    if self.request.retries < times:
        raise self.retry()
    return self.request.retries


@app.task(name=f"{PREFIX}.named")
def named(first, second="default", *, third=3):
    return [first, second, third]
