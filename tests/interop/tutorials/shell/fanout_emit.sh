#!/bin/sh
# Tutorial 3, who tells everybody: fanout_emit.sh EXCHANGE TEXT
#
# The exchange must be there, amq.fanout for instance: the tools declare none.
. "$(dirname "$0")/tutorial.sh"

tool amqp-publish -e "$1" -b "$2"
echo "sent: $2"
