#!/bin/sh
# Tutorial 2, who has the work: work_give.sh QUEUE TASK...
#
# The tasks are to survive the broker, so the queue is durable and the messages are persistent.
. "$(dirname "$0")/tutorial.sh"

queue=$1
shift
tool amqp-declare-queue -d -q "$queue" >/dev/null
for task; do
    tool amqp-publish -p -r "$queue" -b "$task"
done
echo "$# given"
