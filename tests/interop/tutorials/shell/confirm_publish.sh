#!/bin/sh
# Tutorial 7, as far as the tools go: confirm_publish.sh QUEUE COUNT
#
# They know no confirms. What there is: amqp-publish closes its channel in order, and the broker
# answers that after all messages before; who wants to know more has to count.
. "$(dirname "$0")/tutorial.sh"

tool amqp-declare-queue -d -q "$1" >/dev/null
seq "$2" | tool amqp-publish -p -l -r "$1"
echo "sent: $2"
echo "in the queue: $(tool amqp-delete-queue -q "$1")"
