#!/bin/sh
# Tutorial 3, one of those who listen: fanout_follow.sh EXCHANGE
. "$(dirname "$0")/tutorial.sh"

# The key is of no account here, but amqp-consume does not bind with an empty one.
bare=
follow "$1" any
