#!/bin/sh
# Tutorial 5, who tells: topic_emit.sh EXCHANGE KEY TEXT (amq.topic, for instance)
. "$(dirname "$0")/tutorial.sh"

tool amqp-publish -e "$1" -r "$2" -b "$3"
echo "sent: $2: $3"
