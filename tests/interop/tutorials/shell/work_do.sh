#!/bin/sh
# Tutorial 2, a worker: work_do.sh QUEUE
#
# The work is yours: press enter when a task is done. amqp-consume acknowledges when the command
# ends, so a task whose worker is killed goes to another one; and a worker has only one at a time.
. "$(dirname "$0")/tutorial.sh"

tool amqp-declare-queue -d -q "$1" >/dev/null
echo waiting
# The command's input is the message, the keyboard is its file 3.
exec amqp-consume --url="$AMQP_URL" -p 1 -q "$1" -- sh -c '
    text=$(cat)
    echo "task: $text"
    read -r _ <&3 || exit 1
    echo "done: $text"' 3<&0
