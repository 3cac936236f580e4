#!/bin/sh
# Tutorial 4, who tells: direct_emit.sh EXCHANGE SEVERITY TEXT (amq.direct, for instance)
. "$(dirname "$0")/tutorial.sh"

tool amqp-publish -e "$1" -r "$2" -b "$3"
echo "sent: $2: $3"
