#!/bin/sh
# Tutorial 1, the sender: hello_send.sh QUEUE TEXT
. "$(dirname "$0")/tutorial.sh"

tool amqp-declare-queue -q "$1" >/dev/null
tool amqp-publish -r "$1" -b "$2"
echo "sent: $2"
