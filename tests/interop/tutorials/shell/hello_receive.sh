#!/bin/sh
# Tutorial 1, the receiver: hello_receive.sh QUEUE
. "$(dirname "$0")/tutorial.sh"

tool amqp-declare-queue -q "$1" >/dev/null
echo waiting
exec amqp-consume --url="$AMQP_URL" -A -q "$1" -- sh -c 'cat; echo'
