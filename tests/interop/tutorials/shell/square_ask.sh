#!/bin/sh
# Tutorial 6, the client: square_ask.sh QUEUE NUMBER...
#
# Asks one after the other, as the tools send no correlation id. The server is another language's:
# amqp-consume does not hand on where the answer is to go.
. "$(dirname "$0")/tutorial.sh"

queue=$1
shift
tool amqp-declare-queue -q "$queue" >/dev/null
replies=$(tool amqp-declare-queue -q "")
trap 'tool amqp-delete-queue -q "$replies" >/dev/null' EXIT
for number; do
    tool amqp-publish -r "$queue" -t "$replies" -b "$number"
    echo "$number squared is $(tool amqp-consume -q "$replies" -c 1 cat)"
done
