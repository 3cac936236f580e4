#!/bin/sh
# Tutorial 5, who listens by pattern: topic_follow.sh EXCHANGE PATTERN...
#
# In a pattern * is one word, # any number of them.
#
# Prints the pattern, as amqp-consume does not hand on the key; a message that fits two patterns is
# printed for both, as each has a queue.
. "$(dirname "$0")/tutorial.sh"

follow "$@"
